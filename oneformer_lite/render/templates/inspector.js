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

  // Values of all named controls: numbers of sliders, booleans of boxes, texts of radio buttons and lists.
  state() {
    const state = {};
    for (const control of document.querySelectorAll("input[name], select[name]")) {
      if (control.type === "radio") { if (control.checked) state[control.name] = control.value; }
      else if (control.type === "checkbox") state[control.name] = control.checked;
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

  // Call told(row, column, clicked) with the place on a canvas, in its own pixels, under the mouse or reached with
  // the arrow keys; told(null) when the mouse leaves.
  point(canvas, told) {
    let row = Math.floor(canvas.height / 2), column = Math.floor(canvas.width / 2);
    const inside = (value, size) => Math.min(Math.max(Math.floor(value), 0), size - 1);
    const tell = (event, clicked) => {
      const box = canvas.getBoundingClientRect();
      row = inside(((event.clientY - box.top) / box.height) * canvas.height, canvas.height);
      column = inside(((event.clientX - box.left) / box.width) * canvas.width, canvas.width);
      told(row, column, clicked);
    };
    canvas.tabIndex = 0;
    canvas.addEventListener("mousemove", (event) => tell(event, false));
    canvas.addEventListener("click", (event) => tell(event, true));
    canvas.addEventListener("mouseleave", () => told(null));
    canvas.addEventListener("keydown", (event) => {
      const way = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!way) return;
      event.preventDefault();
      const step = event.shiftKey ? 10 : 1;
      row = inside(row + step * way[0], canvas.height);
      column = inside(column + step * way[1], canvas.width);
      told(row, column, true);
    });
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
