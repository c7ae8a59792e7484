/**
 * From forecast errors to alarms, one rule for every forecaster.
 *
 * A reading is flagged when its error exceeds `alarmFactor` times the median error of the mote's own training readings,
 * in humidity or in temperature. The median, because the training half holds disturbances of its own that nobody labelled;
 * no label of any kind enters the threshold.
 */
import { hasLabelWithin, type Mote } from "./network.ts";

/** How many times the usual error an error must be. */
export const alarmFactor = 10;

/** Readings over which a sustained error is averaged: one minute at a reading every five seconds. */
export const averagedReadings = 12;

/** Forecast errors of one mote, absolute, one series for each channel. */
export interface ForecastErrors {
  readonly channels: readonly Float64Array[];
  /** Readings before a reading that its error depends on; the first `reach` errors are meaningless. */
  readonly reach: number;
}

/** Each error replaced by the mean of itself and the errors before it, `count` in all. */
export function averageErrors({ channels, reach }: ForecastErrors, count: number): ForecastErrors {
  const averaged = channels.map((errors) => {
    const means = new Float64Array(errors.length);
    for (let index = count - 1; index < errors.length; index++) {
      means[index] = errors.subarray(index - count + 1, index + 1).reduce((sum, error) => sum + error, 0) / count;
    }
    return means;
  });
  return { channels: averaged, reach: reach + count - 1 };
}

/** The alarm threshold of each channel, from the training half with its labelled readings left out. */
export function thresholdsOf(mote: Mote, { channels, reach }: ForecastErrors): readonly number[] {
  return channels.map((errors) => {
    const usual = errors
      .subarray(0, mote.half)
      .filter((_, index) => index >= reach && !hasLabelWithin(mote, index - reach, index + 1));
    return alarmFactor * medianOf(usual);
  });
}

/** Errors in units of their channel's threshold, the greater of the channels: above 1 is an alarm. */
export function alarmLevels(mote: Mote, errors: ForecastErrors): Float64Array {
  const thresholds = thresholdsOf(mote, errors);
  return Float64Array.from({ length: mote.length }, (_, index) =>
    Math.max(...errors.channels.map((channel, c) => (channel[index] ?? 0) / (thresholds[c] ?? 1))),
  );
}

/** 1 for each level above 1. */
export function flagLevels(levels: Float64Array): Uint8Array {
  return Uint8Array.from(levels, (level) => (level > 1 ? 1 : 0));
}

/** The middle value; the mean of the two middle ones when there is an even number. */
export function medianOf(values: Float64Array): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}
