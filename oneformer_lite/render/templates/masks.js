// MaskInspector: paints maps of ids over the photograph, as blend_masks does, and tells what lies under the mouse.
(async () => {
  const { panels, tasks, verdicts, factor } = ofl.data;
  const photo = await ofl.pixels(ofl.data.photo);
  const views = document.querySelector(".ofl-views");
  let held = null;
  for (const panel of panels) {
    Object.assign(panel, await ofl.ids(panel.ids));
    panel.byId = new Map(panel.segments.map((segment) => [segment.id, segment]));
    panel.figure = document.createElement("figure");
    panel.figure.innerHTML = `<figcaption>${panel.side}, ${panel.task}</figcaption><canvas></canvas>`;
    panel.canvas = panel.figure.querySelector("canvas");
    [panel.canvas.width, panel.canvas.height] = [photo.width, photo.height];
    panel.canvas.setAttribute("aria-label", `${panel.side}, ${panel.task}: arrow keys move the point`);
    ofl.point(panel.canvas, (row, column, clicked) => {
      if (clicked) { held = [row, column]; ofl.redraw(); }
      tell(row === null ? held : [row, column]);
    });
  }
  const shown = (state) => panels.filter((panel) => state.task === "all" || panel.task === state.task);

  function paint(panel, state) {
    const colors = new Map();
    for (const segment of panel.segments) {
      const color = state.colors === "verdict" ? verdicts[segment.verdict] : segment.color;
      if (color && (!state.class || segment.name === state.class)) colors.set(segment.id, color);
    }
    const { width, height, ids } = panel, share = Math.round(2.56 * state.opacity);
    const picture = new ImageData(width, height), out = picture.data, thick = Math.min(width, height) > 480;
    const part = (i) => (colors.has(ids[i]) ? ids[i] : 0);
    for (let row = 0, i = 0; row < height; row++) {
      for (let column = 0; column < width; column++, i++) {
        const color = colors.get(ids[i]), own = part(i);
        let edge = (column + 1 < width && part(i + 1) !== own) || (row + 1 < height && part(i + width) !== own);
        if (thick && !edge) edge = (column && part(i - 1) !== own) || (row && part(i - width) !== own);
        for (let c = 0; c < 3; c++) {
          const value = photo.data[4 * i + c];
          let painted = color ? (value * (256 - share) + color[c] * share + 128) >> 8 : value;
          if (edge && state.outline) painted = ((color ? color[c] : 255) + 255) >> 1;
          out[4 * i + c] = painted;
        }
        out[4 * i + 3] = 255;
      }
    }
    const context = panel.canvas.getContext("2d");
    context.putImageData(picture, 0, 0);
    if (!held) return;
    for (const [color, line] of [["#fff", 4], ["#000", 1.5]]) {
      context.strokeStyle = color;
      context.lineWidth = line;
      context.beginPath();
      context.arc(held[1], held[0], Math.max(6, Math.min(width, height) / 50), 0, 7);
      context.stroke();
    }
  }

  function tell(place) {
    const told = document.getElementById("told");
    if (!place) { told.textContent = "Point at a segment, or click to hold a place."; return; }
    const [row, column] = place, state = ofl.state();
    const rows = shown(state).map((panel) => {
      const segment = panel.byId.get(panel.ids[row * panel.width + column]);
      const cells = segment ? segment.cells : ["void", "", "", "", ""];
      return `<tr><th>${panel.side}, ${panel.task}</th>${cells.map((cell) => `<td>${ofl.text(cell)}</td>`).join("")}</tr>`;
    });
    const head = ["", "segment", "score", "pixels", "IoU", "verdict"].map((name) => `<th>${name}</th>`).join("");
    told.innerHTML = `row ${Math.floor(row / factor)}, column ${Math.floor(column / factor)}
      <table class="ofl-table"><tr>${head}</tr>${rows.join("")}</table>`;
  }

  function legend(state) {
    const counts = new Map();
    for (const panel of shown(state)) {
      for (const segment of panel.segments) {
        if (panel.side === "ground truth" && segment.verdict !== "missed") continue;
        counts.set(segment.verdict, (counts.get(segment.verdict) || 0) + 1);
      }
    }
    const items = Object.keys(verdicts).filter((verdict) => counts.has(verdict)).map((verdict) =>
      `<span><i class="ofl-dot" style="background:rgb(${verdicts[verdict]})"></i>${counts.get(verdict)} ${verdict}</span>`);
    document.getElementById("legend").innerHTML = state.colors === "verdict" ? items.join("") : "";
  }

  ofl.start((state) => {
    const visible = shown(state);
    const figures = visible.map((panel) => panel.figure);  // left alone if they are there: the focus would go
    if (figures.length !== views.children.length || figures.some((f, i) => f !== views.children[i])) {
      views.replaceChildren(...figures);
    }
    visible.forEach((panel) => paint(panel, state));
    legend(state);
    tell(held);
  });
})();
