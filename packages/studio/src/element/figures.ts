/** The figures of a training as they are now. */
import { effect } from "@preact/signals-core";
import { formatBytes, formatCount, formatDuration, formatFigure, formatRate, titleOf } from "./format.ts";
import { make, setText } from "./make.ts";
import type { Panel, PanelContext } from "./panel.ts";

interface Figure {
  readonly title: string;
  /** What is shown, large; null if there is nothing to show, which hides the figure. */
  readonly read: () => string | null;
  /** What stands below it. */
  readonly detail?: () => string;
}

/** The figures. */
export function makeFigures({ monitor }: PanelContext): Panel {
  const figures: Figure[] = [
    {
      title: "Loss",
      // A loss that is no number is news; a loss that is not there yet is none.
      read: () => (Number.isNaN(monitor.state.value.step?.loss) ? "NaN" : formatFigure(monitor.smoothedLoss.value)),
      detail: () => {
        const lowest = monitor.lowestLoss.value;
        return lowest ? `lowest ${formatFigure(lowest.value)} at ${formatCount(lowest.step)}` : "";
      },
    },
    {
      title: "Samples/s",
      read: () => formatCount(monitor.throughput.value),
      detail: () => {
        const step = monitor.state.value.step;
        return step ? `${formatDuration(step.milliseconds)} a step` : "";
      },
    },
    { title: "Learning rate", read: () => formatRate(monitor.learningRate.value) },
    {
      title: "Gradient norm",
      read: () => (Number.isNaN(monitor.gradientNorm.value) ? null : formatFigure(monitor.gradientNorm.value)),
    },
    {
      title: "Memory",
      read: () => formatBytes(monitor.memory.value?.active ?? Number.NaN),
      detail: () => (monitor.memory.value ? `peak ${formatBytes(monitor.memory.value.peak)}` : ""),
    },
  ];
  const element = make("dl", { class: "figures" });
  const ends: (() => void)[] = figures.map((figure) => follow(figure, element));
  const known = new Set<string>();
  ends.push(
    effect(() => {
      for (const name in monitor.metrics.value) {
        if (known.has(name)) continue;
        known.add(name);
        ends.push(
          follow(
            { title: titleOf(name), read: () => formatFigure(monitor.metrics.value[name] ?? Number.NaN) },
            element,
          ),
        );
      }
    }),
  );
  return {
    element,
    dispose: () => {
      for (const end of ends) end();
    },
  };
}

function follow({ title, read, detail }: Figure, into: HTMLElement): () => void {
  const value = make("span");
  const below = make("small");
  const place = make("div", {}, make("dt", {}, title), make("dd", {}, value, ...(detail ? [below] : [])));
  into.append(place);
  return effect(() => {
    const text = read();
    place.hidden = text === null;
    setText(value, text ?? "");
    if (detail) setText(below, detail());
  });
}
