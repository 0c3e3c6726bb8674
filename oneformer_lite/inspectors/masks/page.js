// MaskInspector: paints maps of ids over the photograph and tells what lies under the mouse.
(async () => {
  const { panels, tasks, verdicts, letters, factor, size } = ofl.data;
  const photo = await ofl.pixels(ofl.data.photo), grey = ofl.greyed(photo);
  const views = document.querySelector(".ofl-views");
  let held = ofl.data.point;  // in pixels of the picture
  const pairs = tasks.map((task) => {  // truth and prediction of a task stay together, however many columns there are
    const pair = document.createElement("div");
    return Object.assign(pair, { className: "ofl-pair", task });
  });
  for (const panel of panels) {
    Object.assign(panel, await ofl.ids(panel.ids));
    panel.byId = new Map(panel.segments.map((segment) => [segment.id, segment]));
    panel.figure = document.createElement("figure");
    panel.figure.innerHTML = `<figcaption>${panel.caption}</figcaption><canvas></canvas>`;
    panel.canvas = panel.figure.querySelector("canvas");
    pairs[tasks.indexOf(panel.task)].append(panel.figure);
    [panel.canvas.width, panel.canvas.height] = [photo.width, photo.height];
    panel.canvas.setAttribute("aria-label", `${panel.side}, ${panel.task}: arrow keys move the point`);
    ofl.point(panel.canvas, {
      size: () => size, shown: () => held,
      told: (place, clicked) => {
        if (clicked) { held = place; ofl.redraw(); }
        tell(place || held);
      },
    });
  }
  views.append(...pairs);
  const shown = (state) => panels.filter((panel) => state.task === "all" || panel.task === state.task);

  function paint(panel, state) {
    const colors = new Map();
    for (const segment of panel.segments) {
      const color = state.colors === "verdict" ? (verdicts[segment.verdict] || [])[0] : segment.color;
      if (color && (!state.classes.length || state.classes.includes(segment.name))) colors.set(segment.id, color);
    }
    const context = panel.canvas.getContext("2d");
    const ground = state.colors === "verdict" ? grey : photo;
    context.putImageData(ofl.blend(ground, panel.ids, colors, state.opacity / 100, state.outline), 0, 0);
    const labels = panel.labels[state.colors || "class"];
    if (state.names) {
      ofl.labels(context, labels.filter(([name]) => !state.classes.length || state.classes.includes(name))
        .map(([, label]) => label), letters);
    }
    if (held) ofl.ring(context, ...held.map((at) => (at + 0.5) * factor));
  }

  function tell(place) {
    const told = document.getElementById("told");
    if (!place) { told.textContent = "Point at a segment, or click to hold a place."; return; }
    const state = ofl.state();
    const rows = shown(state).map((panel) => {
      const [down, along] = place.map((at, axis) => Math.floor((at + 0.5) * [panel.height, panel.width][axis] / size[axis]));
      const segment = panel.byId.get(panel.ids[down * panel.width + along]);
      const cells = segment ? segment.cells : ["void", "", "", "", ""];
      return `<tr><th>${panel.side}, ${panel.task}</th>${cells.map((cell) => `<td>${ofl.text(cell)}</td>`).join("")}</tr>`;
    });
    const head = ["", "segment", "score", "pixels", "IoU", "verdict"].map((name) => `<th>${name}</th>`).join("");
    told.innerHTML = `row ${place[0]}, column ${place[1]}
      <div class="ofl-scroll"><table class="ofl-table"><tr>${head}</tr>${rows.join("")}</table></div>`;
  }

  function legend(state) {
    const counts = tasks.filter((task) => ofl.data.counts[task] && [task, "all"].includes(state.task))
      .map((task) => ofl.data.counts[task]);
    const items = Object.keys(verdicts).filter((verdict) => counts.some((found) => found[verdict])).map((verdict) =>
      `<span><i class="ofl-dot" style="background:rgb(${verdicts[verdict][0]})"></i>` +
      `${counts.map((found) => found[verdict] || 0).join(" + ")} ${verdict}: ${verdicts[verdict][1]}</span>`);
    document.getElementById("legend").innerHTML = state.colors === "verdict" ? items.join("") : "";
  }

  ofl.start((state) => {
    for (const pair of pairs) pair.hidden = state.task !== "all" && pair.task !== state.task;
    views.classList.toggle("ofl-all", state.task === "all");
    shown(state).forEach((panel) => paint(panel, state));
    legend(state);
    tell(held);
  });
})();
