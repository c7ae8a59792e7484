/** Samples rounded to their dtype at every step, as MLX rounds them. */
import type { Dtype } from "../base/dtype.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { add } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import type { ArrayLike } from "../primitives/operands.ts";
import { asArray } from "../primitives/operands.ts";

/** The largest float32 below 1, and the one above -1. */
export const belowOne: number = 1 - 2 ** -24;
/** The largest number below 1 of the dtypes that have fewer bits. */
export const halfBelowOne: Partial<Record<Dtype, number>> = { float16: 1 - 2 ** -11, bfloat16: 1 - 2 ** -8 };

/**
 * A value rounded to `dtype`, to go on with: halves as float32, because a fused kernel would round only at its end where MLX
 * rounds at every step, and samples have MLX's bits.
 */
export function step(x: MLXArray, dtype: Dtype): MLXArray {
  return dtype in halfBelowOne ? castTo(castTo(x, dtype), "float32") : castTo(x, dtype);
}

/** The same of an operand. */
export function stepOf(operation: string, value: ArrayLike, dtype: Dtype): MLXArray {
  return step(asArray(operation, value), dtype);
}

/** Scaled samples moved by `loc`, if there is one. */
export function moved(
  operation: string,
  scaled: MLXArray,
  { loc }: { readonly loc?: ArrayLike | undefined },
  dtype: Dtype,
): MLXArray {
  return loc === undefined ? scaled : add(step(scaled, dtype), stepOf(operation, loc, dtype));
}
