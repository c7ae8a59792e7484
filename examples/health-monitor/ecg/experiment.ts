/** The heart part of the example: learn typical beats, rank all beats by how badly they are redrawn. */
import { medianOf } from "../medians.ts";
import { showTraining } from "../progress.ts";
import { train } from "../training.ts";
import { abnormalFactor, autoencoderPlan, BeatAutoencoder, redrawBeats } from "./autoencoder.ts";
import { type Beat, segmentBeats, splitTypicalBeats } from "./beats.ts";

/** A beat as the autoencoder sees it. */
export interface JudgedBeat extends Beat {
  /** What the autoencoder drew instead, [beatLength] in millivolts. */
  readonly drawing: Float32Array;
  /** Root mean square difference of beat and drawing, in millivolts. */
  readonly error: number;
  readonly isAbnormal: boolean;
}

/** Everything the report tells about the heart. */
export interface HeartResult {
  readonly millivolts: Float64Array;
  /** In order of time. */
  readonly beats: readonly JudgedBeat[];
  /** The worst redrawn first. */
  readonly ranking: readonly JudgedBeat[];
  /** Beats with a greater error are abnormal, in millivolts. */
  readonly threshold: number;
  /** Beats more than twice as wide as the median beat. Width played no part in training, so it can judge the ranking. */
  readonly wideCount: number;
  /** How many of the `wideCount` beats that rank first are wide. */
  readonly wideAmongFirst: number;
  readonly losses: readonly number[];
}

/** Trains on the typical beats of a recording and judges all of them. */
export async function runHeart(millivolts: Float64Array): Promise<HeartResult> {
  const beats = segmentBeats(millivolts);
  const { seen, unseen } = splitTypicalBeats(beats);
  const autoencoder = new BeatAutoencoder();
  const plan = autoencoderPlan(
    autoencoder,
    seen.flatMap((index) => beats[index] ?? []),
  );
  const losses = await showTraining("ECG autoencoder", "beats", train(plan));

  const { drawings, errors } = await redrawBeats(autoencoder, beats);
  const threshold = abnormalFactor * medianOf(Float64Array.from(unseen, (index) => errors[index] ?? 0));
  const judged = beats.map((beat, index): JudgedBeat => {
    const error = errors[index] ?? 0;
    return { ...beat, drawing: drawings[index] ?? new Float32Array(0), error, isAbnormal: error > threshold };
  });
  const ranking = [...judged].sort((a, b) => b.error - a.error);
  const wideLimit = 2 * medianOf(Float64Array.from(beats, ({ widthMilliseconds }) => widthMilliseconds));
  const countWide = (some: readonly Beat[]): number =>
    some.filter(({ widthMilliseconds }) => widthMilliseconds > wideLimit).length;
  const wideCount = countWide(beats);
  const wideAmongFirst = countWide(ranking.slice(0, wideCount));
  return { millivolts, beats: judged, ranking, threshold, wideCount, wideAmongFirst, losses };
}
