/** What sampling functions refuse: parameters of which no distribution has any, dtypes, shapes that do not fit. */
import type { Dtype } from "../base/dtype.ts";
import { isFloating } from "../base/dtype.ts";
import { ArgumentError, DtypeError, ShapeError } from "../base/errors.ts";
import type { Rule } from "../base/rules.ts";
import { finite, fromZero, requireValues } from "../base/rules.ts";
import type { Shape } from "../base/shape.ts";
import { broadcastShapes, checkShape, formatShape } from "../base/shape.ts";
import type { ArrayLike } from "../primitives/operands.ts";

/** Throws unless what of `values` is a number, and no array, follows `rule`. @throws {ArgumentError} */
export function requireNumbers(
  operation: string,
  rule: Rule,
  values: Readonly<Record<string, ArrayLike | undefined>>,
): void {
  const numbers = Object.entries(values).filter(([, value]) => typeof value === "number");
  requireValues(operation, rule, Object.fromEntries(numbers));
}

/** Throws unless a range is one. @throws {ArgumentError} */
export function requireBounds(operation: string, low: ArrayLike, high: ArrayLike): void {
  requireNumbers(operation, finite, { low, high });
  if (typeof low === "number" && typeof high === "number" && low > high)
    throw new ArgumentError(operation, `low is at most high, got ${low} and ${high}`);
}

/** Throws unless a place and a scale are some. @throws {ArgumentError} */
export function requireSpread(
  operation: string,
  { loc, scale }: { readonly loc?: ArrayLike | undefined; readonly scale?: ArrayLike | undefined },
): void {
  requireNumbers(operation, finite, { loc });
  requireNumbers(operation, fromZero, { scale });
}

/** A dtype that samples can have; float32 unless given. @throws {DtypeError} */
export function floating(operation: string, dtype: Dtype = "float32"): Dtype {
  if (!isFloating(dtype)) throw new DtypeError(operation, `samples are floating, got ${dtype}`);
  return dtype;
}

/** Throws unless `operands` broadcast to `shape`, and it to nothing larger. @throws {ShapeError} */
export function requireBroadcast(
  operation: string,
  shape: Shape,
  operands: readonly { readonly shape: Shape }[],
): void {
  checkShape(operation, shape);
  for (const operand of operands) {
    const joined = broadcastShapes(operation, shape, operand.shape);
    if (joined.length !== shape.length || joined.some((length, axis) => length !== shape[axis])) {
      throw new ShapeError(
        operation,
        `${formatShape(operand.shape)} does not broadcast to the shape asked for, ${formatShape(shape)}`,
      );
    }
  }
}
