/** Sorting and searching. NaN counts as greater than every number. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { formatShape, normalizeAxis } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed, withOptions } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { requireArray } from "../graph/require-array.ts";
import { filledLike, pair } from "./elementwise.ts";
import { alignBatch, batchToFront, only } from "./families.ts";
import { gatherAt } from "./gather.ts";
import type { ArrayLike } from "./operands.ts";
import { promoted } from "./operands.ts";
import { routines } from "./routines.ts";
import { addAlongLastAxis } from "./scatter.ts";
import { checkTop, lengthAlong } from "./shape-rules.ts";
import { sliceAxis } from "./slicing.ts";
import { moveAxis, reshape } from "./views.ts";

/** Ascending along the last axis. */
export const sortRow: Primitive<null> = {
  name: "sort",
  aval: ([x]) => only("sort", x),
  lowering: {
    kind: "routine",
    part: routines,
    run: (call) => routines.get().sort(call),
  },
  derivative: {
    kind: "custom",
    jvp([tangent], [x]) {
      return gatherAt(only("sort", tangent), [argSortLast(only("sort", x))], lastAxis(only("sort", x)));
    },
    vjp: (cotangent, [x]) => [
      addAlongLastAxis(filledLike(only("sort", x), 0), argSortLast(only("sort", x)), cotangent),
    ],
  },
  batch: ([x], [axis]) => [apply(sortRow, [batchToFront(only("sort", x), axis ?? 0)], null), 0],
};

/** The positions along the last axis in ascending order of their elements; equal ones keep their order. */
export const argSortRow: Primitive<null> = {
  name: "argSort",
  aval: ([x]) => ({ shape: only("argSort", x).shape, dtype: "uint32" }),
  lowering: {
    kind: "routine",
    part: routines,
    run: (call) => routines.get().argSort(call),
  },
  derivative: { kind: "none", because: "a position has no tangent", isZero: true },
  batch: ([x], [axis]) => [apply(argSortRow, [batchToFront(only("argSort", x), axis ?? 0)], null), 0],
};

/** The parameters of a search. */
export interface SearchParams {
  readonly isRight: boolean;
  /** Leading axes that the sorted values and the values searched for share. */
  readonly batchRank: number;
}

/** Inputs [shared…, n], ascending, and [shared…, …]: how many of the first are less than (or equal to, `isRight`) each of the second. */
export const searchSortedRow: Primitive<SearchParams> = {
  name: "searchSorted",
  aval: ([, values]) => ({ shape: only("searchSorted", values).shape, dtype: "uint32" }),
  lowering: {
    kind: "routine",
    part: routines,
    run: (call) => routines.get().search(call),
  },
  derivative: { kind: "none", because: "a position has no tangent", isZero: true },
  batch(inputs, axes, { isRight, batchRank }) {
    return [apply(searchSortedRow, alignBatch(inputs, axes), { isRight, batchRank: batchRank + 1 }), 0];
  },
};

/** A copy of elements as numbers that compare; float16 and bfloat16 as float32. */
function lastAxis({ ndim }: MLXArray): { batchRank: number; axes: readonly number[] } {
  return { batchRank: ndim - 1, axes: [ndim - 1] };
}

function argSortLast(x: MLXArray): MLXArray {
  return apply(argSortRow, [x], null);
}

/** `f`, which works along the last axis, along `axis`; `null` stands for the flattened array. */
function along(operation: string, x: MLXArray, axis: number | null, f: (last: MLXArray) => MLXArray): MLXArray {
  requireArray(operation, x);
  if (axis === null || x.ndim === 0) return f(reshape(x, [x.size]));
  const place = normalizeAxis(operation, axis, x.ndim);
  return moveAxis(f(moveAxis(x, place, -1)), -1, place);
}

/**
 * The elements of `x` in ascending order along `axis` (`null`: of the flattened array). NaN comes last.
 *
 * @throws {ShapeError} if `axis` is out of range
 * @example
 * await sort(array([3, 1, 2])).tolist(); // [1, 2, 3]
 */
export function sort(x: MLXArray, axis: number | null = -1, options?: OperationOptions): MLXArray {
  if (options) return placed("sort", options, () => sort(x, axis));
  return along("sort", x, axis, (last) => apply(sortRow, [last], null));
}

