/** `<mlx-training-monitor>`: a training, live, on a page of its own or beside other things. */

import type { TrainingMonitor } from "@mlx-ts/monitor";
import { effect } from "@preact/signals-core";
import { makeCurves, makeLossCurve } from "./curves.ts";
import { makeFigures } from "./figures.ts";
import { makeGraph } from "./graph.ts";
import { makeHead } from "./head.ts";
import { makeHistograms } from "./histograms.ts";
import { makeTimeline } from "./kernels.ts";
import { make } from "./make.ts";
import { Palette } from "./palette.ts";
import type { Comparison, Controls, Panel, PanelContext } from "./panel.ts";
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

/** The element. Without a monitor it shows nothing. */
export interface TrainingMonitorElement extends HTMLElement {
  /** What is shown. */
  monitor: TrainingMonitor | null;
  /** Where commands go: a `TrainingControl`, or something that sends them to one. Without it there are no controls. */
  controls: Controls | null;
  /** Trainings that are drawn beside it. */
  comparisons: readonly Comparison[];
}

declare global {
  interface HTMLElementTagNameMap {
    "mlx-training-monitor": TrainingMonitorElement;
  }
}

const properties = ["monitor", "controls", "comparisons"] as const;

/**
 * Makes `<mlx-training-monitor>` known to the page; does nothing the second time.
 *
 * Attributes: `theme` (`light` or `dark`; otherwise the colour scheme of the page), `panels` (names of `panelNames` with spaces
 * between; all unless given), `label` (what the training is called beside others). Colours, font and distances are custom
 * properties such as `--accent`, `--paper`, `--font`, `--gap`, which a page may set on the element.
 */
export function defineTrainingMonitor(tag = "mlx-training-monitor"): void {
  // On a server, which renders the tag alone, there is nothing to make known.
  if (typeof customElements === "undefined" || customElements.get(tag)) return;
  customElements.define(
    tag,
    class extends HTMLElement implements TrainingMonitorElement {
      static readonly observedAttributes = ["theme", "panels", "label"];
      readonly #root: ShadowRoot;
      readonly #palette: Palette;
      readonly #place = make("div", { class: "monitor" });
      #ends: (() => void)[] = [];
      #monitor: TrainingMonitor | null = null;
      #controls: Controls | null = null;
      #comparisons: readonly Comparison[] = [];

      constructor() {
        super();
        this.#root = this.attachShadow({ mode: "open" });
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(styles);
        this.#root.adoptedStyleSheets = [sheet];
        const probe = make("span", { class: "probe" });
        this.#root.append(probe, this.#place);
        this.#palette = new Palette(probe);
      }

      get monitor(): TrainingMonitor | null {
        return this.#monitor;
      }

      set monitor(monitor: TrainingMonitor | null) {
        if (monitor === this.#monitor) return;
        this.#monitor = monitor;
        this.#build();
      }

      get controls(): Controls | null {
        return this.#controls;
      }

      set controls(controls: Controls | null) {
        if (controls === this.#controls) return;
        this.#controls = controls;
        this.#build();
      }

      get comparisons(): readonly Comparison[] {
        return this.#comparisons;
      }

      set comparisons(comparisons: readonly Comparison[]) {
        this.#comparisons = comparisons;
        this.#build();
      }

      connectedCallback(): void {
        for (const property of properties) this.#takeEarly(property);
        this.#build();
      }

      disconnectedCallback(): void {
        this.#clear();
      }

      attributeChangedCallback(name: string): void {
        if (name !== "theme") this.#build();
        else if (this.isConnected) this.#palette.refresh();
      }

      /** What was set before the element was known lies on the object and hides the accessor. */
      #takeEarly(property: (typeof properties)[number]): void {
        const early = Object.getOwnPropertyDescriptor(this, property);
        if (!early) return;
        Reflect.deleteProperty(this, property);
        Reflect.set(this, property, early.value);
      }

      #build(): void {
        this.#clear();
        const monitor = this.#monitor;
        if (!monitor || !this.isConnected) return;
        const context: PanelContext = {
          monitor,
          name: this.getAttribute("label") ?? "this run",
          comparisons: this.#comparisons,
          controls: this.#controls,
          palette: this.#palette,
        };
        for (const name of this.#panels()) {
          const panel = makers[name](context);
          this.#place.append(panel.element);
          this.#ends.push(() => panel.dispose());
        }
        const scheme = matchMedia("(prefers-color-scheme: dark)");
        const refresh = (): void => this.#palette.refresh();
        scheme.addEventListener("change", refresh);
        this.#ends.push(
          () => scheme.removeEventListener("change", refresh),
          // A page may change its theme in ways that nobody is told of.
          effect(() => {
            monitor.state.value;
            refresh();
          }),
        );
      }

      #panels(): readonly PanelName[] {
        const wanted = this.getAttribute("panels")?.split(/\s+/);
        return wanted ? panelNames.filter((name) => wanted.includes(name)) : panelNames;
      }

      #clear(): void {
        for (const end of this.#ends.splice(0)) end();
        this.#place.replaceChildren();
      }
    },
  );
}
