/**
 * How far our values may be from MLX's, in units in the last place. What is not listed is exact, bit for bit
 * (any NaN stands for any other, and a zero has its sign).
 *
 * MLX is approximate itself: on the CPU its exp is 15 units off near 18 and infinite from 88.04, its erf keeps an absolute
 * error of 3e-8. Where it is off the truth the recorder writes the true value too, and each element must be as
 * near as stated here to one of the two.
 */
import type { Dtype } from "../../src/base/dtype.ts";

interface Tolerance {
  readonly float32: number;
  readonly float64: number;
  /** float16 and bfloat16: computed in float32 and rounded once. */
  readonly half: number;
}

const rounded: Tolerance = { float32: 1, float64: 1, half: 0 };
const transcendental: Tolerance = { float32: 2, float64: 2, half: 1 };
const reduced: Tolerance = { float32: 4, float64: 4, half: 1 };
const drawn: Tolerance = { float32: 4, float64: 4, half: 0 };

/** Units in the last place by function name. */
const tolerances: Readonly<Record<string, Tolerance>> = {
  exp: transcendental,
  expm1: transcendental,
  log: transcendental,
  log2: transcendental,
  log10: transcendental,
  log1p: transcendental,
  sin: transcendental,
  cos: transcendental,
  tan: transcendental,
  sinh: transcendental,
  cosh: transcendental,
  tanh: transcendental,
  arcsin: transcendental,
  arccos: transcendental,
  arctan: transcendental,
  arcsinh: transcendental,
  arccosh: transcendental,
  arctanh: transcendental,
  asin: transcendental,
  acos: transcendental,
  atan: transcendental,
  asinh: transcendental,
  acosh: transcendental,
  atanh: transcendental,
  erf: transcendental,
  erfinv: transcendental,
  sigmoid: transcendental,
  power: transcendental,
  pow: transcendental,
  arctan2: transcendental,
  atan2: transcendental,
  logAddExp: transcendental,
  // One rounding, or a rounding that MLX does in another order.
  rsqrt: rounded,
  degrees: rounded,
  radians: rounded,
  linspace: transcendental,
  arange: rounded,
  // The sums below are exact in any order (recorder/samples.py), the roots, logarithms and quotients are not.
  mean: { float32: 1, float64: 1, half: 1 },
  prod: reduced,
  variance: reduced,
  std: reduced,
  softmax: reduced,
  logSumExp: reduced,
  logCumsumExp: reduced,
  // Uniform numbers are exact; these transform them by erfinv or logarithms, rounded to a half where MLX rounds.
  "random.normal": drawn,
  "random.truncatedNormal": drawn,
  "random.gumbel": drawn,
  "random.laplace": drawn,
};

/** Units in the last place that `name` may be off in `dtype`. */
export function ulpOf(name: string, dtype: Dtype): number {
  const tolerance = tolerances[name];
  if (tolerance === undefined) return 0;
  if (dtype === "float32" || dtype === "float64") return tolerance[dtype];
  return dtype === "float16" || dtype === "bfloat16" ? tolerance.half : 0;
}

/** Functions for which 0 and -0 are equal, so that either may come out: MLX keeps the one it met first, IEEE 754 orders them. */
export const zerosAreEqual: ReadonlySet<string> = new Set([
  "maximum",
  "minimum",
  "max",
  "min",
  "cummax",
  "cummin",
  "clip",
  "sort",
  "median",
  "at.maximum",
  "at.minimum",
]);
