/** WGSL functions on integers of 32 bits: division by zero gives 0, remainders have the divisor's sign. */
/** Operations on integers of 32 bits: texts by name, see `wgsl-library.ts`. */
export const integerFunctions: Readonly<Record<string, string>> = {
  // The nearest float32, ties to even: WGSL lets a conversion give either neighbour, but two halves convert exactly, and
  // their sum is rounded once.
  int_value: `
fn int_value$(x: $I) -> $F {
  return $F(x >> $U(16u)) * 65536f + $F(x & $I(0xffff));
}`,

  uint_value: `
fn uint_value$(x: $U) -> $F {
  return $F(x >> $U(16u)) * 65536f + $F(x & $U(0xffffu));
}`,

  int_quotient: `
fn int_quotient$(a: $I, b: $I) -> $I {
  return select(a / b, $I(0), b == $I(0));
}`,

  uint_quotient: `
fn uint_quotient$(a: $U, b: $U) -> $U {
  return select(a / b, $U(0u), b == $U(0u));
}`,

  int_remainder: `
fn int_remainder$(a: $I, b: $I) -> $I {
  let rest = a % b;
  let turned = select(rest, rest + b, (rest != $I(0)) & ((rest ^ b) < $I(0)));
  return select(turned, $I(0), b == $I(0));
}`,

  uint_remainder: `
fn uint_remainder$(a: $U, b: $U) -> $U {
  return select(a % b, $U(0u), b == $U(0u));
}`,

  // Floor division and its remainder, for positions that may be negative; b is positive.
  floor_quotient: `
fn floor_quotient$(a: $I, b: $I) -> $I {
  let q = a / b;
  return select(q, q - $I(1), a < q * b);
}`,

  floor_remainder: `
fn floor_remainder$(a: $I, b: $I) -> $I {
  let rest = a % b;
  return select(rest, rest + b, rest < $I(0));
}`,

  // By squaring; a negative exponent gives what truncating the quotient would.
  int_power: `
fn int_power(base: i32, exponent: i32) -> i32 {
  if (exponent < 0) {
    return 0;
  }
  return bitcast<i32>(uint_power(bitcast<u32>(base), bitcast<u32>(exponent)));
}`,

  uint_power: `
fn uint_power(base: u32, exponent: u32) -> u32 {
  var result = 1u;
  var factor = base;
  for (var rest = exponent; rest > 0u; rest >>= 1u) {
    if ((rest & 1u) == 1u) {
      result *= factor;
    }
    factor *= factor;
  }
  return result;
}`,
};
