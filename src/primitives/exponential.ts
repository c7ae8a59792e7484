/** Exponentials, logarithms, roots and powers, and the error function. */
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { add, divide, multiply, negative, reciprocal, square, squareRow, subtract } from "./arithmetic.ts";
import { equal } from "./comparison.ts";
import { applyBinary, applyFloating, applyUnary, binaryRow, knownValue, unaryRow } from "./elementwise.ts";
import type { ArrayLike, UnaryOperation } from "./operands.ts";
import { commonDtype, promoted } from "./operands.ts";
import { where } from "./selection.ts";

/** eˣ. */
export const expRow: Primitive<null> = /* @__PURE__ */ unaryRow("exp", "exp", (_, output) => output);
/** eˣ - 1. */
export const expm1Row: Primitive<null> = /* @__PURE__ */ unaryRow("expm1", "expm1", (x) => exp(x));
/** ln x. */
export const logRow: Primitive<null> = /* @__PURE__ */ unaryRow("log", "log", (x) => reciprocal(x));
/** log₂ x. */
export const log2Row: Primitive<null> = /* @__PURE__ */ unaryRow("log2", "log2", (x) => divide(Math.LOG2E, x));
/** log₁₀ x. */
export const log10Row: Primitive<null> = /* @__PURE__ */ unaryRow("log10", "log10", (x) => divide(Math.LOG10E, x));
/** ln (1 + x). */
export const log1pRow: Primitive<null> = /* @__PURE__ */ unaryRow("log1p", "log1p", (x) => reciprocal(add(x, 1)));
/** √x. */
export const sqrtRow: Primitive<null> = /* @__PURE__ */ unaryRow("sqrt", "sqrt", (_, output) => divide(0.5, output));
/** 1 / √x. */
export const rsqrtRow: Primitive<null> = /* @__PURE__ */ unaryRow("rsqrt", "rsqrt", (x, output) =>
  multiply(divide(output, x), -0.5),
);
/** 1 / (1 + e⁻ˣ). */
export const sigmoidRow: Primitive<null> = /* @__PURE__ */ unaryRow("sigmoid", "sigmoid", (_, output) =>
  multiply(output, subtract(1, output)),
);
/** 2/√π · ∫₀ˣ e^(-t²) dt. */
export const erfRow: Primitive<null> = /* @__PURE__ */ unaryRow("erf", "erf", (x) =>
  multiply(exp(negative(square(x))), 2 / Math.sqrt(Math.PI)),
);
/** The inverse of erf. */
export const erfinvRow: Primitive<null> = /* @__PURE__ */ unaryRow("erfinv", "erfinv", (_, output) =>
  multiply(exp(square(output)), Math.sqrt(Math.PI) / 2),
);

/**
 * e to the power of each element; float32 for integers and bool.
 *
 * @example
 * await exp(array([0, 1])).tolist(); // ≈ [1, 2.71828]
 */
export const exp: UnaryOperation = (x, options?: OperationOptions) => applyFloating(expRow, x, options);

/**
 * `exp(x) - 1`, elementwise, exact near 0 too; float32 for integers and bool.
 *
 * @example
 * await expm1(array(1e-3)).item(); // ≈ 0.0010005
 */
export const expm1: UnaryOperation = (x, options?: OperationOptions) => applyFloating(expm1Row, x, options);

/**
 * Natural logarithm of each element; -∞ for 0, NaN for negative ones; float32 for integers and bool.
 *
 * @example
 * await log(array([1, 10])).tolist(); // ≈ [0, 2.303]
 */
export const log: UnaryOperation = (x, options?: OperationOptions) => applyFloating(logRow, x, options);

/**
 * Logarithm to base 2, elementwise; float32 for integers and bool.
 *
 * @example
 * await log2(array([1, 8])).tolist(); // [0, 3]
 */
export const log2: UnaryOperation = (x, options?: OperationOptions) => applyFloating(log2Row, x, options);

/**
 * Logarithm to base 10, elementwise; float32 for integers and bool.
 *
 * @example
 * await log10(array([1, 1000])).tolist(); // ≈ [0, 3]
 */
export const log10: UnaryOperation = (x, options?: OperationOptions) => applyFloating(log10Row, x, options);

