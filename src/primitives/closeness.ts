/** Comparing whole arrays, exactly and within tolerances. */
import { sameShape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { withOptions } from "../graph/placement.ts";
import { add, multiply, subtract } from "./arithmetic.ts";
import { equal, lessEqual, isFinite as testFinite, isNaN as testNaN } from "./comparison.ts";
import { all } from "./extrema.ts";
import { constant } from "./leaf.ts";
import { logicalAnd, logicalOr } from "./logical.ts";
import { abs } from "./magnitude.ts";
import type { ArrayLike } from "./operands.ts";
import { aligned, asArray, commonDtype } from "./operands.ts";

/** The options of `isClose` and `allClose`. */
export interface ClosenessOptions extends OperationOptions {
  /** Relative tolerance; 1e-5 unless given. */
  readonly rtol?: number | undefined;
  /** Absolute tolerance; 1e-8 unless given. */
  readonly atol?: number | undefined;
  /** Whether NaN is close to NaN; false unless given. */
  readonly equalNaN?: boolean | undefined;
}

const closenessOptions = ["rtol", "atol", "equalNaN", "device"] as const;

/**
 * Whether `|a - b| ≤ atol + rtol · |b|`, elementwise: bool, of the broadcast shape. Equal infinities are close.
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await isClose(array([1, 2]), array([1.000001, 2.1])).tolist(); // [true, false]
 */
export function isClose(a: ArrayLike, b: ArrayLike, options: ClosenessOptions = {}): MLXArray {
  return withOptions("isClose", options, closenessOptions, () => {
    const { rtol = 1e-5, atol = 1e-8, equalNaN = false } = options;
    const [x, y] = aligned("isClose", [a, b], { floating: true });
    if (!x || !y) return constant(true, "bool");
    const distance = abs(subtract(x, y));
    const isNear = logicalAnd(lessEqual(distance, add(multiply(abs(y), rtol), atol)), testFinite(distance));
    return equalUpToNaN(x, y, equalNaN, isNear);
  });
}

function equalUpToNaN(x: ArrayLike, y: ArrayLike, equalNaN: boolean, isNear?: MLXArray): MLXArray {
  const isSame = isNear ? logicalOr(equal(x, y), isNear) : equal(x, y);
  return equalNaN ? logicalOr(isSame, logicalAnd(testNaN(x), testNaN(y))) : isSame;
}

/**
 * Whether all elements of `a` and `b` are close as `isClose` has it: a bool scalar.
 *
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await allClose(array([1, 2]), array([1, 2.000001])).item(); // true
 */
export function allClose(a: ArrayLike, b: ArrayLike, options: ClosenessOptions = {}): MLXArray {
  return withOptions("allClose", options, closenessOptions, () => {
    commonDtype("allClose", [a, b]);
    return all(isClose(a, b, options));
  });
}

/**
 * Whether `a` and `b` have one shape and equal elements, whatever their dtypes: a bool scalar.
 *
 * @example
 * await arrayEqual(array([1, 2]), array([1, 2], "int32")).item(); // true
 */
export function arrayEqual(
  a: ArrayLike,
  b: ArrayLike,
  options: OperationOptions & { readonly equalNaN?: boolean | undefined } = {},
): MLXArray {
  return withOptions("arrayEqual", options, ["equalNaN", "device"], () => {
    const x = asArray("arrayEqual", a);
    const y = asArray("arrayEqual", b);
    if (!sameShape(x.shape, y.shape)) return constant(false, "bool");
    return all(equalUpToNaN(x, y, options.equalNaN ?? false));
  });
}
