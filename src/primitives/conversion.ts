/** Conversion between dtypes, as users call it. */
import type { Dtype } from "../base/dtype.ts";
import { requireDtype } from "../base/dtype.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed } from "../graph/placement.ts";
import { castTo } from "./cast.ts";
import type { ArrayLike } from "./operands.ts";
import { asArray } from "./operands.ts";

/**
 * `x` with its elements converted to `dtype`: floats to integers by dropping the fraction, integers to fewer bits by wrapping
 * around, anything but 0 to true. Floats beyond int32 or the wider integers become the nearest one, NaN becomes 0; those that
 * become 8 or 16 bits wrap around like an int32.
 *
 * @throws {DtypeError} if `dtype` is none
 * @example
 * await asType(array([1.7, -1.7]), "int32").tolist(); // [1, -1]
 */
export function asType(x: ArrayLike, dtype: Dtype, options?: OperationOptions): MLXArray {
  return placed("asType", options, () => castTo(asArray("asType", x), requireDtype("asType", dtype)));
}
