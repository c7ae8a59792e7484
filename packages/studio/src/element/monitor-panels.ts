/** The panels of a training: which there are, and how they come and go. */
import { effect } from "@preact/signals-core";
import { makeCurves, makeLossCurve } from "./curves.ts";
import { makeFigures } from "./figures.ts";
import { makeGraph } from "./graph.ts";
import { makeHead } from "./head.ts";
import { makeHistograms } from "./histograms.ts";
import { makeTimeline } from "./kernels.ts";
import { make } from "./make.ts";
import { Palette } from "./palette.ts";
import type { Panel, PanelContext } from "./panel.ts";
import { makePhases } from "./phases.ts";
import { makeSamples } from "./samples.ts";
import { styles } from "./styles.ts";

/** A part of the element. */
export type PanelName =
  | "head"
  | "figures"
  | "loss"
  | "metrics"
  | "samples"
  | "histograms"
  | "phases"
  | "kernels"
  | "graph";

const makers: { readonly [name in PanelName]: (context: PanelContext) => Panel } = {
  head: makeHead,
  figures: makeFigures,
  loss: makeLossCurve,
  metrics: makeCurves,
  samples: makeSamples,
  histograms: makeHistograms,
  phases: makePhases,
  kernels: makeTimeline,
  graph: makeGraph,
};

/** All parts, in their order. */
export const panelNames: readonly PanelName[] = [
  "head",
  "figures",
  "loss",
  "metrics",
  "samples",
  "histograms",
  "phases",
  "kernels",
  "graph",
];

/** The panels that an element shows, one below the other, in a tree of their own. */
export class MonitorPanels {
  readonly palette: Palette;
  readonly #place = make("div", { class: "monitor" });
  #ends: (() => void)[] = [];

  constructor(root: ShadowRoot) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(styles);
    root.adoptedStyleSheets = [sheet];
    const probe = make("span", { class: "probe" });
    root.append(probe, this.#place);
    this.palette = new Palette(probe);
  }

  /** Makes panels, beside those that are there, which follow the training until they are cleared. */
  show(names: readonly PanelName[], training: Omit<PanelContext, "palette">): void {
    const context = { ...training, palette: this.palette };
    for (const name of names) {
      const panel = makers[name](context);
      this.#place.append(panel.element);
      this.#ends.push(() => panel.dispose());
    }
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const refresh = (): void => this.palette.refresh();
    scheme.addEventListener("change", refresh);
    this.#ends.push(
      () => scheme.removeEventListener("change", refresh),
      // A page may change its theme in ways that nobody is told of.
      effect(() => {
        training.monitor.state.value;
        refresh();
      }),
    );
  }

  clear(): void {
    for (const end of this.#ends.splice(0)) end();
    this.#place.replaceChildren();
  }
}
