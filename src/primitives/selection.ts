/** Choosing between elements: where, clip, nanToNum, and stopGradient. */
import { greatestFinite, isFloating } from "../base/dtype.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed, withOptions } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { castTo } from "./cast.ts";
import { isNegInf, isPosInf, isNaN as testNaN } from "./comparison.ts";
import { applyUnary, unaryRow } from "./elementwise.ts";
import { only, pointwise } from "./families.ts";
import { maximum, minimum } from "./magnitude.ts";
import type { ArrayLike, UnaryOperation } from "./operands.ts";
import { asArray, broadcasted, commonDtype, promoted } from "./operands.ts";
import { requireBound } from "./shape-rules.ts";

/** The second input where the first, a bool, holds; the third elsewhere. */
export const whereRow: Primitive<null> = /* @__PURE__ */ pointwise<null>("where", {
  lower: (e, [condition, a, b]) => e.select(only("where", condition), only("where", a), only("where", b)),
  result: (_dtype, _params, [, a]) => only("where", a).dtype,
  derivative: {
    kind: "linear",
    linearInputs: [1, 2],
    transpose(cotangent, [condition]) {
      const holds = only("where", condition);
      return [null, where(holds, cotangent, 0), where(holds, 0, cotangent)];
    },
  },
});

/**
 * `x` where `condition` holds, `y` elsewhere, of the broadcast shape and the promoted dtype of `x` and `y`.
 *
 * @param condition any dtype; what is not 0 holds
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await where(array([true, false]), array([1, 2]), 0).tolist(); // [1, 0]
 */
export function where(condition: ArrayLike, x: ArrayLike, y: ArrayLike, options?: OperationOptions): MLXArray {
  return placed("where", options, () => {
    const holds = castTo(asArray("where", condition), "bool");
    return apply(whereRow, broadcasted("where", [holds, ...promoted("where", [x, y])]), null);
  });
}

/** Another name of `where`. */
export { where as which };

/**
 * `x` raised to at least `min` and lowered to at most `max`, of the broadcast shape and the promoted dtype. Either bound
 * may be null.
 *
 * @throws {ArgumentError} if both bounds are missing
 * @throws {ShapeError} if the shapes cannot be broadcast
 * @example
 * await clip(array([-1, 0.5, 2]), 0, 1).tolist(); // [0, 0.5, 1]
 */
export function clip(
  x: ArrayLike,
  min?: ArrayLike | null,
  max?: ArrayLike | null,
  options?: OperationOptions,
): MLXArray {
  if (options) return placed("clip", options, () => clip(x, min, max));
  requireBound(min, max);
  commonDtype("clip", [x, min ?? 0, max ?? 0]);
  const raised = min === undefined || min === null ? x : maximum(x, min);
  return max === undefined || max === null ? asArray("clip", raised) : minimum(raised, max);
}

/**
 * `x` with NaN replaced by `nan` and infinities by `posinf` and `neginf` (the greatest finite value and its opposite
 * unless given), dtype of `x`; integers stay as they are.
 *
 * @example
 * await nanToNum(array([NaN, 1, Infinity]), { posinf: 9 }).tolist(); // [0, 1, 9]
 */
export function nanToNum(
  x: ArrayLike,
  options: OperationOptions & {
    readonly nan?: number | undefined;
    readonly posinf?: number | undefined;
    readonly neginf?: number | undefined;
  } = {},
): MLXArray {
  return withOptions("nanToNum", options, ["nan", "posinf", "neginf", "device"], () => {
    const array = asArray("nanToNum", x);
    if (!isFloating(array.dtype)) return array;
    const greatest = greatestFinite(array.dtype);
    const { nan = 0, posinf = greatest, neginf = -greatest } = options;
    return where(testNaN(array), nan, where(isPosInf(array), posinf, where(isNegInf(array), neginf, array)));
  });
}

/** The input; to the transforms, a constant. */
export const stopGradientRow: Primitive<null> = /* @__PURE__ */ unaryRow("stopGradient", (_, x) => x);

/**
 * `x`, through which no gradient flows.
 *
 * @example
 * const slope = grad((x: MLXArray) => multiply(x, stopGradient(x)));
 * await slope(array(3)).item(); // 3
 */
export const stopGradient: UnaryOperation = (x, options?: OperationOptions) => applyUnary(stopGradientRow, x, options);
