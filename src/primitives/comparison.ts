/** Comparisons and predicates: bool for each element, and no derivative. */
import { byteLengthOf, isFloating, isHalf } from "../base/dtype.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import type { Expr, Expressions } from "../ir/expr.ts";
import type { CompareOp } from "../ir/instruction.ts";
import { castTo } from "./cast.ts";
import { applyUnary, pair, unaryRow } from "./elementwise.ts";
import { pointwise } from "./families.ts";
import type { ArrayLike, UnaryOperation } from "./operands.ts";
import { aligned, asArray, broadcasted, commonDtype } from "./operands.ts";

function comparison(name: string, op: CompareOp, isSwapped = false): Primitive<null> {
  return pointwise<null>(name, {
    lower(e, args) {
      const [a, b] = pair(
        name,
        args.map((operand) => asStored(e, operand)),
      );
      const [x, y] = isSwapped ? [b, a] : [a, b];
      return x.dtype === y.dtype ? e.compare(op, x, y) : compareMixed(e, op, x, y);
    },
    result: () => "bool",
  });
}

/** Compares an int32 and a uint32, whose common dtype is int64: a negative number is less than all that have no sign. */
function compareMixed(e: Expressions, op: CompareOp, x: Expr, y: Expr): Expr {
  const isLess = x.dtype === "int32";
  const signed = isLess ? x : y;
  const beside = op === "ne" || (isLess && op !== "eq");
  const plain = e.compare(op, e.cast(x, "uint32"), e.cast(y, "uint32"));
  return e.select(e.lt(signed, e.like(signed, 0)), e.constant(beside, "bool"), plain);
}

/** What `row` says of `a` and `b`: promoted to one dtype, but 32-bit integers with and without a sign are compared as they are. */
function compared(row: Primitive<null>, a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  const { name } = row;
  return placed(name, options, () => {
    if (commonDtype(name, [a, b]) !== "int64") return apply(row, aligned(name, [a, b]), null);
    const operands = [asArray(name, a), asArray(name, b)];
    if (operands.some(({ dtype }) => byteLengthOf(dtype) === 8)) return apply(row, aligned(name, [a, b]), null);
    const whole = operands.map((x) => castTo(x, x.dtype === "uint32" ? "uint32" : "int32"));
    return apply(row, broadcasted(name, whole), null);
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
 * Whether `a` equals `b`, elementwise: bool, of the broadcast shape. Operands are promoted first, but int32 and uint32 are compared
 * by their values; NaN equals nothing.
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await equal(array([1, 2, 3]), 2).tolist(); // [false, true, false]
 */
export function equal(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return compared(equalRow, a, b, options);
}

/**
 * Whether `a` differs from `b`, elementwise; NaN differs from everything.
 *
 * @throws {ShapeError}
 * @example
 * await notEqual(array([1, 2, 3]), 2).tolist(); // [true, false, true]
 */
export function notEqual(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return compared(notEqualRow, a, b, options);
}

/**
 * Whether `a < b`, elementwise; false beside NaN.
 *
 * @throws {ShapeError}
 * @example
 * await less(array([1, 2, 3]), 2).tolist(); // [true, false, false]
 */
export function less(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return compared(lessRow, a, b, options);
}

/**
 * Whether `a ≤ b`, elementwise; false beside NaN.
 *
 * @throws {ShapeError}
 * @example
 * await lessEqual(array([1, 2, 3]), 2).tolist(); // [true, true, false]
 */
export function lessEqual(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return compared(lessEqualRow, a, b, options);
}

/**
 * Whether `a > b`, elementwise; false beside NaN.
 *
 * @throws {ShapeError}
 * @example
 * await greater(array([1, 2, 3]), 2).tolist(); // [false, false, true]
 */
export function greater(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return compared(greaterRow, a, b, options);
}

/**
 * Whether `a ≥ b`, elementwise; false beside NaN.
 *
 * @throws {ShapeError}
 * @example
 * await greaterEqual(array([1, 2, 3]), 2).tolist(); // [false, true, true]
 */
export function greaterEqual(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return compared(greaterEqualRow, a, b, options);
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
