/** Turning what users pass (arrays and number literals) into arrays of one dtype and shape. */
import type { Dtype } from "../base/dtype.ts";
import { atLeastFloat, promote } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import { broadcastShapes } from "../base/shape.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { noArray } from "../graph/require-array.ts";
import { castTo } from "./cast.ts";
import { constant, literal, literalDtype, weakPromote } from "./leaf.ts";
import { broadcastTo } from "./views.ts";

/** What is no array, but stands for one where a function takes an operand; `x.at(…)` gives such a thing. */
export abstract class ArrayReference {
  /** The dtype of the array. */
  abstract readonly dtype: Dtype;
  /** The array. */
  abstract get(): MLXArray;
}

/** An array, what stands for one, or a number literal that takes the dtype of the arrays beside it. */
export type ArrayLike = MLXArray | ArrayReference | number | bigint | boolean;

/**
 * An operation on one array, which can be passed where a function of one array is wanted: `arrays.map(exp)`.
 *
 * Operations with an axis take the index that `map` passes for that: write `arrays.map((x) => sum(x))`.
 */
export interface UnaryOperation<X = ArrayLike> {
  (x: X, options?: OperationOptions): MLXArray;
  // `map` passes an index second, which is no `OperationOptions`: this signature matches there.
  (x: X): MLXArray;
}

/** `value` as an array; a literal on its own is int32, int64, float32 or bool. @throws {DtypeError} if it is neither. */
export function asArray(operation: string, value: ArrayLike): MLXArray {
  if (hasDtype(value)) return arrayOf(value);
  checkLiteral(operation, value);
  return literal(value);
}

function arrayOf(value: MLXArray | ArrayReference): MLXArray {
  return value instanceof MLXArray ? value : value.get();
}

/** The dtype that all operands are promoted to. Literals are weak. */
export function commonDtype(operation: string, operands: readonly ArrayLike[]): Dtype {
  let dtype: Dtype | null = null;
  for (const operand of operands)
    if (hasDtype(operand)) dtype = dtype === null ? operand.dtype : promote(dtype, operand.dtype);
  for (const operand of operands) {
    if (hasDtype(operand)) continue;
    checkLiteral(operation, operand);
    dtype = dtype === null ? literalDtype(operand) : weakPromote(dtype, operand);
  }
  return dtype ?? "float32";
}

/** The dtype that an array of `dtype` and `operand` are promoted to. */
export function dtypeBeside(operation: string, dtype: Dtype, operand: ArrayLike): Dtype {
  if (hasDtype(operand)) return promote(dtype, operand.dtype);
  checkLiteral(operation, operand);
  return weakPromote(dtype, operand);
}

/** All operands as arrays of `dtype` (their common one unless given). */
export function promoted(
  operation: string,
  operands: readonly ArrayLike[],
  dtype: Dtype = commonDtype(operation, operands),
): MLXArray[] {
  return operands.map((operand) => {
    if (hasDtype(operand)) return castTo(arrayOf(operand), dtype);
    checkLiteral(operation, operand);
    return constant(operand, dtype);
  });
}

/** All operands promoted to one dtype (at least a floating one if `floating`) and broadcast to one shape. */
export function aligned(
  operation: string,
  operands: readonly ArrayLike[],
  options: { readonly floating?: boolean } = {},
): MLXArray[] {
  const common = commonDtype(operation, operands);
  const arrays = promoted(operation, operands, options.floating ? atLeastFloat(common) : common);
  return broadcasted(operation, arrays);
}

/** Arrays broadcast to their common shape. @throws {ShapeError} */
export function broadcasted(operation: string, arrays: readonly MLXArray[]): MLXArray[] {
  let shape: Shape = [];
  for (const array of arrays) shape = broadcastShapes(operation, shape, array.shape);
  return arrays.map((array) => broadcastTo(array, shape));
}

function hasDtype(operand: ArrayLike): operand is MLXArray | ArrayReference {
  return operand instanceof MLXArray || operand instanceof ArrayReference;
}

function checkLiteral(operation: string, value: unknown): void {
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return;
  throw noArray(operation, value, "an array or a number");
}
