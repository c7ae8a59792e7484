/**
 * WGSL functions of float32 that need more digits inside: pow, asinh, acosh, atanh. A wide number is the sum of the two
 * parts of a vec2f, exact to about 40 bits.
 */
/** Functions with more digits inside: texts by name, see `wgsl-library.ts`. */
export const wideFunctions: Readonly<Record<string, string>> = {
  // x without its last bit: a value that no simplification of sums sees through.
  fenced: `
fn fenced$(x: $F) -> $F {
  return bitcast<$F>(bitcast<$U>(x) & $U(0xfffffffeu));
}`,

  wide_of_product: `
fn wide_of_product(a: f32, b: f32) -> vec2f {
  let p = fenced(a * b);
  let ah = upper(a);
  let al = a - ah;
  let bh = upper(b);
  let bl = b - bh;
  return vec2f(p, ((settled(ah * bh - p) + ah * bl) + al * bh) + al * bl);
}`,

  // a + b, where a is the larger one.
  wide_sum: `
fn wide_sum(a: vec2f, b: vec2f) -> vec2f {
  let s = fenced(a.x + b.x);
  return vec2f(s, (b.x - (s - a.x)) + (a.y + b.y));
}`,

  wide_times: `
fn wide_times(a: vec2f, b: vec2f) -> vec2f {
  let p = wide_of_product(a.x, b.x);
  return vec2f(p.x, p.y + (a.x * b.y + a.y * b.x));
}`,

  wide_over: `
fn wide_over(a: vec2f, b: vec2f) -> vec2f {
  let q = fenced(a.x / b.x);
  let p = wide_of_product(q, b.x);
  return vec2f(q, (((a.x - p.x) - p.y) + (a.y - q * b.y)) / b.x);
}`,

  wide_root: `
fn wide_root(a: vec2f) -> vec2f {
  let s = fenced(sqrt(a.x));
  let p = wide_of_product(s, s);
  return vec2f(s, (((a.x - p.x) - p.y) + a.y) * (0.5f / s));
}`,

  // log₂((1 + s) / (1 - s)) for |s| ≤ 0.172; the series in s² is good to 2^-36.
  wide_log2_series: `
fn wide_log2_series(s: vec2f) -> vec2f {
  let z = wide_times(s, s);
  let far = ((0.3407301f * z.x + 0.4116727f) * z.x + 0.5770836f) * z.x;
  let near = wide_sum(vec2f(0.9617967f, -2.7612749e-8f), vec2f(far, 0f));
  return wide_times(s, wide_sum(vec2f(2.88539f, 3.8531418e-8f), wide_times(near, z)));
}`,

  // k + log₂(1 + f) for 1 + f in [√½, √2].
  wide_log2_joined: `
fn wide_log2_joined(k: i32, f: vec2f) -> vec2f {
  let series = wide_log2_series(wide_over(f, wide_sum(vec2f(2f, 0f), f)));
  return wide_sum(vec2f(f32(k), 0f), series);
}`,

  // log₂ of a positive finite x.
  wide_log2: `
fn wide_log2(x: f32) -> vec2f {
  let lift = log_lift(x);
  let y = x * lift;
  let k = log_exponent(y);
  return wide_log2_joined(select(k, k - 24, lift > 1f), vec2f(log_mantissa(y, k) - 1f, 0f));
}`,

  // ln(1 + w) of a positive w.
  wide_log1p: `
fn wide_log1p(w: vec2f) -> f32 {
  var k = 0;
  var f = w;
  if (w.x > 0.4f) {
    var sum = wide_sum(w, vec2f(1f, 0f));
    if (w.x < 1f) {
      sum = wide_sum(vec2f(1f, 0f), w);
    }
    k = log_exponent(sum.x);
    f = vec2f(log_mantissa(sum.x, k) - 1f, sum.y * power_of_two(-k));
  }
  let y = wide_times(wide_log2_joined(k, f), vec2f(0.6931472f, -1.9046542e-9f));
  return y.x + y.y;
}`,

  // ln(2x)
  log_twice: `
fn log_twice(x: f32) -> f32 {
  let y = wide_times(wide_sum(wide_log2(x), vec2f(1f, 0f)), vec2f(0.6931472f, -1.9046542e-9f));
  return y.x + y.y;
}`,

  // ln(1 + x + x² / (1 + √(1 + x²))); below 2^-12 it is x to within 0.2 ulp. Within 0.9 ulp.
  asinh_of: `
fn asinh_of(x: f32) -> f32 {
  let a = abs(x);
  if (is_nan(x) || a < 0x1p-12f || !is_finite(x)) {
    return x;
  }
  if (a > 4096f) {
    return with_sign(log_twice(a), x);
  }
  let square = wide_of_product(a, a);
  var sum = wide_sum(vec2f(1f, 0f), square);
  if (a > 1f) {
    sum = wide_sum(square, vec2f(1f, 0f));
  }
  let root = wide_sum(wide_root(sum), vec2f(1f, 0f));
  return with_sign(wide_log1p(wide_sum(vec2f(a, 0f), wide_over(square, root))), x);
}`,

  // ln(1 + t + √(t (t + 2))) with t = x - 1; NaN below 1. Within 0.9 ulp.
  acosh_of: `
fn acosh_of(x: f32) -> f32 {
  if (is_nan(x) || x < 1f) {
    return float_of(0x7fc00000u);
  }
  if (x > 4096f) {
    return select(x, log_twice(x), is_finite(x));
  }
  if (x == 1f) {
    return 0f;
  }
  let t = wide_sum(vec2f(x, 0f), vec2f(-1f, 0f));
  let root = wide_root(wide_times(t, wide_sum(vec2f(x, 0f), vec2f(1f, 0f))));
  return wide_log1p(wide_sum(root, t));
}`,

  // Half of ln((1 + x) / (1 - x)); ±∞ at ±1, NaN beyond. Within 0.9 ulp.
  atanh_of: `
fn atanh_of(x: f32) -> f32 {
  let a = abs(x);
  if (is_nan(x) || a > 1f) {
    return float_of(0x7fc00000u);
  }
  if (a == 1f) {
    return with_sign(float_of(0x7f800000u), x);
  }
  if (a < 0x1p-12f) {
    return x;
  }
  if (a < 0.17f) {
    let y = wide_times(wide_log2_series(vec2f(x, 0f)), vec2f(0.3465736f, -9.523271e-10f));
    return y.x + y.y;
  }
  let ratio = wide_over(vec2f(2f * a, 0f), wide_sum(vec2f(1f, 0f), vec2f(-a, 0f)));
  return with_sign(0.5f * wide_log1p(ratio), x);
}`,

  // x to the power y with the special values of C99; within 1.5 ulp.
  pow_of: `
fn pow_of(x: f32, y: f32) -> f32 {
  if (x == 1f || y == 0f) {
    return 1f;
  }
  if (is_nan(x) || is_nan(y)) {
    return x + y;
  }
  let size = abs(x);
  let is_whole = trunc(y) == y || !is_finite(y);
  let is_odd = is_whole && is_finite(y) && trunc(y * 0.5f) != y * 0.5f;
  let sign = select(1f, x, is_odd);
  if (size == 0f || !is_finite(size)) {
    return with_sign(select(size, float_of(bitcast<u32>(size) ^ 0x7f800000u), y < 0f), sign);
  }
  if (x < 0f && !is_whole) {
    return float_of(0x7fc00000u);
  }
  let power = wide_times(wide_log2(size), vec2f(clamp(y, -1e30f, 1e30f), 0f));
  let is_inside = abs(power.x) < 200f;
  let n = round(clamp(power.x, -200f, 200f));
  let r = select(0f, (power.x - n) + power.y, is_inside);
  let p = (((0.000155947578f * r + 0.0013406674f) * r + 0.009617693f) * r + 0.055503104f) * r + 0.24022652f;
  let k = i32(n);
  let h = k >> 1u;
  return with_sign((1f + (r * 0.6931472f + p * (r * r))) * power_of_two(h) * power_of_two(k - h), sign);
}`,
};
