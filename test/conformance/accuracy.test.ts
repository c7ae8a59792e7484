/** Accuracy where others fail, and the sizes that break them. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";

const inf = Number.POSITIVE_INFINITY;
const nan = Number.NaN;

/** Distance in units in the last place of float32. */
function ulps(found: number, exact: number): number {
  const wanted = Math.fround(exact);
  if (Object.is(found, wanted) || found === wanted) return 0;
  const magnitude = Math.max(Math.abs(wanted), 2 ** -126);
  return Math.abs(found - exact) / 2 ** (Math.floor(Math.log2(magnitude)) - 23);
}

async function floatsOf(x: mx.MLXArray): Promise<number[]> {
  return Array.from(await x.data(), Number);
}

async function expectWithin(
  op: (x: mx.MLXArray) => mx.MLXArray,
  exact: (x: number) => number,
  inputs: readonly number[],
  limit: number,
): Promise<void> {
  const rounded = inputs.map(Math.fround);
  const found = await floatsOf(op(mx.array(Float32Array.from(rounded))));
  let [worst, where] = [0, 0];
  rounded.forEach((input, k) => {
    const distance = ulps(found[k] ?? nan, exact(input));
    if (!(distance <= worst)) [worst, where] = [distance, input];
  });
  expect(worst, `at ${where}`).toBeLessThanOrEqual(limit);
}

/** Numbers at powers of two from `low` to `high` away from `center`, on both sides. */
function near(center: number, low: number, high: number): number[] {
  const numbers: number[] = [];
  for (let exponent = low; exponent <= high; exponent += 0.37) {
    numbers.push(center + 2 ** exponent, center - 2 ** exponent);
  }
  return numbers;
}

describe("long sums", () => {
  it("the mean of 16M times 0.1 is right within 1e-6", async () => {
    const x = mx.full([2 ** 24], 0.1);
    await mx.evaluate(x);
    expect(Math.abs(Number(await x.mean().item()) / Math.fround(0.1) - 1)).toBeLessThan(1e-6);
    expect(
      Math.abs(
        Number(
          await mx
            .full([2 ** 24], 0.1)
            .mean()
            .item(),
        ) /
          Math.fround(0.1) -
          1,
      ),
    ).toBeLessThan(1e-6);
    x.dispose();
  });

  it("the sum of 33,554,432 ones is exact", async () => {
    const x = mx.ones([2 ** 25]);
    expect(await x.sum().item()).toBe(2 ** 25);
    const stored = mx.zeros([2 ** 25], "uint8").add(mx.array(1, "uint8"));
    await mx.evaluate(stored);
    expect(await stored.asType("float32").sum().item()).toBe(2 ** 25);
    stored.dispose();
  });

  it("sums along columns and rows of many terms are right within 1e-6", async () => {
    const x = mx.full([100_003, 3], 0.1);
    await mx.evaluate(x);
    const exact = Math.fround(0.1) * 100_003;
    for (const found of await floatsOf(x.sum(0))) expect(Math.abs(found / exact - 1)).toBeLessThan(1e-6);
    for (const found of await floatsOf(x.transpose().sum(1))) expect(Math.abs(found / exact - 1)).toBeLessThan(1e-6);
  });

  it("the variance of numbers far from zero does not cancel", async () => {
    const x = mx.remainder(mx.arange(100_000), 2).add(10_000);
    expect(await mx.variance(x).item()).toBeCloseTo(0.25, 5);
  });
});

