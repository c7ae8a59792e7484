/** The public surface of `mlx-ts`: arrays, operations and transforms. */
import "./array/methods.ts";

export type { Dtype, TypedArray } from "./base/dtype.ts";
export * from "./base/errors.ts";
export { MLXArray } from "./graph/mlx-array.ts";
export { evaluate } from "./array/evaluate.ts";
export type { ArrayData } from "./array/from-data.ts";
export { array, fromTypedArray } from "./array/from-data.ts";
export type { ArrayLike } from "./primitives/operands.ts";
export { add, multiply } from "./primitives/arithmetic.ts";
export { sum } from "./primitives/reductions.ts";
export { broadcastTo, moveAxis, reshape, transpose } from "./primitives/views.ts";
