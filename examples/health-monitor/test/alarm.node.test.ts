/** What the example promises about alarms: their thresholds, their figures, and the baselines. */
import { describe, expect, it } from "vitest";
import { medianOf } from "../medians.ts";
import { alarmFactor, alarmLevels, flagLevels, trailingMeans } from "../sensors/alarm.ts";
import { autoregressionErrors, deviationLevels, solve } from "../sensors/baselines.ts";
import { trainingReadings, windowLength, windowsBefore } from "../sensors/forecaster.ts";
import {
  countAgreement,
  f1Of,
  falseAlarmsPerTenThousand,
  poolCounts,
  precisionOf,
  recallOf,
  runsOf,
} from "../sensors/metrics.ts";
import type { Mote } from "../sensors/network.ts";

function moteOf(humidity: Float64Array, labelled: readonly number[] = []): Mote {
  const labels = new Uint8Array(humidity.length);
  for (const index of labelled) labels[index] = 1;
  const { length } = humidity;
  return { id: 1, isIndoor: true, channels: [humidity, humidity.slice()], labels, length, trainingLength: length / 2 };
}

const wave = Float64Array.from({ length: 400 }, (_, k) => 40 + Math.sin(k / 7) + 0.01 * (k % 3));

describe("figures", () => {
  const flags = Uint8Array.of(0, 1, 1, 0, 0, 0, 1, 0);
  const labels = Uint8Array.of(0, 0, 1, 1, 0, 1, 0, 0);
  const counts = countAgreement(flags, labels);

  it("count readings and events", () => {
    expect(counts).toEqual({
      truePositives: 1,
      falsePositives: 2,
      falseNegatives: 2,
      trueNegatives: 3,
      events: 2,
      eventsFound: 1,
    });
    expect(precisionOf(counts)).toBeCloseTo(1 / 3);
    expect(recallOf(counts)).toBeCloseTo(1 / 3);
    expect(f1Of(counts)).toBeCloseTo(1 / 3);
    expect(falseAlarmsPerTenThousand(counts)).toBeCloseTo(4000);
  });

  it("pool by adding, and are 0 where there is nothing to divide", () => {
    expect(poolCounts([counts, counts]).truePositives).toBe(2);
    expect(f1Of(poolCounts([]))).toBe(0);
  });

  it("see a run that reaches the end", () => {
    expect(runsOf(Uint8Array.of(1, 0, 1, 1))).toEqual([
      { start: 0, end: 1 },
      { start: 2, end: 4 },
    ]);
  });
});

describe("alarm levels", () => {
  it("are 1 at the alarm factor times the median training error", () => {
    const mote = moteOf(wave);
    const errors = new Float64Array(400).fill(0.5);
    errors[300] = 0.5 * alarmFactor;
    const levels = alarmLevels(mote, { channels: [errors, errors], reach: 0 });
    expect(levels[300]).toBeCloseTo(1);
    expect(levels[301]).toBeCloseTo(1 / alarmFactor);
  });

  it("do not depend on labels or errors of the test half, nor on labelled readings of the training half", () => {
    const errors = Float64Array.from(wave, (_, k) => 1 + (k % 5));
    const disturbed = errors.slice();
    disturbed.fill(1e6, 50, 90);
    disturbed.fill(1e6, 350, 360);
    const labelled = Array.from({ length: 40 }, (_, k) => 50 + k);
    const expected = alarmLevels(moteOf(wave), { channels: [errors], reach: 0 });
    const levels = alarmLevels(moteOf(wave, [...labelled, 355]), { channels: [disturbed], reach: 0 });
    expect(levels.subarray(200, 350)).toEqual(expected.subarray(200, 350));
    expect(flagLevels(levels).subarray(350, 360)).toEqual(new Uint8Array(10).fill(1));
  });

  it("of a sensor that never moves are no alarm, until it does", () => {
    const still = new Float64Array(400).fill(20);
    expect(flagLevels(alarmLevels(moteOf(still), autoregressionErrors(moteOf(still))))).not.toContain(1);
    expect(flagLevels(deviationLevels(moteOf(still), 3))).not.toContain(1);
    const moved = still.slice();
    moved[300] = 21;
    expect(flagLevels(alarmLevels(moteOf(moved), autoregressionErrors(moteOf(moved))))[300]).toBe(1);
  });

  it("average over the reading and those before it", () => {
    expect(trailingMeans(Float64Array.of(3, 6, 9, 0), 3)).toEqual(Float64Array.of(0, 0, 6, 5));
    expect(medianOf(Float64Array.of(4, 1, 3, 2))).toBe(2.5);
    expect(medianOf(Float64Array.of(9, 1, 2))).toBe(2);
  });
});

describe("forecasts", () => {
  it("by autoregression find the rule of a linear series", () => {
    const series = Float64Array.from({ length: 400 }, (_, k) => 40 + Math.sin(k / 7));
    const { channels, reach } = autoregressionErrors(moteOf(series));
    expect(Math.max(...(channels[0]?.subarray(reach) ?? []))).toBeLessThan(1e-3);
  });

  it("rest on a solver that pivots", () => {
    expect(
      solve([
        [0, 2, 4],
        [1, 1, 3],
      ]),
    ).toEqual([1, 2]);
  });

  it("train on no window that touches a labelled reading", () => {
    const readings = trainingReadings(moteOf(wave, [100]));
    expect(readings[0]).toBe(windowLength);
    expect(readings).not.toContain(100);
    expect(readings).not.toContain(100 + windowLength);
    expect(readings).toContain(101 + windowLength);
    expect(readings.at(-1)).toBe(199);
  });

  it("look at windows relative to their last reading", () => {
    const ramp = moteOf(Float64Array.from({ length: 400 }, (_, k) => k));
    const { inputs, targets } = windowsBefore(ramp, [20], [2, 1]);
    expect(inputs[windowLength - 1]).toBe(0);
    expect(inputs[0]).toBe((1 - windowLength) / 2);
    expect(Array.from(targets)).toEqual([0.5, 1]);
  });
});
