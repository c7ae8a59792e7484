/** What the page knows, as signals that its panels follow. What changes with every picture is not among them. */
import { type Signal, signal } from "@preact/signals-core";
import type { Alarm } from "./alarms.ts";
import type { DeviceName, ModelInfo } from "./analysis/analyst.ts";
import type { Source } from "./sources/source.ts";

/** Something that the user should know, and may do about it. */
export interface Notice {
  readonly kind: "error" | "info";
  readonly text: string;
  readonly actions: readonly { readonly text: string; readonly run: () => void }[];
}

/** A source that is being opened. */
export interface Loading {
  readonly text: string;
  /** From 0 to 1; null where nobody knows. */
  readonly share: number | null;
  readonly cancel: (() => void) | null;
}

/** How far the learning is. */
export interface Learning {
  readonly status: "idle" | "running" | "paused";
  readonly epoch: number;
  readonly epochs: number;
  readonly step: number;
  readonly loss: number;
  readonly samplesPerSecond: number;
  /** The mean loss of each pass. */
  readonly losses: readonly number[];
}

/** A model that has learned. */
export interface LearnedModel extends ModelInfo {
  readonly epochs: number;
  readonly loss: number;
  readonly device: DeviceName;
  readonly seconds: number;
  /** Milliseconds since 1970. */
  readonly learnedAt: number;
}

/** Before anything is learned. */
export const noLearning: Learning = {
  status: "idle",
  epoch: 0,
  epochs: 0,
  step: 0,
  loss: Number.NaN,
  samplesPerSecond: 0,
  losses: [],
};

/** All signals of the page. */
export class State {
  readonly source: Signal<Source | null> = signal(null);
  /** The position of the shown track in the source. */
  readonly track: Signal<number> = signal(0);
  readonly isPlaying: Signal<boolean> = signal(true);
  readonly speed: Signal<number> = signal(1);
  readonly windowSeconds: Signal<number> = signal(10);
  readonly loading: Signal<Loading | null> = signal(null);
  readonly notice: Signal<Notice | null> = signal(null);
  readonly device: Signal<DeviceName> = signal("cpu");
  /** What the GPU is called, or why there is none. */
  readonly deviceRemark: Signal<string> = signal("");
  readonly learning: Signal<Learning> = signal(noLearning);
  readonly model: Signal<LearnedModel | null> = signal(null);
  /** Alarms of the shown track. */
  readonly alarms: Signal<readonly Alarm[]> = signal([]);
}
