/** From an electrocardiogram to its single beats. Times are in samples of the recording. */
import { UserError } from "../../common/command.ts";
import { medianOf } from "../medians.ts";

/** Samples per second of the recordings of the MIT-BIH database. */
export const sampleRate = 360;

/** Values that a beat is made of: every second sample from 0.25 s before its peak to 0.46 s after it. */
export const beatLength = 128;

const samplesBeforePeak = 90;
const samplesPerValue = 2;

/** Of the typical beats, one in so many stays unseen. */
const unseenShare = 5;

/** What a recording must last at least, so that there are beats to learn from. */
const minimumSeconds = 60;

/** A heartbeat cut out of a recording. */
export interface Beat {
  /** Where the R wave peaks. */
  readonly peak: number;
  /** [beatLength] in millivolts above the beat's own median. */
  readonly values: Float32Array;
  /** How long the R wave stays above half its height, in milliseconds. Ventricular beats are wide. */
  readonly widthMilliseconds: number;
}

/** Millivolts of the converter's values of the MIT-BIH database. @throws {UserError} if the recording at `path` is short */
export function millivoltsOf(path: string, counts: Float64Array): Float64Array {
  const needed = minimumSeconds * sampleRate;
  if (counts.length < needed) {
    throw new UserError(
      `${path}, row ${counts.length + 1}: the recording ends after ${counts.length} samples; ` +
        `record at least ${needed} (${minimumSeconds} s at ${sampleRate} Hz)`,
    );
  }
  return counts.map((count) => (count - 1024) / 200);
}

/** The beats of a recording, in order; those cut off at its ends are left out. `least` is the height of the least peak. */
export function segmentBeats(millivolts: Float64Array, least?: number): readonly Beat[] {
  const raised = subtractBaseline(millivolts);
  const end = millivolts.length - (samplesPerValue * beatLength - samplesBeforePeak);
  return findPeaks(raised, least)
    .filter((peak) => peak >= samplesBeforePeak && peak < end)
    .map((peak) => ({ peak, values: cutBeat(raised, peak), widthMilliseconds: widthAt(raised, peak) }));
}

/**
 * Half the usual height of R waves: the usual height is the median of the greatest values of all stretches of two seconds, in
 * each of which a living heart beats.
 *
 * @param raised millivolts above the baseline
 */
export function leastPeak(raised: Float64Array): number {
  const stretch = 2 * sampleRate;
  const heights = Array.from({ length: Math.floor(raised.length / stretch) }, (_, k) =>
    raised.subarray(k * stretch, (k + 1) * stretch).reduce((a, b) => Math.max(a, b), 0),
  );
  return medianOf(Float64Array.from(heights)) / 2;
}

/**
 * The peaks of R waves: maxima within 0.2 s on either side that reach `least`.
 *
 * @param raised millivolts above the baseline
 */
export function findPeaks(raised: Float64Array, least: number = leastPeak(raised)): readonly number[] {
  const reach = Math.round(0.2 * sampleRate);
  const peaks: number[] = [];
  for (const [index, value] of raised.entries()) {
    if (value < least) continue;
    const before = raised.subarray(Math.max(0, index - reach), index);
    const after = raised.subarray(index + 1, index + 1 + reach);
    if (before.every((other) => other < value) && after.every((other) => other <= value)) peaks.push(index);
  }
  return peaks;
}

/** Millivolts above the median of the 0.8 s around each sample, which follows the drift of the electrodes, not the waves. */
export function subtractBaseline(millivolts: Float64Array): Float64Array {
  const reach = Math.round(0.4 * sampleRate);
  // The drift is slow: its value at every 12th sample, and straight lines between them, are enough.
  const stride = 12;
  const knots = Float64Array.from({ length: Math.ceil(millivolts.length / stride) + 1 }, (_, k) =>
    medianOf(millivolts.subarray(Math.max(0, k * stride - reach), k * stride + reach)),
  );
  return millivolts.map((value, index) => {
    const k = Math.floor(index / stride);
    const share = index / stride - k;
    return value - (1 - share) * (knots[k] ?? 0) - share * (knots[k + 1] ?? 0);
  });
}

function cutBeat(raised: Float64Array, peak: number): Float32Array {
  const start = peak - samplesBeforePeak;
  const values = Float64Array.from({ length: beatLength }, (_, k) => {
    const samples = raised.subarray(start + k * samplesPerValue, start + (k + 1) * samplesPerValue);
    return samples.reduce((sum, sample) => sum + sample, 0) / samplesPerValue;
  });
  const middle = medianOf(values);
  return Float32Array.from(values, (value) => value - middle);
}

function widthAt(raised: Float64Array, peak: number): number {
  const half = (raised[peak] ?? 0) / 2;
  let first = peak;
  let last = peak;
  while ((raised[first - 1] ?? 0) > half) first--;
  while ((raised[last + 1] ?? 0) > half) last++;
  return (1000 * (last - first + 1)) / sampleRate;
}

/**
 * The half of the beats that are most like the patient's median beat (the median at each place), by root mean square
 * difference. Where most beats are sound, so are these: no labels are needed.
 *
 * @returns positions in `beats`, in order
 */
function typicalBeats(beats: readonly Beat[]): readonly number[] {
  const medianBeat = Float64Array.from({ length: beatLength }, (_, k) =>
    medianOf(Float64Array.from(beats, ({ values }) => values[k] ?? 0)),
  );
  const distances = beats.map(({ values }) =>
    values.reduce((sum, value, k) => sum + (value - (medianBeat[k] ?? 0)) ** 2, 0),
  );
  return beats
    .map((_, index) => index)
    .sort((a, b) => (distances[a] ?? 0) - (distances[b] ?? 0))
    .slice(0, Math.ceil(beats.length / 2))
    .sort((a, b) => a - b);
}

/** Positions in `beats` of typical ones: those to train on, and every fifth, which stays unseen and tells what error is usual. */
export function splitTypicalBeats(beats: readonly Beat[]): {
  readonly seen: readonly number[];
  readonly unseen: readonly number[];
} {
  const typical = typicalBeats(beats);
  const isUnseen = (index: number): boolean => index % unseenShare === unseenShare - 1;
  return {
    seen: typical.filter((_, index) => !isUnseen(index)),
    unseen: typical.filter((_, index) => isUnseen(index)),
  };
}
