/** Derivatives of elementwise operations, reductions and products against finite differences in float64, to second order. */
import type { MLXArray } from "mlx-ts";
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import { describe, expect, it } from "vitest";
import { grad } from "../../src/transforms/grad.ts";

type Unary = (x: MLXArray) => MLXArray;

const points = (...values: readonly number[]): MLXArray => mx.array(values, "float64");
const around = points(-1.3, -0.4, 0.7, 1.9);
const inf = Number.POSITIVE_INFINITY;
const nan = Number.NaN;
const positive = points(0.2, 0.9, 1.6, 3.1);
const inside = points(-0.8, -0.3, 0.25, 0.7);
const other = points(0.6, 1.4, -0.9, 2.2);

const unary: readonly (readonly [string, Unary, MLXArray])[] = [
  ["negative", mx.negative, around],
  ["reciprocal", mx.reciprocal, around],
  ["abs", mx.abs, around],
  ["square", mx.square, around],
  ["exp", mx.exp, around],
  ["expm1", mx.expm1, around],
  ["log", mx.log, positive],
  ["log2", mx.log2, positive],
  ["log10", mx.log10, positive],
  ["log1p", mx.log1p, positive],
  ["sqrt", mx.sqrt, positive],
  ["rsqrt", mx.rsqrt, positive],
  ["sigmoid", mx.sigmoid, around],
  ["erf", mx.erf, around],
  ["erfinv", mx.erfinv, inside],
  ["sin", mx.sin, around],
  ["cos", mx.cos, around],
  ["tan", mx.tan, inside],
  ["arcsin", mx.arcsin, inside],
  ["arccos", mx.arccos, inside],
  ["arctan", mx.arctan, around],
  ["sinh", mx.sinh, around],
  ["cosh", mx.cosh, around],
  ["tanh", mx.tanh, around],
  ["arcsinh", mx.arcsinh, around],
  ["arccosh", (x) => mx.arccosh(mx.add(x, 1)), positive],
  ["arctanh", mx.arctanh, inside],
  ["degrees", mx.degrees, around],
  ["floor", (x) => mx.multiply(mx.floor(x), x), around],
  ["power of a number", (x) => mx.power(x, 3), around],
  ["square by power", (x) => mx.power(x, 2), around],
  ["power to a number", (x) => mx.power(2, x), around],
  ["division by a number", (x) => mx.divide(x, 3), around],
  ["add", (x) => mx.add(x, mx.square(other)), around],
  ["subtract, right", (x) => mx.subtract(other, mx.square(x)), around],
  ["multiply", (x) => mx.multiply(x, mx.multiply(x, other)), around],
  ["divide, left", (x) => mx.divide(x, other), around],
  ["divide, right", (x) => mx.divide(other, x), around],
  ["power, left", (x) => mx.power(x, other), positive],
  ["power, right", (x) => mx.power(positive, x), around],
  ["arctan2, left", (x) => mx.arctan2(x, other), around],
  ["arctan2, right", (x) => mx.arctan2(other, x), around],
  ["logAddExp, left", (x) => mx.logAddExp(x, other), around],
  ["logAddExp, right", (x) => mx.logAddExp(other, mx.square(x)), around],
  ["maximum", (x) => mx.maximum(mx.square(x), other), around],
  ["minimum", (x) => mx.minimum(mx.square(x), other), around],
  ["remainder, left", (x) => mx.remainder(mx.square(x), 0.83), around],
  ["remainder, right", (x) => mx.remainder(3.1, x), around],
  ["where", (x) => mx.where(mx.greater(x, 0), mx.square(x), mx.exp(x)), around],
  ["clip", (x) => mx.clip(mx.square(x), 0.3, 2), around],
  ["asType", (x) => mx.asType(mx.square(x), "float64"), around],
  ["sum", (x) => mx.square(mx.sum(x)), around],
  ["mean", (x) => mx.square(mx.mean(mx.square(x))), around],
  ["variance", (x) => mx.variance(x, undefined, { ddof: 1 }), around],
  ["std", mx.std, around],
  ["prod", (x) => mx.prod(mx.multiply(x, mx.add(x, 0.1))), around],
  ["prod with a zero", (x) => mx.prod(mx.add(x, 0.4)), around],
  ["max", (x) => mx.max(mx.square(x)), around],
  ["min", (x) => mx.min(mx.exp(x)), around],
  ["logSumExp", mx.logSumExp, around],
  ["softmax", (x) => mx.multiply(mx.softmax(x), other), around],
  [
    "matmul",
    (x) => mx.matmul(mx.reshape(x, [2, 2]), mx.matmul(mx.reshape(other, [2, 2]), mx.reshape(x, [2, 2]))),
    around,
  ],
  ["matmul of vectors", (x) => mx.matmul(x, mx.square(x)), around],
  ["outer", (x) => mx.outer(x, mx.multiply(x, other)), around],
  ["inner", (x) => mx.inner(mx.square(x), x), around],
  ["kron", (x) => mx.kron(x, mx.multiply(x, other)), around],
];

/** The slope of the sum of `f` along `direction`, by differences of fourth order. */
async function differences(f: Unary, x: MLXArray, direction: MLXArray): Promise<number> {
  const step = 1e-3;
  const at = async (k: number): Promise<number> =>
    Number(await mx.sum(f(mx.add(x, mx.multiply(direction, k * step)))).item());
  const [far, near] = [(await at(2)) - (await at(-2)), (await at(1)) - (await at(-1))];
  return (8 * near - far) / (12 * step);
}

