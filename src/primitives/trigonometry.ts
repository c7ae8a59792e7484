/** Trigonometric and hyperbolic functions and their inverses. */
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { add, divide, negative, reciprocal, square, subtract } from "./arithmetic.ts";
import { applyBinary, applyFloating, binaryRow, unaryRow } from "./elementwise.ts";
import { rsqrt } from "./exponential.ts";
import type { ArrayLike, UnaryOperation } from "./operands.ts";

/** Sine. */
export const sinRow: Primitive<null> = /* @__PURE__ */ unaryRow("sin", "sin", (x) => cos(x));
/** Cosine. */
export const cosRow: Primitive<null> = /* @__PURE__ */ unaryRow("cos", "cos", (x) => negative(sin(x)));
/** Tangent. */
export const tanRow: Primitive<null> = /* @__PURE__ */ unaryRow("tan", "tan", (_, output) => add(square(output), 1));
/** Inverse sine. */
export const arcsinRow: Primitive<null> = /* @__PURE__ */ unaryRow("arcsin", "asin", (x) =>
  rsqrt(subtract(1, square(x))),
);
/** Inverse cosine. */
export const arccosRow: Primitive<null> = /* @__PURE__ */ unaryRow("arccos", "acos", (x) =>
  negative(rsqrt(subtract(1, square(x)))),
);
/** Inverse tangent. */
export const arctanRow: Primitive<null> = /* @__PURE__ */ unaryRow("arctan", "atan", (x) =>
  reciprocal(add(square(x), 1)),
);
/** Hyperbolic sine. */
export const sinhRow: Primitive<null> = /* @__PURE__ */ unaryRow("sinh", "sinh", (x) => cosh(x));
/** Hyperbolic cosine. */
export const coshRow: Primitive<null> = /* @__PURE__ */ unaryRow("cosh", "cosh", (x) => sinh(x));
/** Hyperbolic tangent. */
export const tanhRow: Primitive<null> = /* @__PURE__ */ unaryRow("tanh", "tanh", (_, output) =>
  subtract(1, square(output)),
);
/** Inverse hyperbolic sine. */
export const arcsinhRow: Primitive<null> = /* @__PURE__ */ unaryRow("arcsinh", "asinh", (x) =>
  rsqrt(add(square(x), 1)),
);
/** Inverse hyperbolic cosine. */
export const arccoshRow: Primitive<null> = /* @__PURE__ */ unaryRow("arccosh", "acosh", (x) =>
  rsqrt(subtract(square(x), 1)),
);
/** Inverse hyperbolic tangent. */
export const arctanhRow: Primitive<null> = /* @__PURE__ */ unaryRow("arctanh", "atanh", (x) =>
  reciprocal(subtract(1, square(x))),
);

/**
 * Sine of each element, in radians; float32 for integers and bool.
 *
 * @example
 * await sin(array([0, Math.PI / 2])).tolist(); // ≈ [0, 1]
 */
export const sin: UnaryOperation = (x, options?: OperationOptions) => applyFloating(sinRow, x, options);

/**
 * Cosine of each element, in radians; float32 for integers and bool.
 *
 * @example
 * await cos(array([0, 1])).tolist(); // ≈ [1, 0.5403]
 */
export const cos: UnaryOperation = (x, options?: OperationOptions) => applyFloating(cosRow, x, options);

/**
 * Tangent of each element, in radians; float32 for integers and bool.
 *
 * @example
 * await tan(array([0, 1])).tolist(); // ≈ [0, 1.557]
 */
export const tan: UnaryOperation = (x, options?: OperationOptions) => applyFloating(tanRow, x, options);

/**
 * Inverse sine of each element, from -π/2 to π/2, NaN beyond [-1, 1]; float32 for integers and bool.
 *
 * @example
 * await arcsin(array([0, 1])).tolist(); // ≈ [0, 1.571]
 */
export const arcsin: UnaryOperation = (x, options?: OperationOptions) => applyFloating(arcsinRow, x, options);

/** Another name of `arcsin`. */
export { arcsin as asin };

/**
 * Inverse cosine of each element, from 0 to π, NaN beyond [-1, 1]; float32 for integers and bool.
 *
 * @example
 * await arccos(array([1, 0])).tolist(); // ≈ [0, 1.571]
 */
export const arccos: UnaryOperation = (x, options?: OperationOptions) => applyFloating(arccosRow, x, options);

/** Another name of `arccos`. */
export { arccos as acos };

/**
 * Inverse tangent of each element, from -π/2 to π/2; float32 for integers and bool.
 *
 * @example
 * await arctan(array([0, 1])).tolist(); // ≈ [0, 0.7854]
 */
export const arctan: UnaryOperation = (x, options?: OperationOptions) => applyFloating(arctanRow, x, options);

/** Another name of `arctan`. */
export { arctan as atan };

/**
 * Hyperbolic sine of each element; float32 for integers and bool.
 *
 * @example
 * await sinh(array([0, 1])).tolist(); // ≈ [0, 1.175]
 */
export const sinh: UnaryOperation = (x, options?: OperationOptions) => applyFloating(sinhRow, x, options);

/**
 * Hyperbolic cosine of each element; float32 for integers and bool.
 *
 * @example
 * await cosh(array([0, 1])).tolist(); // ≈ [1, 1.543]
 */
export const cosh: UnaryOperation = (x, options?: OperationOptions) => applyFloating(coshRow, x, options);

/**
 * Hyperbolic tangent of each element; float32 for integers and bool.
 *
 * @example
 * await tanh(array([0, 1])).tolist(); // ≈ [0, 0.7616]
 */
export const tanh: UnaryOperation = (x, options?: OperationOptions) => applyFloating(tanhRow, x, options);

/**
 * Inverse hyperbolic sine of each element; float32 for integers and bool.
 *
 * @example
 * await arcsinh(array([0, 1])).tolist(); // ≈ [0, 0.8814]
 */
export const arcsinh: UnaryOperation = (x, options?: OperationOptions) => applyFloating(arcsinhRow, x, options);

/** Another name of `arcsinh`. */
export { arcsinh as asinh };

/**
 * Inverse hyperbolic cosine of each element, NaN below 1; float32 for integers and bool.
 *
 * @example
 * await arccosh(array([1, 2])).tolist(); // ≈ [0, 1.317]
 */
export const arccosh: UnaryOperation = (x, options?: OperationOptions) => applyFloating(arccoshRow, x, options);

/** Another name of `arccosh`. */
export { arccosh as acosh };

/**
 * Inverse hyperbolic tangent of each element, ±∞ at ±1, NaN beyond; float32 for integers and bool.
 *
 * @example
 * await arctanh(array([0, 0.5])).tolist(); // ≈ [0, 0.5493]
 */
export const arctanh: UnaryOperation = (x, options?: OperationOptions) => applyFloating(arctanhRow, x, options);

/** Another name of `arctanh`. */
export { arctanh as atanh };

/** The angle of the point (b, a). */
export const arctan2Row: Primitive<null> = /* @__PURE__ */ binaryRow("arctan2", "atan2", (a, b) => {
  const squared = add(square(a), square(b));
  return [divide(b, squared), negative(divide(a, squared))];
});

/**
 * The angle of the point (`b`, `a`) seen from the origin, from -π to π, elementwise; float32 for integers and bool.
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await arctan2(array([1, -1]), array([0, -1])).tolist(); // ≈ [1.5708, -2.3562]
 */
export function arctan2(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(arctan2Row, a, b, options, true);
}

/** Another name of `arctan2`. */
export { arctan2 as atan2 };
