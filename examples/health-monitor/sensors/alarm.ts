/**
 * From forecast errors to alarms, one rule for every forecaster.
 *
 * The error of a reading is the mean over its channels, each in units of the channel's median error. It is flagged when it
 * exceeds `alarmFactor` times the median. All medians are those of the mote's own training readings: no label enters, and
 * the disturbances in the training half that nobody labelled hardly move a median.
 */
import { medianOf } from "../medians.ts";
import { hasLabelWithin, type Mote } from "./network.ts";

/** How many times the usual error an error must be. */
export const alarmFactor = 10;

/** Readings over which a sustained error is averaged: one minute at a reading every five seconds. */
export const averagedReadings = 12;

/** Absolute forecast errors of one mote, a series for each channel. */
export interface ForecastErrors {
  readonly channels: readonly Float64Array[];
  /** Readings before a reading that its error depends on; the first `reach` errors are meaningless. */
  readonly reach: number;
}

/**
 * How alarming each reading is: its error in units of the threshold, so that above 1 is an alarm.
 *
 * @param averaged how many errors, the reading's own and those before it, the error of a reading is the mean of
 */
export function alarmLevels(mote: Mote, errors: ForecastErrors, averaged = 1): Float64Array {
  const units = errors.channels.map((channel) => usualError(mote, channel, errors.reach));
  const combined = Float64Array.from({ length: mote.length }, (_, index) => {
    const inUnits = errors.channels.map((channel, c) => (channel[index] ?? 0) / (units[c] ?? 1));
    return inUnits.reduce((sum, error) => sum + error, 0) / inUnits.length;
  });
  const sustained = trailingMeans(combined, averaged);
  const threshold = alarmFactor * usualError(mote, sustained, errors.reach + averaged - 1);
  return sustained.map((error) => error / threshold);
}

/** 1 for each level above 1. */
export function flagLevels(levels: Float64Array): Uint8Array {
  return Uint8Array.from(levels, (level) => (level > 1 ? 1 : 0));
}

/** Each value replaced by the mean of itself and the values before it, `count` in all; 0 where there are not so many. */
export function trailingMeans(values: Float64Array, count: number): Float64Array {
  return values.map((_, index) => {
    if (index < count - 1) return 0;
    return values.subarray(index - count + 1, index + 1).reduce((sum, value) => sum + value, 0) / count;
  });
}

/** The median over the training readings whose errors depend on no labelled reading. */
function usualError(mote: Mote, errors: Float64Array, reach: number): number {
  const training = errors.subarray(0, mote.half);
  const usual = medianOf(
    training.filter((_, index) => index >= reach && !hasLabelWithin(mote, index - reach, index + 1)),
  );
  // A sensor that never moved is forecast without error: its first step is an alarm, and its rest is none.
  return Math.max(usual, Number.EPSILON);
}
