/** Draws a report's plots and images, in the browser, from the data in their elements. Plain JavaScript: it is inlined as it is. */
(() => {
  const ink = "#6b7785";
  const line = "#e9edf1";
  const colors = ["#2563a8", "#c8322b", "#1f8a5b", "#b7791f"];

  const axis = (label, size) => ({
    label,
    size,
    labelSize: 18,
    labelFont: "12px system-ui",
    font: "11px system-ui",
    stroke: ink,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1 },
  });
  const figures = (_, value) => (value === null || value === undefined ? "–" : Number(value.toPrecision(4)));

  const draw = (element) => {
    const { across, up, curves } = JSON.parse(element.dataset.plot);
    const options = {
      height: 260,
      scales: { x: { time: false }, y: up.isLogarithmic ? { distr: 3 } : {} },
      axes: [axis(across.label, 30), axis(up.label, 56)],
      series: [
        { label: across.label },
        ...curves.map(({ label, values }, k) => ({
          label,
          stroke: colors[k % colors.length],
          width: 1.5,
          spanGaps: true,
          points: { show: values.filter((value) => value !== null).length < 40 },
          value: figures,
        })),
      ],
    };
    const data = [across.values, ...curves.map(({ values }) => values)];
    const plot = new uPlot({ ...options, width: element.clientWidth }, data, element);
    addEventListener("resize", () => plot.setSize({ width: element.clientWidth, height: options.height }));
  };

  const paint = (canvas) => {
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    const pixels = Uint8Array.from(atob(canvas.dataset.pixels), (character) => character.charCodeAt(0));
    for (const [k, value] of pixels.entries()) image.data.set([value, value, value, 255], 4 * k);
    context.putImageData(image, 0, 0);
  };

  document.querySelectorAll("[data-plot]").forEach(draw);
  document.querySelectorAll("[data-pixels]").forEach(paint);
})();
