/** The errors of the GPU's own functions of float32, in units in the last place, over all sizes of numbers. */
import { describe, expect, it } from "vitest";
import { emitLoops } from "../../src/backends/webgpu/loop-kernel.ts";
import type { Expr, Expressions } from "../../src/ir/expr.ts";
import type { BinaryOp, UnaryOp } from "../../src/ir/instruction.ts";
import { numberBinary, numberUnary } from "../../src/ir/scalar-arithmetic.ts";
import { errorOf, wordsFrom } from "../setup/float-errors.ts";
import { testDevice } from "../setup/gpu-device.ts";
import { elementwiseKernel } from "./elementwise-kernel.ts";
import { runKernel } from "./run-kernel.ts";

/** Samples of one kind. */
const sampleCount = 8192;
const size = 3 * sampleCount;

/** The results for pairs of operands. */
async function run(
  build: (e: Expressions, x: Expr, y: Expr) => Expr,
  x: Float32Array,
  y: Float32Array,
): Promise<Float32Array> {
  const kernel = elementwiseKernel(size, "float32", (e, a, b) => [build(e, a, b)]);
  const { target } = await testDevice();
  const results = new Float32Array(size);
  await runKernel(emitLoops(kernel, target), kernel, [x, y, results]);
  return results;
}

function worstOf(
  name: string,
  results: Float32Array,
  x: Float32Array,
  y: Float32Array,
  exact: (x: number, y: number) => number,
  leastResult: number,
): { readonly error: number; readonly at: string } {
  let worst = { error: 0, at: "" };
  results.forEach((is, k) => {
    const [a = 0, b = 0] = [x[k], y[k]];
    if (isTiny(a) || isTiny(b)) return;
    const wanted = exact(a, b);
    if (isTiny(wanted, leastResult)) return;
    const error = errorOf(is, wanted);
    if (error > worst.error) worst = { error, at: `${name}(${a}, ${b}) = ${is}, not ${wanted}` };
  });
  return worst;
}

/** What lies near the smallest normal numbers: a GPU may take numbers below those for 0, also on the way to a result. */
function isTiny(x: number, least: number = 2 ** -70): boolean {
  return x !== 0 && Math.abs(x) < least;
}

/** Every kind of float32; sizes from 2^-24 to 2^8; the given range evenly. */
function samples(low: number, high: number, seed: number): Float32Array {
  const values = new Float32Array(size);
  const bits = new Uint32Array(values.buffer);
  const random = wordsFrom(seed);
  for (let k = 0; k < sampleCount; k++) {
    bits[k] = random();
    values[sampleCount + k] = 2 ** ((random() / 2 ** 32) * 32 - 24) * (random() & 64 ? -1 : 1);
    values[2 * sampleCount + k] = low + (random() / 2 ** 32) * (high - low);
  }
  values.set([Number.NaN, Infinity, -Infinity, 0, -0, 1, -1]);
  return values;
}

/** Bounds in units in the last place, and the range sampled evenly. */
const unaryBounds: readonly [op: UnaryOp, bound: number, low: number, high: number][] = [
  ["sqrt", 0.51, 0, 4],
  ["rsqrt", 1.5, 0, 4],
  ["exp", 1.2, -87, 89],
  ["expm1", 1.3, -20, 89],
  ["log", 1.1, 0, 4],
  ["log1p", 1.5, -1, 4],
  ["log2", 1.7, 0, 4],
  ["log10", 1.4, 0, 4],
  ["sin", 1.6, -1e4, 1e4],
  ["cos", 1.6, -1e4, 1e4],
  ["tan", 2.4, -1e4, 1e4],
  ["asin", 1.4, -1, 1],
  ["acos", 1.4, -1, 1],
  ["atan", 1.6, -4, 4],
  ["sinh", 1.7, -4, 4],
  ["cosh", 1.7, -4, 4],
  ["tanh", 2, -4, 4],
  ["asinh", 0.9, -4, 4],
  ["acosh", 0.9, 1, 4],
  ["atanh", 1.1, -1, 1],
  ["sigmoid", 2, -87, 30],
  ["erf", 1.4, -4, 4],
  ["erfinv", 2.4, -1, 1],
];

