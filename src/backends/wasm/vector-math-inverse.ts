/** float32 inverse functions four lanes at a time: asin, acos, atan, atan2, erfinv. */

import type { FunctionBuilder } from "./assembler.ts";
import { logarithmOf } from "./vector-math-logarithm.ts";
import { VectorScope, type VectorTarget } from "./vector-math-scope.ts";

/** π/2 as the sum of two float32. */
const HALF_PI_HIGH = 1.5707964;
const HALF_PI_LOW = -4.371139e-8;

/** (asin x - x) / x³ in x² on |x| ≤ 1/2: 2^-27.6. */
const ASIN_TAIL = [0.042166412, 0.024180774, 0.045469772, 0.074953064, 0.16666752];
/** (atan x - x) / x³ in x² on |x| ≤ 1: 2^-25.8. */
const ATAN_TAIL = [
  0.0029201568, -0.016365655, 0.043207914, -0.07551856, 0.10665826, -0.14211008, 0.19993767, -0.33333153,
];

/** Where w = -ln(1 - x²) passes from the first to the second series of erfinv. */
const ERFINV_BOUND = 4.68;
/** (erfinv x / x - its value at the origin) / (w - origin), in w - origin: 2^-27.3. */
const ERFINV_CENTRAL = [
  -8.8151335e-9, 1.509337e-7, -6.548294e-7, -3.9453475e-6, 4.096844e-5, 7.8608915e-5, -0.0024156217, 0.005037098,
  0.24681728,
];
const ERFINV_CENTRAL_ORIGIN = 0.890625;
const ERFINV_CENTRAL_VALUE = 1.1003217;
/** Likewise in √w: 2^-26.9. */
const ERFINV_OUTER = [
  0.00013178067, -0.00045521604, 0.00026496267, 0.0014385551, -0.0045686024, 0.007913039, -0.010592724, 0.01241035,
  0.99930215,
];
const ERFINV_OUTER_ORIGIN = 2.890625;
const ERFINV_OUTER_VALUE = 2.7235425;

interface ArcSine {
  /** Where |x| > 1/2: there `root` is √((1 - |x|) / 2), whose arc sine is a quarter turn's distance; else |x| itself. */
  readonly isLarge: number;
  readonly root: number;
  /** asin(root) = root + tail. */
  readonly tail: number;
}

/** Reduces |x| to at most 1/2 and takes its arc sine. asin x = π/2 - 2 · asin √((1 - x) / 2). */
function arcSine(v: VectorScope, size: number): ArcSine {
  const half = v.splat(0.5);
  const isLarge = v.compare(size, "gt", half);
  const reduced = v.multiply(v.subtract(v.splat(1), size), half);
  const root = v.select(isLarge, v.squareRoot(reduced), size);
  const square = v.select(isLarge, reduced, v.multiply(size, size));
  return { isLarge, root, tail: v.multiply(v.multiply(root, square), v.polynomial(square, ASIN_TAIL)) };
}

/** Arc sine; NaN outside [-1, 1]. Within 1.3 ulp. */
export function emitAsin(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const { isLarge, root, tail } = arcSine(v, v.absolute(x));
  // π/2 - 2 · root - 2 · tail, with what the first difference lost
  const quarter = v.splat(HALF_PI_HIGH);
  const chord = v.add(root, root);
  const near = v.subtract(quarter, chord);
  const lost = v.subtract(v.subtract(quarter, near), chord);
  const small = v.subtractProduct(v.add(lost, v.splat(HALF_PI_LOW)), v.splat(2), tail);
  const large = v.add(near, small);
  return v.end(v.or(v.select(isLarge, large, v.add(root, tail)), v.signOf(x)));
}

