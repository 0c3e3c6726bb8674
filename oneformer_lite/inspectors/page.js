"use strict";
// What the scripts of all inspector pages share. Each reads ofl.data, paints in draw(), and calls ofl.start(draw).
const ofl = {
  data: JSON.parse(document.getElementById("ofl-data").textContent),

  // A data URI to its pixels: {width, height, data: RGBA bytes}.
  async pixels(uri) {
    const image = new Image();
    image.src = uri;
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  },

  // A map of ids written by id_picture: {width, height, ids: Int32Array}.
  async ids(uri) {
    const { width, height, data } = await ofl.pixels(uri);
    const ids = new Int32Array(width * height);
    for (let i = 0; i < ids.length; i++) ids[i] = data[4 * i] + 256 * data[4 * i + 1] + 65536 * data[4 * i + 2];
    return { width, height, ids };
  },

  // Values of all named controls: numbers of sliders, booleans of boxes, texts of radio buttons and lists; of boxes
  // with a value of their own, the values that are checked.
  state() {
    const state = {};
    for (const control of document.querySelectorAll("input[name], select[name]")) {
      if (control.type === "radio") { if (control.checked) state[control.name] = control.value; }
      else if (control.type === "checkbox" && control.hasAttribute("value")) {
        state[control.name] ||= [];
        if (control.checked) state[control.name].push(control.value);
      } else if (control.type === "checkbox") state[control.name] = control.checked;
      else if (control.type === "range") state[control.name] = Number(control.value);
      else state[control.name] = control.multiple ? [...control.selectedOptions].map((o) => o.value) : control.value;
    }
    return state;
  },

  // The segments of a map of ids over a photograph, as blend_masks does in Python: ImageData. Ids without a color
  // (Map: id -> [r, g, b]) stay a photograph.
  blend(photo, ids, colors, opacity, outline) {
    const { width, height, data } = photo, share = Math.round(256 * opacity), thick = Math.min(width, height) > 480;
    const picture = new ImageData(width, height), out = new Uint32Array(picture.data.buffer);
    const places = new Map([...colors.keys()].map((id, i) => [id, i + 1])), own = new Uint16Array(ids.length);
    for (let i = 0, last = -1, place = 0; i < ids.length; i++) {  // neighbours are mostly of one segment
      if (ids[i] !== last) { last = ids[i]; place = places.get(last) || 0; }
      own[i] = place;
    }
    const table = [[255, 255, 255], ...colors.values()];
    const parts = [0, 1, 2].map((c) => Uint16Array.from(table, (color) => color[c] * share + 128));
    const edges = Uint32Array.from(table, ([r, g, b]) =>
      (255 << 24) | (((b + 255) >> 1) << 16) | (((g + 255) >> 1) << 8) | ((r + 255) >> 1));
    const [red, green, blue] = parts, rest = 256 - share, right = width - 1, bottom = height - 1;
    for (let row = 0, i = 0; row < height; row++) {
      for (let column = 0; column < width; column++, i++) {
        const place = own[i], j = 4 * i;
        let edge = outline && ((column < right && own[i + 1] !== place) || (row < bottom && own[i + width] !== place));
        if (outline && thick && !edge) edge = (column && own[i - 1] !== place) || (row && own[i - width] !== place);
        if (edge) out[i] = edges[place];
        else if (place) {
          out[i] = (255 << 24) | (((data[j + 2] * rest + blue[place]) >> 8) << 16)
            | (((data[j + 1] * rest + green[place]) >> 8) << 8) | ((data[j] * rest + red[place]) >> 8);
        } else out[i] = (255 << 24) | (data[j + 2] << 16) | (data[j + 1] << 8) | data[j];
      }
    }
    return picture;
  },

  // A photograph without its colours, and pale, as greyed() does in Python.
  greyed({ width, height, data }) {
    const picture = new ImageData(width, height);
    for (let i = 0; i < data.length; i += 4) {
      picture.data.fill(Math.round((0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2]) * 0.6 + 90), i, i + 3);
      picture.data[i + 3] = 255;
    }
    return picture;
  },

  // Labels where place_labels() in Python found room for them: [text, [left, top, right, bottom], [x, y] in its segment].
  labels(context, placed, size) {
    const pill = "rgba(18,22,30,.75)";
    context.font = `${size}px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif`;
    [context.textAlign, context.textBaseline] = ["center", "middle"];
    for (const [, [left, top, right, bottom], [x, y]] of placed) {
      if (left - 1 <= x && x <= right + 1 && top - 1 <= y && y <= bottom + 1) continue;
      const from = [Math.min(Math.max(x, left + size / 2), right - size / 2), Math.min(Math.max(y, top), bottom)];
      for (const [ink, more] of [[pill, 1], ["#fff", 0]]) {
        [context.strokeStyle, context.fillStyle, context.lineWidth] = [ink, ink, Math.max(1, size / 12) + 2 * more];
        context.beginPath();
        context.moveTo(...from);
        context.lineTo(x, y);
        context.stroke();
        context.beginPath();
        context.arc(x, y, size / 5 + more, 0, 7);
        context.fill();
      }
    }
    for (const [text, [left, top, right, bottom]] of placed) {
      context.fillStyle = pill;
      context.beginPath();
      context.roundRect(left, top, right - left, bottom - top, (bottom - top) / 2);
      context.fill();
      context.fillStyle = "#fff";
      context.fillText(text, (left + right) / 2, (top + bottom) / 2, right - left - size / 2);
    }
  },

  // A white and black ring around a place on a canvas, in its own pixels.
  ring(context, row, column) {
    const { width, height } = context.canvas, radius = Math.max(6, Math.min(width, height) / 50);
    for (const [color, line] of [["#fff", 4], ["#000", 1.5]]) {
      [context.strokeStyle, context.lineWidth] = [color, line];
      context.beginPath();
      context.arc(column, row, radius, 0, 7);
      context.stroke();
    }
  },

  // A colour of the theme, --ofl-NAME of the style sheet, for a canvas.
  ink(name) {
    const probe = document.querySelector(".ofl-inspector .ofl-title"), before = probe.style.color;
    probe.style.color = `var(--ofl-${name})`;
    const color = getComputedStyle(probe).color;
    probe.style.color = before;
    return color;
  },

  // Black or white, whichever stands out more on [r, g, b], as ink_on in render/colors.py.
  inkOn(color) {
    const light = color.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2] > 0.179 ? "#000" : "#fff";
  },

  // So many pixels on the screen in pixels of a canvas: words on it are legible whatever its size.
  onScreen(canvas, pixels) {
    return (pixels * canvas.width) / (canvas.clientWidth || canvas.width);
  },

  // A canvas that is pointed at. told(place, clicked) gets [row, column] under the mouse or reached with the arrow
  // keys, and null when the mouse leaves. size(): how many rows and columns of places the canvas has. shown(): the
  // place that is shown, where the keys start; none: the middle. at(down, along): the place at these shares of the
  // canvas (null: none is there), where places are not spread evenly.
  point(canvas, { told, size, shown, at }) {
    const inside = (place) => place.map((value, axis) => Math.min(Math.max(Math.floor(value), 0), size()[axis] - 1));
    const under = (event) => {
      const box = canvas.getBoundingClientRect();
      const [down, along] = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
      return at ? at(down, along) : inside([down * size()[0], along * size()[1]]);
    };
    canvas.tabIndex = 0;
    canvas.addEventListener("mousemove", (event) => told(under(event), false));
    canvas.addEventListener("click", (event) => { const place = under(event); if (place) told(place, true); });
    canvas.addEventListener("mouseleave", () => told(null, false));
    canvas.addEventListener("keydown", (event) => {
      const way = ofl.way(event), from = shown() || size().map((count) => Math.floor(count / 2));
      if (way) told(inside(from.map((value, axis) => value + way[axis] * (event.shiftKey ? 10 : 1))), true);
    });
  },

  // Canvases that show what belongs to one place, of size rows and columns; a function that gives it: the one under the
  // mouse, or else the one that was clicked or reached with the arrow keys, at first held.
  looked(canvases, size, held) {
    let over = null;
    const told = (place, clicked) => {
      if (clicked) held = place;
      over = clicked ? null : place;
      ofl.redraw();
    };
    for (const canvas of canvases) ofl.point(canvas, { told, size: () => size, shown: () => held });
    return () => over || held;
  },

  // The step of an arrow key as [down, along], null for other keys; the page then does not scroll.
  way(event) {
    const way = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (way) event.preventDefault();
    return way || null;
  },

  // Draw now and after every change of a control; changes that come faster than pictures are drawn once.
  start(draw) {
    let waiting = false;
    const soon = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; ofl.now(draw); });
    };
    document.addEventListener("input", (event) => {
      const output = event.target.parentElement.querySelector("output");
      if (output) output.textContent = event.target.value;
      soon();
    });
    addEventListener("resize", soon);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon);
    ofl.redraw = soon;
    ofl.now(draw);
  },

  // Draw, and say that it has been done: tests and slow machines wait for it.
  now(draw) {
    draw(ofl.state());
    document.documentElement.dataset.drawn = Number(document.documentElement.dataset.drawn || 0) + 1;
  },

  // Text as HTML.
  text(value) {
    const element = document.createElement("span");
    element.textContent = value;
    return element.innerHTML;
  },
};
