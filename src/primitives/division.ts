/** Division with a remainder, elementwise. */
import { isFloating } from "../base/dtype.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import type { ExprType } from "../ir/expr.ts";
import { negative } from "./arithmetic.ts";
import { applyBinary, binaryRow, filledLike } from "./elementwise.ts";
import { hasSign } from "./magnitude.ts";
import type { ArrayLike } from "./operands.ts";
import { commonDtype } from "./operands.ts";

/** ⌊a / b⌋. */
export const floorDivideRow: Primitive<null> = /* @__PURE__ */ binaryRow(
  "floorDivide",
  (e, a, b) => {
    if (isFloat(a.dtype)) return e.unary("floor", e.div(a, b));
    const quotient = e.binary("quotient", a, b);
    if (!hasSign(a)) return quotient;
    const isInexact = e.ne(e.mul(quotient, b), a);
    const differ = e.lt(e.binary("xor", a, b), e.like(a, 0));
    return e.select(e.and(isInexact, differ), e.sub(quotient, e.like(a, 1)), quotient);
  },
  undefined,
  "and",
);

/**
 * The quotient rounded down, elementwise, of the broadcast shape and the promoted dtype: integers stay integers.
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await floorDivide(array([7, -7], "int32"), 2).tolist(); // [3, -4]
 */
export function floorDivide(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(floorDivideRow, a, b, options);
}

/** a - b · ⌊a / b⌋. */
export const remainderRow: Primitive<null> = /* @__PURE__ */ binaryRow(
  "remainder",
  (e, a, b) => (a.dtype === "bool" ? e.constant(false, "bool") : e.binary("remainder", a, b)),
  (a, b) => [filledLike(a, 1), negative(floorDivide(a, b))],
);

/**
 * What is left after division, elementwise, with the sign of `b`, of the broadcast shape and the promoted dtype.
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await remainder(array([7, -7], "int32"), 3).tolist(); // [1, 2]
 */
export function remainder(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(remainderRow, a, b, options);
}

/**
 * The quotient rounded down and the remainder, elementwise: `[floorDivide(a, b), remainder(a, b)]`.
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * const [quotient, rest] = divmod(array([7, -7]), 3);
 * await quotient.tolist(); // [2, -3]
 * await rest.tolist(); // [1, 2]
 */
export function divmod(a: ArrayLike, b: ArrayLike, options?: OperationOptions): [MLXArray, MLXArray] {
  if (options) return placed("divmod", options, () => divmod(a, b));
  commonDtype("divmod", [a, b]);
  return [floorDivide(a, b), remainder(a, b)];
}

function isFloat(dtype: ExprType): boolean {
  return dtype !== "index" && isFloating(dtype);
}
