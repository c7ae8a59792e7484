/** Reductions over axes: the rows and the public functions. */
import { accumulatedDtype } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import { normalizeAxes } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { castTo } from "./cast.ts";
import { batchToFront, only } from "./families.ts";
import { broadcastTo, reshape } from "./views.ts";

/** Sum over `axes`, which disappear. Float16 and bfloat16 accumulate in float32. */
export const sumRow: Primitive<{ readonly axes: readonly number[] }> = /* @__PURE__ */ {
  name: "sum",
  aval([x], { axes }) {
    const { shape, dtype } = only("sum", x);
    return { shape: shape.filter((_, axis) => !axes.includes(axis)), dtype };
  },
  lowering: { kind: "reduce", op: "sum", axes: ({ axes }) => axes },
  derivative: {
    kind: "linear",
    transpose: (cotangent, [x], { axes }) => [
      broadcastTo(keepAxes(cotangent, only("sum", x).shape, axes), only("sum", x).shape),
    ],
  },
  batch([x], [axis], { axes }) {
    return [apply(sumRow, [batchToFront(only("sum", x), axis ?? 0)], { axes: axes.map((a) => a + 1) }), 0];
  },
};

/** The options of a reduction. */
export interface ReduceOptions {
  /** Leave each reduced axis in place with length 1. */
  readonly keepAxes?: boolean;
}

/** Sum of the elements over `axis` (one, several, or all). Small integers and bool sum in 32 bits. */
export function sum(x: MLXArray, axis?: number | readonly number[], options: ReduceOptions = {}): MLXArray {
  const axes = normalizeAxes("sum", axis, x.shape.length);
  const wide = castTo(x, accumulatedDtype(x.dtype));
  const result = axes.length === 0 ? wide : apply(sumRow, [wide], { axes });
  return options.keepAxes ? keepAxes(result, x.shape, axes) : result;
}

/** `reduced` with the axes that a reduction of `shape` over `axes` took away put back with length 1. */
export function keepAxes(reduced: MLXArray, shape: Shape, axes: readonly number[]): MLXArray {
  return reshape(
    reduced,
    shape.map((length, axis) => (axes.includes(axis) ? 1 : length)),
  );
}

/** `x` summed down to `shape`: what broadcasting from `shape` is undone by. */
export function sumTo(x: MLXArray, shape: Shape): MLXArray {
  const extra = x.shape.length - shape.length;
  const axes = x.shape.flatMap((length, axis) =>
    axis < extra || (shape[axis - extra] === 1 && length !== 1) ? [axis] : [],
  );
  return axes.length === 0 ? x : reshape(apply(sumRow, [x], { axes }), shape);
}
