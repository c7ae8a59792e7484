/** float32 logarithms four lanes at a time: log, log2, log10, log1p. */

import type { FunctionBuilder } from "./assembler.ts";
import { VectorScope, type VectorTarget } from "./vector-math-scope.ts";

/** ln 2 in two parts; the product of the first and a whole number below 2⁸ is exact. */
const LN2_HIGH = 0.69314575;
const LN2_LOW = 1.4286068e-6;
/** log₁₀ 2 in two parts, likewise. */
const LOG10_2_HIGH = 0.3010254;
const LOG10_2_LOW = 4.605039e-6;

/** The bits of √½ rounded down: a mantissa in [√½, √2) has its bits from there. */
const SQRT_HALF_BITS = 0x3f3504f3;
const ONE_BITS = 0x3f800000;
const SMALLEST_NORMAL = 2 ** -126;

/** (ln(1 + f) - f + f²/2) / f³ for 1 + f in [√½, √2], minimax against ln(1 + f): 2^-27.3. */
const LOG_TAIL = [-0.0764197, 0.12766443, -0.13159491, 0.14200948, -0.16623335, 0.20001261, -0.25000823, 0.3333333];

/** x = 2ᵏ · m with m in [√½, √2): k as an integer and as a float, and m. */
interface Decomposed {
  readonly integer: number;
  readonly exponent: number;
  readonly mantissa: number;
}

/** Splits a positive normal x. */
function decompose(v: VectorScope, x: number): Decomposed {
  const offset = v.op("i32x4.sub", x, v.bits(SQRT_HALF_BITS));
  const integer = v.shift("i32x4.shr_s", offset, 23);
  const mantissa = v.op("i32x4.sub", x, v.shift("i32x4.shl", integer, 23));
  return { integer, exponent: v.op("f32x4.convert_i32x4_s", integer), mantissa };
}

/** Splits a positive x that may be subnormal; `integer` is left out. */
function decomposeAny(v: VectorScope, x: number): Omit<Decomposed, "integer"> {
  const isSubnormal = v.compare(x, "lt", v.splat(SMALLEST_NORMAL));
  const scaled = v.select(isSubnormal, v.multiply(x, v.splat(2 ** 24)), x);
  const { exponent, mantissa } = decompose(v, scaled);
  return { exponent: v.subtract(exponent, v.and(isSubnormal, v.splat(24))), mantissa };
}

/** ln(1 + f) - f = f³ · tail(f) - f²/2. */
function logarithmTail(v: VectorScope, f: number): number {
  const square = v.multiply(f, f);
  const cubic = v.multiply(v.multiply(square, f), v.polynomial(f, LOG_TAIL));
  return v.subtractProduct(cubic, square, v.splat(0.5));
}

/** Puts the values at the ends of a logarithm's domain: +∞ and NaN as they come, -∞ at 0, NaN below. */
function withLogarithmEnds(v: VectorScope, result: number, x: number): number {
  const finite = v.select(v.compare(x, "lt", v.splat(Number.POSITIVE_INFINITY)), result, x);
  const zero = v.splat(0);
  const atZero = v.and(v.compare(x, "eq", zero), v.splat(Number.NEGATIVE_INFINITY));
  return v.or(v.add(finite, atZero), v.compare(x, "lt", zero));
}

/** exponent · ln 2 + ln(1 + fraction) */
function naturalLogarithm(v: VectorScope, exponent: number, fraction: number): number {
  const tail = v.multiplyAdd(exponent, v.splat(LN2_LOW), logarithmTail(v, fraction));
  return v.multiplyAdd(exponent, v.splat(LN2_HIGH), v.add(fraction, tail));
}

/** Natural logarithm of a positive normal x, for use within other functions. What 0 and negative x give is finite. */
export function logarithmOf(v: VectorScope, x: number): number {
  const { exponent, mantissa } = decompose(v, x);
  return naturalLogarithm(v, exponent, v.subtract(mantissa, v.splat(1)));
}

/** Natural logarithm. Within 1.0 ulp. Scheme of Cephes' logf: exponent, then a polynomial around 1. */
export function emitLog(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const { exponent, mantissa } = decomposeAny(v, x);
  const result = naturalLogarithm(v, exponent, v.subtract(mantissa, v.splat(1)));
  return v.end(withLogarithmEnds(v, result, x));
}

/** Logarithm to the base 2, exact at powers of 2. Within 1.6 ulp. */
export function emitLog2(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const { exponent, mantissa } = decomposeAny(v, x);
  const fraction = v.subtract(mantissa, v.splat(1));
  const tail = logarithmTail(v, fraction);
  // (fraction + tail) · (1 + c), the small products first
  const c = v.splat(Math.LOG2E - 1);
  const small = v.add(v.multiplyAdd(fraction, c, v.multiply(tail, c)), tail);
  return v.end(withLogarithmEnds(v, v.add(v.add(small, fraction), exponent), x));
}

/** Logarithm to the base 10. Within 1.2 ulp. */
export function emitLog10(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const { exponent, mantissa } = decomposeAny(v, x);
  const fraction = v.subtract(mantissa, v.splat(1));
  const tail = logarithmTail(v, fraction);
  const low = v.multiplyAdd(exponent, v.splat(LOG10_2_LOW), v.multiply(tail, v.splat(Math.LOG10E)));
  // log₁₀ e · fraction in two products, of which the larger is exact
  const small = v.multiplyAdd(fraction, v.splat(Math.LOG10E - 0.5), low);
  const sum = v.multiplyAdd(fraction, v.splat(0.5), small);
  return v.end(withLogarithmEnds(v, v.multiplyAdd(exponent, v.splat(LOG10_2_HIGH), sum), x));
}

/** log(1 + x), accurate near 0. Within 1.5 ulp. Correction of the rounded sum as in fdlibm's log1p. */
export function emitLog1p(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const one = v.splat(1);
  const sum = v.add(x, one);
  const lost = v.subtract(x, v.subtract(sum, one)); // 1 + x = sum + lost
  const { integer, exponent, mantissa } = decompose(v, sum);
  // lost · 2⁻ᵏ, through 2¹⁻ᵏ so that k = 128 has an exponent
  const scale = v.op("i32x4.sub", v.bits(ONE_BITS + (1 << 23)), v.shift("i32x4.shl", integer, 23));
  const fraction = v.multiplyAdd(v.multiply(lost, v.splat(0.5)), scale, v.subtract(mantissa, one));
  const result = naturalLogarithm(v, exponent, fraction);
  const finite = v.op("f32x4.pmax", v.splat(-20), result); // NaN where 1 + x is 0 or too large; gives way to -20
  const isTiny = v.compare(v.absolute(x), "lt", v.splat(2 ** -25)); // keeps -0 and subnormals
  return v.end(v.select(isTiny, x, withLogarithmEnds(v, finite, sum)));
}
