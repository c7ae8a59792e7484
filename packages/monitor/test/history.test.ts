/** History: bounded, and nothing that matters is lost. */
import { History } from "@mlx-ts/monitor";
import { describe, expect, it } from "vitest";

describe("History", () => {
  it("keeps first, last and extremes of a million values in a bounded number of points", () => {
    const history = new History(512);
    const [peak, dip] = [700_001, 123_457];
    for (let step = 1; step <= 1_000_000; step++) {
      history.add(step, step === peak ? 50 : step === dip ? -50 : Math.sin(step / 1000));
    }
    const { steps, means, lows, highs } = history.buckets();
    expect(history.count).toBe(1_000_000);
    expect(steps.length).toBeLessThanOrEqual(512);
    expect(steps.length).toBeGreaterThanOrEqual(256);
    expect(Math.max(...highs)).toBe(50);
    expect(Math.min(...lows)).toBe(-50);
    means.forEach((mean, k) => {
      expect(mean).toBeGreaterThanOrEqual(lows[k] ?? Number.NaN);
      expect(mean).toBeLessThanOrEqual(highs[k] ?? Number.NaN);
    });
    expect(history.highest).toEqual({ step: peak, value: 50 });
    expect(history.lowest).toEqual({ step: dip, value: -50 });

    const line = history.line();
    expect(line.steps.length).toBeLessThanOrEqual(2 * 512 + 2);
    expect([line.steps[0], line.steps.at(-1)]).toEqual([1, 1_000_000]);
    expect(line.values.at(-1)).toBeCloseTo(Math.sin(1000), 12);
    expect(line.values[line.steps.indexOf(peak)]).toBe(50);
    expect(line.values[line.steps.indexOf(dip)]).toBe(-50);
    line.steps.forEach((step, k) => {
      if (k > 0) expect(step).toBeGreaterThan(line.steps[k - 1] ?? step);
    });
  });

  it("keeps every value while there is room", () => {
    const history = new History(4);
    for (const [step, value] of [3, 1, 2].entries()) history.add(step, value);
    expect([...history.buckets().means]).toEqual([3, 1, 2]);
    expect([...history.line().values]).toEqual([3, 1, 2]);
  });

  it("shows values that are no numbers as gaps, and goes on", () => {
    const history = new History(4);
    for (const [step, value] of [1, Number.NaN, Number.POSITIVE_INFINITY, 4].entries()) history.add(step, value);
    expect([...history.buckets().means]).toEqual([1, Number.NaN, Number.NaN, 4]);
    history.add(4, 5);
    expect([...history.buckets().means]).toEqual([1, 4, 5]);
    expect(history.highest).toEqual({ step: 4, value: 5 });
  });

  it("forgets what comes after a step that is gone back to", () => {
    const history = new History(8);
    for (let step = 1; step <= 6; step++) history.add(step, step);
    history.truncate(4);
    expect(history.last).toEqual({ step: 4, value: 4 });
    history.add(5, 50);
    expect([...history.buckets().steps]).toEqual([1, 2, 3, 4, 5]);
    history.truncate(0);
    expect([history.count, history.first, history.last]).toEqual([0, null, null]);
  });

  it("refuses a capacity that cannot be halved", () => {
    for (const capacity of [3, 0, Number.POSITIVE_INFINITY, Object("8")])
      expect(() => new History(capacity)).toThrow(RangeError);
  });
});
