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
    const { width, height } = photo, share = Math.round(256 * opacity), thick = Math.min(width, height) > 480;
    const picture = new ImageData(width, height), out = picture.data;
    const part = (i) => (colors.has(ids[i]) ? ids[i] : 0);
    for (let row = 0, i = 0; row < height; row++) {
      for (let column = 0; column < width; column++, i++) {
        const color = colors.get(ids[i]), own = part(i);
        let edge = outline &&
          ((column + 1 < width && part(i + 1) !== own) || (row + 1 < height && part(i + width) !== own));
        if (outline && thick && !edge) edge = (column && part(i - 1) !== own) || (row && part(i - width) !== own);
        for (let c = 0, j = 4 * i; c < 3; c++, j++) {
          const value = photo.data[j];
          if (edge) out[j] = ((color ? color[c] : 255) + 255) >> 1;
          else out[j] = color ? (value * (256 - share) + color[c] * share + 128) >> 8 : value;
        }
        out[4 * i + 3] = 255;
      }
    }
    return picture;
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
