/** What the user does, done: opens sources, plays them, has the analyst learn and judge, and tells the state. */
import { type Signal, signal } from "@preact/signals-core";
import { runsOf } from "../sensors/metrics.ts";
import { AlarmTrack } from "./alarms.ts";
import type { Analyst, DeviceName, LearnEvent } from "./analysis/analyst.ts";
import { connect, type Remote } from "./analysis/remote.ts";
import { Playback } from "./playback.ts";
import type { RecordingName } from "./sources/recordings.ts";
import type { Source } from "./sources/source.ts";
import { type LearnedModel, noLearning, type State } from "./state.ts";
import type { OverviewContent } from "./trace/overview.ts";
import { Pyramid } from "./trace/pyramid.ts";
import type { TraceContent } from "./trace/trace-view.ts";

/** How a kind of source is played and learned. */
export interface Pace {
  readonly speeds: readonly number[];
  readonly speed: number;
  readonly windows: readonly number[];
  readonly windowSeconds: number;
  readonly epochs: number;
}

/** The paces of all kinds. */
export const paces: Readonly<Record<Source["kind"], Pace>> = {
  heart: { speeds: [0.5, 1, 2, 5], speed: 1, windows: [5, 10, 30, 60], windowSeconds: 10, epochs: 60 },
  network: {
    speeds: [1, 60, 300, 1200],
    speed: 300,
    windows: [300, 1800, 7200, 21600],
    windowSeconds: 1800,
    epochs: 20,
  },
  table: { speeds: [1, 10, 60, 600], speed: 60, windows: [60, 300, 1800, 14400], windowSeconds: 300, epochs: 20 },
  strap: { speeds: [1], speed: 1, windows: [30, 60, 300, 1800], windowSeconds: 60, epochs: 40 },
};

/** Readings judged in one message at most. */
const judgedAtOnce = 8192;

/** What the canvases show. */
export interface Shown {
  readonly trace: TraceContent;
  readonly overview: OverviewContent;
}

/** One user's session with the page. */
export class Session {
  readonly playback: Playback = new Playback();
  /** Null while nothing is open. */
  readonly shown: Signal<Shown | null> = signal(null);
  readonly #state: State;
  readonly #analyst: Remote<Analyst>;
  #pyramids: readonly Pyramid[] = [];
  #alarmTracks: readonly AlarmTrack[] = [];
  #isJudging = false;
  /** Counts sources and calibrations: a judgement of an earlier one is dropped. */
  #generation = 0;
  #hasModel = false;

  constructor(state: State) {
    this.#state = state;
    const worker = new Worker(new URL("./analysis/analyst-worker.ts", import.meta.url), { type: "module" });
    this.#analyst = connect<Analyst>(worker);
  }

  get windowSeconds(): number {
    return this.#state.windowSeconds.value;
  }

  /** Opens a recording of the page. */
  async openRecording(name: RecordingName): Promise<void> {
    await this.#open("Opening the recording…", () => this.#analyst.openRecording(name));
  }