describe("functions near the points where they cancel, in float32 ulp", () => {
  it("log within 2 near 1", () => expectWithin(mx.log, Math.log, near(1, -23, -1), 2));
  it("log2 within 2.5 near 1", () => expectWithin(mx.log2, Math.log2, near(1, -23, -1), 2.5));
  it("log10 within 3 near 1", () => expectWithin(mx.log10, Math.log10, near(1, -23, -1), 3));
  it("log1p within 2 near 0", () => expectWithin(mx.log1p, Math.log1p, near(0, -120, -1), 2));
  it("expm1 within 2 near 0", () => expectWithin(mx.expm1, Math.expm1, near(0, -120, 3), 2));
  it("tanh within 2 near 0", () => expectWithin(mx.tanh, Math.tanh, near(0, -120, 4), 2));
  it("sinh within 3 near 0", () => expectWithin(mx.sinh, Math.sinh, near(0, -120, 4), 3));
  it("asinh within 4 near 0", () => expectWithin(mx.arcsinh, Math.asinh, near(0, -100, 4), 4));
  it("atanh within 4 near 0", () => expectWithin(mx.arctanh, Math.atanh, near(0, -100, -1), 4));
  it("sin within 2 near 0", () => expectWithin(mx.sin, Math.sin, near(0, -120, 2), 2));
  it("exp within 2 over its range", () =>
    expectWithin(
      mx.exp,
      Math.exp,
      Array.from({ length: 1000 }, (_, k) => -87 + k * 0.175),
      2,
    ));
  it("sigmoid within 3 where it is small", () =>
    expectWithin(mx.sigmoid, (x) => 1 / (1 + Math.exp(-x)), near(0, -10, 6.3), 3));
});

describe("integers", () => {
  it("shift arithmetically if signed and logically if not", async () => {
    const signed = mx.array([-8, -1, 2147483647, -2147483648], "int32");
    expect(await mx.rightShift(signed, 1).tolist()).toEqual([-4, -1, 1073741823, -1073741824]);
    expect(await mx.rightShift(mx.array([-128, -3, 64], "int8"), 1).tolist()).toEqual([-64, -2, 32]);
    expect(await mx.rightShift(mx.array([4294967288, 1], "uint32"), 1).tolist()).toEqual([2147483644, 0]);
    expect(await mx.leftShift(mx.array([1073741824, 3], "int32"), 1).tolist()).toEqual([-2147483648, 6]);
    expect(await mx.rightShift(mx.array([-8n, 1n << 40n], "int64"), 2).tolist()).toEqual([-2n, 1n << 38n]);
  });

  it.each([
    ["int8", 127, 1, -128],
    ["int16", 32767, 1, -32768],
    ["int32", 2147483647, 1, -2147483648],
    ["uint8", 255, 1, 0],
    ["uint16", 65535, 2, 1],
    ["uint32", 4294967295, 3, 2],
  ] as const)("wrap around: %s %i + %i", async (dtype, a, b, sum) => {
    expect(
      await mx
        .array([a], dtype)
        .add(mx.array([b], dtype))
        .tolist(),
    ).toEqual([sum]);
  });

  it("wrap around in products, sums and 64 bits", async () => {
    expect(await mx.array([65536, 46341], "int32").square().tolist()).toEqual([0, -2147479015]);
    expect(
      await mx
        .array([200, 100], "uint8")
        .mul(mx.array([2, 3], "uint8"))
        .tolist(),
    ).toEqual([144, 44]);
    expect(await mx.array([2147483647, 1], "int32").sum().item()).toBe(-2147483648);
    expect(
      await mx
        .array([9223372036854775807n], "int64")
        .add(mx.array([1n], "int64"))
        .tolist(),
    ).toEqual([-9223372036854775808n]);
    expect(
      await mx
        .array([0, 1], "uint32")
        .sub(mx.array([1, 2], "uint32"))
        .tolist(),
    ).toEqual([4294967295, 4294967295]);
  });

  it("divide and leave remainders as MLX does: rounded down, with the sign of the divisor", async () => {
    const dividend = mx.array([7, -7, 7, -7, 6, -6], "int32");
    const divisor = mx.array([2, 2, -2, -2, 3, 3], "int32");
    expect(await mx.remainder(dividend, divisor).tolist()).toEqual([1, 1, -1, -1, 0, 0]);
    expect(await mx.floorDivide(dividend, divisor).tolist()).toEqual([3, -4, -4, 3, 2, -2]);
    expect(await mx.divide(dividend, divisor).tolist()).toEqual([3.5, -3.5, -3.5, 3.5, 2, -2]);
    expect(await mx.remainder(mx.array([5.5, -5.5, 5.5, -5.5]), mx.array([2, 2, -2, -2])).tolist()).toEqual([
      1.5, 0.5, -0.5, -1.5,
    ]);
  });
});

