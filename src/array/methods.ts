/** Installs the methods of arrays: each is the public function of the same name. */
import type { Dtype, TypedArray } from "../base/dtype.ts";
import type { Scalar } from "../base/elements.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { add, multiply } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import type { ArrayLike } from "../primitives/operands.ts";
import type { ReduceOptions } from "../primitives/reductions.ts";
import { sum } from "../primitives/reductions.ts";
import { reshape, transpose } from "../primitives/views.ts";
import type { NestedList } from "./reading.ts";
import { copyElements, item, tolist, viewElements } from "./reading.ts";

declare module "../graph/mlx-array.ts" {
  interface MLXArray {
    add(other: ArrayLike): MLXArray;
    mul(other: ArrayLike): MLXArray;
    sum(axis?: number | readonly number[], options?: ReduceOptions): MLXArray;
    reshape(shape: readonly number[]): MLXArray;
    transpose(order?: readonly number[]): MLXArray;
    asType(dtype: Dtype): MLXArray;
    item(): Promise<Scalar>;
    tolist(): Promise<NestedList>;
    data(): Promise<TypedArray>;
    view(): Promise<TypedArray>;
  }
}

const methods = {
  add(this: MLXArray, other: ArrayLike): MLXArray {
    return add(this, other);
  },
  mul(this: MLXArray, other: ArrayLike): MLXArray {
    return multiply(this, other);
  },
  sum(this: MLXArray, axis?: number | readonly number[], options?: ReduceOptions): MLXArray {
    return sum(this, axis, options);
  },
  reshape(this: MLXArray, shape: readonly number[]): MLXArray {
    return reshape(this, shape);
  },
  transpose(this: MLXArray, order?: readonly number[]): MLXArray {
    return transpose(this, order);
  },
  asType(this: MLXArray, dtype: Dtype): MLXArray {
    return castTo(this, dtype);
  },
  item(this: MLXArray): Promise<Scalar> {
    return item(this);
  },
  tolist(this: MLXArray): Promise<NestedList> {
    return tolist(this);
  },
  data(this: MLXArray): Promise<TypedArray> {
    return copyElements(this);
  },
  view(this: MLXArray): Promise<TypedArray> {
    return viewElements(this);
  },
};

Object.assign(MLXArray.prototype, methods);
