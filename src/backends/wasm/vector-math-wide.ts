/** float32 functions that need float64 inside, two lanes at a time: pow, asinh, acosh, atanh. */

import type { FunctionBuilder } from "./assembler.ts";
import { VectorScope, type VectorTarget } from "./vector-math-scope.ts";

const MANTISSA_BITS = 0xfffffffffffffn;
const SQRT_HALF_BITS = 0x3fe6a09e667f3bcdn;
const ONE_BITS = 0x3ff0000000000000n;
/** 2⁵² as a float64: its low bits count in ones. */
const COUNTER = 2 ** 52;
const COUNTER_BITS = 0x4330000000000000n;
const EXPONENT_BIAS = 1023;
const FLOAT32_INFINITY_BITS = 0x7f800000;

/** log₂((1 + s) / (1 - s)) / s in s² for the ratio in [√½, √2]: 2^-36. */
const LOG2_SERIES = [
  0.34073010367073187, 0.41167271890209184, 0.5770835849736187, 0.9617966733416874, 2.8853900817900864,
];
/** 2ʳ on |r| ≤ 1/2: 2^-28.5. */
const EXP2_SERIES = [
  0.0001559475747914327, 0.0013406674452192324, 0.009617692610146673, 0.055503104669710535, 0.2402265278549021,
  0.6931472150113558, 1,
];

/** log₂ of two positive float64, with a relative error of 2^-35 also near 1. What 0, infinity and NaN give is finite. */
function log2Wide(w: VectorScope, x: number): number {
  const offset = w.op("i64x2.add", x, w.bits64(ONE_BITS - SQRT_HALF_BITS));
  const counted = w.or(w.shift("i64x2.shr_u", offset, 52), w.bits64(COUNTER_BITS));
  const exponent = w.subtract(counted, w.splat(COUNTER + EXPONENT_BIAS));
  const mantissa = w.op("i64x2.add", w.and(offset, w.bits64(MANTISSA_BITS)), w.bits64(SQRT_HALF_BITS)); // in [√½, √2)
  const one = w.splat(1);
  const s = w.divide(w.subtract(mantissa, one), w.add(mantissa, one));
  return w.multiplyAdd(s, w.polynomial(w.multiply(s, s), LOG2_SERIES), exponent);
}

/** 2 to the power of two float64, as values that overflow and underflow float32 where they should. */
function exp2Wide(w: VectorScope, x: number): number {
  const clamped = w.atLeast(w.atMost(x, 200), -200);
  const rounder = w.splat(1.5 * COUNTER + EXPONENT_BIAS);
  const shifted = w.add(clamped, rounder);
  const rest = w.subtract(clamped, w.subtract(shifted, rounder));
  return w.multiply(w.polynomial(rest, EXP2_SERIES), w.shift("i64x2.shl", shifted, 52));
}

/** Applies a float64 function to four float32. */
function throughWide(v: VectorScope, x: number, apply: (w: VectorScope, x: number) => number): number {
  const w = v.wide();
  const [low, high] = v.widen(x);
  return v.narrow(apply(w, low), apply(w, high));
}

/** x to the power y, with the special values of C99. Within 0.6 ulp, subnormal results included. */
export function emitPow(f: FunctionBuilder, x: number, y: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const w = v.wide();
  const zero = v.splat(0);
  const infinity = v.bits(FLOAT32_INFINITY_BITS);
  const size = v.absolute(x);
  const finiteY = v.atLeast(v.atMost(y, 1e30), -1e30); // so that 1 to ±∞ comes out as 1
  const [lowX, highX] = v.widen(size);
  const [lowY, highY] = v.widen(finiteY);
  const low = exp2Wide(w, w.multiply(lowY, log2Wide(w, lowX)));
  const high = exp2Wide(w, w.multiply(highY, log2Wide(w, highX)));
  const regular = v.narrow(low, high);

  // A base of 0 or ∞ stays, or is exchanged for the other where y is negative.
  const isEnd = v.or(v.compare(size, "eq", zero), v.compare(size, "eq", infinity));
  const end = v.op("v128.xor", size, v.and(v.compare(y, "lt", zero), infinity));
  const positive = v.select(isEnd, end, regular);

  // A negative base needs a whole exponent, and passes its sign on if that is odd.
  const isWhole = v.compare(v.op("f32x4.trunc", y), "eq", y);
  const half = v.multiply(y, v.splat(0.5));
  const isOdd = v.and(isWhole, v.compare(v.op("f32x4.trunc", half), "ne", half));
  const signed = v.or(positive, v.signOf(v.and(x, isOdd)));
  const isFiniteNegative = v.and(v.compare(x, "lt", zero), v.compare(size, "lt", infinity));
  const isInvalid = v.op("v128.andnot", isFiniteNegative, isWhole);
  const isUnordered = v.or(v.compare(x, "ne", x), v.compare(y, "ne", y));
  const result = v.or(signed, v.or(isInvalid, isUnordered)); // all bits set are a NaN

  const isOne = v.or(v.compare(x, "eq", v.splat(1)), v.compare(y, "eq", zero));
  return v.end(v.select(isOne, v.splat(1), result));
}

/** Below this size asinh x and atanh x are x to within 0.2 ulp. */
const ODD_TINY = 2 ** -12;

/** Inverse hyperbolic sine. Within 0.8 ulp. */
export function emitAsinh(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const size = v.absolute(x);
  const regular = throughWide(v, size, (w, a) => {
    const sum = w.add(a, w.squareRoot(w.multiplyAdd(a, a, w.splat(1))));
    return w.multiply(log2Wide(w, sum), w.splat(Math.LN2));
  });
  const isTiny = v.compare(size, "lt", v.splat(ODD_TINY));
  const isBounded = v.compare(size, "lt", v.splat(Number.POSITIVE_INFINITY));
  const result = v.select(v.op("v128.andnot", isBounded, isTiny), regular, size);
  return v.end(v.or(result, v.signOf(x)));
}

/** Inverse hyperbolic cosine; NaN below 1. Within 0.6 ulp. */
export function emitAcosh(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const regular = throughWide(v, x, (w, a) => {
    const sum = w.add(a, w.squareRoot(w.subtract(w.multiply(a, a), w.splat(1))));
    return w.multiply(log2Wide(w, sum), w.splat(Math.LN2));
  });
  const isBounded = v.compare(x, "lt", v.splat(Number.POSITIVE_INFINITY));
  const result = v.select(isBounded, regular, x);
  return v.end(v.or(result, v.compare(x, "lt", v.splat(1))));
}

/** Inverse hyperbolic tangent; ±∞ at ±1, NaN beyond. Within 0.8 ulp. */
export function emitAtanh(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const size = v.absolute(x);
  const one = v.splat(1);
  const regular = throughWide(v, size, (w, a) => {
    const ratio = w.divide(w.add(w.splat(1), a), w.subtract(w.splat(1), a));
    return w.multiply(log2Wide(w, ratio), w.splat(Math.LN2 / 2));
  });
  const atOne = v.and(v.compare(size, "eq", one), v.bits(FLOAT32_INFINITY_BITS));
  const isTiny = v.compare(size, "lt", v.splat(ODD_TINY));
  const result = v.select(isTiny, size, v.or(v.op("v128.andnot", regular, v.compare(size, "eq", one)), atOne));
  const isInside = v.compare(size, "le", one);
  return v.end(v.or(v.or(result, v.signOf(x)), v.op("v128.not", isInside)));
}
