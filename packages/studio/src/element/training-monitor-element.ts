/** `<mlx-training-monitor>`: a training, live, on a page of its own or beside other things. */

import type { TrainingMonitor } from "@mlx-ts/monitor";
import { MonitorPanels, panelNames } from "./monitor-panels.ts";
import type { Comparison, Controls } from "./panel.ts";

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
 *
 * @example
 * import { defineTrainingMonitor } from "@mlx-ts/studio";
 * // Then <mlx-training-monitor theme="dark"></mlx-training-monitor> is alive:
 * defineTrainingMonitor();
 */
export function defineTrainingMonitor(tag = "mlx-training-monitor"): void {
  // On a server, which renders the tag alone, there is nothing to make known.
  if (typeof customElements === "undefined" || customElements.get(tag)) return;
  customElements.define(tag, makeElementClass());
}

/** The class of the element, which is made where it is known what an element is. */
function makeElementClass(): CustomElementConstructor {
  return class extends HTMLElement implements TrainingMonitorElement {
    static readonly observedAttributes = ["theme", "panels", "label"];
    readonly #panels = new MonitorPanels(this.attachShadow({ mode: "open" }));
    #monitor: TrainingMonitor | null = null;
    #controls: Controls | null = null;
    #comparisons: readonly Comparison[] = [];

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
      for (const property of properties) takeEarly(this, property);
      this.#build();
    }

    disconnectedCallback(): void {
      this.#panels.clear();
    }

    attributeChangedCallback(name: string): void {
      if (name !== "theme") this.#build();
      else if (this.isConnected) this.#panels.palette.refresh();
    }

    #build(): void {
      this.#panels.clear();
      const monitor = this.#monitor;
      if (!monitor || !this.isConnected) return;
      const [name, wanted] = [this.getAttribute("label") ?? "this run", this.getAttribute("panels")?.split(/\s+/)];
      const names = wanted ? panelNames.filter((panel) => wanted.includes(panel)) : panelNames;
      this.#panels.show(names, { monitor, name, comparisons: this.#comparisons, controls: this.#controls });
    }
  };
}

/** What was set before the element was known lies on the object and hides the accessor. */
function takeEarly(element: TrainingMonitorElement, property: (typeof properties)[number]): void {
  const early = Object.getOwnPropertyDescriptor(element, property);
  if (!early) return;
  Reflect.deleteProperty(element, property);
  Reflect.set(element, property, early.value);
}
