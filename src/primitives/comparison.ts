/** Comparisons and predicates: bool for each element, and no derivative. */
import { isFloating, isHalf } from "../base/dtype.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import type { Expr, Expressions } from "../ir/expr.ts";
import type { CompareOp } from "../ir/instruction.ts";
import { applyBinary, applyUnary, pair, unaryRow } from "./elementwise.ts";
import { pointwise } from "./families.ts";
import type { ArrayLike, UnaryOperation } from "./operands.ts";

function comparison(name: string, op: CompareOp, isSwapped = false): Primitive<null> {
  return pointwise<null>(name, {
    lower(e, args) {
      const [a, b] = pair(
        name,
        args.map((operand) => asStored(e, operand)),
      );
      return isSwapped ? e.compare(op, b, a) : e.compare(op, a, b);
    },
    result: () => "bool",
  });
}

/**
 * A half as memory would hold it. Within a kernel it is not rounded, and would never equal the same value that was stored: no
 * element would be the greatest.
 */
function asStored(e: Expressions, x: Expr): Expr {
  const { dtype, op } = x;
  if (dtype === "index" || !isHalf(dtype)) return x;
  const wide = e.cast(x, "float32");
  return op === "load" || op === "constant" ? wide : e.cast(e.cast(wide, dtype), "float32");
}

/** A test that only floating-point numbers can meet, `otherwise` for integers and bool. */
function predicate(name: string, test: (e: Expressions, x: Expr) => Expr, otherwise = false): Primitive<null> {
  return unaryRow(
    name,
    (e, x) => (x.dtype !== "index" && isFloating(x.dtype) ? test(e, x) : e.constant(otherwise, "bool")),
    undefined,
    "bool",
  );
}

/** a = b. */
export const equalRow: Primitive<null> = /* @__PURE__ */ comparison("equal", "eq");
/** a ≠ b. */
export const notEqualRow: Primitive<null> = /* @__PURE__ */ comparison("notEqual", "ne");
/** a < b. */
export const lessRow: Primitive<null> = /* @__PURE__ */ comparison("less", "lt");
/** a ≤ b. */
export const lessEqualRow: Primitive<null> = /* @__PURE__ */ comparison("lessEqual", "le");
/** a > b. */
export const greaterRow: Primitive<null> = /* @__PURE__ */ comparison("greater", "lt", true);
/** a ≥ b. */
export const greaterEqualRow: Primitive<null> = /* @__PURE__ */ comparison("greaterEqual", "le", true);

/**
 * Whether `a` equals `b`, elementwise: bool, of the broadcast shape. Operands are promoted first; NaN equals nothing.
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await equal(array([1, 2, 3]), 2).tolist(); // [false, true, false]
 */
export function equal(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(equalRow, a, b, options);
}

/**
 * Whether `a` differs from `b`, elementwise; NaN differs from everything.
 *
 * @throws {ShapeError}
 * @example
 * await notEqual(array([1, 2, 3]), 2).tolist(); // [true, false, true]
 */
export function notEqual(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(notEqualRow, a, b, options);
}

/**
 * Whether `a < b`, elementwise; false beside NaN.
 *
 * @throws {ShapeError}
 * @example
 * await less(array([1, 2, 3]), 2).tolist(); // [true, false, false]
 */
export function less(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(lessRow, a, b, options);
}

/**
 * Whether `a ≤ b`, elementwise; false beside NaN.
 *
 * @throws {ShapeError}
 * @example
 * await lessEqual(array([1, 2, 3]), 2).tolist(); // [true, true, false]
 */
export function lessEqual(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(lessEqualRow, a, b, options);
}

/**
 * Whether `a > b`, elementwise; false beside NaN.
 *
 * @throws {ShapeError}
 * @example
 * await greater(array([1, 2, 3]), 2).tolist(); // [false, false, true]
 */
export function greater(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(greaterRow, a, b, options);
}

/**
 * Whether `a ≥ b`, elementwise; false beside NaN.
 *
 * @throws {ShapeError}
 * @example
 * await greaterEqual(array([1, 2, 3]), 2).tolist(); // [false, true, true]
 */
export function greaterEqual(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(greaterEqualRow, a, b, options);
}

/** x is NaN. */
export const isNaNRow: Primitive<null> = /* @__PURE__ */ predicate("isNaN", (e, x) => e.ne(x, x));
/** x is ∞ or -∞. */
export const isInfRow: Primitive<null> = /* @__PURE__ */ predicate("isInf", (e, x) =>
  e.eq(e.unary("abs", x), e.like(x, Infinity)),
);
/** x is neither NaN nor infinite. */
export const isFiniteRow: Primitive<null> = /* @__PURE__ */ predicate(
  "isFinite",
  (e, x) => e.lt(e.unary("abs", x), e.like(x, Infinity)),
  true,
);
/** x is ∞. */
export const isPosInfRow: Primitive<null> = /* @__PURE__ */ predicate("isPosInf", (e, x) =>
  e.eq(x, e.like(x, Infinity)),
);
/** x is -∞. */
export const isNegInfRow: Primitive<null> = /* @__PURE__ */ predicate("isNegInf", (e, x) =>
  e.eq(x, e.like(x, -Infinity)),
);

/**
 * Whether each element is NaN: bool; false for integers.
 *
 * @example
 * await isNaN(array([1, Infinity, NaN])).tolist(); // [false, false, true]
 */
const testNaN: UnaryOperation = (x, options?: OperationOptions) => applyUnary(isNaNRow, x, options);

/**
 * Whether each element is neither NaN nor infinite: bool; true for integers.
 *
 * @example
 * await isFinite(array([1, Infinity, NaN])).tolist(); // [true, false, false]
 */
const testFinite: UnaryOperation = (x, options?: OperationOptions) => applyUnary(isFiniteRow, x, options);

/** Under names that only the outside uses: here they would hide JavaScript's own. */
export { testFinite as isFinite, testNaN as isNaN };

/**
 * Whether each element is ∞ or -∞: bool; false for integers.
 *
 * @example
 * await isInf(array([1, -Infinity, NaN])).tolist(); // [false, true, false]
 */
export const isInf: UnaryOperation = (x, options?: OperationOptions) => applyUnary(isInfRow, x, options);

/**
 * Whether each element is ∞: bool; false for integers.
 *
 * @example
 * await isPosInf(array([Infinity, -Infinity])).tolist(); // [true, false]
 */
export const isPosInf: UnaryOperation = (x, options?: OperationOptions) => applyUnary(isPosInfRow, x, options);

/**
 * Whether each element is -∞: bool; false for integers.
 *
 * @example
 * await isNegInf(array([Infinity, -Infinity])).tolist(); // [false, true]
 */
export const isNegInf: UnaryOperation = (x, options?: OperationOptions) => applyUnary(isNegInfRow, x, options);
