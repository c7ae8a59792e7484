/** Reductions that pick: greatest and least elements, their positions, any and all. */
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Derivative, Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { divide, multiply } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { equal } from "./comparison.ts";
import { only } from "./families.ts";
import type { ArrayLike } from "./operands.ts";
import { asArray } from "./operands.ts";
import type { AxisOrOptions, ReduceOptions, ReduceParams } from "./reductions.ts";
import { keepAxes, overAxes, reduceOver, reduction, spread, sum } from "./reductions.ts";
import { pickAxes } from "./shape-rules.ts";

/** Elements that equal the extremum share its derivative evenly. */
const sharedByEquals: Derivative<ReduceParams> = {
  kind: "custom",
  jvp: ([tangent], [x], output, { axes }) =>
    tangent ? sum(multiply(tangent, shares(only("max", x), output, axes)), axes) : null,
  vjp(cotangent, [x], output, { axes }) {
    const input = only("max", x);
    return [multiply(spread(cotangent, input.shape, axes), shares(input, output, axes))];
  },
};

function shares(x: MLXArray, extremum: MLXArray, axes: readonly number[]): MLXArray {
  const isExtreme = castTo(equal(x, keepAxes(extremum, x.shape, axes)), x.dtype);
  return divide(isExtreme, sum(isExtreme, axes, { keepAxes: true }));
}

/** Greatest element over `axes`; NaN if one is. */
export const maxRow: Primitive<ReduceParams> = /* @__PURE__ */ reduction("max", "max", sharedByEquals);
/** Least element over `axes`; NaN if one is. */
export const minRow: Primitive<ReduceParams> = /* @__PURE__ */ reduction("min", "min", sharedByEquals);

const noTangent = { kind: "none", because: "an index has no tangent", isZero: true } as const;
const noTruthTangent = { kind: "none", because: "a truth value has no tangent", isZero: true } as const;

/** Position of the greatest element, flat over `axes`. */
export const argMaxRow: Primitive<ReduceParams> = /* @__PURE__ */ reduction("argMax", "argmax", noTangent, "uint32");
/** Position of the least element, flat over `axes`. */
export const argMinRow: Primitive<ReduceParams> = /* @__PURE__ */ reduction("argMin", "argmin", noTangent, "uint32");
/** Whether any bool over `axes` holds. */
export const anyRow: Primitive<ReduceParams> = /* @__PURE__ */ reduction("any", "max", noTruthTangent);
/** Whether every bool over `axes` holds. */
export const allRow: Primitive<ReduceParams> = /* @__PURE__ */ reduction("all", "min", noTruthTangent);

function pick(row: Primitive<ReduceParams>, x: ArrayLike, axis: AxisOrOptions, options: ReduceOptions): MLXArray {
  return overAxes(row.name, axis, options, (axes, rest) => {
    const array = asArray(row.name, x);
    return reduceOver(row, array, pickAxes(row.name, array.shape, axes), rest);
  });
}

/**
 * Greatest element over `axis` (one, several, or all), dtype of `x`; NaN if any is NaN. Equal elements share the gradient.
 *
 * @throws {ShapeError} over an axis of length 0
 * @example
 * await max(array([[1, 5], [4, 2]]), 1).tolist(); // [5, 4]
 */
export function max(x: ArrayLike, axis?: AxisOrOptions, options: ReduceOptions = {}): MLXArray {
  return pick(maxRow, x, axis, options);
}

/**
 * Least element over `axis` (one, several, or all), dtype of `x`; NaN if any is NaN. Equal elements share the gradient.
 *
 * @throws {ShapeError} over an axis of length 0
 * @example
 * await min(array([[3, 1], [2, 4]]), 0).tolist(); // [2, 1]
 */
export function min(x: ArrayLike, axis?: AxisOrOptions, options: ReduceOptions = {}): MLXArray {
  return pick(minRow, x, axis, options);
}

function position(
  row: Primitive<ReduceParams>,
  x: ArrayLike,
  axisOrOptions: number | ReduceOptions | undefined,
  options: ReduceOptions,
): MLXArray {
  return overAxes(row.name, axisOrOptions, options, (axis, { keepAxes: isKept }) => {
    const array = asArray(row.name, x);
    const axes = pickAxes(row.name, array.shape, axis);
    const result = apply(row, [array], { axes });
    return isKept ? keepAxes(result, array.shape, axes) : result;
  });
}

/**
 * Position of the greatest element along `axis`, or in the flattened array: uint32. The first of equal ones; the first
 * NaN if there is one.
 *
 * @throws {ShapeError} over an axis of length 0
 * @example
 * await argMax(array([[1, 5], [4, 2]]), 1).tolist(); // [1, 0]
 */
export function argMax(x: ArrayLike, axis?: number | ReduceOptions, options: ReduceOptions = {}): MLXArray {
  return position(argMaxRow, x, axis, options);
}

/**
 * Position of the least element along `axis`, or in the flattened array: uint32. The first of equal ones; the first NaN
 * if there is one.
 *
 * @throws {ShapeError} over an axis of length 0
 * @example
 * await argMin(array([3, 1, 2])).item(); // 1
 */
export function argMin(x: ArrayLike, axis?: number | ReduceOptions, options: ReduceOptions = {}): MLXArray {
  return position(argMinRow, x, axis, options);
}

/**
 * Whether any element over `axis` (one, several, or all) is other than 0: bool; false where there is none.
 *
 * @example
 * await any(array([[0, 1], [0, 0]]), 1).tolist(); // [true, false]
 */
export function any(x: ArrayLike, axis?: AxisOrOptions, options: ReduceOptions = {}): MLXArray {
  return overAxes("any", axis, options, (axes, rest) =>
    reduceOver(anyRow, castTo(asArray("any", x), "bool"), axes, rest),
  );
}

/**
 * Whether all elements over `axis` (one, several, or all) are other than 0: bool; true where there is none.
 *
 * @example
 * await all(array([[1, 0], [2, 3]]), 1).tolist(); // [false, true]
 */
export function all(x: ArrayLike, axis?: AxisOrOptions, options: ReduceOptions = {}): MLXArray {
  return overAxes("all", axis, options, (axes, rest) =>
    reduceOver(allRow, castTo(asArray("all", x), "bool"), axes, rest),
  );
}
