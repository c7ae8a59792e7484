/** Elementwise arithmetic: one row and one public function per operation. */
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { only, pointwise } from "./families.ts";
import type { ArrayLike } from "./operands.ts";
import { aligned } from "./operands.ts";

/** Sum; on bool, or. */
export const addRow: Primitive<null> = /* @__PURE__ */ pointwise<null>("add", {
  lower: (e, [a, b]) => e.add(only("add", a), only("add", b)),
  derivative: { kind: "linear", transpose: (cotangent) => [cotangent, cotangent] },
});

/** Elementwise sum. @throws {ShapeError} if the shapes cannot be broadcast. */
export function add(a: ArrayLike, b: ArrayLike): MLXArray {
  return apply(addRow, aligned("add", [a, b]), null);
}

/** Product. */
export const mulRow: Primitive<null> = /* @__PURE__ */ pointwise<null>("multiply", {
  lower: (e, [a, b]) => e.mul(only("multiply", a), only("multiply", b)),
  partials: ([a, b]) => [only("multiply", b), only("multiply", a)],
});

/** Elementwise product. @throws {ShapeError} if the shapes cannot be broadcast. */
export function multiply(a: ArrayLike, b: ArrayLike): MLXArray {
  return apply(mulRow, aligned("multiply", [a, b]), null);
}
