/** What charts draw of long histories. */
import { History } from "@mlx-ts/monitor";
import { describe, expect, it } from "vitest";
import { coarsened, columnsOf } from "../src/element/chart-data.ts";

function historyOf(count: number, value: (step: number) => number): History {
  const history = new History(1024);
  for (let step = 1; step <= count; step++) history.add(step, value(step));
  return history;
}

describe("a long history", () => {
  it("is drawn in a few points, within whose bounds all values lie, and whose last is the latest", () => {
    const values = (step: number): number => (step === 500 ? 99 : Math.sin(step));
    for (const count of [65, 100, 128, 129, 700, 1024]) {
      const { steps, means, highs, lows } = coarsened(historyOf(count, values).buckets(), 64);
      expect(steps.length).toBeLessThanOrEqual(66);
      expect(steps.at(-1)).toBe(count);
      expect(means.at(-1)).toBe(values(count));
      expect(steps).toEqual(steps.toSorted());
      expect(new Set(steps).size).toBe(steps.length);
      if (count >= 500) expect(Math.max(...highs)).toBe(99);
      for (const [k, mean] of means.entries()) {
        expect(mean).toBeLessThanOrEqual(highs[k] ?? Number.NaN);
        expect(mean).toBeGreaterThanOrEqual(lows[k] ?? Number.NaN);
      }
    }
  });

  it("keeps what was drawn where it is as more comes", () => {
    const at = (count: number): Float64Array => coarsened(historyOf(count, Math.sin).buckets(), 64).means;
    expect(at(120).slice(0, 40)).toEqual(at(101).slice(0, 40));
  });

  it("has gaps where no value is a number, and is left alone while it is short", () => {
    const buckets = historyOf(200, (step) => (step > 40 && step < 90 ? Number.NaN : 1)).buckets();
    const [, means = []] = columnsOf([{ label: "a", buckets, colour: 0 }], { isLogarithmic: false, most: 64 });
    expect(means).toContain(null);
    expect(coarsened(buckets, 200)).toBe(buckets);
  });
});
