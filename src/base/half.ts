/** The two 16-bit floating types: their bits as numbers and numbers as their bits, rounded once to nearest even. */
import type { Dtype } from "./dtype.ts";

const singles = new Float32Array(1);
const bits = new Uint32Array(singles.buffer);

/** The number that the 16 bits of a float16 stand for. */
export function float16ToNumber(half: number): number {
  // Exponent and fraction where float32 has them: its exponents begin 112 lower.
  bits[0] = (half & 0x7fff) << 13;
  const scaled = (singles[0] ?? 0) * 2 ** 112;
  const magnitude = scaled < 65536 ? scaled : half & 0x3ff ? Number.NaN : Number.POSITIVE_INFINITY;
  return half & 0x8000 ? -magnitude : magnitude;
}

/** The bits of the float16 nearest to `value`; ties go to the even one, values from 65520 on to infinity. */
export function numberToFloat16(value: number): number {
  return nearestBits(value, 10, -14, 0x7c00);
}

/** The number that the 16 bits of a bfloat16 stand for. */
export function bfloat16ToNumber(half: number): number {
  bits[0] = half << 16;
  return singles[0] ?? 0;
}

/** The bits of the bfloat16 nearest to `value`; ties go to the even one. */
export function numberToBfloat16(value: number): number {
  return nearestBits(value, 7, -126, 0x7f80);
}

/** The number that the bits of a float16 or bfloat16 stand for. */
export function halfToNumber(half: number, dtype: Dtype): number {
  return dtype === "bfloat16" ? bfloat16ToNumber(half) : float16ToNumber(half);
}

/** The bits of the float16 or bfloat16 nearest to `value`. */
export function numberToHalf(value: number, dtype: Dtype): number {
  return dtype === "bfloat16" ? numberToBfloat16(value) : numberToFloat16(value);
}

/** The bits of the 16-bit float nearest to `value` with `width` bits behind the leading one and exponents from `least` on. */
function nearestBits(value: number, width: number, least: number, infinity: number): number {
  if (Number.isNaN(value)) return infinity | (1 << (width - 1));
  singles[0] = value;
  const single = bits[0] ?? 0;
  // What float32 rounds up to the next power of two is rounded up to it here, too.
  const exponent = Math.max(((single >>> 23) & 255) - 127, least);
  const units = nearestEven(Math.abs(value) * 2 ** (width - exponent));
  return ((single >>> 16) & 0x8000) | Math.min((exponent - least) * 2 ** width + units, infinity);
}

/** The whole number nearest to `x` ≥ 0, of two the even one: a double has no place for more once 2⁵² is added. */
function nearestEven(x: number): number {
  return x + 2 ** 52 - 2 ** 52;
}
