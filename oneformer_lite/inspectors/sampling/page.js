// SamplingInspector: sampling points of the query under the mouse, as draw_points draws them.
(async () => {
  const { levels, heads, points, seen, size, colors, shapes, corners: sides } = ofl.data;
  const photo = await ofl.pixels(ofl.data.photo);
  const { width, height } = photo, canvas = document.querySelector("canvas"), context = canvas.getContext("2d");
  const told = document.getElementById("told");
  [canvas.width, canvas.height] = [width, height];
  if (!levels) {
    canvas.setAttribute("aria-label", "the picture");
    canvas.style.cursor = "default";
    ofl.start(() => { context.putImageData(photo, 0, 0); told.textContent = ofl.data.none; });
    return;
  }
  canvas.setAttribute("aria-label", "sampling points: arrow keys move the query");
  const numbers = (text) => new Uint16Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  for (const level of levels) {
    level.places = numbers(level.places);
    level.weights = numbers(level.weights);
  }
  const looked = ofl.looked([canvas], size, ofl.data.point);  // in pixels of the picture
  for (let i = 0; i < photo.data.length; i++) if (i % 4 !== 3) photo.data[i] = photo.data[i] * 0.6 + 255 * 0.4;

  // The query's position, of those that the page has, and what it looks at.
  function looks(state, place) {
    const level = levels.find((other) => other.stride === Number(state.query)), unit = level.stride * level.step;
    const cell = [0, 1].map((axis) => Math.floor((((place[axis] + 0.5) / size[axis]) * seen[axis]) / unit));
    const each = heads * levels.length * points, count = level.weights.length / each / ofl.layers;
    const query = (state.layer - 1) * count + cell[0] * level.columns + cell[1], found = [];
    for (let head = 0; head < heads; head++) {
      if (state.head !== "all" && Number(state.head) !== head + 1) continue;
      for (let l = 0; l < levels.length; l++) {
        for (let p = 0; p < points; p++) {
          const i = ((query * heads + head) * levels.length + l) * points + p;
          const [row, column] = [0, 1].map((axis) => (level.places[2 * i + axis] / 65535) * 3 - 1);
          found.push({ row, column, level: l, weight: level.weights[i] / 65535 / (state.head === "all" ? heads : 1) });
        }
      }
    }
    return { cell: cell.map((at) => at * level.step), stride: level.stride, found };
  }

  function mark({ row, column, level, weight }) {
    const radius = Math.max(1.5, Math.sqrt((weight * 0.03 * width * height) / Math.PI));
    const [x, y] = [column * width, row * height], corners = sides[level];
    context.beginPath();
    if (!corners) context.arc(x, y, radius, 0, 7);
    const turn = (2 * Math.PI) / corners, outer = radius * Math.sqrt(turn / Math.sin(turn));
    for (let k = 0; k < (corners || 0); k++) {
      const angle = k * turn + (corners === 4 ? Math.PI / 4 : 0);
      context.lineTo(x + outer * Math.sin(angle), y - outer * Math.cos(angle));
    }
    context.closePath();
    context.fillStyle = `rgb(${colors[level]})`;
    context.fill();
    context.strokeStyle = "#000";
    context.lineWidth = 1;
    context.stroke();
  }

  ofl.layers = Number(document.querySelector("input[name=layer]").max);
  ofl.start((state) => {
    const { cell, stride, found } = looks(state, looked());
    context.putImageData(photo, 0, 0);
    const [high, wide] = [(height / seen[0]) * stride, (width / seen[1]) * stride];
    for (const [color, line] of [["#fff", 5], ["#000", 2]]) {
      [context.strokeStyle, context.lineWidth] = [color, line];
      context.strokeRect(cell[1] * wide, cell[0] * high, wide, high);
    }
    [...found].sort((a, b) => b.weight - a.weight).forEach(mark);
    const percent = (share) => `${Math.round(100 * share)}%`;
    const sum = (some) => some.reduce((total, look) => total + look.weight, 0);
    const bars = levels.map((level, l) => {
      const share = sum(found.filter((look) => look.level === l)), color = `rgb(${colors[l]})`;
      return `<tr><td><span style="color:${color};-webkit-text-stroke:1px var(--ofl-ink)">${shapes[l]}</span> stride
        ${level.stride}</td><td class="number">${percent(share)}</td><td><i style="display:inline-block;height:.8em;
        width:${(10 * share).toFixed(2)}em;background:${color}"></i></td></tr>`;
    });
    const away = found.filter((look) => Math.min(look.row, look.column) < 0 || Math.max(look.row, look.column) > 1);
    const who = state.head === "all" ? `all ${heads} heads` : `head ${state.head}`;
    told.innerHTML = `Layer ${state.layer}, ${who}: ${found.length} places for the query at row ${cell[0]}, column
      ${cell[1]} of stride ${stride}. The area of a mark is its attention weight, its shape the level it is read from:
      <table class="ofl-table">${bars.join("")}</table>
      ${away.length ? `${away.length} places, ${percent(sum(away))} of the weight, lie outside the picture.` : ""}`;
  });
})();
