/** Means, variances and normalized exponentials: compositions of reductions, which the compiler fuses. */
import type { Dtype } from "../base/dtype.ts";
import { isHalf } from "../base/dtype.ts";
import { normalizeAxes } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { withOptions } from "../graph/placement.ts";
import { add, divide, square, subtract } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { isFinite as testFinite, isNaN as testNaN } from "./comparison.ts";
import { floatingArray } from "./elementwise.ts";
import { exp, log, rootOfSquares } from "./exponential.ts";
import { max } from "./extrema.ts";
import type { ArrayLike } from "./operands.ts";
import { asArray } from "./operands.ts";
import type { AxisArgument, AxisOrOptions, ReduceOptions } from "./reductions.ts";
import { keepAxes, overAxes, sum } from "./reductions.ts";
import { stopGradient, where } from "./selection.ts";
import { pickAxes } from "./shape-rules.ts";
import { sliceAxis } from "./slicing.ts";
import { sort } from "./sorting.ts";
import { reshape, transpose } from "./views.ts";

/** The options of a variance. */
export interface VarianceOptions extends ReduceOptions {
  /** Delta degrees of freedom: the squares are divided by the number of elements minus this; 0 unless given. */
  readonly ddof?: number | undefined;
}

/** `compute` on `x` as a floating-point array, in float32 where that has 16 bits. */
function wide(operation: string, x: ArrayLike, compute: (x: MLXArray) => MLXArray): MLXArray {
  const array = floatingArray(operation, x);
  const dtype: Dtype = isHalf(array.dtype) ? "float32" : array.dtype;
  return castTo(compute(castTo(array, dtype)), array.dtype);
}

function countOver(shape: readonly number[], axes: readonly number[]): number {
  return axes.reduce((count, axis) => count * (shape[axis] ?? 1), 1);
}

/**
 * Mean of the elements over `axis` (one, several, or all); float32 for integers and bool; NaN where there is none.
 *
 * @throws {ShapeError} for an axis that `x` does not have
 * @example
 * await mean(array([[1, 2], [3, 6]]), 1).tolist(); // [1.5, 4.5]
 */
export function mean(x: ArrayLike, axis?: AxisOrOptions, options: ReduceOptions = {}): MLXArray {
  return overAxes("mean", axis, options, (list, rest) =>
    wide("mean", x, (array) => {
      const axes = normalizeAxes("mean", list, array.ndim);
      return divide(sum(array, axes, rest), countOver(array.shape, axes));
    }),
  );
}

/**
 * Mean of the squared distances from the mean, over `axis` (one, several, or all); float32 for integers and bool.
 *
 * Takes two passes, so that a large mean costs no accuracy.
 *
 * @throws {ShapeError} for an axis that `x` does not have
 * @example
 * await variance(array([1, 2, 3, 4])).item(); // 1.25
 */
export function variance(x: ArrayLike, axis?: AxisOrOptions<VarianceOptions>, options: VarianceOptions = {}): MLXArray {
  const body = (list: AxisArgument, { ddof = 0, ...rest }: VarianceOptions): MLXArray =>
    wide("variance", x, (array) => {
      const axes = normalizeAxes("variance", list, array.ndim);
      const distance = subtract(array, mean(array, axes, { keepAxes: true }));
      const count = countOver(array.shape, axes) - ddof;
      return divide(sum(square(distance), axes, rest), Math.max(count, 0));
    });
  return overAxes("variance", axis, options, body, ["keepAxes", "ddof", "device"]);
}

/**
 * Standard deviation over `axis`: the square root of `variance`. Its gradient at equal elements is 0.
 *
 * @throws {ShapeError} for an axis that `x` does not have
 * @example
 * await std(array([1, 3])).item(); // 1
 */
export function std(x: ArrayLike, axis?: AxisOrOptions<VarianceOptions>, options: VarianceOptions = {}): MLXArray {
  const body = (axes: AxisArgument, rest: VarianceOptions): MLXArray =>
    wide("std", x, (array) => rootOfSquares(variance(array, axes, rest)));
  return overAxes("std", axis, options, body, ["keepAxes", "ddof", "device"]);
}