describe("special values", () => {
  it("subnormals survive arithmetic, views, sums and products", async () => {
    const tiny = 2 ** -149;
    const x = mx.array(Float32Array.of(tiny, -tiny, 2 ** -127, 2 ** -126));
    expect(await floatsOf(x.add(x))).toEqual([2 * tiny, -2 * tiny, 2 ** -126, 2 ** -125]);
    expect(await floatsOf(x.mul(2))).toEqual([2 * tiny, -2 * tiny, 2 ** -126, 2 ** -125]);
    expect(await x.sum().item()).toBe(2 ** -127 + 2 ** -126);
    expect(await floatsOf(mx.abs(x))).toEqual([tiny, tiny, 2 ** -127, 2 ** -126]);
    expect(await floatsOf(mx.maximum(x, 0))).toEqual([tiny, 0, 2 ** -127, 2 ** -126]);
    expect(await floatsOf(mx.greater(x, 0))).toEqual([1, 0, 1, 1]);
    const product = mx
      .array(Float32Array.of(tiny, 0))
      .reshape([1, 2])
      .matmul(mx.ones([2, 3]));
    expect(await floatsOf(product)).toEqual([tiny, tiny, tiny]);
  });

  it.each([1, 3, 4, 5, 17, 100, 1000])("NaN comes through every minimum and maximum of %i", async (length) => {
    for (const place of new Set([0, length >> 1, length - 1])) {
      const values = Float32Array.from({ length }, (_, k) => (k === place ? nan : k - 3));
      const x = mx.array(values);
      const others = mx.array(Float32Array.from({ length }, (_, k) => 2 * k - 7));
      expect(await x.max().item()).toBeNaN();
      expect(await x.min().item()).toBeNaN();
      for (const pair of [mx.maximum(x, others), mx.maximum(others, x), mx.minimum(x, others), mx.minimum(others, x)]) {
        const found = await floatsOf(pair);
        expect(found[place]).toBeNaN();
        expect(found.filter(Number.isNaN)).toHaveLength(1);
      }
      const columns = mx.broadcastTo(x.reshape([length, 1]), [length, 3]).add(0);
      expect(await floatsOf(columns.max(0))).toEqual([nan, nan, nan]);
      expect(await floatsOf(columns.min(0))).toEqual([nan, nan, nan]);
      expect((await floatsOf(mx.clip(x, -1, 1)))[place]).toBeNaN();
      expect((await floatsOf(mx.softmax(x)))[place]).toBeNaN();
      expect(await mx.logSumExp(x).item()).toBeNaN();
    }
  });

  it("infinities give what IEEE says", async () => {
    const x = mx.array([inf, -inf, 0, -0, nan]);
    expect(await floatsOf(mx.exp(x))).toEqual([inf, 0, 1, 1, nan]);
    expect(await floatsOf(mx.tanh(x))).toEqual([1, -1, 0, -0, nan]);
    expect(await floatsOf(mx.log(x))).toEqual([inf, nan, -inf, -inf, nan]);
    expect(await floatsOf(mx.sqrt(x))).toEqual([inf, nan, 0, -0, nan]);
    expect(await floatsOf(x.sub(x))).toEqual([nan, nan, 0, 0, nan]);
    expect(await floatsOf(mx.reciprocal(x))).toEqual([0, -0, inf, -inf, nan]);
    expect(await mx.logSumExp(mx.array([-inf, -inf])).item()).toBe(-inf);
    expect(await mx.logSumExp(mx.array([inf, 1])).item()).toBe(inf);
  });
});
