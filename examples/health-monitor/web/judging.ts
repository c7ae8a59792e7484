/** Has the analyst judge what passes, and keeps the alarms of all tracks. */
import { AlarmTrack } from "./alarms.ts";
import type { RemoteAnalyst } from "./analysis/remote-analyst.ts";
import type { Source } from "./sources/source.ts";

/** Readings judged in one message at most. */
const judgedAtOnce = 8192;

/** The alarms of the open source, as far as its readings have been judged. */
export class Judging {
  readonly #analyst: Pick<RemoteAnalyst, "judge">;
  readonly #onAlarms: (track: number) => void;
  #tracks: readonly AlarmTrack[] = [];
  /** Counts sources and calibrations: a judgement by an earlier one is dropped. */
  #generation = 0;
  #hasModel = false;
  #isJudging = false;

  /** `onAlarms` is told of a track whenever its alarms change. */
  constructor(analyst: Pick<RemoteAnalyst, "judge">, onAlarms: (track: number) => void) {
    this.#analyst = analyst;
    this.#onAlarms = onAlarms;
  }

  /** The alarms of a track. */
  track(index: number): AlarmTrack | undefined {
    return this.#tracks[index];
  }

  /** All tracks' alarms, in the order of the source. */
  get tracks(): readonly AlarmTrack[] {
    return this.#tracks;
  }

  /** Begins with a source of which nothing has been judged. */
  open(source: Source, hasModel: boolean): void {
    this.#generation++;
    this.#hasModel = hasModel;
    this.#tracks = source.tracks.map(({ length }) => new AlarmTrack(length));
  }

  /** The model has learned more: readings are to be judged again. */
  renew(): void {
    this.#generation++;
    this.#hasModel = true;
    for (const track of this.#tracks) track.renew();
  }

  /** Judges readings from `start` to before `end` that have not been judged, unless it is at it already. */
  async judgePassed(index: number, start: number, end: number): Promise<void> {
    const track = this.#tracks[index];
    if (!track || !this.#hasModel || this.#isJudging) return;
    const first = track.firstUnjudged(start, end);
    if (first >= end) return;
    this.#isJudging = true;
    try {
      await this.#judge(index, first, Math.min(end, first + judgedAtOnce));
    } catch (error) {
      this.#hasModel = false;
      throw error;
    } finally {
      this.#isJudging = false;
    }
  }

  /** Judges all tracks from beginning to end; an earlier model's judging gives way to a later one's. */
  async judgeAll(): Promise<void> {
    const generation = this.#generation;
    if (!this.#hasModel) return;
    for (const [index, track] of this.#tracks.entries()) {
      let start = track.firstUnjudged(0, track.length);
      while (start < track.length) {
        const end = Math.min(track.length, start + judgedAtOnce);
        await this.#judge(index, start, end);
        if (generation !== this.#generation) return;
        start = track.firstUnjudged(end, track.length);
      }
    }
  }

  async #judge(index: number, start: number, end: number): Promise<void> {
    const generation = this.#generation;
    const judgement = await this.#analyst.judge(index, start, end);
    const track = this.#tracks[index];
    if (!judgement || !track || generation !== this.#generation) return;
    track.add(judgement);
    this.#onAlarms(index);
  }
}