/**
 * The middle one of the sorted elements over `axis` (one, several, or all), the mean of the two middle ones of an even number;
 * float32 for integers and bool. NaN where one of the elements is NaN.
 *
 * @throws {ShapeError} over an axis of length 0
 * @example
 * await median(array([4, 1, 3, 2])).item(); // 2.5
 */
export function median(x: ArrayLike, axis?: AxisOrOptions, options: ReduceOptions = {}): MLXArray {
  return overAxes("median", axis, options, (list, rest) => {
    const array = floatingArray("median", x);
    const axes = pickAxes("median", array.shape, list);
    const kept = array.shape.map((_, k) => k).filter((k) => !axes.includes(k));
    const lengths = kept.map((k) => array.shape[k] ?? 1);
    const count = countOver(array.shape, axes);
    const sorted = sort(reshape(transpose(array, [...kept, ...axes]), [...lengths, count]));
    const middle = Math.floor((count - 1) / 2);
    const center = mean(sliceAxis(sorted, kept.length, middle, count % 2 === 0 ? 2 : 1), -1);
    const last = reshape(sliceAxis(sorted, kept.length, count - 1, 1), lengths);
    const result = where(testNaN(last), last, center);
    return rest.keepAxes ? keepAxes(result, array.shape, axes) : result;
  });
}

/**
 * How many elements over `axis` (one, several, or all) are other than 0: int32.
 *
 * @throws {ShapeError} for an axis that `x` does not have
 * @example
 * await countNonzero(array([0, 1, 2])).item(); // 2
 */
export function countNonzero(x: ArrayLike, axis?: AxisOrOptions, options: ReduceOptions = {}): MLXArray {
  return overAxes("countNonzero", axis, options, (axes, rest) =>
    sum(castTo(castTo(asArray("countNonzero", x), "bool"), "int32"), axes, rest),
  );
}

/**
 * `log(sum(exp(x)))` over `axis` (one, several, or all), without overflow; float32 for integers and bool. Where the sum is
 * infinite, or 0 (of nothing but -Infinity), it has no slope: the gradient there is NaN, as those of `softmax` and `nn.logSoftmax`
 * are, and as in MLX, PyTorch and JAX. An element of -Infinity beside finite ones has the gradient 0.
 *
 * @throws {ShapeError} over an axis of length 0
 * @example
 * await logSumExp(array([1000, 1000])).item(); // ≈ 1000.6931
 */
export function logSumExp(x: ArrayLike, axis?: AxisOrOptions, options: ReduceOptions = {}): MLXArray {
  return overAxes("logSumExp", axis, options, (list, rest) =>
    wide("logSumExp", x, (array) => {
      const axes = normalizeAxes("logSumExp", list, array.ndim);
      const greatest = stopGradient(max(array, axes, { keepAxes: true }));
      const shift = where(testFinite(greatest), greatest, 0);
      const kept = add(log(sum(exp(subtract(array, shift)), axes, { keepAxes: true })), shift);
      return rest.keepAxes
        ? kept
        : reshape(
            kept,
            array.shape.filter((_, k) => !axes.includes(k)),
          );
    }),
  );
}

/**
 * `exp(x) / sum(exp(x))` over `axis` (one, several, or all), without overflow: positive numbers that sum to 1; float32 for
 * integers and bool. Float16 and bfloat16 are computed in float32, `precise` or not.
 *
 * @throws {ShapeError} for an axis that `x` does not have
 * @example
 * await softmax(array([0, 0, Math.log(2)])).tolist(); // ≈ [0.25, 0.25, 0.5]
 */
export function softmax(
  x: ArrayLike,
  axis?: AxisArgument,
  options: OperationOptions & { readonly precise?: boolean | undefined } = {},
): MLXArray {
  return withOptions("softmax", options, ["precise", "device"], () => {
    return wide("softmax", x, (array) => {
      const axes = normalizeAxes("softmax", axis, array.ndim);
      if (array.size === 0) return array;
      const exponential = exp(subtract(array, stopGradient(max(array, axes, { keepAxes: true }))));
      return divide(exponential, sum(exponential, axes, { keepAxes: true }));
    });
  });
}
