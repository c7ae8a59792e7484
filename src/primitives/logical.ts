/** Bitwise and logical operations, and shifts. */
import type { Dtype } from "../base/dtype.ts";
import { isFloating } from "../base/dtype.ts";
import { DtypeError } from "../base/errors.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import type { BinaryOp } from "../ir/instruction.ts";
import { castTo } from "./cast.ts";
import { applyBinary, applyUnary, pair } from "./elementwise.ts";
import { only, pointwise } from "./families.ts";
import type { ArrayLike, UnaryOperation } from "./operands.ts";
import { asArray, broadcasted, commonDtype, promoted } from "./operands.ts";

function bitwise(name: string, op: BinaryOp): Primitive<null> {
  return pointwise<null>(name, {
    lower: (e, args) => e.binary(op, ...pair(name, args)),
    result: (dtype) => requireBits(name, dtype),
  });
}

function requireBits(operation: string, dtype: Dtype): Dtype {
  if (!isFloating(dtype)) return dtype;
  throw new DtypeError(operation, `works on integers and bool, got ${dtype}; convert with asType("int32") or see view`);
}

/** Bits set in both. */
export const bitwiseAndRow: Primitive<null> = /* @__PURE__ */ bitwise("bitwiseAnd", "and");
/** Bits set in either. */
export const bitwiseOrRow: Primitive<null> = /* @__PURE__ */ bitwise("bitwiseOr", "or");
/** Bits set in one only. */
export const bitwiseXorRow: Primitive<null> = /* @__PURE__ */ bitwise("bitwiseXor", "xor");
/** Bits moved up. */
export const leftShiftRow: Primitive<null> = /* @__PURE__ */ bitwise("leftShift", "shl");
/** Bits moved down; the sign stays. */
export const rightShiftRow: Primitive<null> = /* @__PURE__ */ bitwise("rightShift", "shr");
/** All bits flipped; on bool, not. */
export const bitwiseInvertRow: Primitive<null> = /* @__PURE__ */ pointwise<null>("bitwiseInvert", {
  lower: (e, [x]) => e.unary("not", only("bitwiseInvert", x)),
  result: (dtype) => requireBits("bitwiseInvert", dtype),
});

/**
 * Bits set in both operands, elementwise, of the broadcast shape and the promoted dtype.
 *
 * @throws {DtypeError} for floating-point operands
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await bitwiseAnd(array([6, 3], "int32"), 5).tolist(); // [4, 1]
 */
export function bitwiseAnd(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(bitwiseAndRow, a, b, options);
}

/**
 * Bits set in either operand, elementwise.
 *
 * @throws {DtypeError} for floating-point operands
 * @example
 * await bitwiseOr(array([5, 8], "int32"), 2).tolist(); // [7, 10]
 */
export function bitwiseOr(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(bitwiseOrRow, a, b, options);
}

/**
 * Bits set in exactly one operand, elementwise.
 *
 * @throws {DtypeError} for floating-point operands
 * @example
 * await bitwiseXor(array([5, 8], "int32"), 3).tolist(); // [6, 11]
 */
export function bitwiseXor(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return applyBinary(bitwiseXorRow, a, b, options);
}

/**
 * All bits of each element flipped; on bool, not.
 *
 * @throws {DtypeError} for a floating-point operand
 * @example
 * await bitwiseInvert(array([0, 5], "int32")).tolist(); // [-1, -6]
 */
export const bitwiseInvert: UnaryOperation = (x, options?: OperationOptions) =>
  applyUnary(bitwiseInvertRow, x, options);

/**
 * Each element of `a` with its bits moved up by `b`, of the broadcast shape and the promoted dtype (uint8 for bool).
 *
 * @throws {DtypeError} for floating-point operands
 * @example
 * await leftShift(array([1, 3], "int32"), 2).tolist(); // [4, 12]
 */
export function leftShift(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return shift(leftShiftRow, a, b, options);
}

/**
 * Each element of `a` with its bits moved down by `b`; negative numbers stay negative.
 *
 * @throws {DtypeError} for floating-point operands
 * @example
 * await rightShift(array([8, 9], "int32"), 1).tolist(); // [4, 4]
 */
export function rightShift(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return shift(rightShiftRow, a, b, options);
}

/** Another name of `leftShift`. */
/** Another name of `rightShift`. */
export { leftShift as bitwiseLeftShift, rightShift as bitwiseRightShift };

function shift(row: Primitive<null>, a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  if (options) return placed(row.name, options, () => shift(row, a, b));
  const common = commonDtype(row.name, [a, b]);
  const arrays = promoted(row.name, [a, b], common === "bool" ? "uint8" : common);
  return apply(row, broadcasted(row.name, arrays), null);
}

function ofTruth(
  operation: string,
  row: Primitive<null>,
  operands: readonly ArrayLike[],
  options?: OperationOptions,
): MLXArray {
  if (options) return placed(operation, options, () => ofTruth(operation, row, operands));
  const truths = operands.map((x) => castTo(asArray(operation, x), "bool"));
  return apply(row, broadcasted(operation, truths), null);
}

/**
 * Whether both operands are other than 0, elementwise: bool, of the broadcast shape.
 *
 * @throws {ShapeError}
 * @example
 * await logicalAnd(array([true, false]), array([true, true])).tolist(); // [true, false]
 */
export function logicalAnd(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return ofTruth("logicalAnd", bitwiseAndRow, [a, b], options);
}

/**
 * Whether either operand is other than 0, elementwise: bool, of the broadcast shape.
 *
 * @throws {ShapeError}
 * @example
 * await logicalOr(array([true, false]), array([false, false])).tolist(); // [true, false]
 */
export function logicalOr(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return ofTruth("logicalOr", bitwiseOrRow, [a, b], options);
}

/**
 * Whether exactly one operand is other than 0, elementwise: bool, of the broadcast shape.
 *
 * @throws {ShapeError}
 * @example
 * await logicalXor(array([true, false]), array([true, true])).tolist(); // [false, true]
 */
export function logicalXor(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  return ofTruth("logicalXor", bitwiseXorRow, [a, b], options);
}

/**
 * Whether each element is 0: bool.
 *
 * @example
 * await logicalNot(array([0, 2.5])).tolist(); // [true, false]
 */
export const logicalNot: UnaryOperation = (x, options?: OperationOptions) =>
  ofTruth("logicalNot", bitwiseInvertRow, [x], options);
