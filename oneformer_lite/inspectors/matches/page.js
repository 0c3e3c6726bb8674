// MatchInspector: weighs the three costs, assigns again (Hungarian algorithm), and paints what the notebook shows.

// The row of each column of costs (rows x columns, row by row; no fewer rows than columns), one to one, such that the
// sum is least: shortest augmenting paths with potentials, one column after the other.
ofl.assign = (costs, rows, columns) => {
  const rowPrice = new Float64Array(rows + 1), columnPrice = new Float64Array(columns + 1);
  const owner = new Int32Array(rows + 1), way = new Int32Array(rows + 1);  // owner[row] = its column, 0 = none
  for (let column = 1; column <= columns; column++) {
    const slack = new Float64Array(rows + 1).fill(Infinity), seen = new Uint8Array(rows + 1);
    let row = 0;
    owner[0] = column;
    do {
      seen[row] = 1;
      let delta = Infinity, next = 0;
      for (let r = 1; r <= rows; r++) {
        if (seen[r]) continue;
        const reduced = costs[(r - 1) * columns + owner[row] - 1] - columnPrice[owner[row]] - rowPrice[r];
        if (reduced < slack[r]) { slack[r] = reduced; way[r] = row; }
        if (slack[r] < delta) { delta = slack[r]; next = r; }
      }
      for (let r = 0; r <= rows; r++) {
        if (seen[r]) { columnPrice[owner[r]] += delta; rowPrice[r] -= delta; } else slack[r] -= delta;
      }
      row = next;
    } while (owner[row]);
    for (; row; row = way[row]) owner[row] = owner[way[row]];
  }
  const found = new Array(columns).fill(-1);
  for (let r = 1; r <= rows; r++) if (owner[r]) found[owner[r] - 1] = r - 1;
  return found;
};

