/** Scalar float64 functions that kernels import for what has no vector form. */

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
const INVERSE_SQRT_PI = 0.5641895835477563;

/** A polynomial in x, highest coefficient first. */
function polynomial(x: number, coefficients: readonly number[]): number {
  return coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);
}

/** 1 - erf(x) for x > 0.46875, with full relative accuracy. */
function complement(x: number): number {
  if (x > 27) return 0;
  let factor: number;
  if (x <= 4) {
    factor = polynomial(x, MIDDLE_NUMERATOR) / polynomial(x, MIDDLE_DENOMINATOR);
  } else {
    const inverse = 1 / (x * x);
    factor = (inverse * polynomial(inverse, FAR_NUMERATOR)) / polynomial(inverse, FAR_DENOMINATOR);
    factor = (INVERSE_SQRT_PI - factor) / x;
  }
  // e^(-x²) with x² split, so that its rounding does not show
  const head = Math.trunc(x * 16) / 16;
  return factor * Math.exp(-head * head) * Math.exp(-(x - head) * (x + head));
}

/** The error function, to full double precision. */
export function erf(x: number): number {
  const size = Math.abs(x);
  if (size <= 0.46875) {
    const square = x * x;
    return (x * polynomial(square, NEAR_NUMERATOR)) / polynomial(square, NEAR_DENOMINATOR);
  }
  return Math.sign(x) * (1 - complement(size));
}

/**
 * The inverse of the error function, to a few units of double precision; ±∞ at ±1, NaN beyond.
 *
 * Starts from Winitzki's formula (2008) and takes three steps of Halley's method.
 */
export function erfinv(y: number): number {
  const size = Math.abs(y);
  if (!(size < 1)) return size === 1 ? y / 0 : Number.NaN;
  if (y === 0) return y;
  const a = 0.147;
  const logarithm = Math.log1p(-size * size);
  const t = 2 / (Math.PI * a) + logarithm / 2;
  let x = Math.sqrt(-logarithm / a / (Math.sqrt(t * t - logarithm / a) + t));
  for (let step = 0; step < 3; step++) {
    const excess = size > 0.5 ? 1 - size - complement(x) : erf(x) - size;
    const newton = excess / (2 * INVERSE_SQRT_PI * Math.exp(-x * x));
    x -= newton / (1 + x * newton);
  }
  return y < 0 ? -x : x;
}

/** x to the power y as C99 has it: a base of 1 gives 1 whatever the exponent, and -1 to ±∞ is 1. */
export function power(x: number, y: number): number {
  return x === 1 || (x === -1 && (y === Number.POSITIVE_INFINITY || y === Number.NEGATIVE_INFINITY)) ? 1 : x ** y;
}

/** The remainder that has the divisor's sign. */
export function remainder(x: number, y: number): number {
  const rest = x % y;
  return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
}
