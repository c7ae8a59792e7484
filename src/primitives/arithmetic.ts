/** Elementwise arithmetic: one row and one public function per operation. */
import { isFloating, kindOf } from "../base/dtype.ts";
import { DtypeError } from "../base/errors.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import type { Expr, ExprType } from "../ir/expr.ts";
import { castTo } from "./cast.ts";
import { greater, greaterEqual, less, lessEqual } from "./comparison.ts";
import {
  applyBinary,
  applyFloating,
  applyUnary,
  binaryRow,
  filledLike,
  knownValue,
  pair,
  unaryRow,
} from "./elementwise.ts";
import { only, pointwise } from "./families.ts";
import { constant } from "./leaf.ts";
import type { ArrayLike } from "./operands.ts";
import { asArray } from "./operands.ts";

/** Sum; on bool, or. */
export const addRow: Primitive<null> = /* @__PURE__ */ pointwise<null>("add", {
  lower(e, args) {
    const [a, b] = pair("add", args);
    return a.dtype === "bool" ? e.or(a, b) : e.add(a, b);
  },
  derivative: { kind: "linear", transpose: (cotangent) => [cotangent, cotangent] },
});

/**
 * `a + b`, elementwise, of the broadcast shape and the promoted dtype. Integers wrap around; on bool it is "or".
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await add(array([1, 2]), 3).tolist(); // [4, 5]
 */
export function add(a: ArrayLike, b: ArrayLike): MLXArray {
  return applyBinary(addRow, a, b);
}

/** Difference; on bool, exclusive or. */
export const subtractRow: Primitive<null> = /* @__PURE__ */ pointwise<null>("subtract", {
  lower(e, args) {
    const [a, b] = pair("subtract", args);
    return a.dtype === "bool" ? e.binary("xor", a, b) : e.sub(a, b);
  },
  derivative: { kind: "linear", transpose: (cotangent) => [cotangent, negative(cotangent)] },
});

/**
 * `a - b`, elementwise, of the broadcast shape and the promoted dtype. Integers wrap around.
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await subtract(5, array([1, 2])).tolist(); // [4, 3]
 */
export function subtract(a: ArrayLike, b: ArrayLike): MLXArray {
  return applyBinary(subtractRow, a, b);
}

/** Product; on bool, and. */
export const mulRow: Primitive<null> = /* @__PURE__ */ binaryRow("multiply", "mul", (a, b) => [b, a], "and");

/**
 * `a · b`, elementwise, of the broadcast shape and the promoted dtype. Integers wrap around; on bool it is "and".
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await multiply(array([1, 2]), array([3, 4])).tolist(); // [3, 8]
 */
export function multiply(a: ArrayLike, b: ArrayLike): MLXArray {
  return applyBinary(mulRow, a, b);
}

/** Quotient of floating-point numbers. */
export const divideRow: Primitive<null> = /* @__PURE__ */ binaryRow("divide", "div", (_, b, output) => {
  const known = knownValue(b);
  return known === null
    ? [reciprocal(b), negative(divide(output, b))]
    : [filledLike(b, 1 / Number(known)), negative(divide(output, b))];
});

/**
 * `a / b`, elementwise, of the broadcast shape; float32 for integers and bool.
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await divide(array([7, 1], "int32"), 2).tolist(); // [3.5, 0.5]
 */
export function divide(a: ArrayLike, b: ArrayLike): MLXArray {
  return applyBinary(divideRow, a, b, true);
}

/** Opposite. */
export const negativeRow: Primitive<null> = /* @__PURE__ */ pointwise<null>("negative", {
  lower: (e, [x]) => e.unary("neg", only("negative", x)),
  derivative: { kind: "linear", transpose: (cotangent) => [negative(cotangent)] },
});

/**
 * `-x`, elementwise; unsigned integers wrap around.
 *
 * @throws {DtypeError} for bool
 * @example
 * await negative(array([1, -2])).tolist(); // [-1, 2]
 */
export function negative(x: ArrayLike): MLXArray {
  const array = asArray("negative", x);
  if (array.dtype === "bool") throw new DtypeError("negative", "bool has no sign; use logicalNot");
  return apply(negativeRow, [array], null);
}

/** `x` itself. */
export function positive(x: ArrayLike): MLXArray {
  return asArray("positive", x);
}

/** The complex conjugate and the real part of real numbers: `positive` under MLX's names. */
export { positive as conj, positive as conjugate, positive as real };

/** The imaginary part of real numbers: zeros in the shape and dtype of `x`. */
export function imag(x: ArrayLike): MLXArray {
  return filledLike(asArray("imag", x), 0);
}

/** 1 / x. */
export const reciprocalRow: Primitive<null> = /* @__PURE__ */ unaryRow(
  "reciprocal",
  (e, x) => e.div(e.like(x, 1), x),
  (_, output) => negative(square(output)),
);

/**
 * `1 / x`, elementwise; float32 for integers and bool.
 *
 * @example
 * await reciprocal(array([2, 4])).tolist(); // [0.5, 0.25]
 */
export function reciprocal(x: ArrayLike): MLXArray {
  return applyFloating(reciprocalRow, x);
}

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
export function abs(x: ArrayLike): MLXArray {
  return applyUnary(absRow, x);
}

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
export function sign(x: ArrayLike): MLXArray {
  return applyUnary(signRow, x);
}

/** x². */
export const squareRow: Primitive<null> = /* @__PURE__ */ unaryRow(
  "square",
  (e, x) => (x.dtype === "bool" ? x : e.mul(x, x)),
  (x) => multiply(x, 2),
);

/**
 * `x · x`, elementwise, dtype of `x`. Integers wrap around.
 *
 * @example
 * await square(array([3, -4])).tolist(); // [9, 16]
 */
export function square(x: ArrayLike): MLXArray {
  return applyUnary(squareRow, x);
}

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
export function maximum(a: ArrayLike, b: ArrayLike): MLXArray {
  return applyBinary(maximumRow, a, b);
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
export function minimum(a: ArrayLike, b: ArrayLike): MLXArray {
  return applyBinary(minimumRow, a, b);
}

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
export function floorDivide(a: ArrayLike, b: ArrayLike): MLXArray {
  return applyBinary(floorDivideRow, a, b);
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
export function remainder(a: ArrayLike, b: ArrayLike): MLXArray {
  return applyBinary(remainderRow, a, b);
}

/**
 * The quotient rounded down and the remainder, elementwise: `[floorDivide(a, b), remainder(a, b)]`.
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 */
export function divmod(a: ArrayLike, b: ArrayLike): [MLXArray, MLXArray] {
  return [floorDivide(a, b), remainder(a, b)];
}

/** `x` in degrees, elementwise; float32 for integers and bool. */
export function degrees(x: ArrayLike): MLXArray {
  return scaled("degrees", x, 180 / Math.PI);
}

/**
 * `x`, given in degrees, in radians, elementwise; float32 for integers and bool.
 *
 * @example
 * await radians(array([180])).tolist(); // ≈ [3.14159]
 */
export function radians(x: ArrayLike): MLXArray {
  return scaled("radians", x, Math.PI / 180);
}

function scaled(operation: string, x: ArrayLike, factor: number): MLXArray {
  const array = asArray(operation, x);
  return multiply(array, constant(factor, isFloating(array.dtype) ? array.dtype : "float32"));
}

function hasSign(x: Expr): boolean {
  return x.dtype !== "index" && (isFloating(x.dtype) || kindOf(x.dtype) === "signed");
}

function isFloat(dtype: ExprType): boolean {
  return dtype !== "index" && isFloating(dtype);
}
