/** Rounding to whole numbers and to decimals. Derivatives are zero. */
import { atLeastFloat, isFloating } from "../base/dtype.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed, withOptions } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { divide, multiply } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { unaryRow } from "./elementwise.ts";
import type { ArrayLike, UnaryOperation } from "./operands.ts";
import { asArray } from "./operands.ts";

/** ⌊x⌋. */
export const floorRow: Primitive<null> = /* @__PURE__ */ unaryRow("floor", "floor");
/** ⌈x⌉. */
export const ceilRow: Primitive<null> = /* @__PURE__ */ unaryRow("ceil", "ceil");
/** The nearest whole number, of two the even one. */
export const roundRow: Primitive<null> = /* @__PURE__ */ unaryRow("round", "round");
/** The whole part. */
export const truncRow: Primitive<null> = /* @__PURE__ */ unaryRow("trunc", "trunc");

function rounded(row: Primitive<null>, x: ArrayLike, options?: OperationOptions): MLXArray {
  if (options) return placed(row.name, options, () => rounded(row, x));
  const array = asArray(row.name, x);
  return isFloating(array.dtype) ? apply(row, [array], null) : array;
}

/**
 * The greatest whole number not above each element, dtype of `x`; integers stay as they are.
 *
 * @example
 * await floor(array([1.5, -1.5])).tolist(); // [1, -2]
 */
export const floor: UnaryOperation = (x, options?: OperationOptions) => rounded(floorRow, x, options);

/**
 * The least whole number not below each element, dtype of `x`; integers stay as they are.
 *
 * @example
 * await ceil(array([1.2, -1.2])).tolist(); // [2, -1]
 */
export const ceil: UnaryOperation = (x, options?: OperationOptions) => rounded(ceilRow, x, options);

/**
 * Each element without its fraction, dtype of `x`; integers stay as they are.
 *
 * @example
 * await trunc(array([1.2, -1.2])).tolist(); // [1, -1]
 */
export const trunc: UnaryOperation = (x, options?: OperationOptions) => rounded(truncRow, x, options);

/**
 * Each element rounded to `decimals` decimals (negative: to tens, hundreds, …), halves to even, dtype of `x`.
 *
 * @example
 * await round(array([0.5, 1.5, 2.5])).tolist(); // [0, 2, 2]
 * await round(array([1234], "int32"), { decimals: -2 }).tolist(); // [1200]
 */
export function round(
  x: ArrayLike,
  options: OperationOptions & { readonly decimals?: number | undefined } = {},
): MLXArray {
  return withOptions("round", options, ["decimals", "device"], () => {
    const { decimals = 0 } = options;
    if (decimals === 0) return rounded(roundRow, x);
    const array = asArray("round", x);
    const floating = castTo(array, atLeastFloat(array.dtype));
    // Powers of ten are exact, their reciprocals are not: multiply by one and divide by it.
    const factor = 10 ** Math.abs(decimals);
    const [enlarge, reduce] = decimals > 0 ? [multiply, divide] : [divide, multiply];
    return castTo(reduce(apply(roundRow, [enlarge(floating, factor)], null), factor), array.dtype);
  });
}