const direction = points(0.7, -0.4, 1.1, 0.5);
const along = (slope: MLXArray): MLXArray => mx.sum(mx.multiply(slope, direction));

describe("gradients", () => {
  for (const [name, f, x] of unary) {
    it(`of ${name} are its slopes, to second order`, async () => {
      const total = (y: MLXArray): MLXArray => mx.sum(f(y));
      const first = (y: MLXArray): MLXArray => along(grad(total)(y));
      const slope = await differences(total, x, direction);
      expect(Number(await first(x).item())).toBeCloseTo(slope, 7);
      const curvature = await differences(first, x, direction);
      const second = Number(await along(grad(first)(x)).item());
      expect(Math.abs(second - curvature) / (1 + Math.abs(curvature))).toBeLessThan(1e-6);
    });
  }

  it("of max are shared by equal elements", async () => {
    expect(await grad((x: MLXArray) => mx.max(x))(mx.array([1, 3, 3])).tolist()).toEqual([0, 0.5, 0.5]);
  });

  it.each([
    ["Infinity, which share an undefined slope", [1, inf], [0, nan], nan, nan],
    ["several Infinity", [inf, inf], [nan, nan], nan, nan],
    ["both infinities", [inf, -inf], [nan, 0], nan, nan],
    ["nothing but -Infinity, whose sum is 0", [-inf, -inf], [nan, nan], nan, nan],
    ["-Infinity beside a number, as masks write it", [1, -inf], [1, 0], [0, 0], [-2, 2]],
  ] as const)("of logSumExp and softmax are PyTorch's at %s", async (_, values, ofSum, ofSoftmax, ofLog) => {
    const slopes = (f: Unary): Promise<unknown> => grad((x: MLXArray) => f(x).mul(weights).sum())(row).tolist();
    const [row, weights] = [mx.array([...values]), mx.array([1, 2])];
    const all = (expected: number | readonly number[]) =>
      typeof expected === "number" ? [expected, expected] : expected;
    expect(await grad((x: MLXArray) => mx.logSumExp(x))(row).tolist()).toEqual(ofSum);
    expect(await slopes((x) => mx.softmax(x))).toEqual(all(ofSoftmax));
    expect(await slopes((x) => nn.logSoftmax(x))).toEqual(all(ofLog));
  });

  it("of maximum go to the right operand where both are equal", async () => {
    const f = (a: MLXArray, b: MLXArray): MLXArray => mx.sum(mx.maximum(a, b));
    expect(await grad(f)(mx.array([1, 2, 3]), mx.array([2, 2, 2])).tolist()).toEqual([0, 0, 1]);
  });

  it("of a product with two zeros are zero", async () => {
    expect(await grad((x: MLXArray) => mx.prod(x))(mx.array([0, 2, 0])).tolist()).toEqual([0, 0, 0]);
    expect(await grad((x: MLXArray) => mx.prod(x))(mx.array([0, 2, 3])).tolist()).toEqual([6, 0, 0]);
  });

  it("do not pass stopGradient", async () => {
    expect(await grad((x: MLXArray) => mx.multiply(x, mx.stopGradient(x)))(mx.array(3)).item()).toBe(3);
  });

  it.each(["uint32", "int32", "uint64", "int64"] as const)(
    "flow past rows picked by %s into a product",
    async (dtype) => {
      const table = mx.arange(48).reshape([3, 16]).div(48);
      const weight = mx.ones([16, 8]).mul(0.5);
      const slopeFor = (positions: MLXArray): MLXArray =>
        grad((w: MLXArray) => mx.take(table, positions, 0).matmul(w).square().sum())(weight);
      // Two products read the rows, which makes the planner ask whether these pad something.
      const expected = await slopeFor(mx.array([2, 0, 1, 0], "uint8")).tolist();
      expect(await slopeFor(mx.array([2, 0, 1, 0], dtype)).tolist()).toEqual(expected);
      const first = await slopeFor(mx.array([0, 0], "uint8")).tolist();
      expect(await slopeFor(mx.zeros([2], dtype)).tolist()).toEqual(first);
    },
  );

  it.each(["float16", "bfloat16"] as const)("of extremes of computed %s are those of stored ones", async (dtype) => {
    const x = mx.sin(mx.arange(60)).reshape([3, 20]).asType(dtype);
    const computed = mx.tanh(x).mul(x.mul(1.3));
    const stored = mx
      .array(await computed.asType("float32").data())
      .reshape([3, 20])
      .asType(dtype);
    await mx.evaluate(x, stored);
    const picks = [mx.max, mx.min, mx.cummax, mx.cummin].map((pick) => (y: MLXArray) => pick(y, -1));
    for (const pick of picks) {
      const slopes = (y: MLXArray): MLXArray =>
        grad((change: MLXArray) => pick(y.add(change)).asType("float32").sum())(mx.zerosLike(y));
      expect(await slopes(mx.tanh(x).mul(x.mul(1.3))).tolist()).toEqual(await slopes(stored).tolist());
    }
    const isGreatest = (y: MLXArray): MLXArray => y.equal(mx.max(y, -1, { keepAxes: true }));
    expect(await isGreatest(mx.tanh(x).mul(x.mul(1.3))).tolist()).toEqual(await isGreatest(stored).tolist());
  });
});
