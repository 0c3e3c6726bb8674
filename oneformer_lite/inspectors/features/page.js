// FeatureInspector: channels, principal components and similarities of each map; a position is a block of pixels.
(async () => {
  const { maps, ramp, seen, size, columns, parts } = ofl.data;
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const photo = await ofl.pixels(ofl.data.photo);
  const { width, height } = photo;
  for (const map of maps) {
    map.codes = bytes(map.codes);
    map.units = bytes(map.units);
    map.painted = await ofl.pixels(map.components);
  }
  const scale = [height / size[0], width / size[1]];

  const css = document.createElement("style");
  css.textContent = `
    #atlas { display: grid; grid-template-columns: repeat(4, minmax(0, 11rem)); gap: .6rem; }
    #atlas button { all: unset; cursor: pointer; min-width: 0; font-size: .86em; line-height: 1.3; color: var(--ofl-soft);
      display: flex; flex-direction: column; justify-content: end; }
    #atlas canvas { width: 100%; display: block; border-radius: 3px; margin-top: .15rem; outline-offset: 1px; }
    #atlas button[aria-pressed=true] { color: var(--ofl-ink); font-weight: 600; }
    #atlas button[aria-pressed=true] canvas { outline: 3px solid #d55e00; }
    #atlas button:focus-visible { outline: 3px solid var(--ofl-accent); }
    .ofl-ramp { white-space: nowrap; }
    .ofl-ramp i { display: inline-block; width: 7em; height: .8em; margin: 0 .5em; border-radius: 2px; }
    [hidden] { display: none !important; }`;
  document.head.append(css);

  const figures = ["picture", "map", "grid"].map((name) => {
    const figure = document.createElement("figure");
    figure.innerHTML = "<figcaption></figcaption><canvas></canvas>";
    const canvas = figure.querySelector("canvas");
    [canvas.width, canvas.height] = [width, height];
    canvas.setAttribute("aria-label", name === "grid" ? "channels: arrow keys choose"
      : `${name}: arrow keys move the point`);
    document.getElementById("large").append(figure);
    return { figure, canvas, caption: figure.querySelector("figcaption"), context: canvas.getContext("2d") };
  });
  const [picture, large, grid] = figures;
  const looked = ofl.looked([picture.canvas, large.canvas], size, ofl.data.point);  // in pixels of the picture
  const count = () => chosen(ofl.state()).channels.length;
  const shownTile = () => Math.min(ofl.state().channel, count()) - 1;
  ofl.point(grid.canvas, {
    size: () => [Math.ceil(count() / columns), columns],
    shown: () => [Math.floor(shownTile() / columns), shownTile() % columns],
    told: (place, clicked) => {
      const tile = place && place[0] * columns + place[1];
      if (clicked && tile < count()) set("channel", tile + 1);
    },
  });

  const atlas = document.getElementById("atlas");
  for (const map of maps) {
    const button = map.button = document.createElement("button");
    button.innerHTML = `<span>${ofl.text(map.name)}</span><canvas></canvas>`;
    const canvas = button.querySelector("canvas"), shrink = 176 / Math.max(width, height);
    [canvas.width, canvas.height] = [width, height].map((side) => Math.max(8, Math.round(side * shrink)));
    map.thumbnail = canvas;
    button.onclick = () => { set("source", map.source); set("level", String(map.stride)); };
    atlas.append(button);
  }

  function set(name, value) {
    const control = document.querySelector(`input[name=${name}][value="${value}"], input[type=range][name=${name}]`);
    if (control.type === "range") control.value = value; else control.checked = true;
    control.dispatchEvent(new Event("input", { bubbles: true }));
  }
  const chosen = (state) => maps.find((map) => map.source === state.source && map.stride === Number(state.level));

  // The position of a map over a place of the photograph, as Python's TracedPicture.cell finds it.
  function cell(map, place, step) {
    return [0, 1].map((axis) => {
      const at = Math.floor(((place[axis] + 0.5) * seen[axis]) / size[axis] / map.stride);
      return Math.min(Math.floor(at / step), map.few[axis] - 1);
    });
  }

  // Cosine similarities of all positions with one, from the main directions of their unit vectors.
  function similarities(map, place) {
    const count = map.few[0] * map.few[1], rank = map.units.length / count, units = map.units;
    const [row, column] = cell(map, place, map.step), here = (row * map.few[1] + column) * rank;
    const values = new Float32Array(count), weight = map.scale * map.scale;
    let low = 1;
    for (let i = 0; i < count; i++) {
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += (units[i * rank + k] - 128) * (units[here + k] - 128);
      values[i] = i * rank === here ? 1 : Math.max(-1, Math.min(1, sum * weight));
      low = Math.min(low, values[i]);
    }
    return { values, low };
  }

  // A map as a small canvas of one pixel a position, with the step between the positions and the ends of the ramp.
  function cells(map, view, channel, place) {
    if (view === "PCA") return { picture: canvasOf(map.painted), step: 1 };
    const [rows, cols] = map.few, count = rows * cols, image = new ImageData(cols, rows);
    let code, limits;
    if (view === "similarity") {
      const { values, low } = similarities(map, place);
      limits = [low, 1];
      code = (i) => (low < 1 ? Math.round(((values[i] - low) / (1 - low)) * 255) : 128);
    } else {
      limits = map.limits[channel];
      code = (i) => map.codes[channel * count + i];
    }
    for (let i = 0; i < count; i++) {
      const color = ramp[code(i)];
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = color[c];
      image.data[4 * i + 3] = 255;
    }
    return { picture: canvasOf(image), step: map.step, limits };
  }
  function canvasOf(image) {
    const canvas = new OffscreenCanvas(image.width, image.height);
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  // Each position as a block of the pixels that it stands for; the last ones may reach beyond the picture.
  function spread(map, { picture: small, step }, context, left, top, wide, high) {
    context.save();
    context.beginPath();
    context.rect(left, top, wide, high);
    context.clip();
    context.imageSmoothingEnabled = false;
    const block = step * map.stride;
    context.drawImage(small, left, top, (small.width * block * wide) / seen[1], (small.height * block * high) / seen[0]);
    context.restore();
  }

  function drawGrid(map, channel) {
    const { context } = grid, rows = Math.ceil(map.channels.length / columns), gap = 2;
    const [wide, high] = [width / columns, height / rows];
    context.clearRect(0, 0, width, height);
    map.channels.forEach((_, i) => {
      const [left, top] = [(i % columns) * wide, Math.floor(i / columns) * high];
      if (i === channel) { context.fillStyle = "#d55e00"; context.fillRect(left, top, wide, high); }
      const inset = i === channel ? 2 * gap : gap;
      spread(map, cells(map, "channels", i), context, left + inset, top + inset, wide - 2 * inset, high - 2 * inset);
    });
    grid.caption.textContent = `${map.channels.length} of ${map.count} channels, the most varying first`;
  }

  function words(map, state, shown, channel, place) {
    const told = `${map.size[0]} x ${map.size[1]} positions, ${map.count} channels.`;
    const percent = (share) => `${Math.round(100 * share)}%`;
    if (state.view === "PCA") {
      const each = map.shares.map((share, i) => `${percent(share)} as ${parts[i]}`).join(", ");
      const sum = map.shares.reduce((a, b) => a + b);
      return `${told} Three components hold ${percent(sum)} of the variance: ${each}.`;
    }
    const stops = ramp.filter((_, i) => i % 51 === 0).map((color) => `rgb(${color})`).join(",");
    const legend = `<span class="ofl-ramp">${shown.limits[0].toFixed(2)}<i style="background:linear-gradient(90deg,
      ${stops})"></i>${shown.limits[1].toFixed(2)}</span>`;
    if (state.view === "similarity") {
      const [row, column] = cell(map, place, 1).map((at, axis) => Math.min(at, map.size[axis] - 1));
      return `${told} Cosine similarity to the position at row ${row}, column ${column}: ${legend}`;
    }
    const [row, column] = cell(map, place, map.step), [low, high] = shown.limits;
    const code = map.codes[(channel * map.few[0] + row) * map.few[1] + column];
    const value = low + ((high - low) * code) / 255;
    return `${told} Channel ${map.channels[channel]}, place ${channel + 1} by variation, about ${value.toFixed(2)}
      at the point: ${legend}`;
  }

  ofl.start((state) => {
    const map = chosen(state), place = looked(), channel = Math.min(state.channel, map.channels.length) - 1;
    const rank = (other) => Math.min(state.channel, other.channels.length) - 1;
    const shown = cells(map, state.view, channel, place), listing = state.view === "channels";
    picture.context.putImageData(photo, 0, 0);
    spread(map, shown, large.context, 0, 0, width, height);
    for (const { context } of [picture, large]) ofl.ring(context, ...place.map((at, axis) => (at + 0.5) * scale[axis]));
    picture.caption.textContent = "picture";
    large.caption.textContent = map.name;
    grid.figure.hidden = !listing;
    document.querySelector("input[name=channel]").parentElement.hidden = !listing;
    if (listing) drawGrid(map, channel);
    for (const other of maps) {
      other.button.setAttribute("aria-pressed", other === map);
      const { width: wide, height: high } = other.thumbnail;
      spread(other, cells(other, state.view, rank(other), place), other.thumbnail.getContext("2d"), 0, 0, wide, high);
    }
    document.getElementById("told").innerHTML = words(map, state, shown, channel, place);
  });
})();