/**
 * `log(1 + x)`, elementwise, exact near 0 too; float32 for integers and bool.
 *
 * @example
 * await log1p(array(1e-3)).item(); // ≈ 0.0009995
 */
export const log1p: UnaryOperation = (x, options?: OperationOptions) => applyFloating(log1pRow, x, options);

/**
 * Square root of each element, NaN for negative ones; float32 for integers and bool.
 *
 * @example
 * await sqrt(array([4, 9])).tolist(); // [2, 3]
 */
export const sqrt: UnaryOperation = (x, options?: OperationOptions) => applyFloating(sqrtRow, x, options);

/**
 * The square root of a sum of squares, a length. Its gradient is 0 where the length is: the root's slope is infinite there,
 * the squares' 0, and their product would be NaN.
 */
export function rootOfSquares(squares: MLXArray): MLXArray {
  const isZero = equal(squares, 0);
  return where(isZero, squares, sqrt(where(isZero, 1, squares)));
}

/**
 * `1 / sqrt(x)`, elementwise; float32 for integers and bool.
 *
 * @example
 * await rsqrt(array([1, 4])).tolist(); // [1, 0.5]
 */
export const rsqrt: UnaryOperation = (x, options?: OperationOptions) => applyFloating(rsqrtRow, x, options);

/**
 * The logistic function `1 / (1 + exp(-x))`, elementwise; float32 for integers and bool.
 *
 * @example
 * await sigmoid(array([0, 100, -100])).tolist(); // ≈ [0.5, 1, 0]
 */
export const sigmoid: UnaryOperation = (x, options?: OperationOptions) => applyFloating(sigmoidRow, x, options);

/**
 * The error function `2/√π · ∫₀ˣ exp(-t²) dt`, elementwise; float32 for integers and bool.
 *
 * @example
 * await erf(array([0, 1])).tolist(); // ≈ [0, 0.8427]
 */
export const erf: UnaryOperation = (x, options?: OperationOptions) => applyFloating(erfRow, x, options);

/**
 * The inverse of `erf`, elementwise: ±∞ at ±1, NaN beyond; float32 for integers and bool.
 *
 * @example
 * await erfinv(array([0, 0.5])).tolist(); // ≈ [0, 0.4769]
 */
export const erfinv: UnaryOperation = (x, options?: OperationOptions) => applyFloating(erfinvRow, x, options);

/** aᵇ. A negative integer exponent gives 0. */
export const powerRow: Primitive<null> = /* @__PURE__ */ binaryRow(
  "power",
  (e, a, b) => (a.dtype === "bool" ? e.or(a, e.unary("not", b)) : e.binary("pow", a, b)),
  (a, b, output) => {
    const byBase = where(equal(b, 0), 0, multiply(b, power(a, subtract(b, 1))));
    return [byBase, knownValue(b) === null ? where(equal(a, 0), 0, multiply(output, log(a))) : null];
  },
);

/**
 * `a` to the power of `b`, elementwise, of the broadcast shape and the promoted dtype: integers stay integers and wrap
 * around; a negative integer exponent gives 0.
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await power(array([2, 3]), 2).tolist(); // [4, 9]
 */
export function power(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  if (options) return placed("power", options, () => power(a, b));
  if (b === 2) return applyUnary(squareRow, promoted("power", [a], commonDtype("power", [a, b]))[0] ?? a);
  return applyBinary(powerRow, a, b);
}

/** Another name of `power`. */
export { power as pow };

/** ln (eᵃ + eᵇ). */
export const logAddExpRow: Primitive<null> = /* @__PURE__ */ binaryRow(
  "logAddExp",
  (e, a, b) => {
    const high = e.max(a, b);
    const low = e.min(a, b);
    const isHigh = e.or(e.eq(low, e.like(low, -Infinity)), e.eq(high, e.like(high, Infinity)));
    return e.select(isHigh, high, e.add(high, e.unary("log1p", e.unary("exp", e.sub(low, high)))));
  },
  (a, b) => [sigmoid(subtract(a, b)), sigmoid(subtract(b, a))],
);

/**
 * `log(exp(a) + exp(b))`, elementwise, without overflow, of the broadcast shape; float32 for integers and bool.
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await logAddExp(array([1000]), 1000).tolist(); // ≈ [1000.6931]
 */
export function logAddExp(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(logAddExpRow, a, b, options, true);
}
