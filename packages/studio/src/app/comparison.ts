/** A table of the runs that are compared: where each is, and what it has reached. */
import { effect } from "@preact/signals-core";
import { formatCount, formatFigure, formatRate, titleOf } from "../element/format.ts";
import { make } from "../element/make.ts";
import { seriesCount } from "../element/palette.ts";
import type { Feed } from "./feed.ts";

/** Fills `place` with the table, or with nothing for a single run. Returns what ends that. */
export function showComparison(place: HTMLElement, feeds: readonly Feed[]): () => void {
  place.replaceChildren();
  if (feeds.length < 2) return () => {};
  // What scrolls can be reached by keys, and stays while the figures change.
  const scroll = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Comparison of runs" });
  place.append(scroll);
  return effect(() => scroll.replaceChildren(makeTable(feeds)));
}

function makeTable(feeds: readonly Feed[]): HTMLElement {
  const metrics = [...new Set(feeds.flatMap(({ monitor }) => Object.keys(monitor.metrics.value)))];
  const headings = ["Step", "Loss", "Lowest loss", ...metrics.map(titleOf), "Learning rate", "Samples/s"];
  const lowest = feeds.map(({ monitor }) => monitor.lowestLoss.value?.value ?? Number.NaN);
  const best = Math.min(...lowest.filter((value) => Number.isFinite(value)));
  const rows = feeds.map(({ name, monitor }, k) => {
    const mark = make("i", { "aria-hidden": "true" });
    mark.style.background = `var(--series-${(k % seriesCount) + 1})`;
    const figures = [
      formatCount(monitor.position.value.step),
      formatFigure(monitor.smoothedLoss.value),
      formatFigure(lowest[k] ?? Number.NaN),
      ...metrics.map((metric) => formatFigure(monitor.metrics.value[metric] ?? Number.NaN)),
      formatRate(monitor.learningRate.value),
      formatCount(monitor.throughput.value),
    ];
    const cells = figures.map((text, column) =>
      make("td", { class: column === 2 && lowest[k] === best ? "best" : null }, text),
    );
    return make("tr", {}, make("th", { scope: "row" }, mark, name), ...cells);
  });
  return make(
    "table",
    {},
    make("caption", {}, "Comparison"),
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        make("th", { scope: "col" }, "Run"),
        ...headings.map((heading) => make("th", { scope: "col" }, heading)),
      ),
    ),
    make("tbody", {}, ...rows),
  );
}
