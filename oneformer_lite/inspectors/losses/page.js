// LossInspector: curves with a cursor, the batch, and segments or points in the colours of what they cost.
(async () => {
  const data = ofl.data, views = document.getElementById("views"), heat = data.heat;
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const decoded = (data.points || []).map(bytes);
  const xy = decoded.length ? new Uint16Array(decoded[0].buffer) : null;
  const images = await Promise.all((data.images || []).map(async (image) => {
    const [photo, map] = await Promise.all([ofl.pixels(image.photo), ofl.ids(image.ids)]);
    return { ...image, photo, map };
  }));
  const pictures = {};
  for (const [name, plot] of Object.entries(data.plots || {})) pictures[name] = await ofl.pixels(plot.picture);
  const sheets = {};
  for (const [step, uri] of Object.entries(data.sheets || {})) sheets[step] = await ofl.pixels(uri);
  if (data.sheet) sheets[data.at ?? "only"] = await ofl.pixels(data.sheet);
  const control = (name) => document.querySelector(`[name="${name}"]`);

  function view(title) {
    const figure = document.createElement("figure");
    figure.innerHTML = "<figcaption></figcaption><canvas></canvas>";
    views.append(figure);
    const made = { caption: figure.firstChild, canvas: figure.lastChild };
    made.caption.textContent = title;
    made.canvas.setAttribute("aria-label", title);
    return made;
  }
  let pointed = null;  // the pixel of the chosen image that was clicked or reached, until something else is chosen
  document.addEventListener("input", (event) => {
    if (["image", "segment"].includes(event.target.name)) pointed = null;
  });
  function choose(name, value) {
    control(name).value = value;
    control(name).dispatchEvent(new Event("input", { bubbles: true }));
  }
  const curves = data.plots ? [view("losses over the steps: click to choose a step"), view("loss by decoder layer")] : [];
  for (const { canvas } of curves) {
    canvas.classList.add("ofl-plot");
    ofl.point(canvas, {
      size: () => [1, data.steps.length], shown: () => [0, ofl.state().step],
      at: (down, along) => {
        const { start, slope } = data.plots.losses, wanted = (along - start) / slope;
        let best = 0;
        data.steps.forEach((s, i) => { if (Math.abs(s - wanted) < Math.abs(data.steps[best] - wanted)) best = i; });
        return [0, best];
      },
      told: (place, clicked) => { if (clicked) choose("step", place[1]); },
    });
  }
  const sheet = images.length ? view("the batch") : null, focus = images.length ? view("the chosen image") : null;
  const columns = Math.min(4, images.length);
  if (sheet) {
    const rows = Math.ceil(images.length / columns), tile = (share, count) => (share * (184 * count + 8) - 4) / 184;
    ofl.point(sheet.canvas, {
      size: () => [rows, columns],
      shown: () => { const { image } = ofl.state(); return [Math.floor(image / columns), image % columns]; },
      at: (down, along) => [[down, rows], [along, columns]].map(([share, count]) =>
        Math.min(Math.max(Math.floor(tile(share, count)), 0), count - 1)),
      told: (place, clicked) => {
        const number = place && place[0] * columns + place[1];
        if (clicked && number < images.length) choose("image", number);
      },
    });
    ofl.point(focus.canvas, {
      size: () => { const { map } = images[ofl.state().image]; return [map.height, map.width]; },
      shown: () => pointed,
      told: (place, clicked) => {
        if (!clicked || !data.costs) return;
        const { map } = images[ofl.state().image], found = map.ids[place[0] * map.width + place[1]];
        choose("segment", found ? found - 1 : "");
        pointed = place;
      },
    });
  }
  document.getElementById("table").addEventListener("click", (event) => {
    const row = event.target.closest("[onclick^='pair:']");
    if (!row) return;
    const pair = Number(row.getAttribute("onclick").slice(5));
    choose("image", data.pairImage[pair]);
    list(data.pairImage[pair]);
    choose("segment", data.pairSegment[pair]);
  });

  let listed = null;
  function list(image) {
    if (!data.costs || listed === image) return;
    const options = data.segments[image].map((name, i) => `<option value="${i}">${ofl.text(name)} (${i})</option>`);
    control("segment").innerHTML = `<option value="">all</option>${options.join("")}`;
    if (listed === null && data.segment !== null) control("segment").value = data.segment;
    listed = image;
  }
  function put(canvas, picture) {
    if (canvas.width !== picture.width || canvas.height !== picture.height) {
      [canvas.width, canvas.height] = [picture.width, picture.height];
    }
    const context = canvas.getContext("2d");
    context.putImageData(picture, 0, 0);
    return context;
  }

  function paintPoints({ photo, map }, segment, layer, pair, values) {
    const picture = new ImageData(photo.width, photo.height), out = picture.data, { width, height } = photo;
    const inside = (i) => map.ids[i] === segment + 1;
    for (let i = 0; i < width * height; i++) {
      const edge = ((i + 1) % width && inside(i) !== inside(i + 1)) || (i + width < width * height && inside(i) !== inside(i + width));
      for (let c = 0; c < 3; c++) out[4 * i + c] = edge ? [0, 114, 178][c] : photo.data[4 * i + c] * 0.45 + 82.5;
      out[4 * i + 3] = 255;
    }
    const context = put(focus.canvas, picture), start = (layer * data.pairs + pair) * data.pointsKept;
    const radius = Math.max(1, Math.round(Math.min(width, height) / 190)) + 0.6;
    for (let p = start; p < start + data.pointsKept; p++) {
      context.fillStyle = `rgb(${heat[values[p]]})`;
      context.beginPath();
      context.arc((xy[2 * p] / 65535) * width, (xy[2 * p + 1] / 65535) * height, radius, 0, 7);
      context.fill();
    }
  }

  function paintFocus(state) {
    const image = images[state.image], segment = state.segment === "" ? null : Number(state.segment);
    if (!data.costs || !data.paired.includes(state.loss)) { put(focus.canvas, image.photo); return null; }
    const costs = data.costs[state.loss][state.layer];
    const own = data.pairImage.map((_, g) => g).filter((g) => data.pairImage[g] === state.image);
    const pair = own.find((g) => data.pairSegment[g] === segment);
    if (segment !== null && state.loss !== "class") {
      paintPoints(image, segment, state.layer, pair, decoded[state.loss === "dice" ? 2 : 1]);
      return pair;
    }
    const highest = Math.max(...costs) || 1, colors = new Map();
    for (const g of own) {
      if (segment === null || data.pairSegment[g] === segment) {
        const place = Math.round(255 * Math.min(1, Math.max(0, costs[g] / highest)));
        colors.set(data.pairSegment[g] + 1, heat[place]);
      }
    }
    put(focus.canvas, ofl.blend(image.photo, image.map.ids, colors, 0.72, true));
    return pair ?? null;
  }

  const painted = new Map();
  function unchanged(canvas, key) {
    const same = painted.get(canvas) === key;
    painted.set(canvas, key);
    return same;
  }

  function cursor(canvas, name, step) {
    if (unchanged(canvas, `${name} ${step}`)) return;
    const context = put(canvas, pictures[name]), plot = data.plots[name];
    context.fillStyle = "rgba(31, 36, 48, .7)";
    context.fillRect((plot.start + plot.slope * step) * canvas.width - 1, plot.top * canvas.height, 2,
      plot.height * canvas.height);
  }

  function paintSheet(state, step) {
    const shown = Object.keys(sheets), key = !data.steps ? "only" : shown.reduce((best, each) =>
      (Math.abs(each - step) < Math.abs(best - step) ? each : best));
    const own = !data.steps || Number(key) === data.at;
    if (unchanged(sheet.canvas, `${key} ${own ? state.image : ""}`)) return;
    const context = put(sheet.canvas, sheets[key]);
    if (own) {
      context.strokeStyle = "#0072b2";
      context.lineWidth = 5;
      context.strokeRect(6 + 184 * (state.image % columns), 6 + 184 * Math.floor(state.image / columns), 180, 180);
    }
    sheet.caption.textContent = own ? `the batch${data.steps ? ` of step ${key}` : ""}: click an image`
      : `the batch of step ${key}, the nearest in this page`;
  }

  ofl.start((state) => {
    const told = [], step = data.steps ? data.steps[state.step] : null;
    if (data.steps) {
      control("step").parentElement.querySelector("output").textContent = step;
      const by = data.plots[state.loss] ? state.loss : "total";
      cursor(curves[0].canvas, "losses", step);
      cursor(curves[1].canvas, by, step);
      curves[1].caption.textContent = `${by} loss by decoder layer`;
      told.push(data.texts[state.step], data.layers[state.loss][state.step]);
    }
    if (images.length) {
      list(state.image);
      if (data.costs) state.segment = control("segment").value;
      paintSheet(state, step);
      const pair = paintFocus(state);
      if (pointed) ofl.ring(focus.canvas.getContext("2d"), ...pointed.map((at) => at + 0.5));
      const where = data.steps ? ` of step ${data.at}` : "";
      focus.caption.textContent = `image ${state.image}${where}, ${images[state.image].task}: click a segment`;
      if (data.costs) {
        const points = pair !== null && state.segment !== "" && state.loss !== "class";
        told.push(data.now, pair === null ? data.words[state.loss][state.layer] : data.pairWords[state.layer][pair]);
        if (data.paired.includes(state.loss)) {
          told.push(data.scales[points ? (state.loss === "dice" ? "dice" : "point") : "segment"]);
        }
        const table = document.getElementById("table"), html = data.tables[state.loss][state.layer];
        if (table.shown !== html) { table.innerHTML = html; table.shown = html; }
        for (const row of table.querySelectorAll("[onclick]")) {
          row.classList.toggle("ofl-chosen", pair !== null && row.getAttribute("onclick") === `pair:${pair}`);
        }
      }
    }
    document.getElementById("told").innerHTML = told.filter(Boolean).join("<br>");
  });
})();
