// MergeInspector: merges as merging.py and measures as metrics/overlaps.py do, from counted pixels; paints the maps.
(async () => {
  const { candidates, order, columns, columnAreas, noObject, truth, zoom, width, height, words } = ofl.data;
  const photo = await ofl.pixels(ofl.data.photo), grey = ofl.greyed(photo);
  const planes = await Promise.all(ofl.data.planes.map(async (uri) => (await ofl.ids(uri)).ids));
  const truthIds = truth && (await ofl.ids(truth.ids)).ids;
  const N = candidates.length, C = columns.length, views = document.querySelector(".ofl-views");
  const rank = []; order.forEach((place, entry) => { rank[place] = entry; });
  const counts = [new Int32Array(N * (C + 1))];  // after n entries: pixels won, by annotated segment; last: outside
  for (const change of ofl.data.changes) {
    const next = counts[counts.length - 1].slice();
    for (let i = 0; i < change.length; i += 2) next[change[i]] += change[i + 1];
    counts.push(next);
  }
  const sum = (values) => values.reduce((a, b) => a + b, 0), mean = (values) => sum(values) / values.length;
  const number = (value) => value.toLocaleString("en-US"), rgb = (color) => `rgb(${color})`;
  const dot = (color) => `<i class="ofl-dot" style="background:${rgb(color)}"></i>`;

  function areasOf(place, entered) {
    const row = counts[entered].subarray(place * (C + 1), (place + 1) * (C + 1)), won = sum(row);
    return { row, won, own: candidates[place].own, visible: won - row[C] };
  }

  function merge(state) {
    const entered = candidates.filter((c) => c.score > Math.fround(state.object_threshold)).length;
    const segments = [], stuff = new Map(), fates = [];
    for (let place = 0; place < state.step; place++) {
      const candidate = candidates[place], areas = areasOf(place, entered);
      if (rank[place] >= entered) fates.push(["unsure", 0]);
      else if (!areas.visible) fates.push(["unseen", 0]);
      else if (areas.won / areas.own < state.overlap_threshold) fates.push(["covered", 0]);
      else {
        let id = stuff.get(candidate.class);
        fates.push([id ? "joined" : "kept", id || segments.length + 1]);
        if (!id) {
          id = segments.length + 1;
          segments.push({ id, class: candidate.class, name: candidate.name, color: candidate.color, score: 0,
            counts: new Array(C).fill(0) });
          if (!candidate.thing) stuff.set(candidate.class, id);
        }
        const segment = segments[id - 1];
        segment.score = Math.max(segment.score, candidate.vote);
        for (let c = 0; c < C; c++) segment.counts[c] += areas.row[c];
      }
    }
    return { entered, fates, segments };
  }

  function match(segments, minIou) {
    const empty = columns.indexOf(0), crowds = new Map(), pairs = [];
    for (const s of truth.segments) if (s.crowd) crowds.set(s.class, columns.indexOf(s.id));
    const wanted = truth.segments.filter((s) => !s.crowd);
    for (const p of segments) {
      p.area = sum(p.counts);
      for (const g of wanted) {
        const column = columns.indexOf(g.id), shared = column < 0 ? 0 : p.counts[column];
        if (!shared || p.class !== g.class) continue;
        const union = p.area + columnAreas[column] - shared - (empty < 0 ? 0 : p.counts[empty]);
        pairs.push({ p, g, class: p.class, iou: shared / union });
      }
    }
    const rest = (items, side) => items
      .map((item) => ({ item, class: item.class, iou: Math.max(0, ...pairs.filter((q) => q[side] === item).map((q) => q.iou)) }))
      .filter((one) => one.iou <= minIou);
    const excused = ({ item: p }) => {
      const crowd = crowds.get(p.class), on = (column) => (column === undefined || column < 0 ? 0 : p.counts[column]);
      return on(empty) + on(crowd) > p.area / 2;
    };
    const unmatched = rest(segments, "p");
    return { TP: pairs.filter((q) => q.iou > minIou), FP: unmatched.filter((s) => !excused(s)),
      FN: rest(wanted, "g"), ignored: unmatched.filter(excused) };
  }

  function quality(matching) {
    const found = new Map();
    for (const kind of ["TP", "FP", "FN"]) {
      for (const one of matching[kind]) {
        if (!found.has(one.class)) found.set(one.class, { TP: [], FP: [], FN: [], name: (one.p || one.item).name });
        found.get(one.class)[kind].push(one.iou);
      }
    }
    const classes = [...found].sort((a, b) => a[0] - b[0]).map(([, q]) => {
      const sq = q.TP.length ? 100 * mean(q.TP) : 0;
      const rq = (100 * q.TP.length) / (q.TP.length + 0.5 * q.FP.length + 0.5 * q.FN.length);
      return { ...q, sq, rq, pq: (sq * rq) / 100 };
    });
    return { classes, ...Object.fromEntries(["sq", "rq", "pq"].map((key) => [key, mean(classes.map((q) => q[key]))])) };
  }

  const winner = new Int16Array(width * height);
  let held = -1;  // for how many entries `winner` holds
  function winners(entered) {
    if (held !== entered) {
      winner.fill(-1);
      for (const place of order.slice(0, entered)) {
        const plane = planes[Math.floor(place / 12)], bit = 1 << (2 * (place % 12));
        for (let i = 0; i < winner.length; i++) if (plane[i] & bit) winner[i] = place;
      }
      held = entered;
    }
    return winner;
  }
  const inMask = (place, i) => (planes[Math.floor(place / 12)][i] >> (2 * (place % 12) + 1)) & 1;

  function segmentMap(fates) {
    const ids = new Int32Array(winner.length);
    for (let i = 0; i < ids.length; i++) {
      const place = winner[i];
      if (place >= 0 && place < fates.length && fates[place][1] && inMask(place, i)) ids[i] = fates[place][1];
    }
    return ids;
  }

  function parts(place, entered) {
    const ids = new Int32Array(winner.length);
    if (place < 0) return ids;
    for (let i = 0; i < ids.length; i++) {
      const own = inMask(place, i), wins = winner[i] === place;
      ids[i] = rank[place] >= entered ? 4 * own : own ? (wins ? 1 : 2) : wins ? 3 : 0;
    }
    return ids;
  }

  const figures = {};
  let pointed = null;  // the pixel that was clicked or reached, until step or query are chosen otherwise
  for (const key of ["result", "query", ...(truth ? ["truth"] : [])]) {
    const figure = document.createElement("figure");
    figure.innerHTML = "<figcaption></figcaption><canvas></canvas>";
    const canvas = figure.querySelector("canvas");
    [canvas.width, canvas.height] = [photo.width, photo.height];
    canvas.setAttribute("aria-label", `${key}: click, or move with the arrow keys, to choose the query that wins`);
    ofl.point(canvas, {
      size: () => [height, width], shown: () => pointed,
      told: (place, clicked) => {
        if (!clicked) return;
        const wins = winner[place[0] * width + place[1]];
        if (wins >= 0) choose(candidates[wins].query);
        pointed = place;
        ofl.redraw();
      },
    });
    views.append(figure);
    figures[key] = { canvas, caption: figure.querySelector("figcaption") };
  }
  const choose = (query) => { document.querySelector("select[name=query]").value = String(query); };

  const wide = new Int32Array(photo.width * photo.height);
  function paint(figure, ground, ids, colors) {  // colors: by id, with gaps; nothing where nothing has changed
    const shown = `${colors.join(" ")} ${pointed} ${ground === grey}`;
    if (figure.shown === shown && figure.ids.every((id, i) => id === ids[i])) return;
    [figure.shown, figure.ids] = [shown, ids];
    const columns = Int32Array.from({ length: photo.width }, (_, column) => Math.floor(column / zoom));
    for (let row = 0, i = 0; row < photo.height; row++) {
      const from = Math.floor(row / zoom) * width;
      for (let column = 0; column < photo.width; column++, i++) wide[i] = ids[from + columns[column]];
    }
    const given = new Map(Object.entries(colors).filter(([, color]) => color).map(([id, color]) => [Number(id), color]));
    const context = figure.canvas.getContext("2d");
    context.putImageData(ofl.blend(ground, wide, given, 0.6, true), 0, 0);
    if (pointed) ofl.ring(context, ...pointed.map((at) => (at + 0.5) * zoom));
  }

  function sentence(query, merged, state) {
    if (noObject[query]) return `its surest class is no object (${noObject[query][0].toFixed(3)}): it never competes`;
    const place = candidates.findIndex((c) => c.query === query), { score } = candidates[place];
    if (rank[place] >= merged.entered) {
      return `its score ${score.toFixed(3)} is not above the object mask threshold ${state.object_threshold.toFixed(2)}: dropped`;
    }
    const areas = areasOf(place, merged.entered), share = areas.won / areas.own, fate = merged.fates[place];
    let text = `its mask has ${number(areas.own)} pixels, it wins ${number(areas.won)}`;
    if (!areas.visible) return `${text}, none of them in its mask: dropped`;
    const threshold = `the overlap threshold ${state.overlap_threshold.toFixed(2)}`;
    const told = share <= 1 ? `a share of ${share.toFixed(3)}` : "more than its mask has";
    if (share < state.overlap_threshold) return `${text}: ${told}, below ${threshold}: dropped`;
    text += `: ${told}, not below ${threshold}`;
    if (!fate) return `${text}: its turn is yet to come`;
    if (fate[0] === "joined") return `${text}: stuff of this class has a segment already, it joins segment ${fate[1]}`;
    return `${text}: it becomes segment ${fate[1]}`;
  }

  function showFates(merged, current) {
    const rows = candidates.map((c, place) => {
      const competes = rank[place] < merged.entered, areas = areasOf(place, merged.entered), fate = merged.fates[place];
      const share = !competes || !areas.own ? "" : areas.won <= areas.own ? (areas.won / areas.own).toFixed(3) : "over 1";
      const told = fate ? (fate[1] ? dot(merged.segments[fate[1] - 1].color) : "") + `${words[fate[0]]} ${fate[1] || ""}` : "";
      const cells = [c.query, ofl.text(c.name), told, c.score.toFixed(3), competes ? number(areas.own) : "",
        competes ? number(areas.won) : "", share];
      const style = c.query === current ? "ofl-marked" : fate ? "" : "ofl-later";
      return `<tr class="${style}">${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
    });
    const names = ["query", "class", "fate", "score", "mask", "won", "share"].map((name) => `<th>${name}</th>`).join("");
    const rest = `${Object.keys(noObject).length} more queries: no object is their surest class`;
    document.getElementById("fates").innerHTML =
      `<table class="ofl-table"><tr>${names}</tr>${rows.join("")}<tr><td colspan="7">${rest}</td></tr></table>`;
  }

  function showQuality(result) {
    const cell = (value) => `<td>${value}</td>`, percent = (q) => [q.sq, q.rq, q.pq].map((value) => value.toFixed(1));
    const counted = (ious) => {
      const counts = new Map();
      for (const word of ious.map((iou) => iou.toFixed(2))) counts.set(word, (counts.get(word) || 0) + 1);
      return [...counts].map(([word, number]) => (number > 1 ? `${number} × ${word}` : word)).join(", ");
    };
    const listed = (q) => ["TP", "FP", "FN"].filter((kind) => q[kind].length).map((kind) =>
      (kind === "TP" ? "" : `${kind} `) + counted(q[kind])).join("; ");
    const total = (kind) => sum(result.classes.map((q) => q[kind].length));
    const rows = result.classes.map((q) =>
      [ofl.text(q.name), q.TP.length, q.FP.length, q.FN.length, ...percent(q), listed(q)]);
    rows.push([`mean of ${rows.length}`, total("TP"), total("FP"), total("FN"), ...percent(result), ""]);
    const head = ofl.data.qualityColumns.map((name) => `<th>${name}</th>`).join("");
    const lines = rows.map((row) => `<tr>${row.map(cell).join("")}</tr>`).join("");
    document.getElementById("quality").innerHTML = result.classes.length
      ? `<div><b>PQ ${result.pq.toFixed(1)}</b> &nbsp; ${ofl.data.rule}</div><div class="ofl-scroll">
        <table class="ofl-table"><tr>${head}</tr>${lines}</table></div>`
      : `<p>${ofl.data.nothing}</p>`;
  }

  document.addEventListener("input", (event) => {
    if (event.target.name === "step") choose("");
    if (["step", "query"].includes(event.target.name)) pointed = null;
  });
  ofl.start((state) => {
    const merged = merge(state), chosen = state.query === "" ? null : Number(state.query);
    const current = chosen !== null ? chosen : state.step ? candidates[state.step - 1].query : null;
    const place = candidates.findIndex((c) => c.query === current);
    const matching = truth && match(merged.segments, state.min_iou), result = truth && quality(matching);
    const outcome = truth && state.colors === "outcome", { verdicts } = ofl.data;
    winners(merged.entered);
    const colors = [null, ...merged.segments.map((s) => s.color)], truthColors = [null];
    if (outcome) {
      for (const pair of matching.TP) colors[pair.p.id] = verdicts.TP;
      for (const kind of ["FP", "ignored"]) for (const s of matching[kind]) colors[s.item.id] = verdicts[kind];
    }
    const ground = outcome ? grey : photo;
    paint(figures.result, ground, segmentMap(merged.fates), colors);
    paint(figures.query, photo, parts(place, merged.entered), [null, ...ofl.data.parts]);
    if (truth) {
      const found = new Set(matching.TP.map((pair) => pair.g));
      for (const s of truth.segments) {
        truthColors.push(outcome ? (s.crowd ? verdicts.ignored : found.has(s) ? verdicts.TP : verdicts.FN) : s.color);
      }
      paint(figures.truth, ground, truthIds, truthColors);
      figures.truth.caption.textContent = "ground truth";
      showQuality(result);
    }
    const n = merged.segments.length;
    figures.result.caption.textContent = `result: ${n} segment${n === 1 ? "" : "s"}`;
    const label = place >= 0 ? candidates[place].label : current === null ? "" : noObject[current][1];
    figures.query.caption.textContent = label ? `query ${label}` : "no query";
    document.getElementById("told").textContent = label
      ? `Query ${label}: ${sentence(current, merged, state)}.`
      : "Move the step, choose a query, or click a pixel: the query that wins it is shown.";
    const counts = outcome ? Object.keys(verdicts).map((kind) => [verdicts[kind], `${matching[kind].length} ${kind}`]) : [];
    const entries = [...(outcome ? [[null, ofl.data.legends[0]], ...counts] : []), [null, ofl.data.legends[1]],
      ...ofl.data.parts.map((color, i) => [color, ofl.data.partWords[i]])];
    document.getElementById("legend").innerHTML = entries.map(([color, text]) =>
      `<span>${color ? dot(color) : ""}${text}</span>`).join("");
    showFates(merged, current);
    ofl.answer = { fates: merged.fates, segments: merged.segments.map((s) => [s.id, s.class, s.score]),
      quality: result && [result.pq, result.sq, result.rq] };
  });
})();
