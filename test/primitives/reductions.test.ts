/** What reductions, creation and matrix products promise: dtypes, NaN, empty axes, several axes, shapes, errors. */
import type { MLXArray } from "mlx-ts";
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";

const list = (x: MLXArray): Promise<unknown> => x.tolist();
const table = mx.array([
  [1, 5, 3],
  [4, 2, 6],
]);

describe("reductions", () => {
  it("take one axis, several, all or none, and keep them on request", async () => {
    expect(await list(mx.sum(table, 0))).toEqual([5, 7, 9]);
    expect(await list(mx.sum(table, -1, { keepAxes: true }))).toEqual([[9], [12]]);
    expect(await mx.sum(table, [0, 1]).item()).toBe(21);
    expect(mx.sum(table, { keepAxes: true }).shape).toEqual([1, 1]);
    expect(mx.max(table, []).shape).toEqual([2, 3]);
    expect(() => mx.sum(table, 2)).toThrow(mx.ShapeError);
    expect(() => mx.sum(table, [0, -2])).toThrow(mx.ShapeError);
  });

  it("widen small integers in sums and products, nothing over no axes", async () => {
    expect(await list(mx.sum(mx.array([[100, 100]], "int8"), 1))).toEqual([200]);
    expect(mx.sum(mx.array([1], "uint8")).dtype).toBe("uint32");
    expect(mx.prod(mx.array([true])).dtype).toBe("int32");
    expect(mx.sum(mx.array([1], "int64")).dtype).toBe("int64");
    expect(mx.sum(mx.array([true]), []).dtype).toBe("bool");
    expect(mx.mean(mx.array([1, 2], "int64")).dtype).toBe("float32");
    expect(mx.mean(mx.array([1, 2], "float16")).dtype).toBe("float16");
  });

  it("know what to give for nothing", async () => {
    const none = mx.zeros([0]);
    expect(await mx.sum(none).item()).toBe(0);
    expect(await mx.any(none).item()).toBe(false);
    expect(await mx.mean(none).item()).toBeNaN();
    expect(await list(mx.softmax(mx.zeros([2, 0]), 1))).toEqual([[], []]);
    for (const pick of [mx.max, mx.min, mx.argMax, mx.logSumExp]) expect(() => pick(none)).toThrow(mx.ShapeError);
  });

  it("pass NaN on, and point to the first one", async () => {
    const x = mx.array([1, NaN, 3, NaN]);
    expect(await mx.max(x).item()).toBeNaN();
    expect(await mx.min(x).item()).toBeNaN();
    expect(await mx.argMax(x).item()).toBe(1);
    expect(await mx.argMin(x).item()).toBe(1);
  });

  it("give NaN for a median of what has a NaN", async () => {
    const x = mx.array([
      [Number.NaN, 1, 2],
      [3, 1, 2],
    ]);
    expect(await list(mx.median(x, 1))).toEqual([Number.NaN, 2]);
    expect(await list(mx.median(x, 0, { keepAxes: true }))).toEqual([[Number.NaN, 1, 2]]);
  });

  it("point to the first of equal elements, as uint32", async () => {
    const x = mx.array([[3, 1, 3, 1]]);
    expect(await list(mx.argMax(x, 1))).toEqual([0]);
    expect(await list(mx.argMin(x, 1, { keepAxes: true }))).toEqual([[1]]);
    expect(mx.argMax(x).dtype).toBe("uint32");
    expect(await mx.argMax(table).item()).toBe(5);
  });

  it("do not lose a mean that float16 cannot sum", async () => {
    expect(await mx.mean(mx.full([4096], 100, "float16")).item()).toBe(100);
  });

  it("give ones for the mean of ones whatever their number", async () => {
    expect(await mx.mean(mx.ones([49])).item()).toBe(1);
  });

  it("compute variances in two passes", async () => {
    expect(await mx.variance(mx.array([10000, 10001, 10002])).item()).toBeCloseTo(2 / 3, 5);
    expect(await mx.variance(mx.array([1, 2, 3, 4]), { ddof: 1 }).item()).toBeCloseTo(5 / 3, 5);
    expect(await mx.std(mx.array([1, 2, 3]), { ddof: 3 }).item()).toBe(Infinity);
  });

  it("stay finite in logSumExp and softmax", async () => {
    expect(await mx.logSumExp(mx.array([1000, 1000])).item()).toBeCloseTo(1000.693147, 3);
    const edges = mx.array([
      [-Infinity, -Infinity],
      [Infinity, 1],
    ]);
    expect(await list(mx.logSumExp(edges, 1))).toEqual([-Infinity, Infinity]);
    expect(await list(mx.softmax(mx.full([1, 4], 1000), 1))).toEqual([[0.25, 0.25, 0.25, 0.25]]);
  });

  it("count what is not zero", async () => {
    expect(await list(mx.countNonzero(mx.array([[0, 2, -1]]), 1))).toEqual([2]);
  });
});

