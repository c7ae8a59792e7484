/** Numbers rounded to what the 16-bit floating types hold. */
import { bfloat16ToNumber, float16ToNumber, numberToBfloat16, numberToFloat16 } from "./half.ts";

/** The number nearest to `value` that float16 holds. */
export function roundToFloat16(value: number): number {
  return float16ToNumber(numberToFloat16(value));
}

/** The number nearest to `value` that bfloat16 holds. */
export function roundToBfloat16(value: number): number {
  return bfloat16ToNumber(numberToBfloat16(value));
}
