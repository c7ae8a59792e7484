/** Bits read anew as another dtype. */
import type { Dtype } from "../base/dtype.ts";
import { byteLengthOf, requireDtype } from "../base/dtype.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed } from "../graph/placement.ts";
import type { Lowering, Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { batchToFront, only } from "./families.ts";
import type { ArrayLike } from "./operands.ts";
import { asArray } from "./operands.ts";
import { noViewTangent, viewShape } from "./shape-rules.ts";

interface ViewParams {
  readonly dtype: Dtype;
}

function reinterpretation(lowering: Lowering<ViewParams>): Primitive<ViewParams> {
  const row: Primitive<ViewParams> = {
    name: "view",
    aval: ([x], { dtype }) => ({ shape: viewShape(only("view", x), dtype), dtype }),
    lowering,
    derivative: noViewTangent,
    batch: ([x], [axis], params) => [apply(row, [batchToFront(only("view", x), axis ?? 0)], params), 0],
  };
  return row;
}

/** Bits read as another dtype of the same size. */
export const viewRow: Primitive<ViewParams> = /* @__PURE__ */ reinterpretation({
  kind: "map",
  element({ e, index, read, params: { dtype } }) {
    const x = read(0, index);
    // Kernels hold a boolean as a mask; in memory it is 0 or 1, which is what converting gives.
    return dtype === "bool" || x.dtype === "bool" ? e.cast(x, dtype) : e.bitcast(x, dtype);
  },
});

/** Bytes read as another dtype of another size. */
export const viewBytesRow: Primitive<ViewParams> = /* @__PURE__ */ reinterpretation({
  kind: "routine",
  run({ inputs: [source], output }) {
    if (!source) return;
    new Uint8Array(output.buffer, output.byteOffset, output.byteLength).set(
      new Uint8Array(source.buffer, source.byteOffset, source.byteLength),
    );
  },
});

/**
 * The bits of `x` read as `dtype`. With another element size the last axis grows or shrinks.
 *
 * @throws {ShapeError} if the last axis does not hold a whole number of elements, or a scalar would change its size
 * @example
 * await view(array([1]), "int32").tolist(); // [1065353216]
 * view(array([1, 2]), "uint8").shape; // [8]
 */
export function view(x: ArrayLike, dtype: Dtype, options?: OperationOptions): MLXArray {
  if (options) return placed("view", options, () => view(x, dtype));
  const array = asArray("view", x);
  if (array.dtype === requireDtype("view", dtype)) return array;
  const isSameSize = byteLengthOf(array.dtype) === byteLengthOf(dtype);
  return apply(isSameSize ? viewRow : viewBytesRow, [array], { dtype });
}
