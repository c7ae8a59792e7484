/** The product over axes, whose derivative needs the product of all other elements. */
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { multiply } from "./arithmetic.ts";
import { filledLike } from "./elementwise.ts";
import { only } from "./families.ts";
import { concatenate } from "./joining.ts";
import type { ArrayLike } from "./operands.ts";
import type { AxisOrOptions, ReduceOptions, ReduceParams } from "./reductions.ts";
import { accumulate, reduction, spread, sum } from "./reductions.ts";
import { sliceAxis } from "./slicing.ts";
import { inverseOrder, reshape, transpose } from "./views.ts";

/** Product over `axes`. */
export const prodRow: Primitive<ReduceParams> = /* @__PURE__ */ reduction("prod", "prod", {
  kind: "custom",
  jvp: ([tangent], [x], _, { axes }) =>
    tangent ? sum(multiply(tangent, productOfOthers(only("prod", x), axes)), axes) : null,
  vjp(cotangent, [x], _, { axes }) {
    const input = only("prod", x);
    return [multiply(spread(cotangent, input.shape, axes), productOfOthers(input, axes))];
  },
});

/**
 * Product of the elements over `axis` (one, several, or all). Small integers and bool multiply in 32 bits.
 *
 * @throws {ShapeError} for an axis that `x` does not have
 * @example
 * await prod(array([[1, 2], [3, 4]]), 1).tolist(); // [2, 12]
 */
export function prod(x: ArrayLike, axis?: AxisOrOptions, options: ReduceOptions = {}): MLXArray {
  return accumulate(prodRow, x, axis, options);
}

/** For each element of `x` the product of all others over `axes`. */
function productOfOthers(x: MLXArray, axes: readonly number[]): MLXArray {
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...kept, ...axes];
  const front = transpose(x, order);
  const others = othersAlongLast(reshape(front, [...front.shape.slice(0, kept.length), lengthOf(x, axes)]));
  return transpose(reshape(others, front.shape), inverseOrder(order));
}

function lengthOf({ shape }: MLXArray, axes: readonly number[]): number {
  return axes.reduce((length, axis) => length * (shape[axis] ?? 1), 1);
}

/**
 * The products of the others along the last axis without a division, so that zeros are no exception: the two halves
 * multiplied give a vector of half the length, whose products of others lack only the partner in the other half.
 */
function othersAlongLast(x: MLXArray): MLXArray {
  const last = x.ndim - 1;
  const length = x.shape[last] ?? 1;
  if (length <= 1) return filledLike(x, 1);
  const half = Math.ceil(length / 2);
  const low = sliceAxis(x, last, 0, half);
  const rest = sliceAxis(x, last, half, length - half);
  const high = length % 2 === 0 ? rest : concatenate([rest, filledLike(sliceAxis(x, last, 0, 1), 1)], last);
  const others = othersAlongLast(multiply(low, high));
  return sliceAxis(concatenate([multiply(high, others), multiply(low, others)], last), last, 0, length);
}
