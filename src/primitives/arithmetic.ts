/** Elementwise arithmetic: one row and one public function per operation. */
import { isFloating } from "../base/dtype.ts";
import { DtypeError } from "../base/errors.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
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
import type { ArrayLike, UnaryOperation } from "./operands.ts";
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
export function add(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(addRow, a, b, options);
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
export function subtract(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(subtractRow, a, b, options);
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
export function multiply(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(mulRow, a, b, options);
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
export function divide(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(divideRow, a, b, options, true);
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
export const negative: UnaryOperation = (x, options?: OperationOptions) => {
  if (options) return placed("negative", options, () => negative(x));
  const array = asArray("negative", x);
  if (array.dtype === "bool") throw new DtypeError("negative", "bool has no sign; use logicalNot");
  return apply(negativeRow, [array], null);
};

/**
 * `x` itself.
 *
 * @example
 * await positive(array([1, -2])).tolist(); // [1, -2]
 */
export function positive(x: ArrayLike): MLXArray {
  return asArray("positive", x);
}

/** The complex conjugate and the real part of real numbers: `positive` under MLX's names. */
export { positive as conj, positive as conjugate, positive as real };

/**
 * The imaginary part of real numbers: zeros in the shape and dtype of `x`.
 *
 * @example
 * await imag(array([1, 2])).tolist(); // [0, 0]
 */
export const imag: UnaryOperation = (x, options?: OperationOptions) => {
  if (options) return placed("imag", options, () => imag(x));
  return filledLike(asArray("imag", x), 0);
};

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
export const reciprocal: UnaryOperation = (x, options?: OperationOptions) => applyFloating(reciprocalRow, x, options);

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
export const square: UnaryOperation = (x, options?: OperationOptions) => applyUnary(squareRow, x, options);

/**
 * `x` in degrees, elementwise; float32 for integers and bool.
 *
 * @example
 * await degrees(array(Math.PI)).item(); // ≈ 180
 */
export const degrees: UnaryOperation = (x, options?: OperationOptions) => scaled("degrees", x, 180 / Math.PI, options);

/**
 * `x`, given in degrees, in radians, elementwise; float32 for integers and bool.
 *
 * @example
 * await radians(array([180])).tolist(); // ≈ [3.14159]
 */
export const radians: UnaryOperation = (x, options?: OperationOptions) => scaled("radians", x, Math.PI / 180, options);

function scaled(operation: string, x: ArrayLike, factor: number, options?: OperationOptions): MLXArray {
  if (options) return placed(operation, options, () => scaled(operation, x, factor));
  const array = asArray(operation, x);
  return multiply(array, constant(factor, isFloating(array.dtype) ? array.dtype : "float32"));
}
