/** The alarms of one track, kept as readings are judged. */
import { runsOf } from "../sensors/metrics.ts";
import type { BeatVerdict, Judgement } from "./analysis/detector.ts";

/** Readings that are not as usual, from `start` to before `end`. */
export interface Alarm {
  readonly start: number;
  readonly end: number;
  /** The reading at which it is worst. */
  readonly peak: number;
  /** How many times the threshold it reaches. */
  readonly level: number;
  /** The beat, if it is one. */
  readonly beat: BeatVerdict | null;
}

/** Readings before and after the peak of a beat that its alarm marks: a quarter and a third of a second. */
const beatReach: readonly [number, number] = [72, 108];

/** The readings' levels, as far as they have been judged, and the alarms among them. */
export class AlarmTrack {
  /** NaN where a reading has not been judged. */
  levels: Float32Array;
  /** The beats that were judged, in order. */
  beats: BeatVerdict[] = [];
  length: number;
  #judged: Uint8Array;
  /** In order of time. */
  alarms: Alarm[] = [];

  constructor(length: number) {
    this.length = length;
    this.levels = new Float32Array(length).fill(Number.NaN);
    this.#judged = new Uint8Array(length);
  }

  /** Makes room for further readings. */
  grow(length: number): void {
    this.length = length;
    if (length <= this.levels.length) return;
    const capacity = Math.max(length, 2 * this.levels.length);
    const [levels, judged] = [new Float32Array(capacity).fill(Number.NaN), new Uint8Array(capacity)];
    levels.set(this.levels);
    judged.set(this.#judged);
    this.levels = levels;
    this.#judged = judged;
  }

  /** The first reading from `start` to before `end` that has not been judged, or `end`. */
  firstUnjudged(start: number, end: number): number {
    const index = this.#judged.subarray(start, end).indexOf(0);
    return index < 0 ? end : start + index;
  }

  /** Takes a judgement in, in place of what was said about the same readings before. Returns the alarms that are new. */
  add(judgement: Judgement): readonly Alarm[] {
    const { start, end, levels } = judgement;
    this.#judged.fill(1, start, end);
    if (levels.length === 0) return this.#takeBeats(judgement);
    this.levels.set(levels, start);
    return this.#findRuns(start, end);
  }

  /** All readings are to be judged again; until then, what was said about them holds. */
  renew(): void {
    this.#judged.fill(0);
  }

  /** Finds the runs of alarming levels anew that the readings from `start` to before `end` belong to or touch. */
  #findRuns(start: number, end: number): readonly Alarm[] {
    const touching = this.alarms.filter((alarm) => alarm.end >= start && alarm.start <= end);
    const from = Math.min(start, touching[0]?.start ?? start);
    const to = Math.max(end, touching.at(-1)?.end ?? end);
    const flags = Uint8Array.from(this.levels.subarray(from, to), (level) => (level > 1 ? 1 : 0));
    const found = runsOf(flags).map((run): Alarm => {
      let peak = from + run.start;
      for (let index = peak; index < from + run.end; index++) {
        if ((this.levels[index] ?? 0) > (this.levels[peak] ?? 0)) peak = index;
      }
      return { start: from + run.start, end: from + run.end, peak, level: this.levels[peak] ?? 0, beat: null };
    });
    const before = this.alarms.filter((alarm) => alarm.end < start);
    const after = this.alarms.filter((alarm) => alarm.start > end);
    this.alarms = [...before, ...found, ...after];
    return found.filter((alarm) => !touching.some((old) => old.start < alarm.end && alarm.start < old.end));
  }

  #takeBeats({ beats, beatsStart, beatsEnd }: Judgement): readonly Alarm[] {
    const isElsewhere = ({ peak }: { readonly peak: number }): boolean => peak < beatsStart || peak >= beatsEnd;
    const known = new Set(this.alarms.map(({ peak }) => peak));
    this.beats = [...this.beats.filter(isElsewhere), ...beats].sort((a, b) => a.peak - b.peak);
    const found = beats.filter(({ level }) => level > 1).map(toAlarm);
    this.alarms = [...this.alarms.filter(isElsewhere), ...found].sort((a, b) => a.start - b.start);
    return found.filter(({ peak }) => !known.has(peak));
  }
}

function toAlarm(beat: BeatVerdict): Alarm {
  const [before, after] = beatReach;
  return { start: Math.max(0, beat.peak - before), end: beat.peak + after, peak: beat.peak, level: beat.level, beat };
}
