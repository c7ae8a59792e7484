/** WGSL logarithms of float32: log, log2, log10, log1p. A scheme of Cephes: the exponent, then a polynomial around 1. */
/** Logarithms: texts by name, see `wgsl-library.ts`. */
export const logarithmFunctions: Readonly<Record<string, string>> = {
  // k of x = 2ᵏ · m with m in [√½, √2), for positive normal x.
  log_exponent: `
fn log_exponent$(x: $F) -> $I {
  return (bitcast<$I>(x) - $I(0x3f3504f3)) >> $U(23u);
}`,

  log_mantissa: `
fn log_mantissa$(x: $F, k: $I) -> $F {
  return bitcast<$F>(bitcast<$I>(x) - (k << $U(23u)));
}`,

  // ln(1 + f) - f for 1 + f in [√½, √2], minimax against ln(1 + f): 2^-27.3.
  log_tail: `
fn log_tail$(f: $F) -> $F {
  let p = ((((((-0.0764197f * f + 0.12766443f) * f - 0.13159491f) * f + 0.14200948f) * f - 0.16623335f) * f + 0.20001261f) * f - 0.25000823f) * f + 0.3333333f;
  let square = f * f;
  return p * (square * f) - square * 0.5f;
}`,

  // k · ln 2 + ln(1 + f), with ln 2 in two parts.
  log_joined: `
fn log_joined$(k: $F, f: $F) -> $F {
  return k * 0.69314575f + (f + (k * 1.4286068e-6f + log_tail$(f)));
}`,

  // Values at the ends of the domain: +∞ and NaN as they come, -∞ at 0, NaN below.
  log_ends: `
fn log_ends$(y: $F, x: $F) -> $F {
  let u = bitcast<$U>(x);
  let upwards = select(y, x, u >= $U(0x7f800000u));
  let positive = select(upwards, $F(float_of(0x7fc00000u)), u > $U(0x80000000u));
  return select(positive, $F(float_of(0xff800000u)), (u << $U(1u)) == $U(0u));
}`,

  // 2²⁴ lifts subnormal numbers among the normal ones.
  log_lift: `
fn log_lift$(x: $F) -> $F {
  return select($F(1f), $F(0x1p+24f), x < $F(0x1p-126f));
}`,

  // Within 1.1 ulp.
  log_of: `
fn log_of$(x: $F) -> $F {
  let lift = log_lift$(x);
  let y = x * lift;
  let k = log_exponent$(y);
  let exponent = $F(k) - select($F(0f), $F(24f), lift > $F(1f));
  return log_ends$(log_joined$(exponent, log_mantissa$(y, k) - 1f), x);
}`,

  // Exact at powers of 2; within 1.7 ulp.
  log2_of: `
fn log2_of$(x: $F) -> $F {
  let lift = log_lift$(x);
  let y = x * lift;
  let k = log_exponent$(y);
  let exponent = $F(k) - select($F(0f), $F(24f), lift > $F(1f));
  let f = log_mantissa$(y, k) - 1f;
  let tail = log_tail$(f);
  // (f + tail) · (1 + c), the small products first
  let small = (f * 0.44269505f + tail * 0.44269505f) + tail;
  return log_ends$((small + f) + exponent, x);
}`,

  // Within 1.4 ulp; log₁₀ 2 in two parts.
  log10_of: `
fn log10_of$(x: $F) -> $F {
  let lift = log_lift$(x);
  let y = x * lift;
  let k = log_exponent$(y);
  let exponent = $F(k) - select($F(0f), $F(24f), lift > $F(1f));
  let f = log_mantissa$(y, k) - 1f;
  let low = exponent * 4.605039e-6f + log_tail$(f) * 0.4342945f;
  // log₁₀ e · f in two products, of which the larger is exact
  let sum = f * 0.5f + (f * -0.065705515f + low);
  return log_ends$(exponent * 0.3010254f + sum, x);
}`,

  // Within 1.5 ulp. Where 1 + x keeps its exponent f is x itself; elsewhere what the rounded sum lost is added to it.
  log1p_of: `
fn log1p_of$(x: $F) -> $F {
  let sum = upper$(x + 1f);
  let lost = x - (sum - 1f);
  let k = log_exponent$(sum);
  // lost · 2⁻ᵏ in two factors, as k may be 128
  let f = (log_mantissa$(sum, k) - 1f) + lost * 0x1p-64f * power_of_two$($I(64) - k);
  let y = log_joined$($F(k), select(f, x, k == $I(0)));
  let ended = log_ends$(y, x + 1f);
  return select(ended, x, abs(x) < $F(0x1p-25f));
}`,

  // log(exp(a) + exp(b)) without overflow.
  log_sum_exp: `
fn log_sum_exp(a: f32, b: f32) -> f32 {
  let high = max_of(a, b);
  let sum = high + log1p_of(exp_of(min(a, b) - high));
  return select(high, sum, is_finite(high));
}`,
};
