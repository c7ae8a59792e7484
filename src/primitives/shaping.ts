/** Operations that regroup the axes of an array. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { broadcastShapes as broadcastPair, formatShape, normalizeAxes, normalizeAxis, sizeOf } from "../base/shape.ts";
import type { ArrayForEach } from "../graph/array-lists.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed } from "../graph/placement.ts";
import { requireArray } from "../graph/require-array.ts";
import type { UnaryOperation } from "./operands.ts";
import { broadcasted } from "./operands.ts";
import { broadcastTo, identity, reshape, transpose } from "./views.ts";

/**
 * `x` with axes `start` to `end` (both included, all unless given) made one.
 *
 * @throws {ShapeError} if an axis is out of range, or `start` comes after `end`
 * @example
 * flatten(array([[[1, 2]], [[3, 4]]]), 1).shape; // [2, 2]
 */
export function flatten(x: MLXArray, start = 0, end = -1, options?: OperationOptions): MLXArray {
  return placed("flatten", options, () => {
    requireArray("flatten", x);
    if (x.ndim === 0) return reshape(x, [1]);
    const from = normalizeAxis("flatten", start, x.ndim);
    const to = normalizeAxis("flatten", end, x.ndim);
    if (from > to) throw new ShapeError("flatten", `axis ${start} comes after axis ${end} of ${formatShape(x.shape)}`);
    const length = sizeOf(x.shape.slice(from, to + 1));
    return reshape(x, x.shape.toSpliced(from, to - from + 1, length));
  });
}

/**
 * `x` with `axis` divided into axes of the lengths `shape`, one of which may be -1.
 *
 * @throws {ShapeError} if the lengths do not multiply to that of the axis
 * @example
 * unflatten(array([1, 2, 3, 4, 5, 6]), 0, [2, -1]).shape; // [2, 3]
 */
export function unflatten(x: MLXArray, axis: number, shape: Shape, options?: OperationOptions): MLXArray {
  return placed("unflatten", options, () => {
    requireArray("unflatten", x);
    const at = normalizeAxis("unflatten", axis, x.ndim);
    const length = x.shape[at] ?? 1;
    const known = sizeOf(shape.filter((one) => one !== -1));
    const full = shape.map((one) => (one === -1 ? length / known : one));
    if (full.some((one) => !Number.isInteger(one)) || sizeOf(full) !== length) {
      throw new ShapeError(
        "unflatten",
        `axis ${axis} of ${formatShape(x.shape)} does not divide into ${formatShape(shape)}`,
      );
    }
    return reshape(x, x.shape.toSpliced(at, 1, ...full));
  });
}

/**
 * `x` without the given axes of length 1, all of them unless given.
 *
 * @throws {ShapeError} if a given axis has another length
 * @example
 * squeeze(array([[1, 2]])).shape; // [2]
 */
export function squeeze(x: MLXArray, axis?: number | readonly number[], options?: OperationOptions): MLXArray {
  return placed("squeeze", options, () => {
    requireArray("squeeze", x);
    const axes = axis === undefined ? null : normalizeAxes("squeeze", axis, x.ndim);
    for (const one of axes ?? []) {
      if (x.shape[one] !== 1) {
        throw new ShapeError("squeeze", `axis ${one} of ${formatShape(x.shape)} has length ${x.shape[one]}, not 1`);
      }
    }
    return reshape(
      x,
      x.shape.filter((length, k) => (axes ? !axes.includes(k) : length !== 1)),
    );
  });
}

/**
 * `x` with new axes of length 1, at the given places of the result.
 *
 * @throws {ShapeError} if a place is out of range or given twice
 * @example
 * expandDims(array([1, 2]), 0).shape; // [1, 2]
 */
export function expandDims(x: MLXArray, axis: number | readonly number[], options?: OperationOptions): MLXArray {
  return placed("expandDims", options, () => {
    requireArray("expandDims", x);
    const given = [axis].flat();
    const axes = normalizeAxes("expandDims", given, x.ndim + given.length);
    const lengths = [...x.shape];
    for (const one of axes) lengths.splice(one, 0, 1);
    return reshape(x, lengths);
  });
}

/**
 * `x` with axes `a` and `b` exchanged.
 *
 * @throws {ShapeError} if one is out of range.
 * @example
 * swapAxes(ones([2, 3, 4]), 0, 2).shape; // [4, 3, 2]
 */
export function swapAxes(x: MLXArray, a: number, b: number, options?: OperationOptions): MLXArray {
  return placed("swapAxes", options, () => {
    requireArray("swapAxes", x);
    const first = normalizeAxis("swapAxes", a, x.ndim);
    const second = normalizeAxis("swapAxes", b, x.ndim);
    return transpose(
      x,
      x.shape.map((_, k) => (k === first ? second : k === second ? first : k)),
    );
  });
}

/**
 * `x` with its last two axes exchanged.
 *
 * @throws {ShapeError} if it has fewer than two.
 * @example
 * matrixTranspose(ones([4, 2, 3])).shape; // [4, 3, 2]
 */
export const matrixTranspose: UnaryOperation<MLXArray> = (x, options?: OperationOptions) => {
  if (options) return placed("matrixTranspose", options, () => matrixTranspose(x));
  requireArray("matrixTranspose", x);
  if (x.ndim < 2) throw new ShapeError("matrixTranspose", `needs at least two axes, got ${formatShape(x.shape)}`);
  return swapAxes(x, -1, -2);
};

