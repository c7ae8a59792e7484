/** Float16 and bfloat16 as bits and as numbers, rounded to nearest even. */

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/** The number that 16 bits stand for in bfloat16. */
export function bfloat16ToNumber(half: number): number {
  bits[0] = half << 16;
  return single[0] ?? 0;
}

/** The bfloat16 bits nearest to `value`. */
export function numberToBfloat16(value: number): number {
  single[0] = value;
  const word = bits[0] ?? 0;
  if (value !== value) return 0x7fc0;
  return ((word + 0x7fff + ((word >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The number that 16 bits stand for in float16. */
export function float16ToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The float16 bits nearest to `value`. */
export function numberToFloat16(value: number): number {
  if (value !== value) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude || 2 ** -24)));
  const unit = 2 ** (exponent - 10);
  const scaled = magnitude / unit;
  const floor = Math.floor(scaled);
  const rest = scaled - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  if (exponent === -14) return sign | rounded;
  return sign | (((exponent + 15) << 10) + rounded - 1024);
}
