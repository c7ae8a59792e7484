/** A part of the element that shows one thing of a training. */
import type { TrainingMonitor } from "@mlx-ts/monitor";
import type { ControlCommand } from "mlx-ts/train";
import { make } from "./make.ts";
import type { Palette } from "./palette.ts";

/** Takes commands for a training: a `TrainingControl`, a `ModelTrainer` of `@mlx-ts/actor`, or what sends them to one. */
export interface Controls {
  apply(command: ControlCommand): void | Promise<void>;
}

/** A training to draw beside the one that is watched. */
export interface Comparison {
  readonly name: string;
  readonly monitor: TrainingMonitor;
}

/** What panels show, and from what. */
export interface PanelContext {
  readonly monitor: TrainingMonitor;
  readonly name: string;
  readonly comparisons: readonly Comparison[];
  readonly controls: Controls | null;
  readonly palette: Palette;
}

/** A part of the page. */
export interface Panel {
  readonly element: HTMLElement;
  /** Ends what the panel follows. */
  dispose(): void;
}

/** The section of a panel, with its heading; what stands beside the heading follows it. */
export function makeSection(title: string, beside: readonly HTMLElement[], ...children: readonly Node[]): HTMLElement {
  return make(
    "section",
    { class: "panel", "aria-label": title },
    make("header", {}, make("h2", {}, title), ...beside),
    ...children,
  );
}