/**
 * The positions that sort `x` along `axis` (`null`: the flattened array), as uint32. Equal elements keep their order.
 *
 * @throws {ShapeError} if `axis` is out of range
 * @example
 * await argSort(array([3, 1, 2])).tolist(); // [1, 2, 0]
 */
export function argSort(x: MLXArray, axis: number | null = -1, options?: OperationOptions): MLXArray {
  if (options) return placed("argSort", options, () => argSort(x, axis));
  return along("argSort", x, axis, argSortLast);
}

/**
 * `x` reordered along `axis` so that position `middle` holds what it would hold were it sorted, no greater elements stand
 * before it and no lesser ones behind it. Here both sides are sorted too.
 *
 * @param middle negative counts from the end
 * @throws {ShapeError} if `axis` or `middle` is out of range
 * @example
 * await partition(array([3, 1, 2]), 0).tolist(); // [1, 2, 3]
 */
export function partition(x: MLXArray, middle: number, axis: number | null = -1, options?: OperationOptions): MLXArray {
  if (options) return placed("partition", options, () => partition(x, middle, axis));
  checkPlace("partition", x, middle, axis);
  return sort(x, axis);
}

/**
 * The positions that partition `x` around `middle` along `axis`, as uint32.
 *
 * @throws {ShapeError} as `partition`.
 * @example
 * await argPartition(array([3, 1, 2]), 0).get(0).item(); // 1
 */
export function argPartition(
  x: MLXArray,
  middle: number,
  axis: number | null = -1,
  options?: OperationOptions,
): MLXArray {
  if (options) return placed("argPartition", options, () => argPartition(x, middle, axis));
  checkPlace("argPartition", x, middle, axis);
  return argSort(x, axis);
}

function checkPlace(operation: string, x: MLXArray, place: number, axis: number | null): void {
  requireArray(operation, x);
  const length = lengthAlong(operation, x, axis);
  if (Number.isInteger(place) && place >= -length && place < length) return;
  throw new ShapeError(operation, `${place} is no position along axis ${axis} of ${formatShape(x.shape)}`);
}

/**
 * The `k` greatest elements of `x` along `axis` (`null`: of the flattened array), in ascending order.
 *
 * @throws {ShapeError} if `axis` is out of range or shorter than `k`
 * @example
 * await topK(array([3, 1, 2]), 2).tolist(); // [2, 3]
 */
export function topK(x: MLXArray, k: number, axis: number | null = -1, options?: OperationOptions): MLXArray {
  if (options) return placed("topK", options, () => topK(x, k, axis));
  requireArray("topK", x);
  checkTop(x, k, axis);
  const sorted = sort(x, axis);
  const along = axis === null ? 0 : normalizeAxis("topK", axis, sorted.ndim);
  return sliceAxis(sorted, along, (sorted.shape[along] ?? k) - k, k);
}

/**
 * For each of `values` the position in `sorted` before which it would be inserted, as uint32: how many elements are less than
 * it (`side: "left"`), or not greater (`side: "right"`).
 *
 * @param sorted [n], ascending
 * @param values any shape
 * @returns the shape of `values`
 * @throws {ShapeError} if `sorted` is no vector
 * @example
 * await searchSorted(array([1, 3, 5]), array([3, 4])).tolist(); // [1, 2]
 */
export function searchSorted(
  sorted: MLXArray,
  values: ArrayLike,
  options: OperationOptions & { readonly side?: "left" | "right" | undefined } = {},
): MLXArray {
  return withOptions("searchSorted", options, ["side", "device"], () => {
    const { side = "left" } = options;
    requireArray("searchSorted", sorted);
    if (sorted.ndim !== 1)
      throw new ShapeError("searchSorted", `needs a sorted vector, got ${formatShape(sorted.shape)}`);
    if (side !== "left" && side !== "right") {
      throw new ArgumentError("searchSorted", `side is "left" or "right", got ${String(side)}`);
    }
    const operands = pair("searchSorted", promoted("searchSorted", [sorted, values]));
    return apply(searchSortedRow, operands, { isRight: side === "right", batchRank: 0 });
  });
}
