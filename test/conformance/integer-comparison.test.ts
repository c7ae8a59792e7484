/** Comparisons of integers whose common dtype has 64 bits. */
import * as mx from "mlx-ts";
import { expect, it } from "vitest";
import { checkAccuracy, checkIntegerComparisons } from "./integer-comparison.ts";

it("integers with and without a sign are compared by their values", checkIntegerComparisons);

it("positions of greatest scores are compared with labels", checkAccuracy);

it("a comparison of 32-bit integers takes no 64-bit kernel", () => {
  const { kernels } = mx.explain(mx.array([1, 2], "uint32").less(mx.array([1, 2], "int32")));
  expect(kernels.map(({ bytes }) => bytes)).toEqual([2 * 4 + 2 * 4 + 2]);
});
