/** What the model makes of a few examples. */
import { effect } from "@preact/signals-core";
import type { Sample, SampleValue } from "mlx-ts/train";
import { formatCount, formatFigure } from "./format.ts";
import { make, makeSvg, setText } from "./make.ts";
import { makeSection, type Panel, type PanelContext } from "./panel.ts";

const columns = ["input", "prediction", "target"] as const;
const titles = { input: "Input", prediction: "Prediction", target: "Target" };

/** The samples as a table; lists of numbers are drawn. */
export function makeSamples({ monitor }: PanelContext): Panel {
  const when = make("span", { class: "reading" });
  const place = make("div", { class: "scroll" });
  const element = makeSection("Samples", [when], place);
  const dispose = effect(() => {
    const samples = monitor.samples.value;
    element.hidden = samples.length === 0;
    setText(when, `step ${formatCount(monitor.state.value.samples?.step ?? 0)}`);
    if (samples.length > 0) place.replaceChildren(drawSamples(samples));
  });
  return { element, dispose };
}

function drawSamples(samples: readonly Sample[]): HTMLElement {
  const shown = columns.filter((column) => samples.some((sample) => sample[column] !== undefined));
  const head = shown.map((column) => make("th", { scope: "col" }, titles[column]));
  const rows = samples.map((sample) =>
    make("tr", { class: isWrong(sample) ? "wrong" : null }, ...shown.map((column) => drawValue(sample[column]))),
  );
  return make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
}

/** Text and counts are right or wrong; measured values are only near. */
function isWrong({ prediction, target }: Sample): boolean {
  if (typeof prediction === "string" && typeof target === "string") return prediction !== target;
  return Number.isInteger(prediction) && Number.isInteger(target) && prediction !== target;
}

function drawValue(value: SampleValue | undefined): HTMLElement {
  if (value === undefined) return make("td");
  if (typeof value === "string") return make("td", { class: "text" }, value);
  if (typeof value === "number") return make("td", {}, Number.isInteger(value) ? String(value) : formatFigure(value));
  return make("td", {}, drawTrace(value));
}

function drawTrace(values: readonly number[]): SVGSVGElement {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const points = values.map((value, k) => {
    const y = high > low ? 26 - (24 * (value - low)) / (high - low) : 14;
    return `${((120 * k) / Math.max(values.length - 1, 1)).toFixed(1)},${y.toFixed(1)}`;
  });
  return makeSvg(
    "svg",
    {
      width: 120,
      height: 28,
      class: "trace",
      role: "img",
      "aria-label": `${values.length} values from ${formatFigure(low)} to ${formatFigure(high)}`,
    },
    makeSvg("polyline", { points: points.join(" ") }),
  );
}
