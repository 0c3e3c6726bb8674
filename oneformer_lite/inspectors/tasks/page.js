// TaskInspector: the pictures of all pairs of tasks and of the steps between them are there; it finds and frames them.
(async () => {
  const { tasks, shares, left, above, maskSize, pairs, blends } = ofl.data, ink = "#1f2430";
  const at = (id) => document.getElementById(id), last = shares.length - 1;
  const loaded = async (uri) => {
    const image = new Image();
    image.src = uri;
    await image.decode();
    return image;
  };
  const photo = await loaded(ofl.data.photo), atlas = await ofl.pixels(ofl.data.masks);
  for (const pair of Object.values(pairs)) pair.chart = await loaded(pair.chart);
  for (const steps of Object.values(blends)) for (const step of steps) step.picture = await loaded(step.picture);

  // What was found at a step from one task to the other; a task compared with itself is an end of any blend.
  function blended(task, other, step) {
    const [a, b] = task === other ? [task, tasks.find((name) => name !== task)] : [task, other];
    const steps = blends[`${a} ${b}`] || [...blends[`${b} ${a}`]].reverse();
    return steps[task === other ? 0 : step];
  }

  function show(canvas, image) {
    if (canvas.width !== image.width || canvas.height !== image.height) {
      [canvas.width, canvas.height] = [image.width, image.height];
    }
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return context;
  }

  // The photograph where the query's mask is, dark and grey elsewhere, as query_mask() paints it.
  const dark = new OffscreenCanvas(photo.width, photo.height), outside = dark.getContext("2d");
  outside.drawImage(photo, 0, 0);
  const pixels = outside.getImageData(0, 0, photo.width, photo.height);
  for (let i = 0, { data } = pixels; i < data.length; i += 4) {
    data.fill(0.42 * (0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2]), i, i + 3);
  }
  function mask(canvas, task, query) {
    const [height, width] = maskSize, columns = atlas.width / width, channel = tasks.indexOf(task);
    const veil = new ImageData(width, height);
    const row0 = Math.floor(query / columns) * height, column0 = (query % columns) * width;
    for (let row = 0, i = 3; row < height; row++) {
      for (let column = 0; column < width; column++, i += 4) {
        const value = atlas.data[4 * ((row0 + row) * atlas.width + column0 + column) + channel];
        veil.data[i] = 255 - Math.min(255, value * 1.03);
      }
    }
    const small = new OffscreenCanvas(width, height);
    small.getContext("2d").putImageData(veil, 0, 0);
    outside.globalCompositeOperation = "copy";
    outside.putImageData(pixels, 0, 0);
    outside.globalCompositeOperation = "destination-in";
    outside.drawImage(small, 0, 0, photo.width, photo.height);
    show(canvas, photo).drawImage(dark, 0, 0);
  }

  function frame(context, x, y, width, height) {
    context.strokeStyle = ink;
    context.lineWidth = 4;
    context.strokeRect(x + 2, y + 2, width - 4, height - 4);
  }

  const choose = (name, value) => {
    const control = document.querySelector(`input[name=${name}]`);
    control.value = value;
    control.parentElement.querySelector("output").textContent = control.value;
  };

  // A place in the chart: its step, and below the curve its query.
  function pick(row, column) {
    const state = ofl.state(), pair = pairs[`${state.task} ${state.other}`];
    choose("blend", shares[Math.min(Math.max(column - left, 0), last)]);
    if (row >= above) choose("query", pair.queries[row - above]);
    ofl.redraw();
  }

  const chart = at("chart");
  chart.tabIndex = 0;
  chart.addEventListener("click", (event) => {
    const state = ofl.state(), box = chart.getBoundingClientRect();
    const [rows, columns] = pairs[`${state.task} ${state.other}`].units;
    pick(Math.floor(((event.clientY - box.top) / box.height) * rows),
      Math.floor(((event.clientX - box.left) / box.width) * columns));
  });
  chart.addEventListener("keydown", (event) => {
    const way = ofl.way(event);
    if (!way) return;
    const state = ofl.state(), { queries } = pairs[`${state.task} ${state.other}`];
    const row = Math.min(Math.max(queries.indexOf(state.query) + way[0], 0), queries.length - 1);
    pick(above + row, left + Math.round(state.blend * last) + way[1]);
  });

  ofl.start((state) => {
    const { task, other, query } = state, step = Math.round(state.blend * last);
    const pair = pairs[`${task} ${other}`], found = blended(task, other, step);
    at("headline").innerHTML = pair.headline;
    at("channels").innerHTML = pair.channels;
    at("ends").textContent = `from ${task} to ${other}`;
    at("blend-words").textContent = `blend ${shares[step].toFixed(1)}: ${found.words}`;
    show(at("blend"), found.picture);
    const context = show(chart, pair.chart), [rows, columns] = pair.units;
    const cell = chart.width / columns, line = chart.height / rows, row = pair.queries.indexOf(query);
    frame(context, (left + step) * cell, 0, cell, (above - 1) * line);
    frame(context, (left + step) * cell, above * line, cell, chart.height - above * line);
    if (row >= 0) frame(context, 0, (above + row) * line, chart.width, line);
    at("query-words").innerHTML = pair.words[query];
    [task, other].forEach((name, i) => {
      at(`mask-words${i}`).textContent = name;
      mask(at(`mask${i}`), name, query);
    });
  });
})();
