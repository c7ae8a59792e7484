/** The curves of a training: its loss large, everything else that has a history small, other runs drawn beside it. */
import { effect } from "@preact/signals-core";
import { formatBytes, formatCount, formatFigure, formatTick, titleOf } from "./format.ts";
import { type ChartOptions, LineChart } from "./line-chart.ts";
import { make } from "./make.ts";
import { makeSection, type Panel, type PanelContext } from "./panel.ts";

/** Bytes are counted in powers of two. */
const byteIncrements = Array.from({ length: 40 }, (_, k) => 2 ** k);

/** How a figure is written; others are figures without a unit. */
const formats: ReadonlyMap<string, Pick<ChartOptions, "format" | "formatAxis" | "increments" | "fromZero">> = new Map([
  ["throughput", { format: (value: number) => `${formatCount(value)} /s`, fromZero: true }],
  [
    "memory",
    {
      format: formatBytes,
      formatAxis: (value: number) => (value === 0 ? "0" : formatBytes(value)),
      increments: byteIncrements,
      fromZero: true,
    },
  ],
]);

/** What small charts may be chosen logarithmic. */
const withScales: ReadonlySet<string> = new Set(["loss", "gradientNorm", "learningRate"]);

/** The chart of the loss. */
export function makeLossCurve(context: PanelContext): Panel {
  const chart = makeChart("loss", context, 260);
  const legend = makeLegend(context);
  return {
    element: make("section", { class: "panel", "aria-label": "Loss" }, chart.element, ...(legend ? [legend] : [])),
    dispose: chart.dispose,
  };
}

/** Small charts of everything but the loss. */
export function makeCurves(context: PanelContext): Panel {
  const place = make("div", { class: "charts" });
  const element = makeSection("Metrics", [], place);
  const charts = new Map<string, Panel>();
  const end = effect(() => {
    for (const name of context.monitor.names.value) {
      if (name === "loss" || charts.has(name)) continue;
      const chart = makeChart(name, context, 132);
      charts.set(name, chart);
      // What the user measures comes first.
      const isMetric = name.startsWith("metrics.");
      const next = isMetric
        ? [...charts].find(([other]) => !other.startsWith("metrics.") && other !== name)
        : undefined;
      place.insertBefore(chart.element, next?.[1].element ?? null);
    }
    element.hidden = charts.size === 0;
  });
  return {
    element,
    dispose: () => {
      end();
      for (const chart of charts.values()) chart.dispose();
    },
  };
}

function makeChart(name: string, { monitor, name: run, comparisons, palette }: PanelContext, height: number): Panel {
  const chart = new LineChart({
    title: titleOf(name),
    palette,
    height,
    hasScales: withScales.has(name),
    format: formatFigure,
    formatAxis: formatTick,
    ...formats.get(name),
  });
  const end = effect(() => {
    const lines = [
      { label: run, buckets: monitor.series(name).value, colour: 0 },
      ...comparisons.map((other, k) => ({
        label: other.name,
        buckets: other.monitor.series(name).value,
        colour: k + 1,
      })),
    ];
    chart.show(lines.filter(({ buckets }) => buckets.steps.length > 0));
  });
  return {
    element: chart.element,
    dispose: () => {
      end();
      chart.dispose();
    },
  };
}

function makeLegend({ name, comparisons }: PanelContext): HTMLElement | null {
  if (comparisons.length === 0) return null;
  const entries = [name, ...comparisons.map((other) => other.name)].map((label, k) => {
    const mark = make("i", { "aria-hidden": "true" });
    mark.style.background = `var(--series-${(k % 6) + 1})`;
    return make("span", {}, mark, label);
  });
  return make("div", { class: "legend", role: "group", "aria-label": "Runs" }, ...entries);
}