(async () => {
  const { tasks, usual, names, classes, ramp, matched, changed, claims, silent } = ofl.data;
  const PARTS = ofl.data.parts, WEIGHTS = PARTS.map((name) => `${name}_weight`), MEANS = ofl.data.meanings;
  const RUNNERS_UP = 12, FEW = 150;
  const selects = { query: document.querySelector("select[name=query]"), segment: document.querySelector("select[name=segment]") };
  const rgb = (color) => `rgb(${color})`, at = (id) => document.getElementById(id);

  function unpack(text, [low, high]) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return Float64Array.from(new Uint16Array(bytes.buffer), (v) => (v === 65535 ? NaN : low + (v / 65534) * (high - low)));
  }
  async function thumbs(uri, [[height, width], columns], count) {
    const sheet = await ofl.pixels(uri);
    return Array.from({ length: count }, (_, n) => {
      const mask = new Uint8Array(height * width), top = Math.floor(n / columns) * height, left = (n % columns) * width;
      for (let i = 0; i < mask.length; i++) {
        mask[i] = sheet.data[4 * ((top + Math.floor(i / width)) * sheet.width + left + (i % width))];
      }
      return { height, width, mask };
    });
  }
  for (const task of Object.values(tasks)) {
    [task.L, , task.Q, task.G] = task.shape;
    task.parts = task.costs.map((text, i) => unpack(text, task.ranges[i]));
    task.silent = unpack(task.no_object, [0, 1]);
    task.probability = unpack(task.sure, [0, 1]);
    task.queryMasks = await Promise.all(task.masks.map((uri) => thumbs(uri, task.mask_size, task.Q)));
    task.segmentMasks = await thumbs(task.truth, task.truth_size, task.G);
    task.tiles = task.segmentMasks.map((mask, g) => tinted(mask, task.colors[g], true));
  }
  const photo = new Image();
  photo.src = ofl.data.photo;
  await photo.decode();

  // A mask as a canvas: opaque on grey for the heads of columns, or its colour with the mask as alpha.
  function tinted({ height, width, mask }, color, onGrey) {
    const canvas = new OffscreenCanvas(width, height), picture = new ImageData(width, height);
    for (let i = 0; i < mask.length; i++) {
      const share = mask[i] / 255, grey = [228, 231, 237];
      for (let c = 0; c < 3; c++) picture.data[4 * i + c] = onGrey ? grey[c] + share * (color[c] - grey[c]) : color[c];
      picture.data[4 * i + 3] = onGrey ? 255 : 0.75 * mask[i];
    }
    canvas.getContext("2d").putImageData(picture, 0, 0);
    return canvas;
  }
  const rampColor = (share) => {
    const place = Math.min(Math.max(share, 0), 1) * (ramp.length - 1), i = Math.min(Math.floor(place), ramp.length - 2);
    return ramp[i].map((v, c) => Math.round(v + (ramp[i + 1][c] - v) * (place - i)));
  };

  const shade = (share) => Math.sqrt(Math.min(Math.max(share, 0), 1));  // cheap ones differ most

  const part = (task, layer, i) => task.parts[i].subarray(layer * task.Q * task.G, (layer + 1) * task.Q * task.G);
  function total(task, layer, weights) {
    const parts = PARTS.map((_, i) => part(task, layer, i));
    return Float64Array.from(parts[0], (_, n) => {
      const sum = parts.reduce((all, values, i) => all + weights[i] * values[n], 0);
      return Number.isNaN(sum) ? 100 : sum;
    });
  }
  const sum = (costs, assigned) => assigned.reduce((all, q, g) => all + costs[q * assigned.length + g], 0);

  function without(costs, Q, G, query, segment, forced) {  // the best assignment with the pair, or without it
    const closed = costs.slice();
    if (forced) {
      for (let q = 0; q < Q; q++) if (q !== query) closed[q * G + segment] = 1e6;
    } else closed[query * G + segment] = 1e6;
    return ofl.assign(closed, Q, G);
  }
  function view(state) {
    const task = tasks[state.task], { Q, G } = task, weights = WEIGHTS.map((name) => state[name]);
    const costs = total(task, state.layer, weights), assigned = ofl.assign(costs, Q, G);
    const others = [...Array(Q).keys()].filter((q) => !assigned.includes(q));
    const gap = others.map((q) => Math.min(...assigned.map((m, g) => costs[q * G + g] - costs[m * G + g])));
    const order = others.map((_, i) => i).sort((a, b) => gap[a] - gap[b] || a - b).map((i) => others[i]);
    const rows = [...assigned, ...order].slice(0, G + RUNNERS_UP), query = Number(state.query);
    if (!rows.includes(query)) rows[rows.length - 1] = query;
    const before = state.layer ? ofl.assign(total(task, state.layer - 1, weights), Q, G) : null;
    return { state, task, Q, G, weights, costs, assigned, others, rows, before, query,
      segment: G ? Number(state.segment) : null, usual: ofl.assign(total(task, state.layer, usual), Q, G) };
  }
  const says = (v, q) => {
    const i = v.state.layer * v.Q + q, best = v.task.best[i];
    return [best === classes.length ? "no object" : classes[best], v.task.probability[i]];
  };
  const segmentName = (v, g) => classes[v.task.class_ids[g]];

  function fitted(context, words, tail, room) {  // as many letters as have room beside the tail
    while (words && context.measureText(words + tail).width > room) words = words.slice(0, -1);
    return words;
  }

  // One heat map: its canvas is made again only when its size changes, so that it keeps the focus.
  function heat(id, v, values, limits, space) {
    const box = at(id), large = id === "total", font = large ? 12 : 11;
    const room = Math.min(space[id], large ? 760 : 370), label = large ? Math.min(170, 0.42 * room) : 34;
    const width = Math.min(Math.max((room - label) / v.G, font + 2), large ? 58 : 34), height = large ? 24 : 17;
    const letters = Math.min(Math.max(...v.task.class_ids.map((c) => classes[c].length)), 14);
    const head = width + 0.62 * font * letters + 8, full = [label + v.G * width + 4, head + v.rows.length * height + 4];
    const canvas = box.querySelector("canvas") || box.appendChild(listening());
    const scale = Math.max(window.devicePixelRatio || 1, 1);
    const [pixelWidth, pixelHeight] = full.map((side) => Math.round(side * scale));
    if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) {  // a new size costs a new canvas
      [canvas.width, canvas.height] = [pixelWidth, pixelHeight];
      [canvas.style.width, canvas.style.height] = full.map((side) => `${side}px`);
    }
    canvas.layout = { label, width, height, head, v };
    canvas.setAttribute("aria-label", `${id} cost: queries by segments; arrow keys choose a pair`);
    const context = canvas.getContext("2d", { willReadFrequently: true });  // painted by the processor: less to wait for
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, ...full);
    context.textAlign = "start";
    context.font = `${font}px system-ui, "Liberation Sans", sans-serif`;
    context.textBaseline = "middle";
    const ink = context.fillStyle = ofl.ink("ink");
    for (let g = 0; g < v.G; g++) {
      const tile = v.task.tiles[g], x = label + g * width;
      const shrink = (width - 4) / Math.max(tile.width, tile.height), w = tile.width * shrink, h = tile.height * shrink;
      context.drawImage(tile, x + (width - 1 - w) / 2, head - width + (width - h) / 2, w, h);
      const name = segmentName(v, g);
      context.save();
      context.translate(x + width / 2, head - width - 2);
      context.rotate(-Math.PI / 2);
      context.fillText(name.length > 14 ? `${name.slice(0, 12)}..` : name, 0, 0);
      context.restore();
    }
    v.rows.forEach((q, row) => {
      const y = head + row * height, [name, probability] = says(v, q);
      context.fillStyle = ink;
      context.textAlign = "right";
      const tail = large ? ` ${probability.toFixed(2)}   ${q}` : `${q}`;
      context.fillText((large ? fitted(context, name.slice(0, 16), tail, label - 8) : "") + tail, label - 6, y + height / 2);
      context.textAlign = "center";
      for (let g = 0; g < v.G; g++) {
        const value = values[q * v.G + g], share = shade((value - limits[0]) / Math.max(limits[1] - limits[0], 1e-9));
        const color = rampColor(share);
        context.fillStyle = rgb(color);
        context.fillRect(label + g * width, y, width - 1, height - 1);
        if (width < 3 * font - 2) continue;
        context.fillStyle = ofl.inkOn(color);
        context.fillText(value.toFixed(1).replace("-0.0", "0.0"), label + (g + 0.5) * width, y + height / 2);
      }
    });
    const frame = (q, g, color, line, grow) => {
      context.strokeStyle = color;
      context.lineWidth = line;
      context.strokeRect(label + g * width - grow, head + v.rows.indexOf(q) * height - grow, width - 1 + 2 * grow,
        height - 1 + 2 * grow);
    };
    v.usual.forEach((q, g) => {
      if (v.assigned[g] === q || !v.rows.includes(q)) return;
      const x = label + g * width, y = head + v.rows.indexOf(q) * height;
      context.strokeStyle = rgb(changed);
      context.lineWidth = 3;
      context.beginPath();
      context.moveTo(x + 2, y + height - 4);
      context.lineTo(x + width - 4, y + 2);
      context.stroke();
    });
    v.assigned.forEach((q, g) => {
      const isNew = v.usual[g] !== q;
      frame(q, g, rgb(isNew ? changed : matched), 3, 0.5);
      if (!isNew) return;
      const x = label + g * width, y = head + v.rows.indexOf(q) * height;
      context.fillStyle = rgb(changed);
      context.beginPath();
      for (const [dx, dy] of [[0, 0], [8, 0], [0, 8]]) context.lineTo(x + dx, y + dy);
      context.fill();
    });
    frame(v.query, v.segment, "#000", 2, 2);
    frame(v.query, v.segment, "#fff", 1, 0.5);
  }

  function choose(q, g) {
    if (q !== null) selects.query.value = q;
    if (g !== null) selects.segment.value = g;
    ofl.redraw();
  }
  function listening() {
    const canvas = document.createElement("canvas");
    canvas.tabIndex = 0;
    canvas.style.cursor = "crosshair";
    const cell = (event) => {
      const { label, width, height, head, v } = canvas.layout, box = canvas.getBoundingClientRect();
      const row = Math.floor((event.clientY - box.top - head) / height);
      const g = Math.floor((event.clientX - box.left - label) / width);
      return [v.rows[row] ?? null, g >= 0 && g < v.G ? g : null];
    };
    canvas.addEventListener("click", (event) => choose(...cell(event)));
    canvas.addEventListener("mousemove", (event) => {
      const [q, g] = cell(event), { v } = canvas.layout;
      canvas.title = q === null || g === null ? "" : `query ${q} on ${g} ${segmentName(v, g)}: ${v.costs[q * v.G + g].toFixed(2)}`;
    });
    canvas.addEventListener("keydown", (event) => {
      const way = ofl.way(event);
      if (!way) return;
      const { v } = canvas.layout, inside = (value, size) => Math.min(Math.max(value, 0), size - 1);
      choose(v.rows[inside(v.rows.indexOf(v.query) + way[0], v.rows.length)], inside(v.segment + way[1], v.G));
    });
    return canvas;
  }

  function summary(v) {
    if (!v.G) return "<b>No segment under this task:</b> every query learns “no object”.";
    const count = (other) => v.assigned.filter((q, g) => q !== other[g]).length;
    const words = [`${v.G} ${v.G === 1 ? "pair" : "pairs"}, sum of costs ${sum(v.costs, v.assigned).toFixed(2)}`,
      `<b>${count(v.usual)} changed</b> by the weights (against ${usual.join(", ")})`];
    if (v.before) words.push(`${count(v.before)} ${count(v.before) === 1 ? "differs" : "differ"} from the layer before`);
    if (v.task.left_out) words.push(`${v.task.left_out} smaller segments have no query left: nobody learns them`);
    return `<div>${words.join("; ")}.</div>` + legend({
      "matched": `border:3px solid ${rgb(matched)}`, "newly matched": `border:3px solid ${rgb(changed)}`,
      "no longer": `background:linear-gradient(150deg,#0000 40%,${rgb(changed)} 40% 60%,#0000 60%)`,
      "chosen": "border:2px solid var(--ofl-ink)",
      "cheap to expensive": `width:5em;background:linear-gradient(90deg,${ramp.map(rgb)})`,
    });
  }
  const legend = (items) => `<div class="ofl-controls">${Object.entries(items).map(([words, css]) =>
    `<span><i style="display:inline-block;width:1em;height:.8em;margin-right:.4em;${css}"></i>${words}</span>`).join("")}</div>`;

  function explain(v) {
    const { query, segment, Q, G, costs, assigned } = v, name = segmentName(v, segment), now = sum(costs, assigned);
    const isChosen = assigned[segment] === query, alone = isChosen && Q === 1;
    const other = alone ? assigned : without(costs, Q, G, query, segment, !isChosen), otherwise = sum(costs, other);
    const rival = alone ? null : isChosen ? other[segment] : assigned[segment];
    const told = (kind, values) => ofl.data.why[kind].replace(/\{(\w+)\}/g, (_, key) => values[key]);
    const values = { query, name, rival, now: now.toFixed(2), otherwise: otherwise.toFixed(2) };
    let words;
    if (alone) words = told("alone", values);
    else if (isChosen) {
      const more = otherwise - now;
      words = told("chosen", { ...values, more: (more < 0 ? "" : "+") + more.toFixed(2) });
    } else {
      const difference = costs[query * G + segment] - costs[rival * G + segment], taken = assigned.indexOf(query);
      const place = taken < 0 ? told("free") : told("taken", { other: segmentName(v, taken), number: taken });
      const so = told(difference < 0 ? "cheaper" : "dearer", { difference: Math.abs(difference).toFixed(2), rival });
      words = told("other", { ...values, so, place, regret: Math.max(0, otherwise - now).toFixed(2) });
    }
    const pairs = rival === null ? [query] : [query, rival];
    const signed = (value) => (value < 0 ? "" : "+") + value.toFixed(2);
    const row = (title, values) => `<tr><th>${title}</th>${values.map((x) => `<td class="number">${x.toFixed(2)}</td>`).join("")}${
      values.length > 1 ? `<td class="number">${signed(values[0] - values[1])}</td>` : ""}</tr>`;
    const rows = names.map((term, i) => row(`${v.weights[i]} x ${term}`,
      pairs.map((q) => v.weights[i] * part(v.task, v.state.layer, i)[q * G + segment])));
    rows.push(row("total", pairs.map((q) => costs[q * G + segment])));
    const head = pairs.map((q) => `<th class="number">query ${q}</th>`).join("") + (pairs.length > 1 ? '<th class="number">difference</th>' : "");
    at("why").innerHTML = `<p style="margin:.2rem 0 .5rem">${ofl.text(words)}</p><div class="ofl-scroll">
      <table class="ofl-table"><tr><th style="white-space:normal">on ${segment} ${ofl.text(name)}</th>${head}</tr>
      ${rows.join("")}</table></div>`;
    return rival;
  }

  function masks(v, rival) {
    const shown = v.G ? [[`segment ${v.segment}`, v.task.segmentMasks[v.segment]]] : [];
    for (const q of [v.query, rival]) if (q !== null) shown.push([`query ${q}`, v.task.queryMasks[v.state.layer][q]]);
    at("masks").replaceChildren(...shown.map(([title, mask]) => {
      const figure = document.createElement("figure"), canvas = document.createElement("canvas");
      figure.style.cssText = "margin:.5rem 0 0;flex:1 1 100px;min-width:0;max-width:240px";
      figure.innerHTML = `<figcaption>${title}</figcaption>`;
      [canvas.width, canvas.height] = [photo.naturalWidth, photo.naturalHeight];
      canvas.style.cssText = "width:100%;height:auto;border-radius:4px";
      const context = canvas.getContext("2d");
      context.drawImage(photo, 0, 0);
      context.fillStyle = "rgba(255,255,255,.45)";
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(tinted(mask, v.G ? v.task.colors[v.segment] : silent), 0, 0, canvas.width, canvas.height);
      figure.append(canvas);
      return figure;
    }));
  }

  function unmatched(v) {
    if (!v.others.length) return "All queries are matched: none learns “no object”.";
    const quiet = (q) => v.task.silent[v.state.layer * v.Q + q];
    const others = [...v.others].sort((a, b) => quiet(a) - quiet(b) || a - b), middle = others.length >> 1;
    const median = others.length % 2 ? quiet(others[middle]) : (quiet(others[middle - 1]) + quiet(others[middle])) / 2;
    const claiming = others.filter((q) => says(v, q)[0] !== "no object").length, [name, probability] = says(v, others[0]);
    const each = ofl.data.no_object_weight, weight = each * others.length;
    const learns = each === null ? "each of their classes learns to say no" : `their class learns “no object” at weight ${each}, `
      + `together ${Math.round((100 * weight) / (weight + v.G))}% of the class loss's weight`;
    const bars = others.map((q) => {
      const says_ = says(v, q)[0], color = says_ === "no object" ? silent : claims;
      return `<i title="query ${q}: no object ${quiet(q).toFixed(2)}; ${ofl.text(says_)}" style="flex:1;min-width:0;`
        + `max-width:14px;height:${(100 * quiet(q)).toFixed(1)}%;background:${rgb(color)}"></i>`;
    });
    return `<p><b>${others.length} of ${v.Q} queries are unmatched.</b> Their masks learn nothing here; ${learns}. Present probability of “no object”, median ${median.toFixed(2)}; ${claiming} still `
      + `${claiming === 1 ? "claims" : "claim"} a class. Furthest off: query ${others[0]} (${ofl.text(name)} ${probability.toFixed(2)}).</p>`
      + `<div style="display:flex;align-items:flex-end;gap:${others.length > FEW ? 0 : 1}px;height:72px;max-width:46rem;border-bottom:1px solid var(--ofl-soft)">${bars.join("")}</div>`
      + legend({ "says “no object”": `background:${rgb(silent)}`, "claims a class": `background:${rgb(claims)}` });
  }

  function offer(task) {
    if (selects.segment.dataset.task === task) return;
    const first = !selects.segment.dataset.task, option = (value, text) => new Option(text, value);
    selects.segment.dataset.task = task;
    const { Q, G, class_ids: ids } = tasks[task];
    selects.segment.replaceChildren(...(G ? ids.map((c, g) => option(g, `${g}  ${classes[c]}`)) : [option("", "none")]));
    if (!first) return;
    selects.query.replaceChildren(...Array.from({ length: Q }, (_, q) => option(q, q)));
    selects.query.value = ofl.data.chosen[0];
    if (G) selects.segment.value = ofl.data.chosen[1];
  }

  function rowsWords(v) {  // which queries are shown, and why these
    if (v.rows.length === v.Q) return `rows: all ${v.Q} queries, the matched ones first`;
    return `rows: ${v.rows.length} of ${v.Q} queries, the ${v.G} matched ones, then those that come nearest to a ` +
      "segment's price and the one chosen; the others cost more";
  }

  addEventListener("resize", () => ofl.redraw());
  ofl.start((chosen) => {
    offer(chosen.task);
    const v = view(ofl.state()), ids = ["total", ...PARTS];
    ofl.shown = v;
    for (const id of ids) at(id).parentElement.style.display = v.G ? "" : "none";
    const space = Object.fromEntries(ids.map((id) => [id, at(id).clientWidth]));  // before anything changes: one layout
    at("summary").innerHTML = summary(v);
    at("unmatched").innerHTML = unmatched(v);
    if (at("noised").dataset.task !== chosen.task) at("noised").innerHTML = v.task.noised;
    at("noised").dataset.task = chosen.task;
    at("why").innerHTML = "";
    masks(v, v.G ? explain(v) : null);
    if (!v.G) return;
    const shown = v.rows.flatMap((q) => [...v.costs.subarray(q * v.G, (q + 1) * v.G)]).sort((a, b) => a - b);
    const place = 0.9 * (shown.length - 1), low = Math.floor(place);
    const ninth = shown[low] + (place - low) * ((shown[low + 1] ?? shown[low]) - shown[low]);
    heat("total", v, v.costs, [shown[0], ninth], space);
    at("total").parentElement.firstElementChild.innerHTML =
      `total cost = ${names.map((name, i) => `${v.weights[i]} x ${name}`).join(" + ")}<br><small>${rowsWords(v)}</small>`;
    PARTS.forEach((id, i) => {
      heat(id, v, part(v.task, v.state.layer, i), v.task.limits[i], space);
      at(id).parentElement.firstElementChild.textContent = `${names[i]} cost: ${MEANS[i]}`;
    });
  });
})();
