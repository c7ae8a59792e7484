/** The product over axes, whose derivative needs the product of all other elements. */
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { add, multiply, negative, subtract } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { greater, notEqual } from "./comparison.ts";
import { floorDivide } from "./division.ts";
import { filledLike } from "./elementwise.ts";
import { only } from "./families.ts";
import { concatenate } from "./joining.ts";
import { bitwiseAnd, leftShift, logicalAnd, rightShift } from "./logical.ts";
import { abs } from "./magnitude.ts";
import type { ArrayLike } from "./operands.ts";
import type { AxisOrOptions, ReduceOptions, ReduceParams } from "./reductions.ts";
import { accumulate, reduction, spread, sum } from "./reductions.ts";
import { view } from "./reinterpretation.ts";
import { clip, stopGradient, where } from "./selection.ts";
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
 * Product of the elements over `axis` (one, several, or all). Small integers and bool multiply in 32 bits. Its gradient holds with
 * zeros among the elements, and where the product of some of them leaves the range of float32 and that of all does not.
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
  const rows = reshape(front, [...front.shape.slice(0, kept.length), lengthOf(x, axes)]);
  const others = x.dtype === "float64" ? othersAlongLast(rows) : scaledOthers(rows);
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

/** `othersAlongLast` with very large and very small numbers brought near 1 meanwhile, so that parts of a product stay finite. */
function scaledOthers(x: MLXArray): MLXArray {
  const wide = castTo(x, "float32");
  const exponents = extremeExponents(stopGradient(wide));
  const others = othersAlongLast(multiply(wide, powerOfTwo(negative(exponents))));
  const left = clip(subtract(sum(exponents, -1, { keepAxes: true }), exponents), -372, 372);
  // In three steps, as the power itself may be infinite or zero.
  const third = floorDivide(left, 3);
  const step = powerOfTwo(third);
  const last = powerOfTwo(subtract(left, multiply(third, 2)));
  return castTo(multiply(multiply(multiply(others, step), step), last), x.dtype);
}

/** The binary exponents of numbers far from 1, of either sign; 0 for the others and for 0: int32. */
function extremeExponents(x: MLXArray): MLXArray {
  const biased = bitwiseAnd(rightShift(view(x, "int32"), 23), 255);
  const exponents = subtract(clip(biased, 1, 253), 127);
  return where(logicalAnd(greater(abs(exponents), 10), notEqual(x, 0)), exponents, 0);
}

/** `2^exponents` exactly, for exponents of normal numbers: float32. Constants to gradients. */
function powerOfTwo(exponents: MLXArray): MLXArray {
  return stopGradient(view(leftShift(add(exponents, 127), 23), "float32"));
}
