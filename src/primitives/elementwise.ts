/** What elementwise operations share: rows of one instruction, and applying a row to whatever the user passed. */
import type { Dtype } from "../base/dtype.ts";
import { atLeastFloat } from "../base/dtype.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import type { Expr, Expressions, ScalarValue } from "../ir/expr.ts";
import type { BinaryOp, UnaryOp } from "../ir/instruction.ts";
import { castRow, castTo } from "./cast.ts";
import { only, pointwise } from "./families.ts";
import { constant, constantOf } from "./leaf.ts";
import type { ArrayLike } from "./operands.ts";
import { aligned, asArray } from "./operands.ts";
import { broadcastRow, broadcastTo } from "./views.ts";

/** A row of one operand: an instruction or an expression, and ∂output/∂input in terms of the input and the output. */
export function unaryRow(
  name: string,
  lower: UnaryOp | ((e: Expressions, x: Expr) => Expr),
  partial?: (x: MLXArray, output: MLXArray) => MLXArray,
  result?: Dtype,
): Primitive<null> {
  return pointwise<null>(name, {
    lower: (e, [x]) => (typeof lower === "string" ? e.unary(lower, only(name, x)) : lower(e, only(name, x))),
    ...(partial ? { partials: ([x], output) => [partial(only(name, x), output)] } : {}),
    ...(result ? { result: () => result } : {}),
  });
}

/** A row of two operands: an instruction or an expression, the partial derivatives, and the instruction it is on bool. */
export function binaryRow(
  name: string,
  lower: BinaryOp | ((e: Expressions, a: Expr, b: Expr) => Expr),
  partials?: (a: MLXArray, b: MLXArray, output: MLXArray) => readonly (MLXArray | null)[],
  onBool?: BinaryOp,
): Primitive<null> {
  return pointwise<null>(name, {
    lower(e, args) {
      const [a, b] = pair(name, args);
      if (onBool && a.dtype === "bool") return e.binary(onBool, a, b);
      return typeof lower === "string" ? e.binary(lower, a, b) : lower(e, a, b);
    },
    ...(partials ? { partials: (inputs, output) => partials(...pair(name, inputs), output) } : {}),
  });
}

/** Both operands that a row of `name` is sure to have. */
export function pair<T>(name: string, [a, b]: readonly T[]): [T, T] {
  return [only(name, a), only(name, b)];
}

/** `row` applied to `x` as it is. */
export function applyUnary(row: Primitive<null>, x: ArrayLike, options?: OperationOptions): MLXArray {
  return placed(row.name, options, () => apply(row, [asArray(row.name, x)], null));
}

/** `row` applied to `x`, in float32 if that is no floating-point array. */
export function applyFloating(row: Primitive<null>, x: ArrayLike, options?: OperationOptions): MLXArray {
  return placed(row.name, options, () => apply(row, [floatingArray(row.name, x)], null));
}

/** `row` applied to operands promoted to one dtype and broadcast to one shape. */
export function applyBinary(
  row: Primitive<null>,
  a: ArrayLike,
  b: ArrayLike,
  options?: OperationOptions,
  floating = false,
): MLXArray {
  return placed(row.name, options, () => apply(row, aligned(row.name, [a, b], { floating }), null));
}

/** `x` as an array of a floating-point dtype: its own, or float32. */
export function floatingArray(operation: string, x: ArrayLike): MLXArray {
  const array = asArray(operation, x);
  return castTo(array, atLeastFloat(array.dtype));
}

/** `value` in the shape and dtype of `x`. */
export function filledLike(x: MLXArray, value: number | boolean): MLXArray {
  return broadcastTo(constant(value, x.dtype), x.shape);
}

/** The number that every element of `x` is known to be when the graph is built, or null. */
export function knownValue(x: MLXArray): ScalarValue | null {
  let source: MLXArray | undefined = x;
  while (source && (source.primitive === broadcastRow || source.primitive === castRow)) source = source.inputs[0];
  return source ? constantOf(source) : null;
}
