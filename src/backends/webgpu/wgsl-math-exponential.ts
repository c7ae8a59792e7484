/** WGSL exponentials of float32: exp, expm1, sigmoid, tanh, sinh, cosh, erf. Polynomials are minimax, for Horner's rule. */
/** Exponentials: texts by name, see `wgsl-library.ts`. */
export const exponentialFunctions: Readonly<Record<string, string>> = {
  // eʳ - 1 for |r| ≤ ln 2 / 2, accurate to the size of eʳ: 2^-28.2.
  exp_rest: `
fn exp_rest$(r: $F) -> $F {
  return (((((0.0013838003f * r + 0.0083691655f) * r + 0.041668102f) * r + 0.16666517f) * r + 0.49999994f) * r) * r + r;
}`,

  // x - n · ln 2, with ln 2 in two parts (Cody and Waite 1980): products of the first and n are exact.
  exp_reduced: `
fn exp_reduced$(x: $F, n: $F) -> $F {
  return (x - n * 0.69311523f) - n * 3.1946183e-5f;
}`,

  // Within 1.2 ulp. 2ⁿ comes in two factors, as n reaches from -150 to 128.
  exp_of: `
fn exp_of$(x: $F) -> $F {
  let c = clamp(x, $F(-104f), $F(89f));
  let n = round(c * 1.442695f);
  let mantissa = exp_rest$(exp_reduced$(c, n)) + 1f;
  let k = $I(n);
  let h = k >> $U(1u);
  return select(mantissa * power_of_two$(h) * power_of_two$(k - h), x, is_nan$(x));
}`,

  // Within 1.3 ulp. Half of the result is summed, so that 2ⁿ⁻¹ is finite for n = 128.
  expm1_of: `
fn expm1_of$(x: $F) -> $F {
  let c = clamp(x, $F(-20f), $F(89f));
  let n = round(c * 1.442695f);
  let r = exp_reduced$(c, n);
  let s = power_of_two$($I(n) - $I(1));
  let tail = (((((0.00019662893f * r + 0.0013935051f) * r + 0.008333644f) * r + 0.041666467f) * r + 0.16666666f) * r + 0.5f) * r * r;
  let half = s * tail + (s * r + (s - 0.5f));
  return select(half + half, x, (abs(x) < $F(0x1p-25f)) | is_nan$(x));
}`,

  // 1 / (1 + e⁻ˣ) within 2 ulp, everything scaled by 2^-64 so that neither end overflows.
  sigmoid_of: `
fn sigmoid_of$(x: $F) -> $F {
  let c = clamp(-x, $F(-30f), $F(105f));
  let n = round(c * 1.442695f);
  let s = power_of_two$($I(n) - $I(64));
  let one = $F(0x1p-64f);
  let denominator = max(s, one) + (min(s, one) + s * exp_rest$(exp_reduced$(c, n)));
  return select(divide$(one, denominator), x, is_nan$(x));
}`,

  // x + x³ · P(x²) for small x, 1 - 2 / (e^(2|x|) + 1) for others; within 2 ulp.
  tanh_of: `
fn tanh_of$(x: $F) -> $F {
  let size = abs(x);
  let c = min(size, $F(10f)) * 2f;
  let n = round(c * 1.442695f);
  let s = power_of_two$($I(n));
  let large = 1f - 2f / (s * exp_rest$(exp_reduced$(c, n)) + (s + 1f));
  let square = x * x;
  let small = (((0.01644756f * square - 0.05267691f) * square + 0.13320802f) * square - 0.3333295f) * (square * size) + size;
  return select(with_sign$(select(large, small, size < $F(0.5493f)), x), x, is_nan$(x));
}`,

  // e^|x| / 4, which is finite wherever sinh and cosh are.
  quarter_exp: `
fn quarter_exp$(size: $F) -> $F {
  let c = min(size, $F(89.5f));
  let n = round(c * 1.442695f);
  let s = power_of_two$($I(n) - $I(2));
  return s * exp_rest$(exp_reduced$(c, n)) + s;
}`,

  cosh_of: `
fn cosh_of$(x: $F) -> $F {
  let quarter = quarter_exp$(abs(x));
  let half = quarter + divide$($F(0.0625f), quarter);
  return select(half + half, x, is_nan$(x));
}`,

  // x + x³ · P(x²) below 1, (e^|x| - e^-|x|) / 2 above.
  sinh_of: `
fn sinh_of$(x: $F) -> $F {
  let size = abs(x);
  let quarter = quarter_exp$(size);
  let half = quarter - divide$($F(0.0625f), quarter);
  let square = x * x;
  let small = ((0.0002037334f * square + 0.008330271f) * square + 0.16666716f) * (square * size) + size;
  return select(with_sign$(select(half + half, small, size < $F(1f)), x), x, is_nan$(x));
}`,

  // x + x · P(x²) for small x, 1 - e^-(|x| + |x| · Q(|x|)) for others; erf 4 rounds to 1. Within 1.4 ulp.
  erf_of: `
fn erf_of$(x: $F) -> $F {
  let size = min(abs(x), $F(4f));
  let q = ((((-0.00021399117f * size + 0.003214991f) * size - 0.022890039f) * size + 0.105261914f) * size + 0.6357183f) * size + 0.12851436f;
  let c = -(q * size + size);
  let n = round(c * 1.442695f);
  let s = power_of_two$($I(n));
  let large = (1f - s) - s * exp_rest$(exp_reduced$(c, n));
  let square = size * size;
  let p = ((((-0.0005958978f * square + 0.004987253f) * square - 0.026762916f) * square + 0.1128173f) * square - 0.3761249f) * square + 0.12837915f;
  let small = p * size + size;
  return select(with_sign$(select(large, small, size < $F(0.925f)), x), x, is_nan$(x));
}`,
};