describe("creation", () => {
  it("counts in the dtype that its numbers ask for", async () => {
    expect(mx.arange(3).dtype).toBe("int32");
    expect(mx.arange(0, 1, 0.5).dtype).toBe("float32");
    expect(await list(mx.arange(5, 0, -2))).toEqual([5, 3, 1]);
    expect(await list(mx.arange(3, { dtype: "float16" }))).toEqual([0, 1, 2]);
    expect(await list(mx.arange(3, 0, "uint8"))).toEqual([]);
    expect(await list(mx.arange(2 ** 40, 2 ** 40 + 2))).toEqual([2n ** 40n, 2n ** 40n + 1n]);
    expect(() => mx.arange(0, 1, 0)).toThrow(mx.ArgumentError);
    expect(() => mx.arange(NaN)).toThrow(mx.ArgumentError);
  });

  it("reaches both ends of a linspace exactly", async () => {
    expect(await list(mx.linspace(-3, 7, 3))).toEqual([-3, 2, 7]);
    expect(await list(mx.linspace(5, 9, 1))).toEqual([5]);
    expect(await list(mx.linspace(0, 1, 0))).toEqual([]);
  });

  it("places diagonals above and below", async () => {
    expect(await list(mx.eye(2, { m: 3, k: -1 }))).toEqual([
      [0, 0, 0],
      [1, 0, 0],
    ]);
    expect(await list(mx.tri(2, { m: 3, k: 1, dtype: "int32" }))).toEqual([
      [1, 1, 0],
      [1, 1, 1],
    ]);
    expect(await list(mx.identity(2, "bool"))).toEqual([
      [true, false],
      [false, true],
    ]);
  });

  it("keeps the dtype of what it is like", async () => {
    expect(await list(mx.fullLike(mx.array([1, 2], "int8"), 2.5))).toEqual([2, 2]);
    expect(mx.zerosLike(mx.array([true])).dtype).toBe("bool");
    expect(mx.ones(3, "float16").dtype).toBe("float16");
    expect(() => mx.zeros([-1])).toThrow(mx.ShapeError);
  });

  it("spans grids both ways", () => {
    const [x, y] = [mx.zeros([2]), mx.zeros([3])];
    expect(mx.meshgrid(x, y).map(({ shape }) => shape)).toEqual([
      [3, 2],
      [3, 2],
    ]);
    expect(mx.meshgrid(x, y, { indexing: "ij", sparse: true }).map(({ shape }) => shape)).toEqual([
      [2, 1],
      [1, 3],
    ]);
  });
});

describe("products", () => {
  it("take vectors, and broadcast leading axes", () => {
    const shape = (a: readonly number[], b: readonly number[]): readonly number[] =>
      mx.matmul(mx.zeros(a), mx.zeros(b)).shape;
    expect(shape([3], [3])).toEqual([]);
    expect(shape([2, 3], [3])).toEqual([2]);
    expect(shape([3], [3, 4])).toEqual([4]);
    expect(shape([5, 2, 3], [3, 4])).toEqual([5, 2, 4]);
    expect(shape([5, 1, 2, 3], [6, 3, 4])).toEqual([5, 6, 2, 4]);
    expect(shape([3], [6, 3, 4])).toEqual([6, 4]);
    expect(shape([6, 2, 3], [3])).toEqual([6, 2]);
  });

  it("refuse scalars, integers and lengths that differ", () => {
    expect(() => mx.matmul(mx.array(1), mx.ones([1]))).toThrow(mx.ShapeError);
    expect(() => mx.matmul(mx.ones([2, 3]), mx.ones([2, 3]))).toThrow(/has 3, \[2, 3\] has 2/);
    expect(() => mx.matmul(mx.ones([1, 1], "int32"), mx.ones([1, 1], "int32"))).toThrow(mx.DtypeError);
  });

  it("scale and add in addmm", async () => {
    const [a, b, c] = [mx.array([[1, 2]]), mx.array([[3], [4]]), mx.array([10])];
    expect(await list(mx.addmm(c, a, b, { alpha: 2, beta: 3 }))).toEqual([[52]]);
  });

  it("sum over nothing to zero", async () => {
    expect(await list(mx.matmul(mx.zeros([2, 0]), mx.zeros([0, 2])))).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  it("pair the axes they are given", async () => {
    const a = mx.reshape(mx.arange(6, "float32"), [1, 2, 3]);
    expect(
      await list(
        mx.tensordot(a, mx.ones([3, 2, 2]), [
          [1, 2],
          [1, 0],
        ]),
      ),
    ).toEqual([[15, 15]]);
    expect(
      await list(
        mx.vecdot(
          mx.array(
            [
              [1, 2],
              [3, 4],
            ],
            "int32",
          ),
          mx.array(
            [
              [1, 1],
              [2, 2],
            ],
            "int32",
          ),
          { axis: 0 },
        ),
      ),
    ).toEqual([7, 10]);
  });
});
