/** What the user watches: opens sources, plays them, has what passes judged, and remembers it for the next time. */
import { TrainingMonitor } from "@mlx-ts/monitor";
import { type Signal, signal } from "@preact/signals-core";
import { runsOf } from "../sensors/metrics.ts";
import type { Alarm } from "./alarms.ts";
import type { Opened } from "./analysis/analyst.ts";
import type { RemoteAnalyst } from "./analysis/remote-analyst.ts";
import { messageOf } from "./elements.ts";
import { Judging } from "./judging.ts";
import { paces } from "./paces.ts";
import { Playback } from "./playback.ts";
import type { GrowingTrack } from "./sources/growing-track.ts";
import { isRecordingName, type RecordingName } from "./sources/recordings.ts";
import type { Source } from "./sources/source.ts";
import type { NoticeAction, State } from "./state.ts";
import type { OverviewContent } from "./trace/overview.ts";
import { Pyramid } from "./trace/pyramid.ts";
import type { TraceContent } from "./trace/trace-view.ts";

/** What the canvases show. */
export interface Shown {
  readonly trace: TraceContent;
  readonly overview: OverviewContent;
}

const millisecondsBetweenSettings = 1500;
/** A list that changes with every reading cannot be read. */
const millisecondsBetweenAlarms = 200;

/** One user's session with the page. */
export class Session {
  readonly playback: Playback = new Playback();
  readonly judging: Judging;
  /** Null while nothing is open. */
  readonly shown: Signal<Shown | null> = signal(null);
  readonly #state: State;
  readonly #analyst: RemoteAnalyst;
  #settingsKeptAt = 0;
  #areAlarmsStale = false;
  #alarmsShownAt = 0;

  constructor(state: State, analyst: RemoteAnalyst) {
    this.#state = state;
    this.#analyst = analyst;
    this.judging = new Judging(analyst, (track) => {
      if (track === state.track.value) this.#areAlarmsStale = true;
    });
  }

  /** Opens what was open the last time. */
  async restore(): Promise<void> {
    const { keeping, settings, history } = await this.#analyst.remember();
    this.#state.keeping.value = keeping;
    this.#state.history.value = history;
    const name = settings?.source ?? "";
    if (isRecordingName(name)) await this.openRecording(name);
    else if (settings) await this.#open("Opening your last recording…", () => this.#analyst.openKept());
    if (!this.#state.source.value) await this.openRecording("ecg-208");
    else if (settings && this.#state.source.value.key === settings.source) {
      this.showTrack(settings.track);
      this.playback.seek(settings.position);
    }
  }

  /** Opens a recording of the page. */
  async openRecording(name: RecordingName): Promise<void> {
    await this.#open("Opening the recording…", () => this.#analyst.openRecording(name));
  }

  /** Opens a table of the user. */
  async openFile(file: File, leavesOutBrokenRows = false): Promise<void> {
    const cancelling = new AbortController();
    const cancel = (): void => cancelling.abort();
    const load = async (): Promise<null> => {
      for await (const report of this.#analyst.openFile(file, leavesOutBrokenRows, cancelling.signal)) {
        if ("source" in report) this.#take(report);
        else {
          const text = `Reading ${file.name}: ${report.rows.toLocaleString("en")} rows`;
          this.#state.loading.value = { text, share: report.share, cancel };
        }
      }
      return null;
    };
    const again = (): void => void this.openFile(file, true);
    const remedies = leavesOutBrokenRows ? [] : [{ text: "Leave such rows out", run: again }];
    await this.#open(`Reading ${file.name}…`, load, remedies);
  }

  /** Shows a sensor that goes on measuring; `append` takes its readings. */
  openLive(source: Source): void {
    this.#take({ source, model: null, unfinished: null });
    this.playback.isLive = true;
  }

  /** Takes in a reading of the live sensor. */
  append(track: GrowingTrack, values: readonly number[]): void {
    track.append(values);
    this.judging.track(0)?.grow(track.length);
    const shown = this.shown.value;
    for (const [c, pyramid] of shown?.trace.pyramids.entries() ?? []) pyramid.append(values[c] ?? Number.NaN);
    this.playback.length = track.length;
    this.#state.readings.value = track.length;
  }

  /** Opens what `load` gives, unless that does so itself. */
  async #open(
    text: string,
    load: () => PromiseLike<Opened | null>,
    remedies: readonly NoticeAction[] = [],
  ): Promise<void> {
    const { loading, notice } = this.#state;
    notice.value = null;
    loading.value = { text, share: null, cancel: null };
    try {
      const opened = await load();
      if (opened) this.#take(opened);
    } catch (error) {
      if (error instanceof Error && error.name === "AbortError") return;
      // Only what a single row lacks is mended by leaving it out.
      const isRow = /row \d+: .* (is missing|not a number)/.test(messageOf(error));
      notice.value = { kind: "error", text: messageOf(error), actions: isRow ? remedies : [] };
    } finally {
      loading.value = null;
    }
  }

