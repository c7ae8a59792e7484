/** Reading and writing what an index selects, once it is taken apart. */
import type { MLXArray } from "../graph/mlx-array.ts";
import { add, divide, multiply, negative, reciprocal, subtract } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { gatherAt, take } from "../primitives/gather.ts";
import { maximum, minimum } from "../primitives/magnitude.ts";
import { cumsum } from "../primitives/scanning.ts";
import type { ScatterOp } from "../primitives/scatter.ts";
import { scatterInto } from "../primitives/scatter.ts";
import { where } from "../primitives/selection.ts";
import { replaceRegion, sliceRegion } from "../primitives/slicing.ts";
import { broadcastTo, inverseOrder, reshape, transpose } from "../primitives/views.ts";
import type { IndexPlan, IndexUpdate } from "./indexing.ts";

/** An index taken apart; its arrays go beside it. */
export type IndexForm = Omit<IndexPlan, "indices">;

/** The elements of `x` that a plan selects. */
export function readAt(
  x: MLXArray,
  { region, kept, axes, order, shape }: IndexForm,
  ...indices: readonly MLXArray[]
): MLXArray {
  const part = reshape(sliceRegion(x, region), kept);
  const gathered = indices.length > 0 ? transpose(gatherAt(part, indices, { batchRank: 0, axes }), order) : part;
  return reshape(gathered, shape);
}

/** `x` with what a plan selects combined with `value`, which has the shape and dtype of it. */
export function writeAt(
  x: MLXArray,
  { region, kept, axes, order }: IndexForm,
  how: IndexUpdate,
  value: MLXArray,
  ...indices: readonly MLXArray[]
): MLXArray {
  const [first] = indices;
  if (!first) {
    const next = combined(how, sliceRegion(x, region), reshape(value, region.lengths));
    return replaceRegion(x, region, next);
  }
  const moved = [...first.shape, ...kept.filter((_, axis) => !axes.includes(axis))];
  const updates = transpose(
    reshape(
      value,
      order.map((place) => moved[place] ?? 1),
    ),
    inverseOrder(order),
  );
  const part = reshape(sliceRegion(x, region), kept);
  const [op, scattered] = asScatter(how, updates);
  return replaceRegion(
    x,
    region,
    reshape(scatterInto(op, part, scattered, indices, { batchRank: 0, axes }), region.lengths),
  );
}

function combined(how: IndexUpdate, current: MLXArray, value: MLXArray): MLXArray {
  switch (how) {
    case "set":
      return value;
    case "add":
      return add(current, value);
    case "subtract":
      return subtract(current, value);
    case "multiply":
      return multiply(current, value);
    case "divide":
      return divide(current, value);
    case "maximum":
      return maximum(current, value);
    case "minimum":
      return minimum(current, value);
  }
}

function asScatter(how: IndexUpdate, updates: MLXArray): readonly [ScatterOp, MLXArray] {
  switch (how) {
    case "subtract":
      return ["add", negative(updates)];
    case "divide":
      return ["multiply", reciprocal(updates)];
    default:
      return [how, updates];
  }
}

/**
 * `x` where the mask, which covers its leading axes, is false, combined with values elsewhere: `value` in the shape of `x` if
 * all share it, else its n-th part for the n-th true element.
 */
export function writeMasked(
  x: MLXArray,
  mask: MLXArray,
  how: IndexUpdate,
  value: MLXArray,
  isShared: boolean,
): MLXArray {
  const rest = x.shape.slice(mask.ndim);
  const isTrue = broadcastTo(reshape(mask, [...mask.shape, ...rest.map(() => 1)]), x.shape);
  return where(isTrue, combined(how, x, isShared ? value : partsFor(x, mask, value)), x);
}

function partsFor(x: MLXArray, mask: MLXArray, parts: MLXArray): MLXArray {
  if (parts.size === 0) return x;
  const numbers = cumsum(castTo(reshape(mask, [mask.size]), "int32"), 0, { inclusive: false });
  return reshape(take(parts, numbers, 0), x.shape);
}
