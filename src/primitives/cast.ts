/** Conversions between dtypes. */
import type { Dtype } from "../base/dtype.ts";
import { isFloating } from "../base/dtype.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { only, pointwise } from "./families.ts";
import { constant, constantOf } from "./leaf.ts";

/** Numeric conversion of each element. */
export const castRow: Primitive<{ readonly dtype: Dtype }> = /* @__PURE__ */ pointwise<{ readonly dtype: Dtype }>(
  "cast",
  {
    lower: (e, [x], { dtype }) => e.cast(only("cast", x), dtype),
    result: (_, { dtype }) => dtype,
    derivative: {
      kind: "linear",
      transpose: (cotangent, [x]) => [x && isFloating(x.dtype) ? castTo(cotangent, x.dtype) : null],
    },
  },
);

/** `x` with its elements converted to `dtype`; `x` itself if it has that dtype. */
export function castTo(x: MLXArray, dtype: Dtype): MLXArray {
  if (x.dtype === dtype) return x;
  const value = constantOf(x);
  if (value !== null && (isFloating(dtype) || Number.isInteger(Number(value)))) return constant(value, dtype);
  return apply(castRow, [x], { dtype });
}