describe("functions of one number", () => {
  it.each(unaryBounds)("%s is within %d ulp", async (op, bound, low, high) => {
    const x = samples(low, high, 20240229);
    const results = await run((e, a) => e.unary(op, a), x, x);
    const { error, at } = worstOf(op, results, x, x, numberUnary(op, "float64"), 2 ** -125);
    expect(error, at).toBeLessThanOrEqual(bound);
    // 0 keeps its sign where the function is odd, and so does what is infinite.
    const exact = numberUnary(op, "float64");
    for (const k of [1, 2, 3, 4]) {
      const wanted = exact(x[k] ?? 0);
      if (wanted === 0 || !Number.isFinite(wanted)) expect(results[k], `${op}(${x[k]})`).toBe(wanted);
    }
  });
});

const binaryBounds: readonly [op: BinaryOp, bound: number][] = [
  ["div", 0.51],
  ["pow", 1.5],
  ["atan2", 2],
  ["remainder", 0.5],
];

describe("functions of two numbers", () => {
  it.each(binaryBounds)("%s is within %d ulp", async (op, bound) => {
    const x = samples(-10, 10, 1729);
    const y = samples(-10, 10, 4711);
    // Some bases near 1 with large exponents, some whole exponents.
    for (let k = 0; k < sampleCount; k += 4) {
      x[k + sampleCount] = 1 + (x[k + 2 * sampleCount] ?? 0) / 80;
      y[k + sampleCount] = (y[k + 2 * sampleCount] ?? 0) * 150;
      y[k + 2 * sampleCount] = Math.round(y[k + 2 * sampleCount] ?? 0);
    }
    const results = await run((e, a, b) => e.binary(op, a, b), x, y);
    const { error, at } = worstOf(op, results, x, y, numberBinary(op, "float64"), 2 ** -70);
    expect(error, at).toBeLessThanOrEqual(bound);
  });

  it("pow and atan2 have C99's special values", async () => {
    const values = [0, 1, 0.5, 2, 3, 2.5, 16777215, 16777216, 3e38, Infinity].flatMap((v) => [v, -v]);
    values.push(Number.NaN);
    const x = new Float32Array(size).fill(1);
    const y = new Float32Array(size).fill(1);
    values.forEach((a, i) => {
      values.forEach((b, j) => {
        x[i * values.length + j] = a;
        y[i * values.length + j] = b;
      });
    });
    for (const op of ["pow", "atan2"] as const) {
      const results = await run((e, a, b) => e.binary(op, a, b), x, y);
      const exact = numberBinary(op, "float64");
      results.subarray(0, values.length ** 2).forEach((is, k) => {
        const wanted = exact(x[k] ?? 0, y[k] ?? 0);
        const message = `${op}(${x[k]}, ${y[k]})`;
        if (wanted === 0 || !Number.isFinite(wanted)) expect(is, message).toBe(wanted);
        else if (!isTiny(wanted)) expect(errorOf(is, wanted), message).toBeLessThanOrEqual(2);
      });
    }
  });
});

it("what IEEE 754 says of infinities and NaN holds through sums and products", async () => {
  const x = new Float32Array(size).fill(1);
  x.set([Infinity, -Infinity, 0, -0, Number.NaN]);
  const difference = await run((e, a) => e.sub(a, a), x, x);
  expect([...difference.subarray(0, 5)]).toEqual([Number.NaN, Number.NaN, 0, 0, Number.NaN]);
  const nothing = await run((e, a) => e.mul(a, e.constant(0, "float32")), x, x);
  expect([...nothing.subarray(0, 5)].map(Number.isNaN)).toEqual([true, true, false, false, true]);
});