/** Arc cosine; NaN outside [-1, 1]. Within 1.3 ulp. */
export function emitAcos(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const { isLarge, root, tail } = arcSine(v, v.absolute(x));
  // quarters · π/2 + (term + termTail): 2 · asin root from 0, or from π downwards; else π/2 - asin x
  const sign = v.signOf(x);
  const flip = v.op("v128.xor", sign, v.op("v128.andnot", v.bits(0x80000000), isLarge));
  const factor = v.op("v128.xor", flip, v.select(isLarge, v.splat(2), v.splat(1)));
  const quarters = v.select(isLarge, v.and(v.shift("i32x4.shr_s", sign, 31), v.splat(2)), v.splat(1));
  const low = v.multiplyAdd(tail, factor, v.multiply(quarters, v.splat(HALF_PI_LOW)));
  const high = v.multiplyAdd(root, factor, v.multiply(quarters, v.splat(HALF_PI_HIGH)));
  return v.end(v.add(high, low));
}

/** quarters · π/2 + atan t for |t| ≤ 1. */
function turnedArcTangent(v: VectorScope, t: number, quarters: number): number {
  const square = v.multiply(t, t);
  const bend = v.multiply(v.multiply(t, square), v.polynomial(square, ATAN_TAIL));
  const low = v.multiplyAdd(quarters, v.splat(HALF_PI_LOW), bend);
  return v.add(v.multiplyAdd(quarters, v.splat(HALF_PI_HIGH), t), low);
}

/** Arc tangent. Within 1.6 ulp. */
export function emitAtan(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const size = v.absolute(x);
  const one = v.splat(1);
  const isSteep = v.compare(size, "gt", one);
  const t = v.select(isSteep, v.divide(v.splat(-1), size), size);
  return v.end(v.or(turnedArcTangent(v, t, v.and(isSteep, one)), v.signOf(x)));
}

/** The angle of the point (x, y), with the special values of C99. Within 1.8 ulp. */
export function emitAtan2(f: FunctionBuilder, y: number, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const height = v.absolute(y);
  const width = v.absolute(x);
  const isSteep = v.compare(height, "gt", width);
  const smaller = v.select(isSteep, width, height);
  const larger = v.select(isSteep, height, width);
  // 0/0 counts as 0, ∞/∞ as 1; NaN stays
  const ratio = v.select(v.compare(smaller, "eq", larger), v.splat(1), v.divide(smaller, larger));
  const slope = v.and(ratio, v.compare(v.or(height, width), "ne", v.splat(0)));
  const isLeft = v.shift("i32x4.shr_s", x, 31);
  const t = v.op("v128.xor", slope, v.signOf(v.op("v128.xor", isSteep, isLeft)));
  const quarters = v.select(isSteep, v.splat(1), v.and(isLeft, v.splat(2)));
  return v.end(v.or(turnedArcTangent(v, t, quarters), v.signOf(y)));
}

/** Inverse error function; ±∞ at ±1, NaN beyond. Within 2.3 ulp. Variables of Giles 2010. */
export function emitErfinv(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const one = v.splat(1);
  const size = v.absolute(x);
  const w = v.negative(logarithmOf(v, v.multiply(v.subtract(one, x), v.add(one, x))));
  const fromCentral = v.subtract(w, v.splat(ERFINV_CENTRAL_ORIGIN));
  const central = v.multiplyAdd(fromCentral, v.horner(fromCentral, ERFINV_CENTRAL), v.splat(ERFINV_CENTRAL_VALUE));
  const fromOuter = v.subtract(v.squareRoot(w), v.splat(ERFINV_OUTER_ORIGIN));
  const outer = v.multiplyAdd(fromOuter, v.polynomial(fromOuter, ERFINV_OUTER), v.splat(ERFINV_OUTER_VALUE));
  const factor = v.select(v.compare(w, "lt", v.splat(ERFINV_BOUND)), central, outer);
  const isInside = v.compare(size, "lt", one);
  const atEnd = v.or(v.splat(Number.POSITIVE_INFINITY), v.compare(size, "gt", one)); // ∞, or NaN where all bits are set
  return v.end(v.multiply(x, v.select(isInside, factor, atEnd)));
}
