/** Rows that make elements from their position, without inputs. */
import type { Dtype } from "../base/dtype.ts";
import { MLXError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";

interface IotaParams {
  readonly shape: Shape;
  readonly axis: number;
  readonly dtype: Dtype;
}

/** The position along `axis`. */
export const iotaRow: Primitive<IotaParams> = {
  name: "iota",
  aval: (_, { shape, dtype }) => ({ shape, dtype }),
  lowering: {
    kind: "map",
    element: ({ e, index, params: { axis, dtype } }) => e.cast(index[axis] ?? e.index(0), dtype),
  },
  derivative: { kind: "none", because: "it has no inputs", isZero: true },
  batch() {
    throw new MLXError("iota", "has no inputs to batch");
  },
};

/** An array of `shape` whose elements are their position along `axis`. */
export function iota(shape: Shape, axis: number, dtype: Dtype): MLXArray {
  return apply(iotaRow, [], { shape, axis, dtype });
}
