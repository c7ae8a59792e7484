/** float32 exponentials four lanes at a time: exp, expm1, sigmoid, tanh, sinh, cosh, erf. */

import type { FunctionBuilder } from "./assembler.ts";
import { VectorScope, type VectorTarget } from "./vector-math-scope.ts";

const LOG2_E = Math.LOG2E;
/** ln 2 in two parts; the product of the first and a whole number below 2¹⁰ is exact. */
const LN2_HIGH = 0.69311523;
const LN2_LOW = 3.1946183e-5;

/** Adding 1.5 · 2²³ rounds a small float to a whole number, which then stands in the low bits of the sum. */
const ROUNDER = 12582912;
/** An exponent of zero, as a float's exponent field holds it. */
const EXPONENT_BIAS = 127;

/** (eʳ - 1 - r) / r² on |r| ≤ ln 2 / 2, minimax against eʳ: 2^-28.2. */
const EXP_TAIL = [0.0013838003, 0.0083691655, 0.041668102, 0.16666517, 0.49999994];

/** (eʳ - 1 - r) / r² on |r| ≤ ln 2 / 2, minimax against eʳ - 1: 2^-31. */
const EXPM1_TAIL = [0.00019662893, 0.0013935051, 0.008333644, 0.041666467, 0.16666666, 0.5];

/** Where tanh x = 1/2, above which 1 - 2 / (e^(2|x|) + 1) loses no digits. */
const TANH_BOUND = 0.5493;
/** (tanh x - x) / x³ in x² below that bound: 2^-24.7. */
const TANH_SMALL = [0.01644756, -0.05267691, 0.13320802, -0.3333295];

/** (sinh x - x) / x³ in x² on |x| ≤ 1: 2^-25.3. */
const SINH_SMALL = [0.0002037334, 0.008330271, 0.16666716];

/** Where the two forms of erf meet. */
const ERF_BOUND = 0.925;
/** erf x / x - 1 in x² below that bound: 2^-25.8. */
const ERF_SMALL = [-0.0005958978, 0.004987253, -0.026762916, 0.1128173, -0.3761249, 0.12837915];
/** -log(1 - erf x) / x - 1 from that bound to 3.95, minimax against erf: 2^-28.3. */
const ERF_LARGE = [-0.00021399117, 0.003214991, -0.022890039, 0.105261914, 0.6357183, 0.12851436];

interface Reduced {
  /** n + bias in its low bits. */
  readonly exponent: number;
  /** x - n · ln 2, at most ln 2 / 2 in size. */
  readonly rest: number;
}

/** Writes x as n · ln 2 + rest with a whole n. Cody and Waite 1980. */
function reduce(v: VectorScope, x: number, bias: number): Reduced {
  const rounder = v.splat(ROUNDER + bias);
  const exponent = v.multiplyAdd(x, v.splat(LOG2_E), rounder);
  const n = v.subtract(exponent, rounder);
  const high = v.subtractProduct(x, n, v.splat(LN2_HIGH));
  return { exponent, rest: v.subtractProduct(high, n, v.splat(LN2_LOW)) };
}

/** e^rest - 1 = rest + rest² · tail(rest), accurate to the size of e^rest. */
function exponentialMinusOne(v: VectorScope, rest: number): number {
  return v.multiplyAdd(v.multiply(rest, rest), v.polynomial(rest, EXP_TAIL), rest);
}

/** 2^(low bits): the exponent field of a float. */
function powerOfTwo(v: VectorScope, exponent: number): number {
  return v.shift("i32x4.shl", exponent, 23);
}

/** eˣ. Within 1.1 ulp, subnormal results included. */
export function emitExp(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const clamped = v.atLeast(v.atMost(x, 89), -104);
  const { exponent, rest } = reduce(v, clamped, 2 * EXPONENT_BIAS);
  // 2ⁿ in two factors: n reaches from -150 to 128.
  const half = v.shift("i32x4.shr_u", exponent, 1);
  const otherHalf = v.op("i32x4.sub", exponent, half);
  const factor = powerOfTwo(v, half);
  const scaled = v.multiplyAdd(exponentialMinusOne(v, rest), factor, factor);
  return v.end(v.multiply(scaled, powerOfTwo(v, otherHalf)));
}

