/** WGSL inverse functions of float32: asin, acos, atan, atan2, erfinv. */
/** Inverse functions: texts by name, see `wgsl-library.ts`. */
export const inverseFunctions: Readonly<Record<string, string>> = {
  // asin(root) - root for root² = square ≤ 1/4: 2^-27.6.
  asin_tail: `
fn asin_tail$(root: $F, square: $F) -> $F {
  let p = (((0.042166412f * square + 0.024180774f) * square + 0.045469772f) * square + 0.074953064f) * square + 0.16666752f;
  return p * (root * square);
}`,

  // Within 1.4 ulp. Beyond 1/2 it is π/2 - 2 · asin √((1 - |x|) / 2), with what the first difference lost.
  asin_of: `
fn asin_of$(x: $F) -> $F {
  let size = abs(x);
  let is_large = size > $F(0.5f);
  let reduced = (1f - size) * 0.5f;
  let root = select(size, square_root$(reduced), is_large);
  let square = select(size * size, reduced, is_large);
  let tail = asin_tail$(root, square);
  let near = upper$(1.5707964f - 2f * root);
  let lost = settled$((1.5707964f - near) - 2f * root);
  let large = near + ((lost - 4.371139e-8f) - 2f * tail);
  let y = with_sign$(select(root + tail, large, is_large), x);
  return select(y, $F(float_of(0x7fc00000u)), !(size <= $F(1f)) | is_nan$(x));
}`,

  // Within 1.4 ulp: 2 · asin √((1 - |x|) / 2) from 0 or from π downwards, else π/2 - asin x.
  acos_of: `
fn acos_of$(x: $F) -> $F {
  let size = abs(x);
  let is_large = size > $F(0.5f);
  let reduced = (1f - size) * 0.5f;
  let root = select(size, square_root$(reduced), is_large);
  let square = select(size * size, reduced, is_large);
  let tail = asin_tail$(root, square);
  let is_negative = x < $F(0f);
  let factor = select(select($F(-1f), $F(1f), is_negative), select($F(2f), $F(-2f), is_negative), is_large);
  let quarters = select($F(1f), select($F(0f), $F(2f), is_negative), is_large);
  let y = (root * factor + quarters * 1.5707964f) + (tail * factor - quarters * 4.371139e-8f);
  return select(y, $F(float_of(0x7fc00000u)), !(size <= $F(1f)) | is_nan$(x));
}`,

  // quarters · π/2 + atan t for |t| ≤ 1; the polynomial is (atan t - t) / t³: 2^-25.8.
  atan_turned: `
fn atan_turned$(t: $F, quarters: $F) -> $F {
  let square = t * t;
  let p = ((((((0.0029201568f * square - 0.016365655f) * square + 0.043207914f) * square - 0.07551856f) * square + 0.10665826f) * square - 0.14211008f) * square + 0.19993767f) * square - 0.33333153f;
  return (quarters * 1.5707964f + t) + (p * (t * square) - quarters * 4.371139e-8f);
}`,

  // Within 1.6 ulp.
  atan_of: `
fn atan_of$(x: $F) -> $F {
  let size = abs(x);
  let is_steep = size > $F(1f);
  let t = select(size, divide$($F(-1f), size), is_steep);
  let y = with_sign$(atan_turned$(t, select($F(0f), $F(1f), is_steep)), x);
  return select(y, x, is_nan$(x));
}`,

  // The angle of the point (x, y) with the special values of C99; within 2 ulp. 0/0 counts as 0, ∞/∞ as 1.
  atan2_of: `
fn atan2_of$(y: $F, x: $F) -> $F {
  let height = abs(y);
  let width = abs(x);
  let is_steep = height > width;
  let smaller = select(height, width, is_steep);
  let larger = select(width, height, is_steep);
  let ratio = select(divide$(smaller, larger), $F(1f), smaller == larger);
  let slope = select(ratio, $F(0f), larger == $F(0f));
  let is_left = (bitcast<$U>(x) >> $U(31u)) == $U(1u);
  let t = select(slope, -slope, is_steep != is_left);
  let quarters = select(select($F(0f), $F(2f), is_left), $F(1f), is_steep);
  let angle = with_sign$(atan_turned$(t, quarters), y);
  return select(angle, x + y, is_nan$(x) | is_nan$(y));
}`,

  // ±∞ at ±1, NaN beyond; within 2.4 ulp. Variables of Giles 2010: w = -ln(1 - x²), and √w further out.
  erfinv_of: `
fn erfinv_of$(x: $F) -> $F {
  let size = abs(x);
  let product = (1f - x) * (1f + x);
  let k = log_exponent$(product);
  let w = -log_joined$($F(k), log_mantissa$(product, k) - 1f);
  let c = w - 0.890625f;
  let p = (((((((-8.8151335e-9f * c + 1.509337e-7f) * c - 6.548294e-7f) * c - 3.9453475e-6f) * c + 4.096844e-5f) * c + 7.8608915e-5f) * c - 0.0024156217f) * c + 0.005037098f) * c + 0.24681728f;
  let central = p * c + 1.1003217f;
  let o = sqrt(w) - 2.890625f;
  let q = (((((((0.00013178067f * o - 0.00045521604f) * o + 0.00026496267f) * o + 0.0014385551f) * o - 0.0045686024f) * o + 0.007913039f) * o - 0.010592724f) * o + 0.01241035f) * o + 0.99930215f;
  let outer = q * o + 2.7235425f;
  let inside = x * select(outer, central, w < $F(4.68f));
  let end = select($F(float_of(0x7fc00000u)), with_sign$($F(float_of(0x7f800000u)), x), size == $F(1f));
  return select(end, inside, (size < $F(1f)) & !is_nan$(x));
}`,
};
