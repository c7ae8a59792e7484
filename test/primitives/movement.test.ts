/** Operations that move elements: mistakes, arrays without elements, order among special values, and what is fused. */
import type { MLXArray } from "mlx-ts";
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";

const grid = (): MLXArray =>
  mx.array([
    [1, 2, 3],
    [4, 5, 6],
  ]);
const kernelCount = (x: MLXArray): number => mx.explain(x).kernels.length;

describe("a mistake is named when the graph is built", () => {
  const x = grid();
  const cases: readonly (readonly [string, () => unknown, string, RegExp])[] = [
    ["concatenate nothing", () => mx.concatenate([]), "ShapeError", /at least one array/],
    [
      "concatenate other lengths",
      () => mx.concatenate([x, mx.zeros([2, 2])]),
      "ShapeError",
      /\[2, 3\] and \[2, 2\] differ in more than axis 0/,
    ],
    ["stack other shapes", () => mx.stack([x, mx.zeros([3, 2])]), "ShapeError", /stack needs equal shapes/],
    ["split unevenly", () => mx.split(x, 2, 1), "ShapeError", /axis 1 of \[2, 3\] does not divide into 2/],
    ["repeat a negative count", () => mx.repeat(x, -1), "ArgumentError", /whole numbers from 0, got -1/],
    ["tile a fraction", () => mx.tile(x, [1, 0.5]), "ArgumentError", /got 0.5/],
    ["roll with other counts", () => mx.roll(x, [1, 2, 3], [0, 1]), "ShapeError", /3 shifts for 2 axes/],
    ["flip a missing axis", () => mx.flip(x, 2), "ShapeError", /axis 2 is out of range/],
    [
      "pad with too few pairs",
      () =>
        mx.pad(mx.zeros([1, 1, 1]), [
          [1, 1],
          [1, 1],
        ]),
      "ShapeError",
      /2 pairs of widths for the 3 axes/,
    ],
    ["pad by less than nothing", () => mx.pad(x, -1), "ArgumentError", /whole numbers from 0/],
    [
      "reflect beyond the end",
      () => mx.pad(x, 3, { mode: "reflect" }),
      "ShapeError",
      /mode reflect cannot add 3 positions to axis 0/,
    ],
    ["flatten backwards", () => mx.flatten(x, 1, 0), "ShapeError", /axis 1 comes after axis 0/],
    ["unflatten unevenly", () => mx.unflatten(x, 1, [2, -1]), "ShapeError", /axis 1 of \[2, 3\] does not divide/],
    ["squeeze a longer axis", () => mx.squeeze(x, 1), "ShapeError", /has length 3, not 1/],
    ["expandDims twice", () => mx.expandDims(x, [0, 0]), "ShapeError", /named twice/],
    [
      "broadcast to another length",
      () => mx.broadcastTo(x, [4, 3]),
      "ShapeError",
      /\[2, 3\] cannot be broadcast to \[4, 3\]/,
    ],
    ["transpose by no permutation", () => mx.transpose(x, [0, 0]), "ShapeError", /no permutation/],
    ["reshape to another size", () => mx.reshape(x, [4]), "ShapeError", /6 elements cannot become \[4\]/],
    ["diagonal of a vector", () => mx.diagonal(mx.zeros([2])), "ShapeError", /at least two axes/],
    ["diag of a cube", () => mx.diag(mx.zeros([1, 1, 1])), "ShapeError", /vector or a matrix/],
    ["asStrided past the end", () => mx.asStrided(x, [4, 2], [2, 1]), "ShapeError", /reaches elements 0 to 7 of 6/],
    ["topK of too many", () => mx.topK(x, 4), "ShapeError", /cannot take 4 of the 3/],
    ["partition beyond the end", () => mx.partition(x, 3), "ShapeError", /3 is no position along axis -1/],
    ["searchSorted in a matrix", () => mx.searchSorted(x, 1), "ShapeError", /sorted vector/],
    ["diff a negative number of times", () => mx.diff(x, { n: -1 }), "ArgumentError", /whole number from 0/],
    ["einsum without sense", () => mx.einsum("i-j", x), "ArgumentError", /no list of labels/],
    ["einsum of other operands", () => mx.einsum("ij,jk", x), "ArgumentError", /for 2 operands, got 1/],
    ["einsum of another rank", () => mx.einsum("i->i", x), "ShapeError", /does not name the axes of \[2, 3\]/],
    [
      "einsum of other lengths",
      () => mx.einsum("ij,jk", x, x),
      "ShapeError",
      /label j has length 3 and, in operand 1, 2/,
    ],
    ["einsum to an unknown label", () => mx.einsum("ij->k", x), "ArgumentError", /label k/],
    [
      "conv1d of other channels",
      () => mx.conv1d(mx.zeros([1, 5, 2]), mx.zeros([1, 3, 3])),
      "ShapeError",
      /weights are \[outputs, sizes…, channels \/ groups\]/,
    ],
    [
      "conv2d of sequences",
      () => mx.conv2d(mx.zeros([1, 5, 2]), mx.zeros([1, 3, 2])),
      "ShapeError",
      /needs an input \[batch, 2 axes, channels\]/,
    ],
    [
      "a window longer than its axis",
      () => mx.conv1d(mx.zeros([1, 2, 1]), mx.zeros([1, 3, 1])),
      "ShapeError",
      /span 3 of axis 1/,
    ],
    [
      "a stride of zero",
      () => mx.conv1d(mx.zeros([1, 2, 1]), mx.zeros([1, 1, 1]), { stride: 0 }),
      "ArgumentError",
      /stride is a whole number from 1/,
    ],
    [
      "convolving integers",
      () => mx.conv1d(mx.zeros([1, 2, 1], "int32"), mx.zeros([1, 1, 1], "int32")),
      "DtypeError",
      /floating-point/,
    ],
  ];
  it.each(cases)("%s", (_, run, name, message) => {
    expect(run).toThrow(expect.objectContaining({ name, message: expect.stringMatching(message) }));
  });
});

