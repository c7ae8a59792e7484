/** float64 functions in vectors of two lanes, to double precision, for what neither WebAssembly nor `Math` has. */

import type { FunctionBuilder } from "./assembler.ts";
import { VectorScope, type VectorTarget } from "./vector-math-scope.ts";

/** Coefficients of W. J. Cody's rational approximations to erf and erfc, Mathematics of Computation 23 (1969). */
const NEAR_NUMERATOR = [
  0.18577770618460315, 3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694,
];
const NEAR_DENOMINATOR = [1, 23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171];
const MIDDLE_NUMERATOR = [
  2.1531153547440383e-8, 0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001, 881.952221241769,
  1712.0476126340707, 2051.0783778260716, 1230.3393547979972,
];
const MIDDLE_DENOMINATOR = [
  1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597,
  4362.619090143247, 3439.3676741437216, 1230.3393548037495,
];
const FAR_NUMERATOR = [
  0.016315387137302097, 0.30532663496123236, 0.36034489994980445, 0.12578172611122926, 0.016083785148742275,
  0.0006587491615298378,
];
const FAR_DENOMINATOR = [
  1, 2.568520192289822, 1.8729528499234673, 0.5279051029514285, 0.06051834131244132, 0.0023352049762686918,
];
const NEAR_LIMIT = 0.46875;
const INVERSE_SQRT_PI = 0.5641895835477563;

function scope(f: FunctionBuilder, target: VectorTarget): VectorScope {
  return new VectorScope(f, target, "f64x2");
}

/** A function of `Math`, lane by lane. */
function imported(w: VectorScope, name: "exp" | "log1p", x: number): number {
  const lane = (k: number): FunctionBuilder =>
    w.f
      .get(x)
      .lane("f64x2.extract_lane", k)
      .callImport(name, { params: ["f64"], results: ["f64"] });
  lane(0).op("f64x2.splat");
  lane(1).lane("f64x2.replace_lane", 1);
  return w.take();
}

function negative(w: VectorScope, x: number): number {
  return w.op("f64x2.neg", x);
}

function ratio(w: VectorScope, x: number, numerator: readonly number[], denominator: readonly number[]): number {
  return w.divide(w.horner(x, numerator), w.horner(x, denominator));
}

/** `magnitude` with the sign of `x`; where `x` is NaN, NaN. */
function withSignOf(w: VectorScope, magnitude: number, x: number): number {
  return w.or(magnitude, w.and(x, w.bits64(-(2n ** 63n))));
}

/** erf(x) for |x| ≤ 0.46875. */
function near(w: VectorScope, x: number): number {
  return w.multiply(x, ratio(w, w.multiply(x, x), NEAR_NUMERATOR, NEAR_DENOMINATOR));
}

/** 1 - erf(x) for x > 0.46875, with full relative accuracy. */
function complement(w: VectorScope, x: number): number {
  const inverse = w.divide(w.splat(1), w.multiply(x, x));
  const tail = w.multiply(inverse, ratio(w, inverse, FAR_NUMERATOR, FAR_DENOMINATOR));
  const far = w.divide(w.subtract(w.splat(INVERSE_SQRT_PI), tail), x);
  const middle = ratio(w, x, MIDDLE_NUMERATOR, MIDDLE_DENOMINATOR);
  const factor = w.select(w.compare(x, "le", w.splat(4)), middle, far);
  // e^(-x²) with x² split, so that its rounding does not show
  const head = w.multiply(w.op("f64x2.trunc", w.multiply(x, w.splat(16))), w.splat(1 / 16));
  const coarse = imported(w, "exp", negative(w, w.multiply(head, head)));
  const fine = imported(w, "exp", negative(w, w.multiply(w.subtract(x, head), w.add(x, head))));
  const value = w.multiply(w.multiply(factor, coarse), fine);
  return w.select(w.compare(x, "gt", w.splat(27)), w.splat(0), value);
}

/** The error function. */
export function emitErf64(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const w = scope(f, target);
  const size = w.absolute(x);
  const beyond = withSignOf(w, w.subtract(w.splat(1), complement(w, size)), x);
  return w.end(w.select(w.compare(size, "le", w.splat(NEAR_LIMIT)), near(w, x), beyond));
}

/**
 * The inverse of the error function; ±∞ at ±1, NaN beyond.
 *
 * Starts from Winitzki's formula (2008) and takes three steps of Halley's method.
 */
export function emitErfinv64(f: FunctionBuilder, y: number, target: VectorTarget): number {
  const w = scope(f, target);
  const a = w.splat(0.147);
  const one = w.splat(1);
  const size = w.absolute(y);
  const logarithm = imported(w, "log1p", negative(w, w.multiply(size, size)));
  const t = w.add(w.splat(2 / (Math.PI * 0.147)), w.multiply(logarithm, w.splat(0.5)));
  const quotient = w.divide(logarithm, a);
  const root = w.squareRoot(w.subtract(w.multiply(t, t), quotient));
  let x = w.squareRoot(w.divide(negative(w, quotient), w.add(root, t)));
  const isLarge = w.compare(size, "gt", w.splat(0.5));
  for (let step = 0; step < 3; step++) {
    const rest = complement(w, x);
    const value = w.select(w.compare(x, "le", w.splat(NEAR_LIMIT)), near(w, x), w.subtract(one, rest));
    const excess = w.select(isLarge, w.subtract(w.subtract(one, size), rest), w.subtract(value, size));
    const slope = w.multiply(w.splat(2 * INVERSE_SQRT_PI), imported(w, "exp", negative(w, w.multiply(x, x))));
    const newton = w.divide(excess, slope);
    x = w.subtract(x, w.divide(newton, w.add(one, w.multiply(x, newton))));
  }
  const inside = w.select(w.compare(size, "eq", w.splat(0)), size, x);
  const edge = w.divide(one, w.splat(0));
  const outside = w.select(w.compare(size, "eq", one), edge, w.subtract(edge, edge));
  return w.end(withSignOf(w, w.select(w.compare(size, "lt", one), inside, outside), y));
}

/** 1 / (1 + e^-x). */
export function emitSigmoid64(f: FunctionBuilder, x: number, target: VectorTarget): number {
  const w = scope(f, target);
  const one = w.splat(1);
  return w.end(w.divide(one, w.add(one, imported(w, "exp", negative(w, x)))));
}
