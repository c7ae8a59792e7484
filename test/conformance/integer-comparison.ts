/** Comparisons of integers with and without a sign, whose common dtype has 64 bits, on the device at hand. */
import * as mx from "mlx-ts";
import { expect } from "vitest";

const comparisons = [
  [mx.equal, (x: number, y: number) => x === y],
  [mx.notEqual, (x: number, y: number) => x !== y],
  [mx.less, (x: number, y: number) => x < y],
  [mx.lessEqual, (x: number, y: number) => x <= y],
  [mx.greater, (x: number, y: number) => x > y],
  [mx.greaterEqual, (x: number, y: number) => x >= y],
] as const;

const signed = [-(2 ** 31), -1, 0, 1, 2 ** 31 - 1];
const unsigned = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

/** All comparisons of both kinds, either side first, and of bytes with a sign. */
export async function checkIntegerComparisons(): Promise<void> {
  for (const [operation, compare] of comparisons) {
    const check = async (
      rows: readonly [readonly number[], mx.Dtype],
      columns: readonly [readonly number[], mx.Dtype],
    ): Promise<void> => {
      const [x, y] = [mx.array([...rows[0]], rows[1]).reshape([-1, 1]), mx.array([...columns[0]], columns[1])];
      const wanted = rows[0].map((a) => columns[0].map((b) => compare(a, b)));
      expect([operation.name, rows[1], await operation(x, y).tolist()]).toEqual([operation.name, rows[1], wanted]);
    };
    await check([signed, "int32"], [unsigned, "uint32"]);
    await check([unsigned, "uint32"], [signed, "int32"]);
    await check([unsigned, "uint32"], [[-128, -1, 0, 1, 127], "int8"]);
  }
}

/** The usual accuracy: how many rows have their greatest score at their label. */
export async function checkAccuracy(): Promise<void> {
  const scores = mx.array([
    [1, 3, 2],
    [5, 4, 0],
    [0, 1, 2],
  ]);
  const accuracy = mx
    .argMax(scores, 1)
    .equal(mx.array([1, 2, 2], "int32"))
    .mean();
  expect(await accuracy.item()).toBeCloseTo(2 / 3);
}
