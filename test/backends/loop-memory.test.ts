/** Reductions of large matrices down the columns, and values kept between passes over rows: right, and the same on any number of threads. */
import * as mx from "mlx-ts";
import { afterAll, describe, expect, it } from "vitest";
import { threadedRuntimes } from "../setup/wasm-runtimes.ts";

const { under, close } = threadedRuntimes(2 ** 29);

afterAll(close);

/** The numbers that the function gives, which must be the same on one thread and on two. */
async function valuesOf(fn: () => mx.MLXArray): Promise<readonly number[]> {
  const read = async (): Promise<readonly number[]> => Array.from(await fn().data("float32"));
  const first = await under("one", read);
  expect(await under("two", read)).toEqual(first);
  return first;
}

/** Rows whose reductions end with a group of fewer rows, columns in one block, in several, and in none. */
const shapes = [
  [4096, 256],
  [1031, 1024],
  [300, 4400],
  [130, 8191],
] as const;

for (const [rows, columns] of shapes) {
  const numbers = Float32Array.from({ length: rows * columns }, (_, k) => Math.sin(k) * (1 + (k % 7)));
  const x = (): mx.MLXArray => mx.fromTypedArray(numbers).reshape([rows, columns]);
  const column = (c: number): number[] => Array.from({ length: rows }, (_, r) => numbers[r * columns + c] ?? 0);
  const some = [0, 1, 17, columns - 1];
  const expectColumns = (values: readonly number[], exact: (numbers: readonly number[]) => number): void => {
    expect(values).toHaveLength(columns);
    for (const c of some) expect((values[c] ?? 0) / exact(column(c)), `column ${c}`).toBeCloseTo(1, 5);
  };

  describe(`columns of [${rows}, ${columns}]`, () => {
    it("sums, extremes and products", async () => {
      expectColumns(await valuesOf(() => x().abs().sum(0)), (list) => list.reduce((a, b) => a + Math.abs(b), 0));
      expectColumns(await valuesOf(() => x().max(0)), (list) => Math.max(...list));
      expectColumns(await valuesOf(() => x().min(0)), (list) => Math.min(...list));
      expectColumns(await valuesOf(() => x().mul(0.001).add(1).prod(0)), (list) =>
        list.reduce((a, b) => a * (1 + 0.001 * b), 1),
      );
    });

    it("integers, half floats and bool", async () => {
      const whole = (list: readonly number[]): number[] => list.map((value) => Math.trunc(value * 10));
      const integers = (): mx.MLXArray => x().mul(10).asType("int32");
      expectColumns(await valuesOf(() => integers().max(0)), (list) => Math.max(...whole(list)));
      expectColumns(await valuesOf(() => integers().abs().sum(0)), (list) =>
        whole(list).reduce((a, b) => a + Math.abs(b), 0),
      );
      const halves = await valuesOf(() => x().abs().asType("float16").sum(0));
      for (const c of some) {
        const exact = column(c).reduce((a, b) => a + Math.abs(b), 0);
        expect((halves[c] ?? 0) / exact).toBeCloseTo(1, 2);
      }
      expectColumns(
        await valuesOf(() => x().greater(0.5).sum(0)),
        (list) => list.filter((value) => value > 0.5).length,
      );
    });

    it("results that are used down the columns again", async () => {
      expectColumns(await valuesOf(() => mx.variance(x(), 0)), (list) => {
        const mean = list.reduce((a, b) => a + b, 0) / rows;
        return list.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rows;
      });
      const softmax = await valuesOf(() => mx.softmax(x(), 0));
      for (const c of some) {
        const list = column(c).map(Math.exp);
        const sum = list.reduce((a, b) => a + b, 0);
        for (const r of [0, 5, rows - 1]) {
          expect((softmax[r * columns + c] ?? 0) / ((list[r] ?? 0) / sum)).toBeCloseTo(1, 5);
        }
      }
      const total = await valuesOf(() => x().abs().sum(0).sum());
      expect((total[0] ?? 0) / numbers.reduce((sum, value) => sum + Math.abs(value), 0)).toBeCloseTo(1, 5);
    });

    it("NaN comes through where it is, and nowhere else", async () => {
      const places = [0, 77, 100 * columns + 3, (rows - 1) * columns + columns - 1];
      const holed = numbers.slice();
      for (const place of places) holed[place] = Number.NaN;
      const y = (): mx.MLXArray => mx.fromTypedArray(holed).reshape([rows, columns]);
      for (const reduce of [(a: mx.MLXArray) => a.max(0), (a: mx.MLXArray) => a.min(0), (a: mx.MLXArray) => a.sum(0)]) {
        const found = (await valuesOf(() => reduce(y()))).flatMap((value, c) => (Number.isNaN(value) ? [c] : []));
        expect(found).toEqual([0, 3, 77, columns - 1]);
      }
    });
  });
}

describe("rows", () => {
  it("keep exponentials between passes, and reductions of them stay what they are", async () => {
    const rows = 37;
    const columns = 1003;
    const x = (): mx.MLXArray => mx.sin(mx.arange(rows * columns)).reshape([rows, columns]);
    const values = await valuesOf(() => {
      const exponential = mx.exp(x().sub(x().max(-1, { keepAxes: true })));
      const sum = exponential.sum(-1, { keepAxes: true });
      const spread = exponential.mul(exponential).sum(-1, { keepAxes: true }).div(sum);
      return exponential.div(sum).add(exponential.mul(spread)).mul(mx.exp(spread));
    });
    for (const r of [0, 1, rows - 1]) {
      const list = Array.from({ length: columns }, (_, c) => Math.exp(Math.sin(r * columns + c)));
      const greatest = Math.max(...list);
      const exponential = list.map((value) => value / greatest);
      const sum = exponential.reduce((a, b) => a + b, 0);
      const spread = exponential.reduce((a, b) => a + b * b, 0) / sum;
      for (const c of [0, 1, columns - 1]) {
        const value = exponential[c] ?? 0;
        expect(values[r * columns + c]).toBeCloseTo((value / sum + value * spread) * Math.exp(spread), 4);
      }
    }
  });
});
