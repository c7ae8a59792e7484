/**
 * WGSL functions on the bits of floats, and the arithmetic that the built-in functions of WGSL give too loosely.
 *
 * Drivers assume that NaN does not occur, and reorder sums: NaN is told by its bits, and a difference that must not be
 * simplified away is one from `upper`, which clears low bits.
 */
/** What of float arithmetic is told by bits, and the operations that WGSL gives too loosely: texts by name, see `wgsl-library.ts`. */
export const basicFunctions: Readonly<Record<string, string>> = {
  // Not known when the text is compiled: WGSL refuses infinity and NaN as constants.
  float_of: `
fn float_of(bits: u32) -> f32 {
  return bitcast<f32>(bits);
}`,

  is_nan: `
fn is_nan$(x: $F) -> $B {
  return (bitcast<$U>(x) & $U(0x7fffffffu)) > $U(0x7f800000u);
}`,

  is_finite: `
fn is_finite$(x: $F) -> $B {
  return (bitcast<$U>(x) & $U(0x7f800000u)) != $U(0x7f800000u);
}`,

  // The twelve upper bits of the mantissa: products of two such numbers are exact, and so is what remains of x.
  upper: `
fn upper$(x: $F) -> $F {
  return bitcast<$F>(bitcast<$U>(x) & $U(0xfffff000u));
}`,

  // A difference whose last bits are zero in any case: clearing them keeps drivers from merging it with other terms.
  settled: `
fn settled$(x: $F) -> $F {
  return bitcast<$F>(bitcast<$U>(x) & $U(0xffffffc0u));
}`,

  with_sign: `
fn with_sign$(size: $F, sign: $F) -> $F {
  return bitcast<$F>(bitcast<$U>(size) | (bitcast<$U>(sign) & $U(0x80000000u)));
}`,

  // 2ᵏ for k from -126 to 127.
  power_of_two: `
fn power_of_two$(k: $I) -> $F {
  return bitcast<$F>((k + $I(127)) << $U(23u));
}`,

  max_of: `
fn max_of$(a: $F, b: $F) -> $F {
  return select(max(a, b), a + b, is_nan$(a) | is_nan$(b));
}`,

  min_of: `
fn min_of$(a: $F, b: $F) -> $F {
  return select(min(a, b), a + b, is_nan$(a) | is_nan$(b));
}`,

  // The quotient within 0.501 ulp, corrected by its exact remainder; below 2^-70 as WGSL has it. Operands are scaled so that
  // 1 / b is a normal number.
  divide: `
fn divide$(a: $F, b: $F) -> $F {
  let size = abs(b);
  let scale = select(select($F(1f), $F(0x1p+100f), size < $F(0x1p-100f)), $F(0x1p-100f), size > $F(0x1p+100f));
  let n = a * scale;
  let d = b * scale;
  let inverse = 1f / d;
  let q = n * inverse;
  let qh = upper$(q);
  let ql = q - qh;
  let dh = upper$(d);
  let dl = d - dh;
  let rest = ((settled$(n - qh * dh) - qh * dl) - ql * dh) - ql * dl;
  // upper, or q + rest · inverse becomes (n + rest) · inverse
  let corrected = q + rest * upper$(inverse);
  let is_exact = min(abs(n), abs(q)) > $F(0x1p-70f);
  return select(q, corrected, is_finite$(corrected) & (rest != $F(0f)) & is_exact);
}`,

  // The root within 0.501 ulp, corrected likewise.
  square_root: `
fn square_root$(x: $F) -> $F {
  let is_tiny = x < $F(0x1p-70f);
  let y = select(x, x * 0x1p+80f, is_tiny);
  let s = sqrt(y);
  let sh = upper$(s);
  let sl = s - sh;
  let rest = (settled$(y - sh * sh) - 2f * sh * sl) - sl * sl;
  let corrected = s + rest * (0.5f / s);
  let root = select(s, corrected, is_finite$(corrected) & (rest != $F(0f)));
  return select(root, root * 0x1p-40f, is_tiny);
}`,

  // x - x and x / x and 0 · x, which drivers take for 0, 1 and 0 whatever x is.
  minus_itself: `
fn minus_itself$(x: $F) -> $F {
  return select($F(float_of(0x7fc00000u)), $F(0f), is_finite$(x));
}`,

  over_itself: `
fn over_itself$(x: $F) -> $F {
  return select($F(float_of(0x7fc00000u)), $F(1f), is_finite$(x) & (x != $F(0f)));
}`,

  times_zero: `
fn times_zero$(x: $F) -> $F {
  return select($F(float_of(0x7fc00000u)), with_sign$($F(0f), x), is_finite$(x));
}`,

  // Within 1.5 ulp.
  inverse_square_root: `
fn inverse_square_root$(x: $F) -> $F {
  return divide$($F(1f), square_root$(x));
}`,

  // The 16 bits of the float16 nearest to x, ties to even. Adding 0.5 rounds a subnormal one in float32's own addition.
  half_bits: `
fn half_bits$(x: $F) -> $U {
  let u = bitcast<$U>(x);
  let size = u & $U(0x7fffffffu);
  let normal = min((size - $U(0x37fff001u) + ((size >> $U(13u)) & $U(1u))) >> $U(13u), $U(0x7c00u));
  let small = bitcast<$U>(bitcast<$F>(size) + 0.5f) - $U(0x3f000000u);
  let finite = select(normal, small, size < $U(0x38800000u));
  return ((u >> $U(16u)) & $U(0x8000u)) | select(finite, $U(0x7e00u), size > $U(0x7f800000u));
}`,

  packed_half_bits: `
fn half_bits(x: f32) -> u32 {
  return pack2x16float(vec2f(x, 0f));
}`,

  // The float16 that the lower 16 bits stand for.
  half_value: `
fn half_value$(bits: $U) -> $F {
  let size = (bits & $U(0x7fffu)) << $U(13u);
  let normal = bitcast<$F>(size + $U(0x38000000u));
  let small = bitcast<$F>(size + $U(0x38800000u)) - 0x1p-14f;
  let finite = select(normal, small, size < $U(0x00800000u));
  let value = select(finite, bitcast<$F>(size | $U(0x7f800000u)), size >= $U(0x0f800000u));
  return bitcast<$F>(bitcast<$U>(value) | ((bits & $U(0x8000u)) << $U(16u)));
}`,

  // Not the device's own way back from packed bits: compilers take that for nothing to do.
  round_half: `
fn round_half$(x: $F) -> $F {
  return half_value$(half_bits$(x));
}`,

  // The upper 16 bits of the bfloat16 nearest to x, ties to even.
  brain_bits: `
fn brain_bits$(x: $F) -> $U {
  let u = bitcast<$U>(x);
  let rounded = (u + $U(0x7fffu) + ((u >> $U(16u)) & $U(1u))) >> $U(16u);
  return select(rounded, $U(0x7fc0u), (u & $U(0x7fffffffu)) > $U(0x7f800000u));
}`,

  brain_value: `
fn brain_value$(bits: $U) -> $F {
  return bitcast<$F>(bits << $U(16u));
}`,

  round_brain: `
fn round_brain$(x: $F) -> $F {
  return brain_value$(brain_bits$(x));
}`,

  // Numbers to integers: without the fraction, stopping at the limits, NaN as 0.
  to_int: `
fn to_int$(x: $F) -> $I {
  let inside = $I(clamp(x, $F(-2147483648f), $F(2147483520f)));
  return select(select(inside, $I(2147483647), x >= $F(2147483648f)), $I(0), is_nan$(x));
}`,

  to_uint: `
fn to_uint$(x: $F) -> $U {
  let inside = $U(clamp(x, $F(0f), $F(4294967040f)));
  return select(select(inside, $U(0xffffffffu), x >= $F(4294967296f)), $U(0u), is_nan$(x));
}`,

  // Integers in the order of the numbers, NaN above all; 0 and -0 are equal.
  greatest_key: `
fn greatest_key$(x: $F) -> $I {
  let bits = bitcast<$I>(x);
  let key = select(bits ^ ((bits >> $U(31u)) & $I(0x7fffffff)), $I(0), x == $F(0f));
  return select(key, $I(0x7fffffff), is_nan$(x));
}`,

  // The other way round, NaN above all again.
  least_key: `
fn least_key$(x: $F) -> $I {
  return select(~greatest_key$(x), $I(0x7fffffff), is_nan$(x));
}`,

  // a - b · ⌊a / b⌋ with the sign of b, exact: the mantissas are divided eight bits at a time.
  float_remainder: `
fn float_remainder(a: f32, b: f32) -> f32 {
  let rest = truncated_remainder(a, b);
  return select(rest, rest + b, rest != 0f && (rest < 0f) != (b < 0f));
}`,

  truncated_remainder: `
fn truncated_remainder(a: f32, b: f32) -> f32 {
  let x = bitcast<u32>(a) & 0x7fffffffu;
  let y = bitcast<u32>(b) & 0x7fffffffu;
  if (y == 0u || x >= 0x7f800000u || y > 0x7f800000u) {
    return float_of(0x7fc00000u);
  }
  if (x < y) {
    return a;
  }
  let least = max(y >> 23u, 1u);
  var left = max(x >> 23u, 1u) - least;
  let divisor = (y & 0x7fffffu) | select(0u, 0x800000u, y >= 0x800000u);
  var rest = ((x & 0x7fffffu) | select(0u, 0x800000u, x >= 0x800000u)) % divisor;
  while (left > 0u) {
    let step = min(left, 8u);
    rest = (rest << step) % divisor;
    left -= step;
  }
  // rest · 2^(least - 150) in two factors
  let half = (i32(least) - 150) / 2;
  let size = f32(rest) * power_of_two(half) * power_of_two(i32(least) - 150 - half);
  return with_sign(size, a);
}`,

  // a / b without its fraction, as if divided exactly.
  float_quotient: `
fn float_quotient(a: f32, b: f32) -> f32 {
  let rest = truncated_remainder(a, b);
  return select(round(divide(a - rest, b)), trunc(divide(a, b)), !is_finite(rest) || abs(b) > 0x1p+127f);
}`,
};
