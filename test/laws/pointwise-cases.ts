/** Law cases of the elementwise rows: where they are smooth, and what they compute by JavaScript's own functions. */
import type { Dtype } from "../../src/base/dtype.ts";
import type { LawCase } from "./laws.ts";

interface Elementwise {
  readonly domain?: readonly [number, number];
  readonly second?: readonly [number, number];
  readonly dtype?: Dtype;
  readonly params?: unknown;
  readonly noDerivative?: string;
  readonly value?: (...args: readonly number[]) => number;
}

/** The same function on a matrix, a vector, a scalar and no elements at all. */
function elementwise(count: number, options: Elementwise): LawCase[] {
  const { value, domain, second, dtype, params, noDerivative } = options;
  return [[2, 3], [5], [], [0], [2, 0, 3]].map((shape): LawCase => {
    const inputs = Array.from({ length: count }, (_, k) => ({
      shape,
      ...(dtype ? { dtype } : {}),
      domain: (k === 1 ? second : undefined) ?? domain ?? [-2, 2],
    }));
    return {
      inputs,
      ...(params === undefined ? {} : { params }),
      ...(noDerivative ? { noDerivative } : {}),
      ...(value ? { value: (...args) => (args[0] ?? []).map((_, i) => value(...args.map((arg) => arg[i] ?? 0))) } : {}),
    };
  });
}

const unary = (value: (x: number) => number, options: Elementwise = {}): LawCase[] =>
  elementwise(1, { ...options, value: (x = 0) => value(x) });
const binary = (value: (a: number, b: number) => number, options: Elementwise = {}): LawCase[] =>
  elementwise(2, { ...options, value: (a = 0, b = 0) => value(a, b) });

const jumps = "piecewise constant";
const noReals = "works on integers";
const truth = "gives truth values";

