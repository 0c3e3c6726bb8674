// QueryInspector: all masks of all predictions as uint8 logits; paints them, and tells who claims a pixel.
(async () => {
  const { names, colors, size, factor, checkpoints, first, rule } = ofl.data;  // first: layers before the first prediction
  const photo = await ofl.pixels(ofl.data.photo), element = (id) => document.getElementById(id);
  const strength = Float32Array.from({ length: 2048 }, (_, i) => 1 / (1 + Math.exp(-(i / 8 - 128) / 8)));
  const source = new OffscreenCanvas(photo.width, photo.height);
  source.getContext("2d").putImageData(photo, 0, 0);
  let point = ofl.data.point;

  // Maps written by mosaic(), one after the other.
  async function maps(uri, [height, width], count) {
    const { data, width: wide } = await ofl.pixels(uri), columns = Math.ceil(Math.sqrt(count));
    const out = new Uint8Array(count * height * width);
    for (let n = 0, i = 0; n < count; n++) {
      const top = Math.floor(n / columns) * height, left = (n % columns) * width;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) out[i++] = data[4 * ((top + y) * wide + left + x)];
      }
    }
    return out;
  }
  for (const reading of Object.values(ofl.data.readings)) {
    reading.masks = await Promise.all(reading.masks.map((uri) => maps(uri, reading.shape, ofl.data.queries)));
    for (const level of reading.attention.filter((level) => level.map)) level.map = await maps(level.map, level.shape, ofl.data.queries);
    if (reading.truth) reading.truth.map = await ofl.ids(reading.truth.ids);
  }

  // The photograph at another size, kept.
  const scaled = new Map([[photo.width, photo]]);
  function small(width) {
    if (!scaled.has(width)) {
      const height = Math.max(1, Math.round(width * photo.height / photo.width));
      const canvas = new OffscreenCanvas(width, height), context = canvas.getContext("2d");
      context.imageSmoothingQuality = "high";
      context.drawImage(source, 0, 0, width, height);
      scaled.set(width, context.getImageData(0, 0, width, height));
    }
    return scaled.get(width);
  }
  const fitted = (side) => Math.max(1, Math.round(side * Math.min(1, photo.width / photo.height)));

  // What each of n places along an axis takes of the cells that the photograph covers: bilinear.
  const axes = new Map();
  function axis(n, cells, low) {
    const key = `${n} ${cells} ${low}`;
    if (!axes.has(key)) {
      const at = new Int32Array(n), next = new Int32Array(n), share = new Float32Array(n);
      for (let i = 0; i < n; i++) {
        const place = Math.min(Math.max((i + 0.5) * cells / n - 0.5, 0), low - 1);
        at[i] = Math.floor(place); next[i] = Math.min(at[i] + 1, low - 1); share[i] = place - at[i];
      }
      axes.set(key, { at, next, share });
    }
    return axes.get(key);
  }

  // Quantised logits (0 to 255, 128 is 0) of one mask at any size.
  function enlarged(reading, layer, query, width, height) {
    const [h, w] = reading.shape, map = reading.masks[layer], start = query * h * w;
    const rows = axis(height, reading.cells[0], h), columns = axis(width, reading.cells[1], w);
    const line = new Float32Array(w), out = new Float32Array(width * height);
    for (let y = 0, i = 0; y < height; y++) {
      const a = start + rows.at[y] * w, b = start + rows.next[y] * w, down = rows.share[y];
      for (let x = 0; x < w; x++) line[x] = map[a + x] + down * (map[b + x] - map[a + x]);
      for (let x = 0; x < width; x++, i++) {
        const left = line[columns.at[x]];
        out[i] = left + columns.share[x] * (line[columns.next[x]] - left);
      }
    }
    return out;
  }

  // White or coloured lines where a thing given by inside(i) ends.
  function lines(out, width, height, inside, color, thick) {
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        const own = inside(i);
        let edge = (x + 1 < width && inside(i + 1) !== own) || (y + 1 < height && inside(i + width) !== own);
        if (thick && !edge) edge = (x && inside(i - 1) !== own) || (y && inside(i - width) !== own);
        if (edge) for (let c = 0; c < 3; c++) out[4 * i + c] = color[c];
      }
    }
  }

  function paint(canvas, image) {
    if (canvas.width !== image.width || canvas.height !== image.height) {
      [canvas.width, canvas.height] = [image.width, image.height];
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  function paintMask(canvas, reading, layer, query, width, outline, truth) {
    const from = small(width), { height } = from, logits = enlarged(reading, layer, query, width, height);
    const color = colors[best(reading, layer, query)[0]], image = new ImageData(width, height), out = image.data;
    for (let i = 0, j = 0; i < logits.length; i++, j += 4) {
      const share = strength[Math.round(8 * logits[i])];
      const r = from.data[j], g = from.data[j + 1], b = from.data[j + 2];
      const grey = 0.42 * (0.299 * r + 0.587 * g + 0.114 * b) * (1 - share);
      out[j] = grey + share * (0.45 * r + 0.55 * color[0]);
      out[j + 1] = grey + share * (0.45 * g + 0.55 * color[1]);
      out[j + 2] = grey + share * (0.45 * b + 0.55 * color[2]);
      out[j + 3] = 255;
    }
    const thick = Math.min(width, height) > 480;
    if (outline) lines(out, width, height, (i) => logits[i] >= 128, [255, 255, 255], thick);
    if (truth >= 0) lines(out, width, height, (i) => reading.truth.map.ids[i] === truth + 1, [240, 228, 66], true);
    paint(canvas, image);
    if (!outline || !reading.boxes) return;
    const [x, y, w, h] = reading.boxes[layer][query], pen = canvas.getContext("2d");
    [pen.strokeStyle, pen.lineWidth] = ["rgb(86, 180, 233)", 2];
    pen.strokeRect((x - w / 2) * width + 1, (y - h / 2) * height + 1, w * width - 2, h * height - 2);
  }

  function paintAttention(canvas, reading, layer, query, width) {
    const from = small(width), { height } = from, image = new ImageData(width, height), out = image.data;
    const read = reading.attention[layer - 1 + first], level = read && read.map ? read : null;
    if (!level) { paint(canvas, from); return; }
    const [h, w] = level.shape, start = query * h * w;
    const columns = Int32Array.from({ length: width }, (_, x) => Math.floor((x + 0.5) * level.cells[1] / width));
    const found = new Uint8Array(width * height);
    for (let y = 0, i = 0; y < height; y++) {
      const row = start + Math.floor((y + 0.5) * level.cells[0] / height) * w;
      for (let x = 0; x < width; x++, i++) {
        const value = found[i] = level.map[row + columns[x]], share = value ? 0.85 * (value - 1) / 254 : 0;
        const r = from.data[4 * i], g = from.data[4 * i + 1], b = from.data[4 * i + 2];
        const grey = (1 - share) * (value ? 0.8 : 0.3) * (0.299 * r + 0.587 * g + 0.114 * b);
        out[4 * i] = grey + share * 230; out[4 * i + 1] = grey + share * 159; out[4 * i + 2] = grey;
        out[4 * i + 3] = 255;
      }
    }
    lines(out, width, height, (i) => found[i] > 0, [255, 255, 255], Math.min(width, height) > 480);
    paint(canvas, image);
  }

  // The likeliest class that is one, and its probability; whether no object is likelier.
  const none = names.length - 1;
  const best = (reading, layer, query) => {
    const top = reading.top[layer][query];
    return top[0] === none ? [top[2], top[3]] : [top[0], top[1]];
  };
  const empty = (reading, layer, query) => reading.top[layer][query][0] === none;
  const partner = (reading, layer, query) => reading.truth && reading.truth.partners[layer][query];
  const after = (layer) => (layer + first ? `after layer ${layer + first}` : "before layer 1");

  // Buttons with canvases and two lines of words; made once, then filled.
  function buttons(box, count, looked, chosen) {
    while (box.children.length < count) {
      const button = document.createElement("button");
      button.className = "ofl-cell";
      button.innerHTML = `<canvas class="mask"></canvas>${looked ? "<canvas></canvas>" : ""}<span></span><span></span>`;
      button.addEventListener("click", () => chosen(Number(button.dataset.value)));
      box.append(button);
    }
    return [...box.children];
  }
  function fill(button, value, pressed, faint, title, text) {
    button.dataset.value = value;
    button.setAttribute("aria-pressed", pressed);
    button.classList.toggle("empty", faint);
    const [first, second] = button.querySelectorAll("span");
    [first.textContent, second.textContent, button.title] = [title, text, `${title}, ${text}`];
  }
  function choose(name, value) {
    const control = document.querySelector(`[name="${name}"]`);
    if (control.type === "radio") {
      [...document.querySelectorAll(`[name="${name}"]`)].forEach((radio) => { radio.checked = radio.value === value; });
    } else control.value = value;
    control.dispatchEvent(new Event("input", { bubbles: true }));
  }

  let painted = "";
  function sheet(state, reading) {
    const { layer } = state;
    const queries = state.sort === "confidence" ? reading.order[layer] : [...Array(ofl.data.queries).keys()];
    const key = `${state.task} ${state.checkpoint} ${layer} ${state.sort}`;
    const width = fitted(queries.length > 64 ? 72 : 112);
    buttons(element("sheet"), queries.length, false, (query) => choose("query", query)).forEach((button, i) => {
      const query = queries[i], [id, score] = best(reading, layer, query), text = `query ${query}: ${score.toFixed(2)}`;
      fill(button, query, query === state.query, empty(reading, layer, query), names[id], text);
      if (key !== painted) paintMask(button.querySelector("canvas"), reading, layer, query, width, false, -1);
    });
    painted = key;
  }

  function strip(box, moments, query, pressed, chosen) {
    box.classList.toggle("many", moments.length > 7);
    const width = fitted(moments.length > 7 ? 100 : 142);
    buttons(box, moments.length, true, chosen).forEach((button, i) => {
      const [reading, layer, name] = moments[i], [id, score] = best(reading, layer, query);
      const [mask, looked] = button.querySelectorAll("canvas");
      const found = partner(reading, layer, query), iou = found && found[2] ? `, IoU ${found[1].toFixed(2)}` : "";
      const text = `${names[id]} ${score.toFixed(2)}`;
      fill(button, i, i === pressed, empty(reading, layer, query), name + iou, text);
      paintMask(mask, reading, layer, query, width, true, -1);
      looked.style.visibility = layer + first ? "visible" : "hidden";
      paintAttention(looked, reading, layer, query, width);
    });
  }

  function ring(canvas) {
    if (point) ofl.ring(canvas.getContext("2d"), (point[0] + 0.5) * factor, (point[1] + 0.5) * factor);
  }

  function told(reading, layer, query) {
    const top = reading.top[layer][query], bars = [], lines = [], found = partner(reading, layer, query);
    for (let i = 0; i < top.length; i += 2) {
      const bar = `<i style="width:${100 * top[i + 1]}%;background:rgb(${colors[top[i]]})"></i>`;
      const cells = `<td>${ofl.text(names[top[i]])}</td><td class="number">${top[i + 1].toFixed(2)}</td>`;
      bars.push(`<tr>${cells}<td class="ofl-bar">${bar}</td></tr>`);
    }
    if (found) {
      const name = `${names[reading.truth.classes[found[0]]]} (mask ${found[0]})`, iou = found[1].toFixed(2);
      lines.push(found[2] ? `Matched with the annotated ${name}, IoU ${iou}: the yellow line.`
        : `Matched with nothing: it should say “no object”. It overlaps most with ${name}, IoU ${iou}.`);
    }
    lines.push(layer + first ? reading.attention[layer - 1 + first].words[query]
      : reading.first);
    element("told").innerHTML = `<b>Query ${query} ${after(layer)}: likeliest classes</b><table class="ofl-table ofl-bars">
      ${bars.join("")}</table>${lines.map((line) => `<p class="ofl-line">${ofl.text(line)}</p>`).join("")}`;
  }

  // The mask logit of a query at a pixel of the picture.
  function logitAt(reading, layer, query) {
    const [h, w] = reading.shape, map = reading.masks[layer], [row, column] = point;
    const rows = axis(size[0], reading.cells[0], h), columns = axis(size[1], reading.cells[1], w);
    const between = (a, b, share) => a + share * (b - a);
    const line = (y) => {
      const start = (query * h + y) * w;
      return between(map[start + columns.at[column]], map[start + columns.next[column]], columns.share[column]);
    };
    return (between(line(rows.at[row]), line(rows.next[row]), rows.share[row]) - 128) / 8;
  }

  // Outcome and strongest claims: claims_at of inspectors/queries/claims.py.
  function claimsAt(reading, layer, task) {
    const claims = reading.standings[layer].map(([id, score, barred, dropped], query) => {
      const logit = logitAt(reading, layer, query), chance = 1 / (1 + Math.exp(-logit));
      const value = score * (task === "instance" ? Number(logit > 0) : chance);
      return { query, id, score, logit, chance, value, why: barred, dropped };
    });
    const byLogit = rule === "logit" && task === "panoptic";
    claims.sort((a, b) => byLogit ? b.logit - a.logit : b.value - a.value);
    if (task === "semantic") return semantic(reading, layer, claims);
    const shown = claims.filter((claim) => byLogit || claim.value >= 0.005);
    if (task === "instance") {
      const found = shown.filter((claim) => !claim.why);
      found.forEach((claim) => { claim.why = "an instance of its own: none competes"; });
      const outcome = ["No instance here.", "One instance here."][found.length] || `${found.length} instances here.`;
      return [outcome, shown.slice(0, 6)];
    }
    const winner = claims.find((claim) => !claim.why);
    if (!winner) return ["Void: no query is sure enough to take part.", shown.slice(0, 6)];
    let outcome = `Query ${winner.query} wins: ${names[winner.id]}.`;
    const [most, what] = byLogit ? ["greatest", "mask logit"] : ["largest", "score × probability"];
    winner.why = `wins: ${most} ${what}`;
    if (rule === "within" && winner.chance < 0.5) {
      outcome = `Void: query ${winner.query} has the largest product, but not this pixel.`;
      winner.why = "its own mask is below 0.5";
    } else if (winner.dropped) {
      outcome = `Void: query ${winner.query} has the largest product, but is dropped.`;
      winner.why = winner.dropped;
    }
    const others = shown.filter((claim) => claim !== winner);
    others.forEach((claim) => { claim.why ||= `loses to query ${winner.query}: smaller ${what}`; });
    return [outcome, [winner, ...others].slice(0, 6)];
  }
  function semantic(reading, layer, claims) {
    const totals = new Float64Array(none);  // of the classes that the page knows: the likeliest of each query
    for (const { query, chance } of claims) {
      const top = reading.top[layer][query];
      for (let i = 0; i < top.length; i += 2) if (top[i] !== none) totals[top[i]] += top[i + 1] * chance;
    }
    const won = totals.indexOf(Math.max(...totals));
    claims = claims.slice(0, 6);
    for (const claim of claims) {
      const share = Math.round(100 * claim.value / Math.max(totals[won], 1e-12));
      claim.why = claim.id === won ? `gives ${share}% of the score of ${names[won]}`
        : `speaks for ${names[claim.id]}: ${totals[claim.id].toFixed(2)} in all`;
    }
    const name = names[won].charAt(0).toUpperCase() + names[won].slice(1);
    return [`${name} wins with ${totals[won].toFixed(2)}, summed over all queries.`, claims];
  }

  function claimsTable(reading, state) {
    if (!point) {
      element("claims").innerHTML = "Click the picture to see which queries claim a pixel, and who wins it.";
      return;
    }
    const [outcome, claims] = claimsAt(reading, state.layer, state.task);
    const head = ["query", "class", "score", "mask logit", "mask probability", "score × probability", "why"]
      .map((name, i) => `<th class="${i > 1 && i < 6 ? "number" : ""}">${name}</th>`).join("");
    const rows = claims.map((c) => {
      const texts = [c.score.toFixed(2), c.logit.toFixed(1), c.chance.toFixed(2), c.value.toFixed(2)];
      const numbers = texts.map((text) => `<td class="number">${text}</td>`).join("");
      return `<tr><td>${c.query}</td><td>${ofl.text(names[c.id])}</td>${numbers}<td>${ofl.text(c.why)}</td></tr>`;
    });
    element("claims").innerHTML = `<div class="ofl-told-text">
      row ${point[0]}, column ${point[1]}: <b>${ofl.text(outcome)}</b>
      <div class="ofl-scroll"><table class="ofl-table"><tr>${head}</tr>${rows.join("")}</table></div></div>`;
  }

  for (const id of ["mask", "attention"]) {
    [element(id).width, element(id).height] = [photo.width, photo.height];
    element(id).setAttribute("aria-label", "arrow keys move the point");
    ofl.point(element(id), {
      size: () => size, shown: () => point,
      told: (place, clicked) => { if (clicked) { point = place; ofl.redraw(); } },
    });
  }

  ofl.start((state) => {
    state.checkpoint ||= checkpoints[0];
    const reading = ofl.data.readings[`${state.checkpoint}|${state.task}`], { layer, query } = state;
    const shown = reading.boxes ? "mask, and its box (blue)" : "mask";
    const texts = [`All queries ${after(layer)}`, `Query ${query} ${after(layer)}: ${shown}`,
      layer + first ? `Where layer ${layer + first} looked to make it` : "Before layer 1 nothing was looked at",
      `The life of query ${query}: its ${shown}, and below where the layer before it looked`,
      checkpoints.length > 1 ? `Query ${query} over the training, ${after(layer)}` : ""];
    texts.forEach((text, i) => { element(`caption${i}`).textContent = text; });
    sheet(state, reading);
    const found = partner(reading, layer, query);
    paintMask(element("mask"), reading, layer, query, photo.width, true, found && found[2] ? found[0] : -1);
    paintAttention(element("attention"), reading, layer, query, photo.width);
    ["mask", "attention"].forEach((id) => ring(element(id)));
    told(reading, layer, query);
    claimsTable(reading, state);
    const life = reading.top.slice(0, ofl.data.layers + 1).map((_, i) => [reading, i, i + first ? `layer ${i + first}` : "before"]);
    strip(element("life"), life, query, layer, (i) => choose("layer", i));
    if (checkpoints.length > 1) {
      const moments = checkpoints.map((name) => [ofl.data.readings[`${name}|${state.task}`], layer, name]);
      const now = checkpoints.indexOf(state.checkpoint);
      strip(element("training"), moments, query, now, (i) => choose("checkpoint", checkpoints[i]));
    }
  });
})();
