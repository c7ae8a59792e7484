/** Ranges of positions for an index, and regions whose place is known only when it is computed. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { formatShape, normalizeAxes } from "../base/shape.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed } from "../graph/placement.ts";
import { requireArray, requireArrays } from "../graph/require-array.ts";
import { add, subtract } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { greaterEqual, less } from "../primitives/comparison.ts";
import { arange } from "../primitives/creation.ts";
import { take } from "../primitives/gather.ts";
import { iota } from "../primitives/generate.ts";
import { logicalAnd } from "../primitives/logical.ts";
import { where } from "../primitives/selection.ts";
import { sliceAxis } from "../primitives/slicing.ts";
import { broadcastTo, reshape } from "../primitives/views.ts";
import type { Slice } from "./index-items.ts";

/**
 * The positions from `start` up to, not including, `stop` in steps of `step`; `null` leaves an end open. For use in `x.at(…)`.
 *
 * Or, as in MLX, the region of an array of shape `size` that begins at `start`, an integer array, along `axes`, and at 0 along
 * the others: its place may be computed. It must lie within the array; positions beyond it give the nearest element.
 *
 * @example
 * await array([0, 1, 2, 3, 4]).at(slice(1, null, 2)).tolist(); // [1, 3]
 * await slice(array([0, 1, 2, 3, 4]), array([2], "int32"), [0], [2]).tolist(); // [2, 3]
 */
export function slice(start: number | null, stop?: number | null, step?: number | null): Slice;
export function slice(
  x: MLXArray,
  start: MLXArray,
  axes: readonly number[],
  size: readonly number[],
  options?: OperationOptions,
): MLXArray;
export function slice(
  first: MLXArray | number | null,
  second?: MLXArray | number | null,
  third: readonly number[] | number | null = null,
  size: readonly number[] = [],
  options: OperationOptions = {},
): Slice | MLXArray {
  if (!(first instanceof MLXArray) && !(second instanceof MLXArray) && (typeof third === "number" || third === null)) {
    return { start: first, stop: second ?? null, step: third };
  }
  if (typeof third === "object" && third) {
    requireArray("slice", first);
    requireArray("slice", second);
    return placed("slice", options, () => sliceFrom(first, second, third, size));
  }
  throw new ArgumentError("slice", "of an array takes the start, an array of integers, the axes, and the size");
}

/**
 * The region of `x` of shape `size` that begins at `start` along `axes`, and at 0 along the others. It must lie within `x`: a
 * position beyond it gives the nearest element.
 */
function sliceFrom(x: MLXArray, start: MLXArray, axes: readonly number[], size: readonly number[]): MLXArray {
  const starts = startsOf("slice", x, start, axes);
  checkSize("slice", x, size);
  return size.reduce((part, length, axis) => {
    const begin = starts.get(axis);
    if (begin) return take(part, add(arange(length, { dtype: "int32" }), begin), axis);
    return sliceAxis(part, axis, 0, length);
  }, x);
}

/**
 * `x` with the region of the shape of `update` that begins at `start` along `axes`, and at 0 along the others, replaced by it.
 *
 * @param start integers, one for each of `axes`
 * @throws {ShapeError} if `update` has another rank than `x` or is longer, or `start` does not fit `axes`
 * @example
 * const begin = array([1, 1], "int32");
 * await sliceUpdate(zeros([2, 3]), ones([1, 2]), begin, [0, 1]).tolist(); // [[0, 0, 0], [0, 1, 1]]
 */
export function sliceUpdate(
  x: MLXArray,
  update: MLXArray,
  start: MLXArray,
  axes: readonly number[],
  options?: OperationOptions,
): MLXArray {
  if (options) return placed("sliceUpdate", options, () => sliceUpdate(x, update, start, axes));
  requireArray("sliceUpdate", update);
  const starts = startsOf("sliceUpdate", x, start, axes);
  checkSize("sliceUpdate", x, update.shape);
  if (update.size === 0) return x;
  let spread = castTo(update, x.dtype);
  let isInside: MLXArray | null = null;
  for (const [axis, length] of update.shape.entries()) {
    const begin = starts.get(axis);
    const position = arange(x.shape[axis] ?? 0, { dtype: "int32" });
    const own = begin ? subtract(position, begin) : position;
    const column = iotaFrom(x, axis, begin);
    const within = logicalAnd(greaterEqual(column, 0), less(column, length));
    isInside = isInside ? logicalAnd(isInside, within) : within;
    const nearest = where(less(own, 0), 0, where(less(own, length), own, length - 1));
    spread = take(spread, nearest, axis);
  }
  return isInside ? where(isInside, spread, x) : x;
}

/** The position of each element of `x` along `axis`, counted from `begin`. */
function iotaFrom(x: MLXArray, axis: number, begin: MLXArray | undefined): MLXArray {
  const position = iota(x.shape, axis, "int32");
  return begin ? subtract(position, broadcastTo(begin, x.shape)) : position;
}

/** The start of the region along each axis that has one, int32 []. */
function startsOf(
  operation: string,
  x: MLXArray,
  start: MLXArray,
  axes: readonly number[],
): ReadonlyMap<number, MLXArray> {
  requireArrays(operation, [x, start]);
  normalizeAxes(operation, axes, x.ndim);
  const flat = reshape(castTo(start, "int32"), [start.size]);
  if (start.ndim > 1 || start.size !== axes.length) {
    throw new ShapeError(
      operation,
      `start has an element for each of the ${axes.length} axes, got ${formatShape(start.shape)}`,
    );
  }
  return new Map(
    axes.map((axis, k) => [axis < 0 ? axis + x.ndim : axis, reshape(sliceAxis(flat, 0, k, 1), [])] as const),
  );
}

function checkSize(operation: string, x: MLXArray, size: readonly number[]): void {
  const fits = size.length === x.ndim && size.every((length, axis) => length <= (x.shape[axis] ?? 0));
  if (!fits) throw new ShapeError(operation, `a region of ${formatShape(size)} does not fit ${formatShape(x.shape)}`);
  if (size.some((length) => !Number.isInteger(length) || length < 0)) {
    throw new ArgumentError(operation, `lengths are natural numbers, got ${formatShape(size)}`);
  }
}