/** Law cases by the export name of the row. */
export const pointwiseCases: Readonly<Record<string, readonly LawCase[]>> = {
  addRow: binary((a, b) => a + b),
  subtractRow: binary((a, b) => a - b),
  mulRow: binary((a, b) => a * b),
  divideRow: binary((a, b) => a / b, { second: [0.5, 2] }),
  negativeRow: unary((x) => -x),
  reciprocalRow: unary((x) => 1 / x, { domain: [0.5, 2] }),
  absRow: [...unary(Math.abs, { domain: [0.1, 2] }), ...unary(Math.abs, { domain: [-2, -0.1] })],
  signRow: unary(Math.sign, { domain: [0.1, 2] }),
  squareRow: unary((x) => x * x),
  maximumRow: [
    ...binary(Math.max, { domain: [0, 1], second: [1.1, 2] }),
    ...binary(Math.max, { domain: [1.1, 2], second: [0, 1] }),
  ],
  minimumRow: [
    ...binary(Math.min, { domain: [0, 1], second: [1.1, 2] }),
    ...binary(Math.min, { domain: [1.1, 2], second: [0, 1] }),
  ],
  floorDivideRow: binary((a, b) => Math.floor(a / b), { domain: [2.1, 2.9], second: [0.99, 1.01] }),
  remainderRow: [
    ...binary((a, b) => a - Math.floor(a / b) * b, { domain: [2.1, 2.9], second: [0.99, 1.01] }),
    ...binary((a, b) => a - Math.floor(a / b) * b, { domain: [-2.9, -2.1], second: [0.99, 1.01] }),
  ],
  castRow: [
    ...unary((x) => x, { params: { dtype: "float64" } }),
    ...unary((x) => x, { dtype: "int32", params: { dtype: "float64" }, domain: [-50, 50], noDerivative: noReals }),
    ...unary(Math.trunc, { params: { dtype: "int32" }, domain: [-5, 5], noDerivative: jumps }),
    ...unary((x) => Math.trunc(x) & 0xff, { params: { dtype: "uint8" }, domain: [-999, 999], noDerivative: jumps }),
    ...unary((x) => (x << 24) >> 24, { params: { dtype: "int8" }, domain: [-999, 999], noDerivative: jumps }),
    ...unary((x) => (x << 16) >> 16, { params: { dtype: "int16" }, domain: [-5e4, 5e4], noDerivative: jumps }),
    ...unary((x) => Number(x !== 0), { dtype: "int8", params: { dtype: "bool" }, noDerivative: truth }),
  ],
  equalRow: binary((a, b) => Number(a === b), { dtype: "int32", domain: [0, 2], noDerivative: truth }),
  notEqualRow: binary((a, b) => Number(a !== b), { dtype: "int32", domain: [0, 2], noDerivative: truth }),
  lessRow: binary((a, b) => Number(a < b), { dtype: "int32", domain: [0, 2], noDerivative: truth }),
  lessEqualRow: binary((a, b) => Number(a <= b), { dtype: "int32", domain: [0, 2], noDerivative: truth }),
  greaterRow: binary((a, b) => Number(a > b), { dtype: "int32", domain: [0, 2], noDerivative: truth }),
  greaterEqualRow: binary((a, b) => Number(a >= b), { dtype: "int32", domain: [0, 2], noDerivative: truth }),
  isNaNRow: unary((x) => Number(Number.isNaN(x)), { noDerivative: truth }),
  isInfRow: unary((x) => Number(Math.abs(x) === Number.POSITIVE_INFINITY), { noDerivative: truth }),
  isFiniteRow: unary((x) => Number(Number.isFinite(x)), { noDerivative: truth }),
  isPosInfRow: unary((x) => Number(x === Number.POSITIVE_INFINITY), { noDerivative: truth }),
  isNegInfRow: unary((x) => Number(x === Number.NEGATIVE_INFINITY), { noDerivative: truth }),
  expRow: unary(Math.exp),
  expm1Row: unary(Math.expm1),
  logRow: unary(Math.log, { domain: [0.3, 3] }),
  log2Row: unary(Math.log2, { domain: [0.3, 3] }),
  log10Row: unary(Math.log10, { domain: [0.3, 3] }),
  log1pRow: unary(Math.log1p, { domain: [-0.7, 3] }),
  sqrtRow: unary(Math.sqrt, { domain: [0.3, 3] }),
  rsqrtRow: unary((x) => 1 / Math.sqrt(x), { domain: [0.3, 3] }),
  sigmoidRow: unary((x) => 1 / (1 + Math.exp(-x))),
  erfRow: unary(erfByIntegration),
  erfinvRow: elementwise(1, { domain: [-0.9, 0.9] }),
  powerRow: binary((a, b) => a ** b, { domain: [0.5, 2], second: [-2, 2] }),
  logAddExpRow: binary((a, b) => Math.log(Math.exp(a) + Math.exp(b))),
  sinRow: unary(Math.sin),
  cosRow: unary(Math.cos),
  tanRow: unary(Math.tan, { domain: [-1, 1] }),
  arcsinRow: unary(Math.asin, { domain: [-0.8, 0.8] }),
  arccosRow: unary(Math.acos, { domain: [-0.8, 0.8] }),
  arctanRow: unary(Math.atan),
  sinhRow: unary(Math.sinh),
  coshRow: unary(Math.cosh),
  tanhRow: unary(Math.tanh),
  arcsinhRow: unary(Math.asinh),
  arccoshRow: unary(Math.acosh, { domain: [1.3, 3] }),
  arctanhRow: unary(Math.atanh, { domain: [-0.8, 0.8] }),
  arctan2Row: binary(Math.atan2, { domain: [0.3, 2] }),
  bitwiseAndRow: binary((a, b) => a & b, { dtype: "int32", domain: [-99, 99], noDerivative: noReals }),
  bitwiseOrRow: binary((a, b) => a | b, { dtype: "int32", domain: [-99, 99], noDerivative: noReals }),
  bitwiseXorRow: binary((a, b) => a ^ b, { dtype: "int32", domain: [-99, 99], noDerivative: noReals }),
  leftShiftRow: binary((a, b) => a << b, { dtype: "int32", domain: [-99, 99], second: [0, 9], noDerivative: noReals }),
  rightShiftRow: binary((a, b) => a >> b, { dtype: "int32", domain: [-99, 99], second: [0, 9], noDerivative: noReals }),
  bitwiseInvertRow: unary((x) => ~x, { dtype: "int32", domain: [-99, 99], noDerivative: noReals }),
  floorRow: unary(Math.floor, { domain: [1.1, 1.9] }),
  ceilRow: unary(Math.ceil, { domain: [1.1, 1.9] }),
  roundRow: unary(Math.round, { domain: [1.6, 1.9] }),
  truncRow: unary(Math.trunc, { domain: [-1.9, -1.1] }),
  stopGradientRow: unary((x) => x, { noDerivative: "it stops the gradient" }),
  whereRow: [
    {
      inputs: [{ shape: [2, 3], dtype: "bool" }, { shape: [2, 3] }, { shape: [2, 3] }],
      value: (holds = [], a = [], b = []) => holds.map((yes, k) => (yes ? (a[k] ?? 0) : (b[k] ?? 0))),
    },
    { inputs: [{ shape: [0], dtype: "bool" }, { shape: [0] }, { shape: [0] }] },
  ],
};

/** The error function by Simpson's rule. */
function erfByIntegration(x: number): number {
  const steps = 2000;
  const width = x / steps;
  let total = 0;
  for (let k = 0; k <= steps; k++) {
    const weight = k === 0 || k === steps ? 1 : k % 2 === 1 ? 4 : 2;
    total += weight * Math.exp(-((k * width) ** 2));
  }
  return ((2 / Math.sqrt(Math.PI)) * total * width) / 3;
}
