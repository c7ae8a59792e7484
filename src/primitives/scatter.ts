/** Writing elements by arrays of indices. */
import { sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { requireArrays } from "../graph/require-array.ts";
import { divide, multiply } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { equal } from "./comparison.ts";
import { filledLike } from "./elementwise.ts";
import { alignBatch, only } from "./families.ts";
import type { GatherParams } from "./gather.ts";
import { alignedAlongAxis, gatherAt } from "./gather.ts";
import { iota } from "./generate.ts";
import { logicalAnd } from "./logical.ts";
import type { ArrayLike } from "./operands.ts";
import { promoted } from "./operands.ts";
import { routines } from "./routines.ts";
import { where } from "./selection.ts";
import { checkPlaces } from "./shape-rules.ts";
import { broadcastTo, moveAxis, reshape } from "./views.ts";

/** What happens where a value is written: it replaces the element, or is combined with it. */
export type ScatterOp = "set" | "add" | "multiply" | "maximum" | "minimum";

/** The parameters of a scatter. */
export interface ScatterParams extends GatherParams {
  readonly op: ScatterOp;
}

/**
 * Inputs: the array, updates [shared…, positions…, axes not indexed…] and index arrays [shared…, positions…]. The array with
 * each update written, in row-major order: of several for one element the last is set, all are combined. Negative indices
 * count from the end; updates out of range are left out.
 */
export const scatterRow: Primitive<ScatterParams> = {
  name: "scatter",
  aval: ([x]) => {
    const { shape, dtype } = only("scatter", x);
    return { shape, dtype };
  },
  lowering: { kind: "routine", part: routines, run: (call) => routines.get().scatter(call) },
  derivative: {
    kind: "custom",
    jvp(tangents, inputs, output, { op, ...params }) {
      const [x, updates, ...indices] = inputs;
      const base = tangents[0] ?? filledLike(only("scatter", x), 0);
      const change = tangents[1] ?? filledLike(only("scatter", updates), 0);
      if (op === "set" || op === "add") return scatterInto(op, base, change, indices, params);
      const [toBase, toUpdates] = factors(inputs, output, { op, ...params });
      return scatterInto("add", multiply(base, toBase), multiply(change, toUpdates), indices, params);
    },
    vjp(cotangent, inputs, output, { op, ...params }) {
      const [, updates, ...indices] = inputs;
      const none = indices.map(() => null);
      const gathered = gatherAt(cotangent, indices, params);
      const zeros = filledLike(only("scatter", updates), 0);
      switch (op) {
        case "add":
          return [cotangent, gathered, ...none];
        case "set": {
          const isLast = winners(inputs, params);
          return [scatterInto("set", cotangent, zeros, indices, params), where(isLast, gathered, zeros), ...none];
        }
        default: {
          const [toBase, toUpdates] = factors(inputs, output, { op, ...params });
          return [multiply(cotangent, toBase), multiply(gathered, toUpdates), ...none];
        }
      }
    },
  },
  batch(inputs, axes, { op, batchRank, axes: indexed }) {
    const params = { op, batchRank: batchRank + 1, axes: indexed.map((axis) => axis + 1) };
    return [apply(scatterRow, alignBatch(inputs, axes), params), 0];
  },
};

/** Which updates of a `set` are still there at the end: of several for one element the last. */
function winners([x, updates, ...indices]: readonly MLXArray[], params: GatherParams): MLXArray {
  const { shape } = only("scatter", updates);
  const numbers = reshape(iota([sizeOf(shape)], 0, "int32"), shape);
  const nobody = castTo(filledLike(only("scatter", x), 0), "int32");
  return equal(gatherAt(scatterInto("set", nobody, numbers, indices, params), indices, params), numbers);
}

/** ∂output/∂array and ∂output/∂updates, elementwise, of the operations that are not linear. */
function factors(
  inputs: readonly MLXArray[],
  output: MLXArray,
  { op, ...params }: ScatterParams,
): [MLXArray, MLXArray] {
  const [first, second, ...indices] = inputs;
  const x = only("scatter", first);
  const updates = only("scatter", second);
  if (op !== "multiply") {
    const isOwn = equal(gatherAt(output, indices, params), updates);
    return [castTo(equal(output, x), x.dtype), castTo(isOwn, x.dtype)];
  }
  // The product of all the other factors: zeros are left out of the product and counted.
  const isZero = equal(updates, 0);
  const nonzero = where(isZero, filledLike(updates, 1), updates);
  const zeros = scatterInto("add", filledLike(x, 0), castTo(isZero, x.dtype), indices, params);
  const product = gatherAt(scatterInto("multiply", x, nonzero, indices, params), indices, params);
  const zerosThere = gatherAt(zeros, indices, params);
  const onlyZero = logicalAnd(isZero, equal(zerosThere, 1));
  const others = where(
    onlyZero,
    product,
    where(equal(zerosThere, 0), divide(product, nonzero), filledLike(product, 0)),
  );
  return [scatterInto("multiply", filledLike(x, 1), updates, indices, params), others];
}

/** `x` with `updates` written at `indices`; shapes and dtypes as the row has them. */
export function scatterInto(
  op: ScatterOp,
  x: MLXArray,
  updates: MLXArray,
  indices: readonly MLXArray[],
  { batchRank, axes }: GatherParams,
): MLXArray {
  if (updates.size === 0) return x;
  return apply(scatterRow, [x, updates, ...indices], { op, batchRank, axes });
}

/**
 * `x` with `values` put at `indices` along `axis`, at the same place along the others. Without an axis `x` and the indices are
 * flattened. Of several values for one element the last one stays.
 *
 * @param values broadcast to the shape of `indices`, converted to the dtype of `x`
 * @throws {ShapeError} if shapes do not fit, or a known index is out of range
 * @throws {DtypeError} for indices that are not integers
 * @example
 * await putAlongAxis(array([[1, 2], [3, 4]]), array([[1], [0]], "int32"), 9, 1).tolist(); // [[1, 9], [9, 4]]
 */
export function putAlongAxis(
  x: MLXArray,
  indices: MLXArray,
  values: ArrayLike,
  axis?: number | null,
  options?: OperationOptions,
): MLXArray {
  if (options) return placed("putAlongAxis", options, () => putAlongAxis(x, indices, values, axis));
  requireArrays("putAlongAxis", [x, indices]);
  const given = (): MLXArray => only("putAlongAxis", promoted("putAlongAxis", [values], x.dtype)[0]);
  if (axis === undefined || axis === null) {
    const spread = broadcastTo(given(), indices.shape);
    const flat = putAlongAxis(
      reshape(x, [x.size]),
      reshape(indices, [indices.size]),
      reshape(spread, [indices.size]),
      0,
    );
    return reshape(flat, x.shape);
  }
  const { source, positions, along, shared } = alignedAlongAxis("putAlongAxis", x, indices, axis);
  checkPlaces(x.shape, indices.shape, along, shared);
  const shape = moveAxis(positions, -1, along).shape;
  const updates = moveAxis(broadcastTo(given(), shape), along, -1);
  const batchRank = x.ndim - 1;
  return moveAxis(scatterInto("set", source, updates, [positions], { batchRank, axes: [batchRank] }), -1, along);
}

/** `x` with `values` added at `indices` along its last axis: what reading them there is undone by. */
export function addAlongLastAxis(x: MLXArray, indices: MLXArray, values: MLXArray): MLXArray {
  const batchRank = x.ndim - 1;
  return scatterInto("add", x, values, [indices], { batchRank, axes: [batchRank] });
}
