/** Elementwise: magnitude and sign, the greater and the lesser of two. */
import { isFloating, kindOf } from "../base/dtype.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import type { Expr } from "../ir/expr.ts";
import { castTo } from "./cast.ts";
import { greater, greaterEqual, less, lessEqual } from "./comparison.ts";
import { applyBinary, applyUnary, binaryRow, unaryRow } from "./elementwise.ts";
import type { ArrayLike, UnaryOperation } from "./operands.ts";

/** Magnitude. Its derivative at 0 is 0. */
export const absRow: Primitive<null> = /* @__PURE__ */ unaryRow(
  "abs",
  (e, x) => (hasSign(x) ? e.unary("abs", x) : x),
  (x) => sign(x),
);

/**
 * Magnitude of each element, dtype of `x`. The least integer of its type stays as it is.
 *
 * @example
 * await abs(array([-1.5, 2])).tolist(); // [1.5, 2]
 */
export const abs: UnaryOperation = (x, options?: OperationOptions) => applyUnary(absRow, x, options);

/** -1, 0 or 1; 0 for NaN. */
export const signRow: Primitive<null> = /* @__PURE__ */ unaryRow("sign", (e, x) => {
  if (x.dtype === "bool") return x;
  const zero = e.like(x, 0);
  const nonNegative = e.select(e.lt(zero, x), e.like(x, 1), zero);
  return hasSign(x) ? e.select(e.lt(x, zero), e.like(x, -1), nonNegative) : nonNegative;
});

/**
 * -1 for negative elements, 1 for positive ones, 0 for zeros and NaN, dtype of `x`.
 *
 * @example
 * await sign(array([-3, 0, 7])).tolist(); // [-1, 0, 1]
 */
export const sign: UnaryOperation = (x, options?: OperationOptions) => applyUnary(signRow, x, options);

/** The greater one; NaN if either is. Where they are equal the derivative goes to `b`. */
export const maximumRow: Primitive<null> = /* @__PURE__ */ binaryRow(
  "maximum",
  "max",
  (a, b) => [castTo(greater(a, b), a.dtype), castTo(lessEqual(a, b), a.dtype)],
  "or",
);

/**
 * The greater of `a` and `b`, elementwise, of the broadcast shape and the promoted dtype; NaN if either is NaN.
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await maximum(array([1, 5]), 3).tolist(); // [3, 5]
 */
export function maximum(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(maximumRow, a, b, options);
}

/** The lesser one; NaN if either is. Where they are equal the derivative goes to `b`. */
export const minimumRow: Primitive<null> = /* @__PURE__ */ binaryRow(
  "minimum",
  "min",
  (a, b) => [castTo(less(a, b), a.dtype), castTo(greaterEqual(a, b), a.dtype)],
  "and",
);

/**
 * The lesser of `a` and `b`, elementwise, of the broadcast shape and the promoted dtype; NaN if either is NaN.
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await minimum(array([1, 5]), 3).tolist(); // [1, 3]
 */
export function minimum(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(minimumRow, a, b, options);
}

/** Whether elements of `x` can be negative. */
export function hasSign(x: Expr): boolean {
  return x.dtype !== "index" && (isFloating(x.dtype) || kindOf(x.dtype) === "signed");
}
