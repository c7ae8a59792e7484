/** What the page knows, as signals that its panels follow. What changes with every picture is not among them. */
import { TrainingMonitor } from "@mlx-ts/monitor";
import { type Signal, signal } from "@preact/signals-core";
import type { Alarm } from "./alarms.ts";
import type { DeviceName } from "./analysis/analyst.ts";
import type { LearnedModel, UnfinishedTraining } from "./analysis/library.ts";
import type { Keeping } from "./analysis/store.ts";
import type { Source } from "./sources/source.ts";

/** Something that the user may do about a notice. */
export interface NoticeAction {
  readonly text: string;
  readonly run: () => void;
}

/** Something that the user should know. */
export interface Notice {
  readonly kind: "error" | "info";
  readonly text: string;
  readonly actions: readonly NoticeAction[];
}

/** A source that is being opened. */
export interface Loading {
  readonly text: string;
  /** From 0 to 1; null where nobody knows. */
  readonly share: number | null;
  readonly cancel: (() => void) | null;
}

/** All signals of the page. */
export class State {
  readonly source: Signal<Source | null> = signal(null);
  /** The position of the shown track in the source. */
  readonly track: Signal<number> = signal(0);
  readonly isPlaying: Signal<boolean> = signal(true);
  readonly speed: Signal<number> = signal(1);
  readonly windowSeconds: Signal<number> = signal(10);
  readonly loading: Signal<Loading | null> = signal({ text: "Opening…", share: null, cancel: null });
  readonly notice: Signal<Notice | null> = signal(null);
  readonly device: Signal<DeviceName> = signal("cpu");
  /** What the GPU is called, or why there is none. */
  readonly deviceRemark: Signal<string> = signal("");
  /** Watches the latest training. */
  readonly monitor: Signal<TrainingMonitor> = signal(new TrainingMonitor());
  readonly isLearning: Signal<boolean> = signal(false);
  readonly model: Signal<LearnedModel | null> = signal(null);
  /** A training of the open source that can go on. */
  readonly unfinished: Signal<UnfinishedTraining | null> = signal(null);
  /** Everything that was learned, the latest first. */
  readonly history: Signal<readonly LearnedModel[]> = signal([]);
  readonly keeping: Signal<Keeping> = signal("kept");
  /** Readings of the shown track so far. */
  readonly readings: Signal<number> = signal(0);
  /** Alarms of the shown track. */
  readonly alarms: Signal<readonly Alarm[]> = signal([]);
}
