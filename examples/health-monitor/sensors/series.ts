/** Readings of one sensor over time: what the forecaster learns from and judges, wherever they come from. */

/** Readings of one or more channels, and which of them train. */
export interface Series {
  /** One value a reading in each. */
  readonly channels: readonly Float64Array[];
  /** 1 for a reading that belongs to a labelled event. */
  readonly labels: Uint8Array;
  readonly length: number;
  /** The readings before this one train; the others are only judged. */
  readonly trainingLength: number;
}

/** Whether a reading of a labelled event lies in the readings from `start` to before `end`. */
export function hasLabelWithin({ labels }: Series, start: number, end: number): boolean {
  return labels.subarray(Math.max(0, start), end).includes(1);
}