/** eˣ - 1. Within 1.3 ulp. */
export function emitExpm1(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const clamped = v.atLeast(v.atMost(x, 89), -20);
  // Half of the result, so that 2ⁿ⁻¹ is finite for n = 128: (s - 1/2) + s · rest + s · rest² · tail, s = 2ⁿ⁻¹.
  const { exponent, rest } = reduce(v, clamped, EXPONENT_BIAS - 1);
  const s = powerOfTwo(v, exponent);
  const tail = v.multiply(v.multiply(rest, rest), v.polynomial(rest, EXPM1_TAIL));
  const leading = v.multiplyAdd(s, rest, v.subtract(s, v.splat(0.5)));
  const half = v.multiplyAdd(s, tail, leading);
  const isTiny = v.compare(v.absolute(x), "lt", v.splat(2 ** -25)); // keeps -0 and subnormals
  return v.end(v.select(isTiny, x, v.add(half, half)));
}

/** 1 / (1 + e⁻ˣ). Within 2 ulp, subnormal results included. */
export function emitSigmoid(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  // Everything is scaled by 2^-64, so that neither end overflows: e¹⁰⁴ · 2^-64 is 2⁸⁶.
  const negated = v.negative(v.atLeast(v.atMost(x, 30), -104));
  const { exponent, rest } = reduce(v, negated, EXPONENT_BIAS - 64);
  const s = powerOfTwo(v, exponent);
  const one = v.splat(2 ** -64);
  const leading = v.add(one, s);
  const lost = v.subtract(one, v.subtract(leading, s)); // what the sum dropped of the one
  const denominator = v.add(leading, v.multiplyAdd(s, exponentialMinusOne(v, rest), lost));
  return v.end(v.divide(one, denominator));
}

/** tanh x = x + x³ · P(x²) for small x, 1 - 2 / (e^(2|x|) + 1) for others. Within 1.5 ulp. */
export function emitTanh(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const size = v.absolute(x);
  const { exponent, rest } = reduce(v, v.multiply(v.atMost(size, 10), v.splat(2)), EXPONENT_BIAS);
  const s = powerOfTwo(v, exponent);
  const denominator = v.multiplyAdd(s, exponentialMinusOne(v, rest), v.add(s, v.splat(1)));
  const large = v.subtract(v.splat(1), v.divide(v.splat(2), denominator));
  const square = v.multiply(x, x);
  const small = v.multiplyAdd(v.multiply(square, size), v.horner(square, TANH_SMALL), size);
  const isSmall = v.compare(size, "lt", v.splat(TANH_BOUND));
  return v.end(v.or(v.select(isSmall, small, large), v.signOf(x)));
}

/** e^|x| / 4, which is finite wherever sinh and cosh are. */
function quarterExponential(v: VectorScope, size: number): number {
  const { exponent, rest } = reduce(v, v.atMost(size, 89.5), EXPONENT_BIAS - 2);
  const s = powerOfTwo(v, exponent);
  return v.multiplyAdd(s, exponentialMinusOne(v, rest), s);
}

/** cosh x = (e^|x| + e^-|x|) / 2. Within 1.6 ulp. */
export function emitCosh(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const quarter = quarterExponential(v, v.absolute(x));
  const half = v.add(quarter, v.divide(v.splat(1 / 16), quarter));
  return v.end(v.add(half, half));
}

/** sinh x = x + x³ · P(x²) below 1, (e^|x| - e^-|x|) / 2 above. Within 1.7 ulp. */
export function emitSinh(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const size = v.absolute(x);
  const quarter = quarterExponential(v, size);
  const half = v.subtract(quarter, v.divide(v.splat(1 / 16), quarter));
  const square = v.multiply(x, x);
  const small = v.multiplyAdd(v.multiply(square, size), v.horner(square, SINH_SMALL), size);
  const isSmall = v.compare(size, "lt", v.splat(1));
  return v.end(v.or(v.select(isSmall, small, v.add(half, half)), v.signOf(x)));
}

/** erf x = x + x · P(x²) for small x, 1 - e^-(|x| + |x| · Q(|x|)) for others. Within 1.3 ulp. */
export function emitErf(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const size = v.atMost(v.absolute(x), 4); // erf 4 rounds to 1
  const power = v.multiplyAdd(size, v.polynomial(size, ERF_LARGE), size);
  const { exponent, rest } = reduce(v, v.negative(power), EXPONENT_BIAS);
  const s = powerOfTwo(v, exponent);
  const large = v.subtractProduct(v.subtract(v.splat(1), s), s, exponentialMinusOne(v, rest));
  const square = v.multiply(size, size);
  const small = v.multiplyAdd(size, v.polynomial(square, ERF_SMALL), size);
  const isSmall = v.compare(size, "lt", v.splat(ERF_BOUND));
  return v.end(v.or(v.select(isSmall, small, large), v.signOf(x)));
}
