/** What reductions over axes share, and the sum. */
import type { Dtype } from "../base/dtype.ts";
import { accumulatedDtype } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import { normalizeAxes } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { withOptions } from "../graph/placement.ts";
import type { Derivative, Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import type { ReduceOp } from "../ir/instruction.ts";
import { castTo } from "./cast.ts";
import { batchToFront, only } from "./families.ts";
import type { ArrayLike } from "./operands.ts";
import { asArray } from "./operands.ts";
import { broadcastTo, reshape } from "./views.ts";

/** Axes to reduce over: one, several, or all where undefined. Negative ones count from the end. */
export type AxisArgument = number | readonly number[] | undefined;

/** The parameters of a reduction row. */
export interface ReduceParams {
  /** Ascending, counted from the front. */
  readonly axes: readonly number[];
}

/** The options of a reduction. */
export interface ReduceOptions extends OperationOptions {
  /** Leave each reduced axis in place with length 1; false unless given. */
  readonly keepAxes?: boolean | undefined;
}

/** Axes, or the options in their place. */
export type AxisOrOptions<O extends ReduceOptions = ReduceOptions> = AxisArgument | O;

/** Axes and options apart. */
export function splitAxis<O extends ReduceOptions>(axis: AxisOrOptions<O>, options: O): readonly [AxisArgument, O] {
  return axis instanceof Object && !("length" in axis) ? [undefined, axis] : [axis, options];
}

/** A row that combines elements over `axes`, which disappear. */
export function reduction(
  name: string,
  op: ReduceOp,
  derivative: Derivative<ReduceParams>,
  result?: Dtype,
): Primitive<ReduceParams> {
  const row: Primitive<ReduceParams> = {
    name,
    aval([x], { axes }) {
      const { shape, dtype } = only(name, x);
      return { shape: shape.filter((_, axis) => !axes.includes(axis)), dtype: result ?? dtype };
    },
    lowering: { kind: "reduce", op, axes: ({ axes }) => axes },
    derivative,
    batch([x], [axis], { axes }) {
      return [apply(row, [batchToFront(only(name, x), axis ?? 0)], { axes: axes.map((a) => a + 1) }), 0];
    },
  };
  return row;
}

/** The names of the options of reductions. */
export const reduceOptions = ["keepAxes", "device"] as const;

/** What `body` makes of axes and options, which are of `names`, on the device that the options name. */
export function overAxes<O extends ReduceOptions>(
  operation: string,
  axisOrOptions: AxisOrOptions<O>,
  options: O,
  body: (axis: AxisArgument, options: O) => MLXArray,
  names: readonly (string & keyof O)[] = reduceOptions,
): MLXArray {
  const [axis, given] = splitAxis(axisOrOptions, options);
  return withOptions(operation, given, names, () => body(axis, given));
}

/** `row` applied to `x` over `axis`; `x` itself if that names no axes. */
export function reduceOver(
  row: Primitive<ReduceParams>,
  x: MLXArray,
  axis: AxisArgument,
  { keepAxes: isKept }: ReduceOptions,
): MLXArray {
  const axes = normalizeAxes(row.name, axis, x.shape.length);
  if (axes.length === 0) return x;
  const result = apply(row, [x], { axes });
  return isKept ? keepAxes(result, x.shape, axes) : result;
}

/** Sum over `axes`, which disappear. Float16 and bfloat16 accumulate in float32. */
export const sumRow: Primitive<ReduceParams> = /* @__PURE__ */ reduction("sum", "sum", {
  kind: "linear",
  transpose: (cotangent, [x], { axes }) => [spread(cotangent, only("sum", x).shape, axes)],
});

/**
 * Sum of the elements over `axis` (one, several, or all). Small integers and bool sum in 32 bits.
 *
 * @throws {ShapeError} for an axis that `x` does not have
 * @example
 * await sum(array([[1, 2], [3, 4]]), 0).tolist(); // [4, 6]
 * sum(array([[1, 2], [3, 4]]), 0, { keepAxes: true }).shape; // [1, 2]
 */
export function sum(x: ArrayLike, axis?: AxisOrOptions, options: ReduceOptions = {}): MLXArray {
  return accumulate(sumRow, x, axis, options);
}

/** `row` applied to `x` over `axis`, small integers and bool widened to 32 bits first. */
export function accumulate(
  row: Primitive<ReduceParams>,
  x: ArrayLike,
  axisOrOptions: AxisOrOptions,
  options: ReduceOptions,
): MLXArray {
  return overAxes(row.name, axisOrOptions, options, (axis, given) => {
    const array = asArray(row.name, x);
    const isNone = typeof axis === "object" && axis?.length === 0;
    return isNone ? array : reduceOver(row, castTo(array, accumulatedDtype(array.dtype)), axis, given);
  });
}

/** `reduced` with the axes that a reduction of `shape` over `axes` took away put back with length 1. */
export function keepAxes(reduced: MLXArray, shape: Shape, axes: readonly number[]): MLXArray {
  return reshape(
    reduced,
    shape.map((length, axis) => (axes.includes(axis) ? 1 : length)),
  );
}

/** `reduced` repeated over the axes that a reduction of `shape` over `axes` took away. */
export function spread(reduced: MLXArray, shape: Shape, axes: readonly number[]): MLXArray {
  return broadcastTo(keepAxes(reduced, shape, axes), shape);
}

/** `x` summed down to `shape`: what broadcasting from `shape` is undone by. */
export function sumTo(x: MLXArray, shape: Shape): MLXArray {
  const extra = x.shape.length - shape.length;
  const axes = x.shape.flatMap((length, axis) =>
    axis < extra || (shape[axis - extra] === 1 && length !== 1) ? [axis] : [],
  );
  return axes.length === 0 ? x : reshape(apply(sumRow, [x], { axes }), shape);
}
