/** How a parameter and its gradient are distributed, step after step: ridges, the oldest at the top. */
import { effect } from "@preact/signals-core";
import type { Histogram } from "mlx-ts/train";
import { formatCount, formatFigure } from "./format.ts";
import { make, makeSvg, setAttributes } from "./make.ts";
import { makeSection, type Panel, type PanelContext } from "./panel.ts";

interface Ridge {
  readonly step: number;
  readonly histogram: Histogram;
}

const width = 320;
const height = 190;
/** How far up a ridge may reach, and where the first stands. */
const reach = 52;
const shownLimit = 20;

/** The ridges of a parameter that the reader picks. */
export function makeHistograms({ monitor }: PanelContext): Panel {
  const picker = make("select", { "aria-label": "Parameter" });
  const places = { parameters: make("figure", { class: "chart" }), gradients: make("figure", { class: "chart" }) };
  const element = makeSection(
    "Distributions",
    [picker],
    make("div", { class: "pair" }, places.parameters, places.gradients),
  );
  const draw = (): void => {
    const all = monitor.histograms.value;
    const path = picker.value;
    const ridges = (of: "parameters" | "gradients"): Ridge[] =>
      all.flatMap((event) => {
        const histogram = event[of][path];
        return histogram ? [{ step: event.step, histogram }] : [];
      });
    places.parameters.replaceChildren(...drawRidges("Values", spread(ridges("parameters"))));
    places.gradients.replaceChildren(...drawRidges("Gradients", spread(ridges("gradients"))));
  };
  picker.addEventListener("change", draw);
  const dispose = effect(() => {
    const paths = Object.keys(monitor.histograms.value.at(-1)?.parameters ?? {});
    element.hidden = paths.length === 0;
    if (paths.length !== picker.options.length) {
      const { value } = picker;
      picker.replaceChildren(...paths.map((path) => make("option", { value: path }, path)));
      if (paths.includes(value)) picker.value = value;
    }
    if (paths.length > 0) draw();
  });
  return { element, dispose };
}

/** So many ridges that they can be told apart, the latest among them. */
function spread(ridges: readonly Ridge[]): readonly Ridge[] {
  if (ridges.length <= shownLimit) return ridges;
  const every = (ridges.length - 1) / (shownLimit - 1);
  return Array.from({ length: shownLimit }, (_, k) => ridges[Math.round(k * every)]).filter(
    (ridge) => ridge !== undefined,
  );
}

function drawRidges(title: string, ridges: readonly Ridge[]): readonly Node[] {
  const latest = ridges.at(-1);
  if (!latest) return [];
  const low = Math.min(...ridges.map(({ histogram }) => histogram.minimum));
  const high = Math.max(...ridges.map(({ histogram }) => histogram.maximum));
  const peak = Math.max(...ridges.map(({ histogram }) => Math.max(...densities(histogram, low, high))));
  const paths = ridges.map(({ histogram }, k) => {
    const base = ridges.length === 1 ? height : reach + ((height - reach) * k) / (ridges.length - 1);
    const path = makeSvg("path", { d: ridgePath(histogram, { low, high, peak, base }) });
    setAttributes(path, { class: k === ridges.length - 1 ? "latest" : "", "vector-effect": "non-scaling-stroke" });
    return path;
  });
  const { histogram, step } = latest;
  const summary = `mean ${formatFigure(histogram.mean)}, deviation ${formatFigure(histogram.deviation)}`;
  const invalid = histogram.invalidCount > 0 ? `, ${formatCount(histogram.invalidCount)} not finite` : "";
  const drawing = makeSvg(
    "svg",
    {
      class: "ridges",
      viewBox: `0 0 ${width} ${height + 1}`,
      width: "100%",
      height,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": `${title} at step ${formatCount(step)}: from ${formatFigure(histogram.minimum)} to ${formatFigure(histogram.maximum)}, ${summary}${invalid}`,
    },
    ...paths,
  );
  return [
    make("figcaption", {}, make("h3", {}, title), make("span", { class: "reading" }, `${summary}${invalid}`)),
    drawing,
    make(
      "div",
      { class: "range", "aria-hidden": "true" },
      make("span", {}, formatFigure(low)),
      make("span", {}, formatFigure(high)),
    ),
  ];
}

/** Shares of the values per share of the range from `low` to `high`. */
function densities({ counts, minimum, maximum }: Histogram, low: number, high: number): readonly number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const span = high > low ? Math.max(maximum - minimum, (high - low) / 1000) / (high - low) : 1;
  return counts.map((count) => (total > 0 ? (count * counts.length) / (total * span) : 0));
}

function ridgePath(
  histogram: Histogram,
  {
    low,
    high,
    peak,
    base,
  }: { readonly low: number; readonly high: number; readonly peak: number; readonly base: number },
): string {
  const { counts, minimum, maximum } = histogram;
  const x = (value: number): string => (high > low ? (width * (value - low)) / (high - low) : width / 2).toFixed(1);
  const bin = (maximum - minimum) / Math.max(counts.length, 1);
  const points = densities(histogram, low, high).map((density, k) => {
    const up = base - (reach - 4) * Math.sqrt(density / Math.max(peak, 1e-12));
    return `L${x(minimum + (k + 0.5) * bin)} ${up.toFixed(1)}`;
  });
  return `M0 ${base}L${x(minimum)} ${base}${points.join("")}L${x(maximum)} ${base}L${width} ${base}`;
}