describe("arrays without elements", () => {
  const none = mx.zeros([0, 3]);
  const cases: readonly (readonly [string, MLXArray, readonly number[]])[] = [
    ["concatenate", mx.concatenate([none, none]), [0, 3]],
    ["concatenate along the empty axis", mx.concatenate([none, grid(), none]), [2, 3]],
    ["stack", mx.stack([none, none]), [2, 0, 3]],
    ["flip", mx.flip(none), [0, 3]],
    ["roll", mx.roll(none, 1), [0, 3]],
    ["tile", mx.tile(grid(), [0, 1]), [0, 3]],
    ["repeat", mx.repeat(none, 2, 0), [0, 3]],
    ["pad", mx.pad(none, 1), [2, 5]],
    ["sort", mx.sort(none, 0), [0, 3]],
    ["argSort", mx.argSort(mx.zeros([3, 0])), [3, 0]],
    ["cumsum", mx.cumsum(none, 0), [0, 3]],
    ["cumsum, exclusive", mx.cumsum(none, 0, { inclusive: false }), [0, 3]],
    ["take no positions", mx.take(grid(), mx.zeros([0], "int32"), 0), [0, 3]],
    ["take from no rows", mx.take(none, mx.array([2, 0], "int32"), 1), [0, 2]],
    ["diagonal", mx.diagonal(none), [0]],
    ["diag beyond the corner", mx.diag(grid(), 5), [0]],
    ["diff of one element", mx.diff(mx.zeros([1])), [0]],
    ["einsum", mx.einsum("ij,jk->ik", none, mx.zeros([3, 2])), [0, 2]],
    ["conv1d", mx.conv1d(mx.zeros([0, 5, 2]), mx.zeros([3, 3, 2])), [0, 3, 3]],
    ["searchSorted in nothing", mx.searchSorted(mx.zeros([0]), mx.zeros([2])), [2]],
  ];
  it.each(cases)("%s", async (_, result, shape) => {
    expect(result.shape).toEqual(shape);
    expect(await result.data()).toHaveLength(result.size);
  });
});

describe("order", () => {
  it("puts NaN last and keeps equal elements in their order, zeros of either sign among them", async () => {
    const x = mx.array([Number.NaN, 0, -0, -1, Number.POSITIVE_INFINITY, Number.NaN, Number.NEGATIVE_INFINITY]);
    const order = [6, 3, 1, 2, 4, 0, 5];
    expect(await mx.argSort(x).tolist()).toEqual(order);
    expect(await mx.argSort(mx.asType(x, "float64")).tolist()).toEqual(order);
    expect(await mx.argSort(mx.asType(x, "bfloat16")).tolist()).toEqual(order);
  });

  it("holds for integers of every width at their limits", async () => {
    const x = mx.array(new Uint32Array([4294967295, 0, 2147483648]));
    expect(await mx.argSort(x).tolist()).toEqual([1, 2, 0]);
    const y = mx.array(new Int32Array([2147483647, -2147483648, 0]));
    expect(await mx.argSort(y).tolist()).toEqual([1, 2, 0]);
    const z = mx.array(new BigInt64Array([2n ** 62n + 1n, 2n ** 62n, -(2n ** 63n)]));
    expect(await mx.argSort(z).tolist()).toEqual([2, 1, 0]);
  });

  it("is the same for rows too long to pack value and position into one number", async () => {
    const length = 2 ** 21 + 3;
    const x = mx.array(Float32Array.from({ length }, (_, i) => (i * 7919) % 1013));
    const sorted = mx.take(x, mx.argSort(x));
    expect(await mx.arrayEqual(sorted, mx.sort(x)).item()).toBe(true);
  });
});

describe("what is fused", () => {
  const x = mx.array(Float32Array.from({ length: 256 }, (_, i) => i));
  const image = mx.reshape(x, [1, 8, 8, 4]);

  it("views, padding and joining are one kernel with what reads them", () => {
    const padded = mx.pad(mx.flip(mx.transpose(mx.reshape(x, [16, 16]))), 1);
    expect(kernelCount(mx.sum(mx.multiply(mx.concatenate([padded, padded]), 2)))).toBe(1);
    expect(kernelCount(mx.add(mx.tile(mx.roll(x, 3), 2), 1))).toBe(1);
  });

  it("a gather is one kernel with what it reads and what reads it", () => {
    const rows = mx.take(mx.reshape(mx.multiply(x, 2), [64, 4]), mx.array([3, 1, 2], "int32"), 0);
    expect(kernelCount(mx.sum(mx.square(rows)))).toBe(1);
  });

  it("a convolution without padding is one kernel with its activation, nothing copied", () => {
    const weights = mx.reshape(x, [8, 2, 4, 4]);
    expect(kernelCount(mx.maximum(mx.conv2d(image, weights), 0))).toBe(1);
  });

  it("the greatest of sliding windows is one kernel", () => {
    expect(kernelCount(mx.max(mx.slidingWindows(image, [2, 2], { stride: 2 }), [3, 4]))).toBe(1);
  });
});
