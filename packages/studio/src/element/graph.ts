/** The graph of a step: its kernels, and which reads the results of which. */
import { effect } from "@preact/signals-core";
import type { KernelsEvent } from "mlx-ts/train";
import { formatBytes, formatDuration } from "./format.ts";
import { layOut, type Spacing } from "./graph-layout.ts";
import { make, makeButton, makeSvg, setText } from "./make.ts";
import { makeSection, type Panel, type PanelContext } from "./panel.ts";

const spacing: Spacing = { width: 148, height: 40, gapX: 14, gapY: 26 };
const verticesPerRow = 7;
const nameLength = 19;

/** The graph, drawn when the reader opens it. */
export function makeGraph({ monitor }: PanelContext): Panel {
  let dot = "";
  const label = make("span", { role: "status" }, "Copy as DOT");
  const copy = makeButton(
    { class: "quiet" },
    async () => {
      await navigator.clipboard.writeText(dot);
      setText(label, "Copied");
    },
    label,
  );
  const place = make("div", {
    class: "scroll tall",
    tabindex: 0,
    role: "region",
    "aria-label": "Graph of the kernels",
  });
  const details = make("details", {}, make("summary", {}, "Show the graph"), place);
  const element = makeSection("Graph", [copy], details);
  let event: KernelsEvent | null = null;
  const draw = (): void => {
    if (event && details.open) place.replaceChildren(drawGraph(event.kernels));
  };
  details.addEventListener("toggle", draw);
  const dispose = effect(() => {
    event = monitor.kernels.value;
    element.hidden = !event;
    dot = event?.dot ?? "";
    setText(label, "Copy as DOT");
    draw();
  });
  return { element, dispose };
}

function drawGraph(kernels: KernelsEvent["kernels"]): SVGSVGElement {
  const { places, width, height } = layOut(
    kernels.map(({ reads }) => reads),
    spacing,
    verticesPerRow,
  );
  const edges = kernels.flatMap(({ reads }, k) =>
    reads.map((read) => {
      const [from, to] = [places[read], places[k]];
      if (!from || !to) return "";
      const [x1, y1] = [from.x + spacing.width / 2, from.y + spacing.height];
      const [x2, y2] = [to.x + spacing.width / 2, to.y];
      const bend = Math.max(12, (y2 - y1) / 2);
      return `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`;
    }),
  );
  const vertices = kernels.map(({ label, kind, milliseconds, bytes }, k) => {
    const { x, y } = places[k] ?? { x: 0, y: 0 };
    const name = shorten(label);
    return makeSvg(
      "g",
      { class: "vertex", "data-kind": kind, transform: `translate(${x} ${y})` },
      makeSvg("title", {}, `${k + 1}. ${kind} ${label}`),
      makeSvg("rect", { width: spacing.width, height: spacing.height, rx: 6 }),
      makeSvg("text", { class: "name", x: 10, y: 17 }, name),
      makeSvg("text", { x: 10, y: 32 }, `${formatDuration(milliseconds)} · ${formatBytes(bytes)}`),
    );
  });
  return makeSvg(
    "svg",
    {
      class: "graph",
      viewBox: `-2 -2 ${width + 4} ${height + 4}`,
      width: width + 4,
      height: height + 4,
      role: "img",
      "aria-label": `${kernels.length} kernels and what they read of each other`,
    },
    makeSvg("path", { class: "edge", d: edges.join("") }),
    ...vertices,
  );
}

/** What only moves elements, which says little about a kernel. */
const movements: ReadonlySet<string> = new Set(["identity", "transpose", "broadcastTo", "reshape", "cast"]);

/** The operations of a kernel, as many as there is room for. */
function shorten(label: string): string {
  const operations = label.split(" ");
  const telling = operations.filter((operation) => !movements.has(operation));
  const text = (telling.length > 0 ? telling : operations).join(" ");
  return text.length > nameLength ? `${text.slice(0, nameLength - 1)}…` : text;
}