/**
 * The arrays, each repeated up to the shape they have in common.
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * broadcastArrays(array([1, 2]), array([[1], [2], [3]])).map((x) => x.shape); // [[3, 2], [3, 2]]
 */
export function broadcastArrays<A extends readonly MLXArray[]>(...arrays: A): ArrayForEach<A>;
export function broadcastArrays(...arrays: readonly MLXArray[]): MLXArray[] {
  return broadcasted("broadcastArrays", arrays);
}

/**
 * The shape that arrays of the given shapes are broadcast to.
 *
 * @throws {ShapeError} if they cannot be
 * @example
 * broadcastShapes([2, 1], [3]); // [2, 3]
 */
export function broadcastShapes(...shapes: readonly Shape[]): Shape {
  return shapes.reduce<Shape>((common, shape) => broadcastPair("broadcastShapes", common, shape), []);
}

/**
 * `x` with at least one axis: a scalar becomes [1].
 *
 * @example
 * atLeast1d(array(1)).shape; // [1]
 */
export const atLeast1d: UnaryOperation<MLXArray> = (x, options?: OperationOptions) => {
  if (options) return placed("atLeast1d", options, () => atLeast1d(x));
  requireArray("atLeast1d", x);
  return x.ndim === 0 ? reshape(x, [1]) : x;
};

/**
 * `x` with at least two axes: a vector becomes one row.
 *
 * @example
 * atLeast2d(array([1, 2])).shape; // [1, 2]
 */
export const atLeast2d: UnaryOperation<MLXArray> = (x, options?: OperationOptions) => {
  if (options) return placed("atLeast2d", options, () => atLeast2d(x));
  requireArray("atLeast2d", x);
  return x.ndim < 2 ? reshape(x, [1, x.size]) : x;
};

/**
 * `x` with at least three axes: a vector becomes [1, length, 1], a matrix [rows, columns, 1].
 *
 * @example
 * atLeast3d(array([1, 2])).shape; // [1, 2, 1]
 */
export const atLeast3d: UnaryOperation<MLXArray> = (x, options?: OperationOptions) => {
  if (options) return placed("atLeast3d", options, () => atLeast3d(x));
  requireArray("atLeast3d", x);
  if (x.ndim >= 3) return x;
  return reshape(x, x.ndim === 2 ? [...x.shape, 1] : [1, x.size, 1]);
};

/**
 * `x` itself: every evaluated array lies row-major and without gaps in memory already.
 *
 * @example
 * await contiguous(transpose(array([[1, 2], [3, 4]]))).tolist(); // [[1, 3], [2, 4]]
 */
export const contiguous: UnaryOperation<MLXArray> = (x, options?: OperationOptions) => {
  if (options) return placed("contiguous", options, () => contiguous(x));
  requireArray("contiguous", x);
  return identity(x);
};

/**
 * Each element of `x` repeated `count` times along `axis`; along the flattened array unless given.
 *
 * @throws {ArgumentError} for a negative or fractional count
 * @example
 * await repeat(array([1, 2]), 2).tolist(); // [1, 1, 2, 2]
 */
export function repeat(x: MLXArray, count: number, axis?: number, options?: OperationOptions): MLXArray {
  return placed("repeat", options, () => {
    requireArray("repeat", x);
    checkCount("repeat", count);
    const source = axis === undefined ? reshape(x, [x.size]) : x;
    const along = normalizeAxis("repeat", axis ?? 0, source.ndim);
    const { shape } = source;
    const apart = reshape(source, shape.toSpliced(along + 1, 0, 1));
    const wide = broadcastTo(apart, shape.toSpliced(along + 1, 0, count));
    return reshape(wide, shape.with(along, (shape[along] ?? 1) * count));
  });
}

/**
 * `x` repeated as a whole: `counts[k]` times along axis k, the last count belonging to the last axis.
 *
 * @throws {ArgumentError} for a negative or fractional count
 * @example
 * await tile(array([1, 2]), 2).tolist(); // [1, 2, 1, 2]
 * await tile(array([1, 2]), [2, 1]).tolist(); // [[1, 2], [1, 2]]
 */
export function tile(x: MLXArray, counts: number | readonly number[], options?: OperationOptions): MLXArray {
  return placed("tile", options, () => {
    requireArray("tile", x);
    const given = [counts].flat();
    for (const count of given) checkCount("tile", count);
    const rank = Math.max(given.length, x.ndim);
    const shape = leftFilled(x.shape, rank);
    const times = leftFilled(given, rank);
    const apart = reshape(
      x,
      shape.flatMap((length) => [1, length]),
    );
    const wide = broadcastTo(
      apart,
      shape.flatMap((length, k) => [times[k] ?? 1, length]),
    );
    return reshape(
      wide,
      shape.map((length, k) => length * (times[k] ?? 1)),
    );
  });
}

function leftFilled(list: readonly number[], length: number): number[] {
  return [...new Array<number>(length - list.length).fill(1), ...list];
}

function checkCount(operation: string, count: number): void {
  if (Number.isInteger(count) && count >= 0) return;
  throw new ArgumentError(operation, `counts are whole numbers from 0, got ${count}`);
}