  #take({ source, model, unfinished }: Opened): void {
    const state = this.#state;
    const pace = paces[source.kind];
    this.judging.open(source, model !== null);
    state.model.value = model;
    state.unfinished.value = unfinished;
    state.monitor.value = new TrainingMonitor();
    state.speed.value = pace.speed;
    state.windowSeconds.value = pace.windowSeconds;
    state.loading.value = null;
    state.source.value = source;
    this.playback.isLive = false;
    this.playback.position = pace.windowSeconds / source.secondsPerReading;
    this.showTrack(0);
    this.setPlaying(true);
    if (model) void this.judging.judgeAll().catch((error: unknown) => this.#report(error));
  }

  /** Shows another sensor of the source, at the same place. */
  showTrack(index: number): void {
    const source = this.#state.source.value;
    const track = source?.tracks[index];
    const alarms = this.judging.track(index);
    if (!source || !track || !alarms) return;
    const pyramids = track.channels.map((values, c) => new Pyramid(values, track.extents?.[c]));
    this.playback.length = track.length;
    this.playback.secondsPerReading = source.secondsPerReading;
    this.playback.seek(this.playback.position);
    const labels = runsOf(track.labels);
    const { channels, secondsPerReading } = source;
    this.#state.track.value = index;
    this.#state.readings.value = track.length;
    this.#state.alarms.value = [...alarms.alarms];
    this.shown.value = {
      trace: { channels, pyramids, alarms, labels, secondsPerReading },
      overview: { pyramids, alarms, labels, track },
    };
  }

  /** Plays or pauses. At the end, it plays from the start. */
  setPlaying(isPlaying: boolean): void {
    if (isPlaying && this.playback.position >= this.playback.length) this.playback.seek(0);
    this.playback.isPlaying = isPlaying;
    this.#state.isPlaying.value = isPlaying;
    this.keepSettings();
  }

  /** Pauses, with an alarm well in the trace. */
  showAlarm({ end }: Alarm): void {
    this.setPlaying(false);
    const readings = this.#state.windowSeconds.value / this.playback.secondsPerReading;
    this.playback.seek(Math.max(end + readings / 4, readings));
  }

  /** Goes on by the time since the last picture, and has judged what has passed. */
  advance(milliseconds: number): void {
    const { speed, track, windowSeconds } = this.#state;
    this.playback.speed = speed.value;
    if (this.playback.advance(milliseconds)) this.setPlaying(false);
    const position = Math.floor(this.playback.position);
    const start = Math.max(0, Math.floor(position - windowSeconds.value / this.playback.secondsPerReading));
    this.judging.judgePassed(track.value, start, position).catch((error: unknown) => this.#report(error));
    this.#showNewAlarms();
    if (performance.now() - this.#settingsKeptAt > millisecondsBetweenSettings) this.keepSettings();
  }

  #showNewAlarms(): void {
    const now = performance.now();
    if (!this.#areAlarmsStale || now - this.#alarmsShownAt < millisecondsBetweenAlarms) return;
    this.#areAlarmsStale = false;
    this.#alarmsShownAt = now;
    this.#state.alarms.value = [...(this.judging.track(this.#state.track.value)?.alarms ?? [])];
  }

  /** Keeps what the user watches, for the next time. */
  keepSettings(): void {
    const { source, track } = this.#state;
    if (!source.value) return;
    this.#settingsKeptAt = performance.now();
    const settings = { source: source.value.key, track: track.value, position: Math.floor(this.playback.position) };
    void this.#analyst.keepSettings(settings);
  }

  /** Forgets everything that was kept in the browser. What is open stays until the page is closed. */
  async forget(): Promise<void> {
    await this.#analyst.forget();
    this.#state.history.value = [];
    this.#state.unfinished.value = null;
  }

  #report(error: unknown): void {
    this.#state.notice.value = { kind: "error", text: messageOf(error), actions: [] };
  }
}
