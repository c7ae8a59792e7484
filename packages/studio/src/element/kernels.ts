/** The kernels of a step on a line of time, with the memory that is held meanwhile. */
import { effect } from "@preact/signals-core";
import type { KernelsEvent } from "mlx-ts/train";
import { formatBytes, formatCount, formatDuration } from "./format.ts";
import { make, makeSvg, setText } from "./make.ts";
import { makeSection, type Panel, type PanelContext } from "./panel.ts";

type Kernel = KernelsEvent["kernels"][number];

const width = 1000;
const memoryHeight = 64;
const barTop = memoryHeight + 10;
const barHeight = 34;

/** The timeline, and the same as a table. */
export function makeTimeline({ monitor }: PanelContext): Panel {
  const reading = make("output", { class: "reading" });
  const place = make("div");
  const element = makeSection("Kernels of a step", [reading], place);
  const dispose = effect(() => {
    const event = monitor.kernels.value;
    element.hidden = !event;
    if (event) place.replaceChildren(...drawTimeline(event.kernels, reading));
  });
  return { element, dispose };
}

function drawTimeline(kernels: readonly Kernel[], reading: HTMLElement): readonly Node[] {
  const total = kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const held = Math.max(1, ...kernels.map(({ heldBytes }) => heldBytes));
  const summary = `${formatCount(kernels.length)} kernels, ${formatDuration(total)}, at most ${formatBytes(held)} held`;
  setText(reading, summary);
  let at = 0;
  let memory = `M0 ${memoryHeight}`;
  const bars = kernels.map((kernel, k) => {
    const from = (width * at) / total;
    at += kernel.milliseconds;
    const to = (width * at) / total;
    const y = (memoryHeight * (1 - kernel.heldBytes / held)).toFixed(1);
    memory += `L${from.toFixed(2)} ${y}L${to.toFixed(2)} ${y}`;
    const rect = makeSvg("rect", {
      x: from.toFixed(2),
      y: barTop,
      width: Math.max(to - from - 0.6, 0.4).toFixed(2),
      height: barHeight,
    });
    const bar = makeSvg(
      "g",
      { class: "kernel", "data-kind": kernel.kind },
      makeSvg("title", {}, describe(kernel, k)),
      rect,
    );
    bar.addEventListener("pointerenter", () => setText(reading, describe(kernel, k)));
    return bar;
  });
  const drawing = makeSvg(
    "svg",
    {
      viewBox: `0 0 ${width} ${barTop + barHeight}`,
      width: "100%",
      height: barTop + barHeight,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": `${summary}; the table below lists them`,
    },
    makeSvg("path", {
      class: "memory",
      d: `${memory}L${width} ${memoryHeight}Z`,
      "vector-effect": "non-scaling-stroke",
    }),
    ...bars,
  );
  drawing.addEventListener("pointerleave", () => setText(reading, summary));
  return [
    make("div", { class: "range", "aria-hidden": "true" }, make("span", {}, `memory held, up to ${formatBytes(held)}`)),
    drawing,
    make(
      "div",
      { class: "range", "aria-hidden": "true" },
      make("span", {}, "0"),
      make("span", {}, formatDuration(total)),
    ),
    makeKinds(kernels),
    listKernels(kernels, total),
  ];
}

/** Which colour is which kind of kernel. */
function makeKinds(kernels: readonly Kernel[]): HTMLElement {
  const kinds = [...new Set(kernels.map(({ kind }) => kind))];
  const entries = kinds.map((kind) => {
    const mark = make("i", { "data-kind": kind, "aria-hidden": "true" });
    const spent = kernels.reduce((sum, kernel) => sum + (kernel.kind === kind ? kernel.milliseconds : 0), 0);
    return make("span", {}, mark, `${kind} ${formatDuration(spent)}`);
  });
  return make("div", { class: "legend kinds" }, ...entries);
}

function listKernels(kernels: readonly Kernel[], total: number): HTMLElement {
  const figure = (text: string): HTMLElement => make("td", { class: "figure" }, text);
  const heading = (text: string): HTMLElement => make("th", { scope: "col", class: "figure" }, text);
  const rows = kernels.map((kernel, k) =>
    make(
      "tr",
      {},
      make("td", {}, `${k + 1}`),
      make("td", { class: "text" }, kernel.label),
      make("td", {}, kernel.kind),
      figure(formatDuration(kernel.milliseconds)),
      figure(`${((100 * kernel.milliseconds) / Math.max(total, 1e-9)).toFixed(1)} %`),
      figure(formatBytes(kernel.bytes)),
      figure(formatCount(kernel.flops)),
    ),
  );
  const head = make(
    "tr",
    {},
    make("th", { scope: "col" }, "№"),
    make("th", { scope: "col" }, "Operations"),
    make("th", { scope: "col" }, "Kind"),
    heading("Time"),
    heading("Share"),
    heading("Bytes moved"),
    heading("Arithmetic"),
  );
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
  const scroll = make("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "Kernels" }, table);
  return make("details", {}, make("summary", {}, "All kernels"), scroll);
}

function describe({ label, milliseconds, bytes, kind }: Kernel, k: number): string {
  return `${k + 1}  ${kind} ${label}  ${formatDuration(milliseconds)}  ${formatBytes(bytes)}`;
}
