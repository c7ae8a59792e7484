/** Draws the report's plots, in the browser, from the data that stands in the page. Plain JavaScript: it is inlined as it is. */
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { heart } = data;
  const colors = {
    ink: "#6b7785",
    line: "#e9edf1",
    blue: "#2563a8",
    green: "#1f8a5b",
    red: "#c8322b",
    yellow: "#f6d98b",
  };
  const seconds = 5; // between readings

  const count = (length) => Array.from({ length }, (_, index) => index);
  const fixed = (digits) => (_, value) => (value === null || value === undefined ? "–" : value.toFixed(digits));
  const axis = (label, more) => ({
    label,
    labelSize: 18,
    labelFont: "12px system-ui",
    font: "11px system-ui",
    stroke: colors.ink,
    size: 44,
    grid: { stroke: colors.line, width: 1 },
    ticks: { stroke: colors.line, width: 1 },
    ...more,
  });
  const across = (label, more) => axis(label, { size: 30, ...more });
  const plain = { x: { time: false } };
  const line = (label, stroke, more) => ({ label, stroke, width: 1.25, points: { show: false }, ...more });

  /** Colors stretches of the horizontal axis behind the curves. */
  const bands =
    (runs, color, { from, to }) =>
    (plot) => {
      const { ctx, bbox } = plot;
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.fillStyle = color;
      for (const { start, end } of runs) {
        const left = plot.valToPos(start, "x", true);
        const width = Math.max(plot.valToPos(end, "x", true) - left, 2);
        ctx.fillRect(left, bbox.top + from * bbox.height, width, (to - from) * bbox.height);
      }
      ctx.restore();
    };

  const losses = (series) => ({
    height: 220,
    scales: { ...plain, y: { distr: 3 } },
    axes: [across("pass"), axis("loss", { size: 60 })],
    series: [
      { label: "pass" },
      ...series.map(({ name }, k) => line(name, [colors.blue, colors.green][k % 2], { value: fixed(4) })),
    ],
    data: [count(series[0].values.length).map((k) => k + 1), ...series.map(({ values }) => values)],
  });

  const beat = ({ title, values, drawing }) => ({
    title,
    height: 190,
    scales: { ...plain, y: { range: [-1.6, 2.8] } },
    axes: [across("s"), axis("mV", { size: 36 })],
    series: [
      { label: "s" },
      line("beat", colors.blue, { width: 1.75 }),
      line("as redrawn", colors.green, { width: 1.75, dash: [5, 3] }),
    ],
    data: [values.map((_, k) => (2 * k - 90) / heart.sampleRate), values, drawing],
  });

  const plots = {
    scale: () => ({
      height: 220,
      scales: plain,
      axes: [across("step"), axis("scale")],
      series: [{ label: "step" }, line("scale", colors.blue, { value: fixed(6), points: { show: true, size: 5 } })],
      data: [count(data.scales.length), data.scales],
    }),
    "forecaster-losses": () => losses(data.forecasterLosses),
    "autoencoder-losses": () => losses([{ name: "loss", values: heart.losses }]),
    mote: (index) => {
      const { title, first, humidity, temperature, levels, events, alarms } = data.motes[index];
      const hours = (k) => ((first + k) * seconds) / 3600;
      const toHours = ({ start, end }) => ({ start: hours(start), end: hours(end) });
      return {
        title,
        height: 270,
        scales: { ...plain, "°C": {}, "%": {} },
        axes: [
          across("hours"),
          axis("humidity, %", { scale: "%", stroke: colors.blue }),
          axis("temperature, °C", { scale: "°C", side: 1, stroke: colors.green, grid: { show: false } }),
        ],
        series: [
          { label: "hours", value: fixed(2) },
          line("humidity", colors.blue, { scale: "%", value: fixed(2) }),
          line("temperature", colors.green, { scale: "°C", value: fixed(2) }),
          {
            label: "alarm level",
            scale: "level",
            show: true,
            stroke: "transparent",
            points: { show: false },
            value: fixed(2),
          },
        ],
        hooks: {
          drawClear: [
            bands(events.map(toHours), colors.yellow, { from: 0, to: 1 }),
            bands(alarms.map(toHours), colors.red, { from: 0, to: 0.05 }),
          ],
        },
        data: [humidity.map((_, k) => hours(k)), humidity, temperature, levels],
      };
    },
    recording: () => {
      const { sampleRate, millivolts, peaks, errors, threshold } = heart;
      const abnormal = peaks.filter((_, k) => errors[k] > threshold);
      const marks = new Array(millivolts.length).fill(null);
      for (const peak of abnormal) marks[peak] = millivolts[peak];
      const end = millivolts.length / sampleRate;
      return {
        title: "Half a minute from the middle; double-click to see all of it, drag to look closer",
        height: 280,
        scales: { x: { time: false } },
        axes: [across("s"), axis("mV")],
        series: [
          { label: "s", value: fixed(2) },
          line("ECG", colors.blue, { value: fixed(3), width: 1 }),
          {
            label: "abnormal",
            stroke: colors.red,
            paths: () => null,
            points: { show: true, size: 7, fill: colors.red },
            value: fixed(3),
          },
        ],
        data: [millivolts.map((_, k) => k / sampleRate), millivolts, marks],
        zoom: { min: end / 2, max: Math.min(end, end / 2 + 30) },
      };
    },
    worst: (index) => beat(heart.worst[index]),
    typical: (index) => beat(heart.typical[index]),
    errors: () => {
      const sorted = [...heart.errors].sort((a, b) => b - a);
      return {
        height: 240,
        scales: { ...plain, y: { distr: 3 } },
        axes: [across("rank"), axis("error, mV", { size: 60 })],
        series: [
          { label: "rank" },
          line("error", colors.blue, { value: fixed(3), width: 2 }),
          line("threshold", colors.red, { value: fixed(3), dash: [6, 4] }),
        ],
        data: [count(sorted.length).map((k) => k + 1), sorted, sorted.map(() => heart.threshold)],
      };
    },
  };

  for (const element of document.querySelectorAll("[data-plot]")) {
    const { data: values, zoom, ...options } = plots[element.dataset.plot](Number(element.dataset.index));
    const plot = new uPlot({ ...options, width: element.clientWidth }, values, element);
    if (zoom) plot.setScale("x", zoom);
    addEventListener("resize", () => plot.setSize({ width: element.clientWidth, height: options.height }));
  }
})();
