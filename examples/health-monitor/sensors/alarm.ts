/**
 * From forecast errors to alarms, one rule for every forecaster.
 *
 * The error of a reading is the mean over its channels, each in units of the channel's median error. It is flagged when it
 * exceeds `alarmFactor` times the median. All medians are those of the mote's own training readings: no label enters, and
 * the disturbances in the training half that nobody labelled hardly move a median.
 */
import { medianOf } from "../medians.ts";
import { hasLabelWithin, type Series } from "./series.ts";

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

/** What a sensor's training readings say about which errors are usual: plain data, kept beside the forecaster. */
export interface AlarmRule {
  /** The median error of each channel. */
  readonly units: readonly number[];
  /** How many errors, the reading's own and those before it, the error of a reading is the mean of. */
  readonly averaged: number;
  /** An error above it, in the above units, is an alarm. */
  readonly threshold: number;
}

/** The rule that the errors of the training readings give. */
export function learnAlarm(series: Series, errors: ForecastErrors, averaged: number): AlarmRule {
  const units = errors.channels.map((channel) => usualError(series, channel, errors.reach));
  const sustained = trailingMeans(combinedErrors(errors, units), averaged);
  const threshold = alarmFactor * usualError(series, sustained, errors.reach + averaged - 1);
  return { units, averaged, threshold };
}

/** How alarming each reading is: its error in units of the threshold, so that above 1 is an alarm. */
export function levelsOf(errors: ForecastErrors, { units, averaged, threshold }: AlarmRule): Float64Array {
  return trailingMeans(combinedErrors(errors, units), averaged).map((error) => error / threshold);
}

/** How alarming each reading is, by the rule that the same errors give. */
export function alarmLevels(series: Series, errors: ForecastErrors, averaged = 1): Float64Array {
  return levelsOf(errors, learnAlarm(series, errors, averaged));
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

/** The mean error of the channels, each in its own unit. */
function combinedErrors({ channels }: ForecastErrors, units: readonly number[]): Float64Array {
  return Float64Array.from(channels[0] ?? [], (_, index) => {
    const inUnits = channels.map((channel, c) => (channel[index] ?? 0) / (units[c] ?? 1));
    return inUnits.reduce((sum, error) => sum + error, 0) / inUnits.length;
  });
}

/** The median over the training readings whose errors depend on no labelled reading. */
function usualError(series: Series, errors: Float64Array, reach: number): number {
  const training = errors.subarray(0, series.trainingLength);
  const usual = medianOf(
    training.filter((_, index) => index >= reach && !hasLabelWithin(series, index - reach, index + 1)),
  );
  // A sensor that never moved is forecast without error: its first step is an alarm, and its rest is none.
  return Math.max(usual, Number.EPSILON);
}
