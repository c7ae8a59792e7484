/** Where the time of the steps goes. */
import { effect } from "@preact/signals-core";
import { formatShare } from "./format.ts";
import { make, setText } from "./make.ts";
import { makeSection, type Panel, type PanelContext } from "./panel.ts";

const phases = [
  { key: "compute", title: "Computing", colour: 1 },
  { key: "data", title: "Waiting for data", colour: 2 },
  { key: "record", title: "Recording", colour: 3 },
] as const;

/** One bar of the three phases of a step, with their shares of all time so far. */
export function makePhases({ monitor }: PanelContext): Panel {
  const rows = phases.map(({ key, title, colour }) => {
    const part = make("i");
    const mark = make("i");
    for (const coloured of [part, mark]) coloured.style.background = `var(--series-${colour})`;
    return { key, title, part, mark, share: make("span") };
  });
  const stack = make("div", { class: "stack", "aria-hidden": "true" }, ...rows.map(({ part }) => part));
  const legend = make("div", { class: "legend" }, ...rows.map(({ mark, share }) => make("span", {}, mark, share)));
  const element = makeSection("Time per phase", [], make("div", { class: "phases" }, stack, legend));
  const dispose = effect(() => {
    const times = monitor.phases.value;
    const total = times.compute + times.data + times.record;
    element.hidden = total === 0;
    for (const { key, title, part, share } of rows) {
      const of = total > 0 ? times[key] / total : 0;
      part.style.flexBasis = `${100 * of}%`;
      setText(share, `${title} ${formatShare(of)}`);
    }
  });
  return { element, dispose };
}
