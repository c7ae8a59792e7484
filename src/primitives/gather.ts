/** Reading elements by arrays of indices. */
import { isBigInteger, kindOf } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import { normalizeAxis } from "../base/shape.ts";
import type { Aval, MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { requireArray, requireArrays } from "../graph/require-array.ts";
import type { Expr, Expressions } from "../ir/expr.ts";
import { filledLike } from "./elementwise.ts";
import { alignBatch, only } from "./families.ts";
import { scatterInto } from "./scatter.ts";
import { axesBeside, checkIndex, checkIndices } from "./shape-rules.ts";
import { sliceAxis } from "./slicing.ts";
import { broadcastTo, moveAxis, reshape, transpose } from "./views.ts";

/** Which axes of an array its indices select from. */
export interface GatherParams {
  /** Leading axes that the array, the indices and the result share. */
  readonly batchRank: number;
  /** The axes indexed, one per index array, counted with the shared ones. */
  readonly axes: readonly number[];
}

/**
 * [shared…, axes of x…] read at index arrays [shared…, positions…] → [shared…, positions…, axes of x not indexed…].
 * Negative indices count from the end. An index out of range reads the nearest element: where indices are known when
 * the graph is built they are checked instead.
 */
export const gatherRow: Primitive<GatherParams> = {
  name: "gather",
  aval([x, ...indices], params) {
    const { shape, dtype } = only("gather", x);
    const positions = only("gather", indices[0]).shape;
    return { shape: [...positions, ...restOf(shape, params)], dtype };
  },
  lowering: {
    kind: "map",
    element({ e, index, read, inputs, params: { batchRank, axes } }) {
      const { shape } = only("gather", inputs[0]);
      const positions = index.slice(0, only("gather", inputs[1]).shape.length);
      let next = positions.length;
      const at = shape.map((length, axis) => {
        if (axis < batchRank) return index[axis] ?? e.index(0);
        const k = axes.indexOf(axis);
        if (k === -1) return index[next++] ?? e.index(0);
        return withinAxis(e, read(k + 1, positions), only("gather", inputs[k + 1]), length);
      });
      return read(0, at);
    },
  },
  derivative: {
    kind: "linear",
    linearInputs: [0],
    transpose(cotangent, [x, ...indices], params) {
      const zeros = filledLike(only("gather", x), 0);
      return [scatterInto("add", zeros, cotangent, indices, params), ...indices.map(() => null)];
    },
  },
  batch(inputs, axes, { batchRank, axes: indexed }) {
    const [x, ...indices] = inputs;
    const [axis = null, ...indexAxes] = axes;
    if (x && axis !== null && indexAxes.every((one) => one === null)) {
      // The batch axis rides along as one more axis that is not indexed.
      const last = apply(gatherRow, [moveAxis(x, axis, -1), ...indices], { batchRank, axes: indexed });
      return [last, last.ndim - 1];
    }
    if (x && axis === null && batchRank === 0) {
      return [apply(gatherRow, [x, ...alignBatch(indices, indexAxes)], { batchRank, axes: indexed }), 0];
    }
    const batched = { batchRank: batchRank + 1, axes: indexed.map((one) => one + 1) };
    return [apply(gatherRow, alignBatch(inputs, axes), batched), 0];
  },
};

/** The axes of `shape` that stay when those indexed are taken out. */
function restOf(shape: Shape, { batchRank, axes }: GatherParams): number[] {
  return shape.filter((_, axis) => axis >= batchRank && !axes.includes(axis));
}

/** An index that is sure to lie within an axis; negative ones count from the end. */
function withinAxis(e: Expressions, value: Expr, { dtype }: Aval, length: number): Expr {
  const isSigned = kindOf(dtype) === "signed";
  // Positions have 31 bits and a sign: what may have more is brought within the axis before.
  const high = dtype === "uint32" || isBigInteger(dtype) ? e.min(value, e.constant(length - 1, dtype)) : value;
  const position = e.cast(dtype === "int64" ? e.max(high, e.constant(-length, dtype)) : high, "index");
  const wrapped = isSigned ? e.select(e.lt(position, e.index(0)), e.scale(position, 1, length), position) : position;
  return e.max(e.min(wrapped, e.index(length - 1)), e.index(0));
}

/**
 * The parts of `x` at positions `indices` along `axis`, in the place of that axis; of the flattened array without an axis.
 *
 * Indices known when the call is made are checked; computed ones that turn out of range read the nearest element.
 *
 * @param indices an integer, or an integer array of any shape
 * @throws {ShapeError} for an index out of range
 * @throws {DtypeError} for indices that are not integers
 * @example
 * await take(array([[1, 2], [3, 4]]), array([1, 1], "int32"), 0).tolist(); // [[3, 4], [3, 4]]
 * await take(array([[1, 2], [3, 4]]), -1).item(); // 4
 */
export function take(x: MLXArray, indices: MLXArray | number, axis?: number, options?: OperationOptions): MLXArray {
  if (options) return placed("take", options, () => take(x, indices, axis));
  requireArray("take", x);
  const source = axis === undefined ? reshape(x, [x.size]) : x;
  const along = normalizeAxis("take", axis ?? 0, source.ndim);
  const { shape } = source;
  if (typeof indices === "number") {
    checkIndex("take", indices, shape, along);
    const start = indices < 0 ? indices + (shape[along] ?? 0) : indices;
    return reshape(sliceAxis(source, along, start, 1), shape.toSpliced(along, 1));
  }
  checkIndices("take", indices, shape, along);
  const result = apply(gatherRow, [source, indices], { batchRank: 0, axes: [along] });
  const rank = indices.ndim;
  const order = result.shape.map((_, k) => k);
  return transpose(result, [...order.slice(rank, rank + along), ...order.slice(0, rank), ...order.slice(rank + along)]);
}

/**
 * For every position of `indices` the element of `x` at that index along `axis` and at the same place along the others,
 * which are broadcast. Without an axis both are flattened.
 *
 * @throws {ShapeError} if the other axes cannot be broadcast, or a known index is out of range
 * @throws {DtypeError} for indices that are not integers
 * @example
 * const x = array([[3, 1, 2], [4, 6, 5]]);
 * await takeAlongAxis(x, argSort(x, 1), 1).tolist(); // [[1, 2, 3], [4, 5, 6]]
 */
export function takeAlongAxis(
  x: MLXArray,
  indices: MLXArray,
  axis?: number | null,
  options?: OperationOptions,
): MLXArray {
  if (options) return placed("takeAlongAxis", options, () => takeAlongAxis(x, indices, axis));
  requireArrays("takeAlongAxis", [x, indices]);
  if (axis === undefined || axis === null) {
    return takeAlongAxis(reshape(x, [x.size]), reshape(indices, [indices.size]), 0);
  }
  const { source, positions, along } = alignedAlongAxis("takeAlongAxis", x, indices, axis);
  const batchRank = x.ndim - 1;
  return moveAxis(apply(gatherRow, [source, positions], { batchRank, axes: [batchRank] }), -1, along);
}

/** `x` and `indices` with `axis` last and the other axes broadcast. */
export function alignedAlongAxis(
  operation: string,
  x: MLXArray,
  indices: MLXArray,
  axis: number,
): { readonly source: MLXArray; readonly positions: MLXArray; readonly along: number; readonly shared: Shape } {
  const { along, shared } = axesBeside(operation, x.shape, indices, axis);
  const source = moveAxis(x, along, -1);
  const positions = moveAxis(indices, along, -1);
  return {
    source: broadcastTo(source, [...shared, source.shape.at(-1) ?? 1]),
    positions: broadcastTo(positions, [...shared, positions.shape.at(-1) ?? 1]),
    along,
    shared,
  };
}

/** The elements of a shared-axes gather that is undone by `scatterInto`. */
export function gatherAt(x: MLXArray, indices: readonly MLXArray[], params: GatherParams): MLXArray {
  return apply(gatherRow, [x, ...indices], params);
}
