/** float32 sin, cos and tan four lanes at a time. */

import type { FunctionBuilder, FunctionType } from "./assembler.ts";
import { VectorScope, type VectorTarget } from "./vector-math-scope.ts";

/** π/2 in four parts; the products of the first three with a whole number below 2¹³ are exact. Cody and Waite 1980. */
const HALF_PI = [1.5703125, 0.0004837513, 7.5495336e-8, 2.563344e-12] as const;
/** Up to here the whole number of quarter turns is below 2¹³. */
const LARGEST_REDUCED = 8192;
/** Adding 1.5 · 2²³ rounds a small float to a whole number, which then stands in the low bits of the sum. */
const ROUNDER = 12582912;

/** (sin r - r) / r³ in r² on |r| ≤ π/4: 2^-27.9. */
const SIN_TAIL = [-0.00019518095, 0.008332188, -0.16666655];
/** (cos r - 1 + r²/2) / r⁴ in r² on |r| ≤ π/4: 2^-33. */
const COS_TAIL = [2.4432327e-5, -0.001388731, 0.041666646];
/** (tan r - r) / r³ in r² on |r| ≤ π/4: 2^-29.5. */
const TAN_TAIL = [0.0043803686, 8.385932e-5, 0.010837704, 0.02128277, 0.054059446, 0.13332672, 0.3333335];
/** (1/r - cot r) / r in r² on |r| ≤ π/4: 2^-27.3. */
const COT_TAIL = [0.0002481942, 0.00209628, 0.022226537, 0.33333305];

interface Turned {
  /** Whole quarter turns, in the low bits. */
  readonly quarters: number;
  /** The angle left is rest - excess - rounding, at most π/4 in size. */
  readonly rest: number;
  readonly excess: number;
  /** Emits what `rest` was rounded up by: only tan, which is infinite somewhere, needs it. */
  rounding(): number;
}

/** Takes whole quarter turns from an angle of at most {@link LARGEST_REDUCED}. */
function reduceAngle(v: VectorScope, x: number): Turned {
  const rounder = v.splat(ROUNDER);
  const quarters = v.multiplyAdd(x, v.splat(2 / Math.PI), rounder);
  const n = v.subtract(quarters, rounder);
  const [first, second, third, fourth] = HALF_PI;
  const exact = v.subtractProduct(v.subtractProduct(x, n, v.splat(first)), n, v.splat(second));
  const rest = v.subtractProduct(exact, n, v.splat(third));
  return {
    quarters,
    rest,
    excess: v.multiply(n, v.splat(fourth)),
    rounding: () => v.multiplyAdd(n, v.splat(third), v.subtract(rest, exact)),
  };
}

/** sin of the angle left. For -0 every term subtracted is +0, so that -0 remains. */
function sinOf(v: VectorScope, { rest, excess }: Turned, square: number): number {
  return v.subtract(rest, v.subtractProduct(excess, v.multiply(rest, square), v.horner(square, SIN_TAIL)));
}

/** cos of the angle left, whose excess is too small to matter here. */
function cosOf(v: VectorScope, square: number): number {
  return v.horner(square, [...COS_TAIL, -0.5, 1]);
}

/** All bits set where the number of quarters is odd. */
function isOdd(v: VectorScope, quarters: number): number {
  return v.shift("i32x4.shr_s", v.shift("i32x4.shl", quarters, 31), 31);
}

/** The sign bit where the number of quarters is 2 or 3 modulo 4. */
function isTurned(v: VectorScope, quarters: number): number {
  return v.signOf(v.shift("i32x4.shl", quarters, 30));
}

const SCALAR: FunctionType = { params: ["f64"], results: ["f64"] };

/** Replaces the lanes of `fast` in which |x| is too large for it by those of an imported function of float64. */
function withLargeAngles(v: VectorScope, fast: number, x: number, imported: string): number {
  const { f } = v;
  const isLarge = v.compare(v.absolute(x), "gt", v.splat(LARGEST_REDUCED));
  f.get(fast);
  const result = v.take();
  f.get(isLarge).op("v128.any_true");
  f.if(() => {
    const exact = v.op("v128.xor", x, x);
    for (let lane = 0; lane < 4; lane++) {
      f.get(exact, x).lane("f32x4.extract_lane", lane).op("f64.promote_f32");
      f.callImport(imported, SCALAR).op("f32.demote_f64").lane("f32x4.replace_lane", lane).set(exact);
    }
    f.get(exact, fast, isLarge).op("v128.bitselect").set(result);
  });
  return result;
}

/** sin x. Within 1.6 ulp; beyond 8192 by an imported `sin` of float64. */
export function emitSin(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const turned = reduceAngle(v, x);
  const square = v.multiply(turned.rest, turned.rest);
  const size = v.select(isOdd(v, turned.quarters), cosOf(v, square), sinOf(v, turned, square));
  const result = v.op("v128.xor", size, isTurned(v, turned.quarters));
  return v.end(withLargeAngles(v, result, x, "sin"));
}

/** cos x. Within 1.6 ulp; beyond 8192 by an imported `cos` of float64. */
export function emitCos(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const turned = reduceAngle(v, x);
  const square = v.multiply(turned.rest, turned.rest);
  const size = v.select(isOdd(v, turned.quarters), sinOf(v, turned, square), cosOf(v, square));
  const next = v.op("i32x4.add", turned.quarters, v.bits(1));
  const result = v.op("v128.xor", size, isTurned(v, next));
  return v.end(withLargeAngles(v, result, x, "cos"));
}

/** tan x: the tangent of the angle left by quarter turns, or its negated cotangent. Within 2 ulp; beyond 8192 by an imported `tan`. */
export function emitTan(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const v = new VectorScope(f, target);
  const { quarters, rest, excess: tail, rounding } = reduceAngle(v, x);
  const excess = v.add(tail, rounding());
  const angle = v.subtract(rest, excess);
  const remaining = v.add(v.subtract(angle, rest), excess); // the excess of the rounded angle
  const square = v.multiply(angle, angle);
  const series = v.polynomial(square, TAN_TAIL);
  const tangent = v.subtract(angle, v.subtractProduct(remaining, v.multiply(angle, square), series));
  // -cot(angle - remaining) = -1 / angle - remaining / angle² + angle · tail
  const inverse = v.divide(v.splat(-1), angle);
  const bend = v.multiply(angle, v.polynomial(square, COT_TAIL));
  const cotangent = v.add(inverse, v.subtractProduct(bend, v.multiply(inverse, inverse), remaining));
  return v.end(withLargeAngles(v, v.select(isOdd(v, quarters), cotangent, tangent), x, "tan"));
}
