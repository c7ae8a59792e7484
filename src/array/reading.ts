/** Reading the elements of arrays; computes them first where needed. */

import type { TypedArray } from "../base/dtype.ts";
import { carrierOf, isHalf } from "../base/dtype.ts";
import type { Scalar } from "../base/elements.ts";
import { elementsOf, readElement } from "../base/elements.ts";
import { DisposedError, MLXError, ShapeError } from "../base/errors.ts";
import { formatShape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { visibleBytes } from "../ir/allocation.ts";
import { currentRuntime } from "./device.ts";
import { evaluate } from "./evaluate.ts";
import { residentIn } from "./residence.ts";

/** Elements as nested lists; a scalar for an array without axes. */
export type NestedList = Scalar | NestedList[];

/**
 * The elements in row-major order where they lie: the memory the kernels wrote, without a copy. Float16 and bfloat16
 * come as their bits, bool as 0 and 1. The view is valid until the array is disposed or collected, so keep the array.
 */
export async function viewElements(x: MLXArray): Promise<TypedArray> {
  await bringHere(x);
  return currentElements(x);
}

/** A copy of the elements in row-major order; float16 and bfloat16 as a `Float32Array`, bool as a `Uint8Array` of 0 and 1. */
export async function copyElements(x: MLXArray): Promise<TypedArray> {
  await bringHere(x);
  const elements = currentElements(x);
  if (!isHalf(x.dtype)) return elements.slice();
  return Float32Array.from({ length: x.size }, (_, position) => Number(readElement(elements, position, x.dtype)));
}

/** The only element of an array of size 1. @throws {ShapeError} for any other size. */
export async function item(x: MLXArray): Promise<Scalar> {
  if (x.size !== 1) {
    throw new ShapeError(
      "item",
      `needs an array with one element, got shape ${formatShape(x.shape)}; read it with tolist() or data()`,
    );
  }
  await bringHere(x);
  return readElement(currentElements(x), 0, x.dtype);
}

/** The elements as nested lists. */
export async function tolist(x: MLXArray): Promise<NestedList> {
  await bringHere(x);
  return nestedElements(x);
}

/** Computes `x` and brings its elements into the memory that JavaScript sees. */
async function bringHere(x: MLXArray): Promise<void> {
  await evaluate(x);
  if (x.allocation) await residentIn(currentRuntime().backend, x.allocation);
}

/** The elements of an evaluated array as nested lists. */
export function nestedElements(x: MLXArray): NestedList {
  const elements = currentElements(x);
  let position = 0;
  const build = (axis: number): NestedList => {
    if (axis === x.shape.length) return readElement(elements, position++, x.dtype);
    return Array.from({ length: x.shape[axis] ?? 0 }, () => build(axis + 1));
  };
  return build(0);
}

/** The elements of an evaluated array as they lie in memory. @throws {DisposedError} after `dispose()`. */
export function currentElements(x: MLXArray): TypedArray {
  if (x.isDisposed) throw new DisposedError("read", `array(${x.dtype} ${formatShape(x.shape)}) was disposed`);
  if (x.allocation) {
    const bytes = visibleBytes(x.allocation);
    if (!bytes) throw new MLXError("read", "the elements lie on the GPU; await data() or item() first");
    return new (carrierOf(x.dtype))(bytes.buffer, bytes.byteOffset, x.size);
  }
  const { lowering } = x.primitive;
  if (lowering.kind === "constant") return elementsOf(x.dtype, [lowering.value(x.params)]);
  throw new MLXError("read", "the array is not computed yet; await evaluate(x) first");
}
