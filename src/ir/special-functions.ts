/** Functions of numbers that JavaScript lacks, to double accuracy; the definition behind `erf` and `erfinv`. */

const twoOverRootPi = 2 / Math.sqrt(Math.PI);

/** The error function: 2/√π times the integral of exp(-t²) from 0 to `x`. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return x;
  const magnitude = Math.abs(x);
  if (magnitude < 2.5) return erfSeries(x);
  return Math.sign(x) * (1 - erfcFraction(magnitude));
}

/** 1 - erf(x), accurate also where erf(x) is close to 1. */
export function erfc(x: number): number {
  return x < 0.5 ? 1 - erf(x) : x < 2.5 ? 1 - erfSeries(x) : erfcFraction(x);
}

/** The number whose error function is `y`: infinite for ±1, NaN beyond. */
export function erfinv(y: number): number {
  if (!(Math.abs(y) < 1)) return Math.abs(y) === 1 ? y * Number.POSITIVE_INFINITY : Number.NaN;
  if (y === 0) return y;
  const target = Math.abs(y);
  let x = erfinvGuess(target);
  for (let step = 0; step < 3; step++) {
    // Halley's method; far out the distance is taken between complements, which keep their digits there.
    const distance = target < 0.7 ? erfSeries(x) - target : 1 - target - erfc(x);
    const newton = distance / (twoOverRootPi * Math.exp(-x * x));
    x -= newton / (1 + x * newton);
  }
  return Math.sign(y) * x;
}

/** erf(x) = 2/√π · exp(-x²) · Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!!, all of whose terms have one sign (Abramowitz & Stegun 7.1.6). */
function erfSeries(x: number): number {
  const square = x * x;
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * square) / (2 * n + 1);
    sum += term;
  }
  return twoOverRootPi * Math.exp(-square) * sum;
}

/** erfc(x) by its continued fraction (Abramowitz & Stegun 7.1.14), from the far end; for x from 2.5 on. */
function erfcFraction(x: number): number {
  if (x > 28) return 0;
  let fraction = x;
  for (let n = 60; n > 0; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction);
}

/** erfinv to about two digits (Winitzki 2008). */
function erfinvGuess(y: number): number {
  if (y < 1e-3) return y / twoOverRootPi;
  const a = 0.147;
  const logarithm = Math.log1p(-y) + Math.log1p(y);
  const middle = 2 / (Math.PI * a) + logarithm / 2;
  return Math.sqrt(Math.sqrt(middle * middle - logarithm / a) - middle);
}