  /** Opens a table of the user. */
  async openFile(file: File, leavesOutBrokenRows = false): Promise<void> {
    await this.#open(
      `Reading ${file.name}…`,
      async () => {
        for await (const report of this.#analyst.openFile(file, leavesOutBrokenRows)) {
          if ("key" in report) return report;
          const text = `Reading ${file.name}: ${report.rows.toLocaleString("en")} rows`;
          this.#state.loading.value = { text, share: report.share, cancel: () => this.#analyst.cancelOpening() };
        }
        return null;
      },
      leavesOutBrokenRows ? [] : [{ text: "Leave such rows out", run: () => void this.openFile(file, true) }],
    );
  }

  async #open(
    text: string,
    load: () => PromiseLike<Source | null>,
    remedies: readonly { readonly text: string; readonly run: () => void }[] = [],
  ): Promise<void> {
    const { loading, notice } = this.#state;
    notice.value = null;
    loading.value = { text, share: null, cancel: null };
    try {
      const source = await load();
      if (source) this.#take(source);
    } catch (error) {
      if (!isAbort(error)) {
        const isRow = error instanceof Error && error.message.includes("row");
        notice.value = { kind: "error", text: messageOf(error), actions: isRow ? remedies : [] };
      }
    } finally {
      loading.value = null;
    }
  }

  #take(source: Source): void {
    const state = this.#state;
    const pace = paces[source.kind];
    this.#generation++;
    this.#hasModel = false;
    this.#alarmTracks = source.tracks.map(({ length }) => new AlarmTrack(length));
    state.model.value = null;
    state.learning.value = noLearning;
    state.speed.value = pace.speed;
    state.windowSeconds.value = pace.windowSeconds;
    state.source.value = source;
    this.showTrack(0);
    this.playback.seek(pace.windowSeconds / source.secondsPerReading);
    this.setPlaying(true);
  }

  /** Shows another sensor of the source, at the same place. */
  showTrack(index: number): void {
    const source = this.#state.source.value;
    const track = source?.tracks[index];
    const alarms = this.#alarmTracks[index];
    if (!source || !track || !alarms) return;
    this.#pyramids = track.channels.map((values) => new Pyramid(values));
    this.playback.length = track.length;
    this.playback.secondsPerReading = source.secondsPerReading;
    this.playback.seek(this.playback.position);
    const labels = runsOf(track.labels);
    const { channels, secondsPerReading } = source;
    const { length, trainingLength } = track;
    this.shown.value = {
      trace: { channels, pyramids: this.#pyramids, alarms, labels, secondsPerReading },
      overview: { pyramids: this.#pyramids, alarms, labels, length, trainingLength },
    };
    this.#state.track.value = index;
    this.#state.alarms.value = [...alarms.alarms];
  }

  /** Plays or pauses. At the end, it plays from the start. */
  setPlaying(isPlaying: boolean): void {
    if (isPlaying && this.playback.position >= this.playback.length) this.playback.seek(0);
    this.playback.isPlaying = isPlaying;
    this.#state.isPlaying.value = isPlaying;
  }

  /** Goes on by the time since the last picture, and has judged what has passed. */
  advance(milliseconds: number): void {
    this.playback.speed = this.#state.speed.value;
    if (this.playback.advance(milliseconds)) this.setPlaying(false);
    if (this.#hasModel && !this.#isJudging) void this.#judgePassed();
  }

  /** Judges what is seen first, then the rest of the recording. */
  async #judgePassed(): Promise<void> {
    const index = this.#state.track.value;
    const alarms = this.#alarmTracks[index];
    const source = this.#state.source.value;
    if (!alarms || !source) return;
    const position = Math.floor(this.playback.position);
    const windowStart = Math.max(0, Math.floor(position - this.#state.windowSeconds.value / source.secondsPerReading));
    const start = alarms.firstUnjudged(windowStart, position);
    if (start >= position) return;
    this.#isJudging = true;
    try {
      await this.#judge(index, start, Math.min(position, start + judgedAtOnce));
    } catch (error) {
      this.#hasModel = false;
      this.#state.notice.value = { kind: "error", text: messageOf(error), actions: [] };
    } finally {
      this.#isJudging = false;
    }
  }

  async #judge(index: number, start: number, end: number): Promise<void> {
    const generation = this.#generation;
    const judgement = await this.#analyst.judge(index, start, end);
    const alarms = this.#alarmTracks[index];
    if (!judgement || !alarms || generation !== this.#generation) return;
    alarms.add(judgement);
    if (index === this.#state.track.value) this.#state.alarms.value = [...alarms.alarms];
  }

  /** Judges all tracks from beginning to end. */
  async judgeAll(): Promise<void> {
    const generation = this.#generation;
    for (const [index, alarms] of this.#alarmTracks.entries()) {
      const { length } = alarms.levels;
      for (let start = 0; start < length; start += judgedAtOnce) {
        await this.#judge(index, start, Math.min(length, start + judgedAtOnce));
        if (generation !== this.#generation) return;
      }
    }
  }

  /** Has the analyst learn what is normal. */
  async learn(epochs: number): Promise<void> {
    const { learning, notice, model, device } = this.#state;
    const started = performance.now();
    learning.value = { ...noLearning, status: "running", epochs };
    notice.value = null;
    try {
      for await (const events of this.#analyst.learn(epochs, 0)) this.#follow(events);
      const info = await this.#analyst.describe();
      const { epoch, losses } = learning.value;
      if (info && epoch > 0) {
        const seconds = (performance.now() - started) / 1000;
        const learned: LearnedModel = {
          ...info,
          epochs: epoch,
          loss: losses.at(-1) ?? Number.NaN,
          device: device.value,
          seconds,
          learnedAt: Date.now(),
        };
        model.value = learned;
        await this.judgeAll();
      }
    } catch (error) {
      notice.value = { kind: "error", text: messageOf(error), actions: [] };
    } finally {
      learning.value = { ...learning.value, status: "idle" };
    }
  }

  #follow(events: readonly LearnEvent[]): void {
    const { learning } = this.#state;
    let next = learning.value;
    for (const event of events) {
      if (event.kind === "step") {
        next = { ...next, step: event.step, loss: event.loss, samplesPerSecond: event.samplesPerSecond };
      } else if (event.kind === "epoch") {
        next = { ...next, epoch: event.epoch, losses: [...next.losses, event.loss] };
      } else if (event.kind === "calibrated") this.#forgetJudgements();
    }
    learning.value = next;
  }

  /** What was judged was judged by an earlier model. */
  #forgetJudgements(): void {
    this.#generation++;
    this.#hasModel = true;
    for (const alarms of this.#alarmTracks) alarms.clear();
    this.#state.alarms.value = [];
  }

  /** Holds the learning, or lets it go on. */
  async hold(isHeld: boolean): Promise<void> {
    const { learning } = this.#state;
    await (isHeld ? this.#analyst.pause() : this.#analyst.resume());
    if (learning.value.status !== "idle") learning.value = { ...learning.value, status: isHeld ? "paused" : "running" };
  }

  /** Ends the learning after the step in progress. */
  async stop(): Promise<void> {
    await this.#analyst.stop();
  }

  /** Computes on a device from now on; says so where there is none. */
  async setDevice(device: DeviceName): Promise<void> {
    try {
      const name = await this.#analyst.setDevice(device);
      this.#state.device.value = device;
      this.#state.deviceRemark.value = name;
    } catch (error) {
      this.#state.device.value = "cpu";
      this.#state.deviceRemark.value = `No GPU here: ${messageOf(error)}`;
    }
  }

  /** The learned weights as a file. */
  async weights(): Promise<Uint8Array<ArrayBuffer> | null> {
    const bytes = await this.#analyst.save();
    return bytes && new Uint8Array(bytes);
  }
}

/** What an error says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
