/** The two 16-bit floating types: their bits as numbers and numbers as their bits, rounded once to nearest even. */
import type { Dtype } from "./dtype.ts";

const singles = new Float32Array(1);
const bits = new Uint32Array(singles.buffer);

/** 2^(exponent - 25) for each biased exponent of float16 from 1 to 30; infinity for 31. */
const float16Scales: Float64Array = Float64Array.from({ length: 32 }, (_, exponent) =>
  exponent === 31 ? Number.POSITIVE_INFINITY : 2 ** (exponent - 25),
);

/** The number that the 16 bits of a float16 stand for. */
export function float16ToNumber(half: number): number {
  const exponent = (half >>> 10) & 31;
  const fraction = half & 0x3ff;
  let magnitude: number;
  if (exponent === 0) magnitude = fraction * 2 ** -24;
  else if (exponent === 31 && fraction !== 0) return Number.NaN;
  else magnitude = (fraction | 0x400) * (float16Scales[exponent] ?? 0);
  return half & 0x8000 ? -magnitude : magnitude;
}

/** The bits of the float16 nearest to `value`; ties go to the even one, values from 65520 on to infinity. */
export function numberToFloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const single = oddFloat32Bits(value);
  const sign = (single >>> 16) & 0x8000;
  const magnitude = single & 0x7fffffff;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  const shift = 126 - (magnitude >>> 23);
  if (shift > 25) return sign;
  const significand = (magnitude & 0x7fffff) | 0x800000;
  const whole = significand >>> shift;
  const rest = significand & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  const roundsUp = rest > tie || (rest === tie && (whole & 1) === 1);
  return sign | (roundsUp ? whole + 1 : whole);
}

/** The number that the 16 bits of a bfloat16 stand for. */
export function bfloat16ToNumber(half: number): number {
  bits[0] = half << 16;
  return singles[0] ?? 0;
}

/** The bits of the bfloat16 nearest to `value`; ties go to the even one. */
export function numberToBfloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  const single = oddFloat32Bits(value);
  const magnitude = single & 0x7fffffff;
  const sign = (single >>> 16) & 0x8000;
  return sign | ((magnitude + 0x7fff + ((magnitude >>> 16) & 1)) >>> 16);
}

/** The number nearest to `value` that float16 holds. */
export function roundToFloat16(value: number): number {
  return float16ToNumber(numberToFloat16(value));
}

/** The number nearest to `value` that bfloat16 holds. */
export function roundToBfloat16(value: number): number {
  return bfloat16ToNumber(numberToBfloat16(value));
}

/** The number that the bits of a float16 or bfloat16 stand for. */
export function halfToNumber(half: number, dtype: Dtype): number {
  return dtype === "bfloat16" ? bfloat16ToNumber(half) : float16ToNumber(half);
}

/** The bits of the float16 or bfloat16 nearest to `value`. */
export function numberToHalf(value: number, dtype: Dtype): number {
  return dtype === "bfloat16" ? numberToBfloat16(value) : numberToFloat16(value);
}

/** The numbers that the bits of an array of float16 or bfloat16 stand for. */
export function halvesToNumbers(halves: Uint16Array, dtype: Dtype): Float32Array {
  const convert = dtype === "bfloat16" ? bfloat16ToNumber : float16ToNumber;
  const numbers = new Float32Array(halves.length);
  for (let k = 0; k < halves.length; k++) numbers[k] = convert(halves[k] ?? 0);
  return numbers;
}

/** The bits of each number as float16 or bfloat16. */
export function numbersToHalves(numbers: ArrayLike<number>, dtype: Dtype): Uint16Array {
  const convert = dtype === "bfloat16" ? numberToBfloat16 : numberToFloat16;
  const halves = new Uint16Array(numbers.length);
  for (let k = 0; k < numbers.length; k++) halves[k] = convert(numbers[k] ?? 0);
  return halves;
}

/**
 * The bits of `value` as float32, rounded to odd: cut off towards zero, with the last bit set if anything was lost.
 * Rounding that to 16 bits gives what rounding `value` itself would, where rounding twice to nearest can differ.
 */
function oddFloat32Bits(value: number): number {
  singles[0] = value;
  const single = bits[0] ?? 0;
  const nearest = singles[0] ?? 0;
  if (nearest === value) return single;
  const isBeyond = value < 0 ? nearest < value : nearest > value;
  return (isBeyond ? single - 1 : single) | 1;
}
