/** Many index arrays as one, over their axes laid end to end: a kernel on the GPU may see as few as eight arrays at once. */
import { isBigInteger } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import { sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { add, multiply } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { greaterEqual, less } from "../primitives/comparison.ts";
import { logicalAnd } from "../primitives/logical.ts";
import { maximum, minimum } from "../primitives/magnitude.ts";
import { where } from "../primitives/selection.ts";
import { inverseOrder, reshape, transpose } from "../primitives/views.ts";

/** Index arrays that reading and writing take as they are: beside an array, its updates and the result, eight arrays in all. */
const mostIndices = 5;

/** What index arrays select from, and they themselves. */
export interface Indexed {
  readonly source: MLXArray;
  readonly indices: readonly MLXArray[];
  readonly axes: readonly number[];
}

/** The same elements selected by few enough index arrays; what is out of range is the nearest element if `isRead`, else nowhere. */
export function joinedIndices({ source, indices, axes }: Indexed, isRead: boolean): Indexed {
  if (indices.length <= mostIndices) return { source, indices, axes };
  const { shape } = source;
  const lengths = axes.map((axis) => shape[axis] ?? 1);
  const rest = orderOf(shape, axes).slice(axes.length);
  const joined = reshape(transpose(source, orderOf(shape, axes)), [
    sizeOf(lengths),
    ...rest.map((axis) => shape[axis] ?? 1),
  ]);
  return { source: joined, indices: [numbersOf(indices, lengths, isRead)], axes: [0] };
}

/** An array in the form that `joinedIndices` gave `source`, in the form of `source` again. */
export function apart(x: MLXArray, { source: { shape }, indices, axes }: Indexed): MLXArray {
  if (indices.length <= mostIndices) return x;
  const order = orderOf(shape, axes);
  return transpose(
    reshape(
      x,
      order.map((axis) => shape[axis] ?? 1),
    ),
    inverseOrder(order),
  );
}

/** The indexed axes, then the others. */
function orderOf(shape: Shape, axes: readonly number[]): number[] {
  return [...axes, ...shape.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]))];
}

/** The number of each element among those of all indexed axes. */
function numbersOf(indices: readonly MLXArray[], lengths: readonly number[], isRead: boolean): MLXArray {
  const positions = indices.map((index, k) => positionsOf(index, lengths[k] ?? 1));
  const inside = positions.map((position, k) => {
    const length = lengths[k] ?? 1;
    return isRead
      ? maximum(minimum(position, length - 1), 0)
      : where(logicalAnd(greaterEqual(position, 0), less(position, length)), position, nowhere);
  });
  const number = inside.reduce((sum, position, k) => add(multiply(sum, lengths[k] ?? 1), position));
  if (isRead) return number;
  const isSomewhere = inside.map((position) => greaterEqual(position, 0)).reduce((a, b) => logicalAnd(a, b));
  return where(isSomewhere, number, -sizeOf(lengths) - 1);
}

const nowhere = -1;

/** Indices as int32 positions, negative ones counted from the end; those out of range stay out of it. */
function positionsOf(index: MLXArray, length: number): MLXArray {
  const { dtype } = index;
  const low = dtype === "int64" ? maximum(index, -length - 1) : index;
  const position = castTo(dtype === "uint32" || isBigInteger(dtype) ? minimum(low, length) : low, "int32");
  return where(less(position, 0), add(position, length), position);
}
