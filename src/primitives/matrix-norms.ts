/** Norms of vectors and matrices in other operations. */
import { shown } from "../base/describe.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { formatShape, normalizeAxes, normalizeAxis } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { square } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { equal, notEqual } from "./comparison.ts";
import { power, rootOfSquares } from "./exponential.ts";
import { max, min } from "./extrema.ts";
import { abs } from "./magnitude.ts";
import type { AxisArgument } from "./reductions.ts";
import { keepAxes, sum } from "./reductions.ts";
import { where } from "./selection.ts";
import { pickAxes } from "./shape-rules.ts";
import { moveAxis } from "./views.ts";

/** Which norm: a power, an infinity, or one of matrices. */
export type NormOrder = number | "fro" | "nuc";

/** The norm of vectors along one axis of `x`, or of matrices along two; of all elements where neither is said. */
export function normOf(
  x: MLXArray,
  order: NormOrder | undefined,
  axis: AxisArgument,
  singularValues: (matrices: MLXArray) => MLXArray,
): MLXArray {
  const axes = axesOf(x, axis);
  if (order === undefined && (axis === undefined || axes.length < 3)) return lengthOver(x, axes);
  if (axes.length === 1) return vectorNorm(x, order, axes);
  if (axes.length === 2) return matrixNorm(x, order, axes, singularValues);
  throw new ShapeError(
    "norm",
    `a norm is of vectors along one axis or of matrices along two, got ${axes.length} of ${formatShape(x.shape)}; name the axes`,
  );
}

function lengthOver(x: MLXArray, axes: readonly number[]): MLXArray {
  return axes.length === 0 ? abs(x) : rootOfSquares(sum(square(x), axes));
}

function vectorNorm(x: MLXArray, order: NormOrder | undefined, axes: readonly number[]): MLXArray {
  switch (order) {
    case 2:
    case undefined:
      return lengthOver(x, axes);
    case 0:
      return castTo(sum(castTo(notEqual(x, 0), x.dtype), axes), x.dtype);
    case 1:
      return sum(abs(x), axes);
    case Number.POSITIVE_INFINITY:
      return extreme(max, abs(x), axes);
    case Number.NEGATIVE_INFINITY:
      return extreme(min, abs(x), axes);
    default:
      if (typeof order !== "number" || Number.isNaN(order)) throw wrongOrder("vectors", "a number", order);
      return rootOf(sum(power(abs(x), order), axes), order);
  }
}

/** The greatest or least over `axes`. @throws {ShapeError} in the name of the norm if there is none */
function extreme(pick: typeof max, x: MLXArray, axes: readonly number[]): MLXArray {
  return pick(x, pickAxes("norm", x.shape, axes));
}

/** The root of a sum of powers. Its gradient is 0 where the sum is, as that of `rootOfSquares`. */
function rootOf(powers: MLXArray, order: number): MLXArray {
  const isZero = equal(powers, 0);
  return where(isZero, powers, power(where(isZero, 1, powers), 1 / order));
}

function matrixNorm(
  x: MLXArray,
  order: NormOrder | undefined,
  axes: readonly number[],
  singularValues: (matrices: MLXArray) => MLXArray,
): MLXArray {
  const [row = 0, column = 1] = axes;
  const overSums = (summed: number, pick: typeof max): MLXArray => {
    const kept = summed < (summed === row ? column : row) ? -1 : 0;
    return extreme(pick, sum(abs(x), summed), [(summed === row ? column : row) + kept]);
  };
  const values = (): MLXArray => {
    const [first, second] = [Math.min(row, column), Math.max(row, column)];
    return singularValues(moveAxis(moveAxis(x, second, -1), first, -2));
  };
  switch (order) {
    case undefined:
    case "fro":
      return lengthOver(x, axes);
    case 1:
      return overSums(row, max);
    case -1:
      return overSums(row, min);
    case Number.POSITIVE_INFINITY:
      return overSums(column, max);
    case Number.NEGATIVE_INFINITY:
      return overSums(column, min);
    case 2:
      return extreme(max, values(), [-1]);
    case -2:
      return extreme(min, values(), [-1]);
    case "nuc":
      return sum(values(), -1);
    default:
      throw wrongOrder("matrices", '1, -1, 2, -2, Infinity, -Infinity, "fro" or "nuc"', order);
  }
}

function wrongOrder(of: string, possible: string, order: unknown): ArgumentError {
  return new ArgumentError("norm", `the order of a norm of ${of} is ${possible}, got ${shown(order)}`);
}

/** The axes of a norm in the order they were given: all of them unless given. */
function axesOf(x: MLXArray, axis: AxisArgument): readonly number[] {
  const axes = axis === undefined ? x.shape.map((_, k) => k) : typeof axis === "number" ? [axis] : axis;
  normalizeAxes("norm", axes, x.ndim);
  return axes.map((one) => normalizeAxis("norm", one, x.ndim));
}

/** `result` with the axes that a norm of `x` took away put back with length 1. */
export function withAxes(result: MLXArray, x: MLXArray, axis: AxisArgument): MLXArray {
  return keepAxes(result, x.shape, axesOf(x, axis));
}
