// ContrastInspector: the contrastive loss from cosines, at any temperature, as contrast() and pair_text() have it.
(() => {
  const { photos, entries, batches, lowest, twins, marks, ends, kinds, titles, distinct } = ofl.data;
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  const shares = new Float32Array(bytes(ofl.data.shares)), cosines = new Int8Array(bytes(ofl.data.cosines));
  const slots = entries[0].index.length, MAX_SCALE = 100, blue = [0, 114, 178], red = [213, 94, 0];
  const css = (color) => `rgb(${color})`;
  const kind = (entry, slot) => (slot < entry.sentences ? "sentence" : slot < entry.texts ? "padding" : "context");
  const text = (entry, slot) => (slot < entry.texts ? entry.text[slot] : "learned context");
  const share = (i, j) => shares.subarray((i * entries.length + j) * slots, (i * entries.length + j + 1) * slots);
  const cosineOf = (i, j, query, slot) => cosines[(i * slots + query) * distinct + entries[j].index[slot]] / 127;
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const mean = (values) => sum(values) / values.length;
  const number = (value) => (Math.abs(value) < 9.995 ? value.toFixed(2) : value.toFixed(1));
  const percent = (value) => `${(100 * value).toFixed(0)} %`;
  const signed = (value, digits) => (value < 0 ? "" : "+") + value.toFixed(digits);
  const tint = (strength) => {
    const amount = Math.min(Math.abs(strength), 1), end = strength < 0 ? red : blue;
    return end.map((value) => Math.round(255 + amount * (value - 255)));
  };

  const style = document.createElement("style");
  style.textContent = `.cells { border-collapse: separate; border-spacing: 2px; width: 100%; table-layout: fixed;
    text-align: center; font-variant-numeric: tabular-nums; max-width: 36rem; line-height: 1.2; font-size: .93em; }
    .cells td, .cells th { height: 2.6rem; padding: 0; font-weight: 400; overflow: hidden; cursor: pointer; }
    .cells th { color: var(--ofl-soft); font-size: .95em; position: relative; }
    .cells .twin { box-shadow: inset 0 0 0 3px rgb(204,121,167); }
    .cells .chosen { outline: 3px solid #000; outline-offset: -2px; }
    .cells:focus-visible { outline: 3px solid var(--ofl-accent); }
    .cells i { position: absolute; inset: 0; background: center / cover; }
    .cells b { position: absolute; left: 2px; top: 2px; padding: 0 .35em; background: #1f2430; color: #fff; }
    #table tr.held { background: var(--ofl-mark); }`;
  style.textContent += photos.map((photo, i) => `.cells .photo${i} { background-image: url(${photo}); }`).join("\n");
  document.head.append(style);

  const views = document.querySelector(".ofl-views"), canvases = {}, tables = {};
  for (const [name, title] of Object.entries(titles)) {
    const figure = document.createElement("figure");
    const matrix = ["similarity", "by_row", "by_column"].includes(name);
    figure.innerHTML = `<figcaption>${title}</figcaption>${matrix ? `<table class="cells" id="${name}" tabindex="0">
      </table>` : `<canvas id="${name}" aria-label="${title}: arrow keys move"></canvas>`}`;
    views.append(figure);
    (matrix ? tables : canvases)[name] = figure.lastElementChild;
  }
  Object.assign(canvases.shares, { width: slots * Math.max(3, Math.round(640 / slots)), height: 300 });
  Object.assign(canvases.curve, { width: 640, height: 300 });
  const unit = Math.max(2, Math.floor(480 / slots));
  Object.assign(canvases.cosines, { width: unit * slots, height: unit * slots });
  const control = (name) => document.querySelector(`input[name="${name}"]`);
  const choose = (choices) => {
    for (const [name, value] of Object.entries(choices)) control(name).value = value;
    ofl.redraw();
  };

  // The loss of a matrix of cosines: rows images, columns texts.
  function contrast(matrix, temperature) {
    const scale = Math.min(1 / temperature, MAX_SCALE), places = matrix.map((_, i) => i);
    const similarity = matrix.map((row) => row.map((value) => value * scale));
    const softmax = (values) => {
      const highest = Math.max(...values), powers = values.map((value) => Math.exp(value - highest)), all = sum(powers);
      return { chances: powers.map((power) => power / all), log: highest + Math.log(all) };
    };
    const rows = similarity.map(softmax), columns = places.map((j) => softmax(similarity.map((row) => row[j])));
    const rowLosses = places.map((i) => rows[i].log - similarity[i][i]);
    const columnLosses = places.map((j) => columns[j].log - similarity[j][j]);
    return {
      similarity, rowLosses, columnLosses, by_row: rows.map((row) => row.chances),
      by_column: places.map((i) => places.map((j) => columns[j].chances[i])), loss: mean(rowLosses) + mean(columnLosses),
    };
  }

  function read(state) {
    const batch = batches[state.tasks], temperature = 10 ** state.temperature;
    const matrix = batch.map((i) => batch.map((j) => sum(share(i, j))));
    return { ...state, batch, temperature, matrix, now: contrast(matrix, temperature), i: batch[state.row],
      j: batch[state.column] };
  }

  function matrices({ batch, now, row, column, tasks }) {
    const places = batch.map((_, i) => i), alone = batch.length === 1;
    const lead = (values, own) => number(values[own] - Math.max(...values.filter((_, other) => other !== own)));
    const strongest = Math.max(...now.similarity.flat().map(Math.abs), 1e-9), none = ["", places.map(() => "")];
    const leads = (list) => ["lead", places.map((i) => (alone ? "" : lead(list(i), i)))];
    const whole = (value) => `${(100 * value).toFixed(0)}%`;
    const all = {
      similarity: [(v) => v / strongest, number, leads((i) => now.similarity[i]),
        leads((j) => now.similarity.map((line) => line[j])), ""],
      by_row: [(v) => v, whole, ["loss", now.rowLosses.map(number)], none, `mean ${number(mean(now.rowLosses))}`],
      by_column: [(v) => v, whole, none, ["loss", now.columnLosses.map(number)], `mean ${number(mean(now.columnLosses))}`],
    };
    for (const [name, [strength, words, right, bottom, corner]] of Object.entries(all)) {
      const head = batch.map((e, j) => `<th data-at="${j},${j}">texts ${j}<br>${entries[e].short}</th>`);
      const body = places.map((i) => {
        const cells = places.map((j) => {
          const color = tint(strength(now[name][i][j]));
          const marks = `${twins[tasks][i][j] ? "twin " : ""}${i === row && j === column ? "chosen" : ""}`;
          return `<td data-at="${i},${j}" class="${marks}" style="background:${css(color)};color:${ofl.inkOn(color)}">` +
            `${words(now[name][i][j])}</td>`;
        });
        return `<tr><th data-at="${i},${i}"><i class="photo${i}"></i><b>${i}</b></th>` +
          `${cells.join("")}<th>${right[1][i]}</th></tr>`;
      });
      tables[name].style.fontSize = batch.length > 5 ? ".86em" : "";
      tables[name].innerHTML = `<tr><th></th>${head.join("")}<th>${right[0]}</th></tr>${body.join("")}<tr><th>` +
        `${bottom[0]}</th>${bottom[1].map((word) => `<th>${word}</th>`).join("")}<th>${corner}</th></tr>`;
    }
  }

  function bars({ i, j, slot }) {
    const context = canvases.shares.getContext("2d"), { width, height } = canvases.shares, step = width / slots;
    const values = share(i, j), own = share(i, i);
    const high = Math.max(0, ...values, ...own), low = Math.min(0, ...values, ...own);
    const level = (value) => 30 + ((high - value) * (height - 40)) / Math.max(high - low, 1e-9);
    context.clearRect(0, 0, width, height);
    context.fillStyle = ofl.ink("mark");
    context.fillRect(slot * step, 0, step, height);
    values.forEach((value, place) => {
      context.fillStyle = css(kinds[kind(entries[j], place)]);
      context.fillRect(place * step + step / 8, level(0), (step * 3) / 4, level(value) - level(0));
      context.fillStyle = ofl.ink("ink");
      context.fillRect(place * step, level(own[place]) - 1, step - 1, 2);
    });
    context.fillStyle = ofl.ink("soft");
    context.fillRect(0, level(0), width, 1);
    context.font = `${ofl.onScreen(canvases.shares, 12)}px system-ui, sans-serif`;
    context.textAlign = "right";
    context.fillText(`highest ${signed(high, 3)}, lowest ${signed(low, 3)}`, width - 4, 22);
  }

  const colors = Uint32Array.from({ length: 255 }, (_, k) => {  // of cosines in 127ths, from -1 on
    const [red, green, blue] = tint((k - 127) / 127);
    return (255 << 24) | (blue << 16) | (green << 8) | red;
  });
  function squares({ i, j, slot }) {
    const context = canvases.cosines.getContext("2d"), size = unit * slots, picture = new ImageData(slots, slots);
    const pixels = new Uint32Array(picture.data.buffer);
    for (let query = 0; query < slots; query++) {
      const start = (i * slots + query) * distinct, { index } = entries[j];
      for (let place = 0; place < slots; place++) pixels[query * slots + place] = colors[cosines[start + index[place]] + 127];
    }
    const small = new OffscreenCanvas(slots, slots);
    small.getContext("2d").putImageData(picture, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, size, size);
    context.fillStyle = ofl.ink("soft");
    for (const place of [entries[i].sentences, entries[i].texts]) context.fillRect(0, place * unit - 1, size, 2);
    for (const place of [entries[j].sentences, entries[j].texts]) context.fillRect(place * unit - 1, 0, 2, size);
    context.strokeStyle = "#000";
    context.lineWidth = 2;
    context.strokeRect(1, slot * unit + 1, size - 2, Math.max(unit - 2, 1));
  }

  const curves = {};  // tasks -> losses at the points
  function curve({ matrix, temperature, tasks, now }) {
    const context = canvases.curve.getContext("2d"), { width, height } = canvases.curve, [start, end] = ends.map(Math.log);
    const points = [...Array(129)].map((_, k) => Math.exp(start + ((end - start) * k) / 128));
    const losses = (curves[tasks] ||= points.map((point) => contrast(matrix, point).loss)), top = Math.max(...losses, 1e-9);
    const x = (value) => ((Math.log(value) - start) / (end - start)) * width;
    const y = (value) => height - 30 - (value / top) * (height - 115);
    context.clearRect(0, 0, width, height);
    const font = ofl.onScreen(canvases.curve, 12), lines = 1.15 * font;
    context.font = `${font}px system-ui, sans-serif`;
    const line = (color, thick, dash, places) => {
      context.strokeStyle = color;
      context.lineWidth = thick;
      context.setLineDash(dash);
      context.beginPath();
      places.forEach(([left, upper]) => context.lineTo(left, upper));
      context.stroke();
    };
    line(ofl.ink("line"), 1.5, [], [[0, y(0)], [width, y(0)]]);
    if (lowest[tasks]) line("rgb(204,121,167)", 3, [3, 5], [[0, y(lowest[tasks])], [width, y(lowest[tasks])]]);
    context.fillStyle = ofl.ink("soft");
    for (const tick of [0.01, 0.1, 1]) {
      if (tick < ends[0] || tick > ends[1] * 1.001) continue;
      context.textAlign = x(tick) > width - 20 ? "right" : "center";
      context.fillText(tick, Math.min(x(tick), width - 3), height - 7);
    }
    marks.forEach(([name, value], place) => {
      const at = x(value), right = at > 0.6 * width;
      line(ofl.ink("soft"), 1.5, [5, 5], [[at, 10 + lines * place], [at, y(0)]]);
      context.fillStyle = ofl.ink("ink");
      context.textAlign = right ? "right" : "left";
      context.fillText(name, at + (right ? -6 : 6), font + lines * place);
    });
    line(css(blue), 3, [], points.map((point, k) => [x(point), y(losses[k])]));
    context.fillStyle = ofl.ink("soft");
    context.textAlign = "right";
    context.fillText(`loss ${number(losses[128])}`, width - 3, y(losses[128]) - 12);
    context.fillStyle = css(red);
    context.beginPath();
    context.arc(x(temperature), y(now.loss), 7, 0, 7);
    context.fill();
  }

  function tellPair({ batch, now, row, column, i, j, temperature, tasks }) {
    const values = [...share(i, j)], cosine = sum(values), clamped = 1 / temperature > MAX_SCALE;
    const lines = batch.length === 1 ? [`<b>loss 0.</b> ${ofl.text(ofl.data.alone)}`] : [
      `<b>loss ${now.loss.toFixed(3)}</b> = ${mean(now.rowLosses).toFixed(3)} (mean of the rows) + ` +
      `${mean(now.columnLosses).toFixed(3)} (mean of the columns)` + (lowest[tasks] ? `; cannot fall below ` +
      `${lowest[tasks].toFixed(3)}, because some text lists are equal` : "") + ".",
    ];
    lines.push(`Image ${row} (${entries[i].task}) and texts ${column} (${entries[j].task}): cosine ${cosine.toFixed(3)}` +
      `${clamped ? ` × ${MAX_SCALE} (clamped)` : ` / ${temperature.toFixed(3)}`} = ${now.similarity[row][column].toFixed(2)}; ` +
      `${percent(now.by_row[row][column])} of the row, ${percent(now.by_column[row][column])} of the column.`);
    const names = { sentence: "sentences", padding: "× padding", context: "× learned context" };
    const parts = Object.keys(names).map((name) => [name, values.filter((_, slot) => kind(entries[j], slot) === name)]);
    lines.push(`${cosine.toFixed(3)} = ` + parts.filter(([, some]) => some.length).map(([name, some]) =>
      `${signed(sum(some), 3)} from ${some.length} ${names[name]}`).join(", ") + ".");
    const shared = ofl.data.shared[i][j];
    if (row !== column && shared > 0) lines.push(`The two lists share ${percent(shared)} of their ` +
      `sentences${twins[tasks][row][column] ? ": a false negative" : ""}.`);
    document.getElementById("pair").innerHTML = `<div class="ofl-told-text">${lines.join("<br>")}</div>`;
  }

  function tellSlot({ i, j, slot }, hovered) {
    const [query, place] = hovered || [slot, slot], values = share(i, j), name = ofl.text(text(entries[j], place));
    let line = `Query ${query} and text slot ${place} (“${name}”): cosine ${cosineOf(i, j, query, place).toFixed(2)}`;
    if (query !== place) line += "; the loss never compares them: slots meet by number";
    else {
      const rank = values.filter((value) => Math.abs(value) > Math.abs(values[query])).length + 1;
      line += `; it adds ${signed(values[query], 4)} to the cosine of the pair, rank ${rank} of ${slots}`;
      const all = Array.from(values, (_, other) => cosineOf(i, j, query, other)), best = all.indexOf(Math.max(...all));
      if (all[best] > all[query]) {
        line += `. More like it: slot ${best} (“${ofl.text(text(entries[j], best))}”, ${all[best].toFixed(2)})`;
      }
    }
    document.getElementById("told").innerHTML = line + ".";
  }

  function table({ i, j, slot }) {
    const [own, other] = [entries[i], entries[j]], written = Math.max(own.sentences, other.sentences), both = i !== j;
    const runs = [...Array(written)].map((_, k) => [k, k]);
    runs.push([written, own.texts - 1], [own.texts, slots - 1]);
    const cell = (entry, first, last) => {
      const name = kind(entry, first), count = last - first + 1, words = ofl.text(text(entry, first));
      const note = { sentence: words, context: `${words} × ${count}`,
        padding: `<span class="ofl-later">${words} (padding${count > 1 ? ` × ${count}` : ""})</span>` }[name];
      return `<td><i class="ofl-dot" style="background:${css(kinds[name])}"></i>${note}</td>`;
    };
    const adds = (values, first, last) => `<td class="number">${signed(sum(values.slice(first, last + 1)), 4)}</td>`;
    const rows = runs.filter(([first, last]) => last >= first).map(([first, last]) =>
      `<tr${slot >= first && slot <= last ? ' class="held"' : ""}><td>${first === last ? first : `${first}–${last}`}</td>` +
      cell(other, first, last) + adds([...share(i, j)], first, last) +
      (both ? cell(own, first, last) + adds([...share(i, i)], first, last) : "") + "</tr>");
    const heads = `<th>slot</th><th>texts ${other.image}</th><th class="number">adds</th>` +
      (both ? `<th>texts ${own.image} (own)</th><th class="number">adds</th>` : "");
    document.getElementById("table").innerHTML =
      `<div class="ofl-scroll"><table class="ofl-table"><tr>${heads}</tr>${rows.join("")}</table></div>`;
  }

  for (const element of Object.values(tables)) {
    element.addEventListener("click", (event) => {
      const at = event.target.closest("[data-at]");
      if (!at) return;
      const [row, column] = at.dataset.at.split(",");
      choose({ row, column });
    });
    element.addEventListener("keydown", (event) => {
      const way = ofl.way(event);
      if (!way) return;
      const state = ofl.state();
      choose({ row: state.row + way[0], column: state.column + way[1] });
    });
  }
  ofl.point(canvases.shares, {
    size: () => [1, slots], shown: () => [0, ofl.state().slot],
    told: (place, clicked) => {
      if (clicked) choose({ slot: place[1] });
      tellSlot(read(ofl.state()), place && [place[1], place[1]]);
    },
  });
  let other = null;  // the query and the text slot that were chosen in the map of cosines
  ofl.point(canvases.cosines, {
    size: () => [slots, slots],
    shown: () => { const { slot } = ofl.state(); return other && other[0] === slot ? other : [slot, slot]; },
    told: (place, clicked) => {
      if (clicked) { other = place; choose({ slot: place[0] }); }
      tellSlot(read(ofl.state()), place);
    },
  });
  const stops = 256, [low, high] = ends.map(Math.log10);  // of the temperature, as in the notebook
  ofl.point(canvases.curve, {
    size: () => [1, stops],
    shown: () => [0, Math.round(((ofl.state().temperature - low) / (high - low)) * (stops - 1))],
    told: (place, clicked) => { if (clicked) choose({ temperature: low + ((high - low) * place[1]) / (stops - 1) }); },
  });

  ofl.start((state) => {
    const chosen = read(state);
    for (const name of ["row", "column", "slot"]) control(name).nextElementSibling.textContent = state[name];
    control("temperature").nextElementSibling.textContent = chosen.temperature.toFixed(3);
    tellSlot(chosen);
    for (const paint of [matrices, curve, bars, squares, tellPair, table]) paint(chosen);
  });
})();
