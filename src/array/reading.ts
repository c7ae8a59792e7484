/** Reading the elements of arrays; computes them first where needed. */

import type { Dtype, TypedArray } from "../base/dtype.ts";
import { carrierOf, isHalf, requireDtype } from "../base/dtype.ts";
import type { Scalar } from "../base/elements.ts";
import { elementsOf, readElement } from "../base/elements.ts";
import { MLXError, ShapeError } from "../base/errors.ts";
import { formatShape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { placedOn } from "../graph/placement.ts";
import { visibleBytes } from "../ir/allocation.ts";
import type { Allocation } from "../ir/backend.ts";
import { castTo } from "../primitives/cast.ts";
import { constantOf } from "../primitives/leaf.ts";
import { currentRuntime } from "./device.ts";
import { evaluate } from "./evaluate.ts";
import { residentIn } from "./several-devices.ts";

/** Elements as nested lists; a scalar for an array without axes. */
export type NestedList = Scalar | NestedList[];

/**
 * The elements in row-major order where they lie: the memory the kernels wrote, without a copy. Float16 and bfloat16
 * come as their bits, bool as 0 and 1. The view is valid until the array is disposed or collected, so keep the array.
 */
export function lendElements(x: MLXArray): Promise<TypedArray> {
  return withElements(x, (elements) => {
    x.isLent = true;
    return elements;
  });
}

/**
 * A copy of the elements in row-major order, converted to `dtype` if it is given; float16 and bfloat16 as a `Float32Array`, bool as a
 * `Uint8Array` of 0 and 1.
 */
export function copyElements(given: MLXArray, dtype?: Dtype): Promise<TypedArray> {
  // Converted where it is read: GPUs have no 64-bit types.
  const x = dtype ? placedOn("cpu", () => castTo(given, requireDtype("data", dtype))) : given;
  return withElements(x, (elements) => {
    if (!isHalf(x.dtype)) return elements.slice();
    return Float32Array.from({ length: x.size }, (_, position) => Number(readElement(elements, position, x.dtype)));
  });
}

/** The only element of an array of size 1. @throws {ShapeError} for any other size. */
export async function item(x: MLXArray): Promise<Scalar> {
  if (x.size !== 1) {
    throw new ShapeError(
      "item",
      `needs an array with one element, got shape ${formatShape(x.shape)}; read it with tolist() or data()`,
    );
  }
  return withElements(x, (elements) => readElement(elements, 0, x.dtype));
}

/** The elements as nested lists. */
export function tolist(x: MLXArray): Promise<NestedList> {
  return withElements(x, (elements) => nested(elements, x));
}

/**
 * What `use` makes of the elements of `x`, which are computed and brought into the memory that JavaScript sees; it must not
 * keep them. A read that has begun ends well even if the array is disposed meanwhile.
 */
export async function withElements<T>(x: MLXArray, use: (elements: TypedArray) => T): Promise<T> {
  if (!x.isEvaluated) await evaluate(x);
  x.requireKept("read");
  const { allocation } = x;
  const arrival = allocation && residentIn(currentRuntime().backend, allocation);
  if (!(arrival instanceof Promise)) return use(currentElements(x));
  allocation?.retain();
  try {
    await arrival;
    return use(elementsIn(x, allocation));
  } finally {
    allocation?.release();
  }
}

/** The elements of an evaluated array as they lie in memory. @throws {DisposedError} after `dispose()`. */
export function currentElements(x: MLXArray): TypedArray {
  x.requireKept("read");
  return elementsIn(x, x.allocation);
}

/** The elements of `x`, which lie in `allocation`. */
function elementsIn(x: MLXArray, allocation: Allocation | null): TypedArray {
  if (allocation) {
    const bytes = visibleBytes(allocation);
    if (!bytes) throw new MLXError("read", "the elements lie on the GPU; await data() or item() first");
    return new (carrierOf(x.dtype))(bytes.buffer, bytes.byteOffset, x.size);
  }
  const value = constantOf(x);
  if (value !== null) return elementsOf(x.dtype, [value]);
  throw new MLXError("read", "the array is not computed yet; await evaluate(x) first");
}

/** The elements as nested lists; a scalar for an array without axes. */
function nested(elements: TypedArray, { shape, dtype }: MLXArray): NestedList {
  let position = 0;
  const build = (axis: number): NestedList => {
    if (axis === shape.length) return readElement(elements, position++, dtype);
    return Array.from({ length: shape[axis] ?? 0 }, () => build(axis + 1));
  };
  return build(0);
}
