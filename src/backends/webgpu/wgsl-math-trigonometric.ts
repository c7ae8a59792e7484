/** WGSL functions sin, cos and tan of float32, for angles of any size. */
/** Trigonometric functions: texts by name, see `wgsl-library.ts`. */
export const trigonometricFunctions: Readonly<Record<string, string>> = {
  // What is left of an angle below 10⁴ after n quarter turns, as rest - excess. π/2 is in four parts, of which products
  // of the first three with a whole number below 2¹³ are exact (Cody and Waite 1980).
  turn_exact: `
fn turn_exact$(x: $F, n: $F) -> $F {
  return (x - n * 1.5703125f) - n * 0.0004837513f;
}`,

  turn_excess: `
fn turn_excess$(exact: $F, n: $F, rest: $F) -> $F {
  return n * 2.563344e-12f + (n * 7.5495336e-8f + (rest - exact));
}`,

  // The sine of so many quarter turns and rest - excess, where |rest| ≤ π/4.
  sin_turned: `
fn sin_turned$(quarters: $I, rest: $F, excess: $F) -> $F {
  let square = rest * rest;
  let bend = ((-0.00019518095f * square + 0.008332188f) * square - 0.16666655f) * (rest * square);
  let sine = rest - (excess - bend);
  let cosine = (((2.4432327e-5f * square - 0.001388731f) * square + 0.041666646f) * square - 0.5f) * square + 1f;
  let size = select(sine, cosine + excess * rest, (quarters & $I(1)) != $I(0));
  return select(size, -size, (quarters & $I(2)) != $I(0));
}`,

  // Within 1.6 ulp.
  sin_of: `
fn sin_of$(x: $F) -> $F {
  let n = round(x * 0.63661975f);
  let exact = turn_exact$(x, n);
  let rest = fenced$(exact - n * 7.5495336e-8f);
  let near = sin_turned$($I(n), rest, turn_excess$(exact, n, rest));
  let is_far = abs(x) > $F(10000f);
  if (any(is_far)) {
    return select(near, sin_far$(x), is_far);
  }
  return select(near, x, abs(x) < $F(0x1p-13f));
}`,

  // Within 1.6 ulp.
  cos_of: `
fn cos_of$(x: $F) -> $F {
  let n = round(x * 0.63661975f);
  let exact = turn_exact$(x, n);
  let rest = fenced$(exact - n * 7.5495336e-8f);
  let near = sin_turned$($I(n) + $I(1), rest, turn_excess$(exact, n, rest));
  let is_far = abs(x) > $F(10000f);
  if (any(is_far)) {
    return select(near, cos_far$(x), is_far);
  }
  return near;
}`,

  // The tangent of rest - excess, or its negated cotangent after an odd number of quarters.
  tan_turned: `
fn tan_turned$(quarters: $I, rest: $F, excess: $F) -> $F {
  let angle = fenced$(rest - excess);
  let remaining = (angle - rest) + excess;
  let square = angle * angle;
  let tail = (((((0.0043803686f * square + 8.385932e-5f) * square + 0.010837704f) * square + 0.02128277f) * square + 0.054059446f) * square + 0.13332672f) * square + 0.3333335f;
  let tangent = angle - (remaining - (angle * square) * tail);
  // -cot(angle - remaining) = -1 / angle - remaining / angle² + angle · tail
  let inverse = divide$($F(-1f), angle);
  let bend = ((0.0002481942f * square + 0.00209628f) * square + 0.022226537f) * square + 0.33333305f;
  let cotangent = inverse + (bend * angle - (inverse * inverse) * remaining);
  return select(tangent, cotangent, (quarters & $I(1)) != $I(0));
}`,

  // Within 2.4 ulp.
  tan_of: `
fn tan_of$(x: $F) -> $F {
  let n = round(x * 0.63661975f);
  let exact = turn_exact$(x, n);
  let rest = fenced$(exact - n * 7.5495336e-8f);
  let near = tan_turned$($I(n), rest, turn_excess$(exact, n, rest));
  let is_far = abs(x) > $F(10000f);
  if (any(is_far)) {
    return select(near, tan_far$(x), is_far);
  }
  return select(near, x, abs(x) < $F(0x1p-13f));
}`,

  sin_far: `
fn sin_far(x: f32) -> f32 {
  let turned = turned_far(x);
  return sin_turned(i32(turned.x), turned.y, turned.z);
}`,

  cos_far: `
fn cos_far(x: f32) -> f32 {
  let turned = turned_far(x);
  return sin_turned(i32(turned.x) + 1, turned.y, turned.z);
}`,

  tan_far: `
fn tan_far(x: f32) -> f32 {
  let turned = turned_far(x);
  return tan_turned(i32(turned.x), turned.y, turned.z);
}`,

  // Quarters, rest and excess of an angle from 2¹³ on, by 96 bits of 2/π of which those before give whole turns (Payne and
  // Hanek 1983).
  turned_far: `
fn turned_far(x: f32) -> vec3f {
  let u = bitcast<u32>(x) & 0x7fffffffu;
  if (u >= 0x7f800000u || u < 0x46000000u) {
    return vec3f(float_of(0x7fc00000u));
  }
  let m = (u & 0x7fffffu) | 0x800000u;
  let first = (u >> 23u) - 120u;
  let low = wide_product(m, two_over_pi(first + 64u));
  let middle = wide_product(m, two_over_pi(first + 32u));
  let second = middle.y + low.x;
  let top = m * two_over_pi(first) + middle.x + select(0u, 1u, second < low.x);
  var quarters = top >> 30u;
  var fraction = (top << 2u) | (second >> 30u);
  var further = (second << 2u) | (low.y >> 30u);
  let is_beyond = fraction >= 0x80000000u;
  if (is_beyond) {
    quarters += 1u;
    further = ~further + 1u;
    fraction = ~fraction + select(0u, 1u, further == 0u);
  }
  let zeros = min(countLeadingZeros(fraction), 31u);
  let digits = select((fraction << zeros) | (further >> (32u - zeros)), fraction, zeros == 0u);
  let unit = power_of_two(-32 - i32(zeros));
  let size = f32(digits & 0xffffff00u) * unit;
  // times π/2 = 1.5707964 - 4.371139e-8, with what the product loses
  let rest = fenced(size * 1.5707964f);
  let upper_size = upper(size);
  let lower_size = size - upper_size;
  let lost = ((rest - upper_size * 1.5703125f) - upper_size * 0.0004838705f - lower_size * 1.5703125f) - lower_size * 0.0004838705f;
  let excess = lost + (size * 4.371139e-8f - f32(digits & 0xffu) * unit * 1.5707964f);
  let turned = vec3f(f32(quarters), select(rest, -rest, is_beyond), select(excess, -excess, is_beyond));
  return select(turned, -turned, x < 0f);
}`,

  // 32 bits of 2/π · 2⁻³² from a bit on.
  two_over_pi: `
fn two_over_pi(bit: u32) -> u32 {
  let shift = bit & 31u;
  let word = two_over_pi_word(bit >> 5u);
  let next = two_over_pi_word((bit >> 5u) + 1u);
  return select((word << shift) | (next >> (32u - shift)), word, shift == 0u);
}`,

  two_over_pi_word: `
fn two_over_pi_word(place: u32) -> u32 {
  switch place {
    case 1u: { return 0xa2f9836eu; }
    case 2u: { return 0x4e441529u; }
    case 3u: { return 0xfc2757d1u; }
    case 4u: { return 0xf534ddc0u; }
    case 5u: { return 0xdb629599u; }
    case 6u: { return 0x3c439041u; }
    case 7u: { return 0xfe5163abu; }
    default: { return 0u; }
  }
}`,

  // The upper and lower 32 bits of a product.
  wide_product: `
fn wide_product(a: u32, b: u32) -> vec2u {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let left = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let right = (a & 0xffffu) * (b >> 16u) + (left & 0xffffu);
  return vec2u((a >> 16u) * (b >> 16u) + (left >> 16u) + (right >> 16u), (right << 16u) | (low & 0xffffu));
}`,
};
