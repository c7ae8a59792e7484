/** Arrays from JavaScript data: numbers, nested lists and typed arrays. */
import { describeValue } from "../base/describe.ts";
import type { Dtype, TypedArray } from "../base/dtype.ts";
import { byteLengthOf, carrierOf, isDtype, isHalf, requireDtype } from "../base/dtype.ts";
import type { Scalar } from "../base/elements.ts";
import { elementsOf, writeElement } from "../base/elements.ts";
import { DtypeError, ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { checkShape, formatShape, sizeOf } from "../base/shape.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { apply } from "../graph/primitive.ts";
import { castTo } from "../primitives/cast.ts";
import { constant, fromAllocation } from "../primitives/leaf.ts";
import { stackedAval } from "../primitives/shape-rules.ts";
import { identity } from "../primitives/views.ts";
import { currentRuntime } from "./device.ts";
import { callLaterOne } from "./later-methods.ts";

/** What `array` takes: numbers, booleans, bigints, nested lists of them or of arrays, and typed arrays. */
export type ArrayData = Scalar | MLXArray | ArrayBufferView | readonly ArrayData[];

/**
 * An array of the given elements. Numbers become float32, booleans bool, bigints int64; typed arrays keep their type
 * (a `Uint8ClampedArray` is uint8). `dtype` says otherwise. Of an array it makes another one on the same memory, which outlives
 * the first.
 *
 * @param data a number, nested lists of equal lengths, a typed array, or an array
 * @throws {ShapeError} if nested lists have different lengths
 * @throws {DtypeError} for data that is no number, boolean or bigint
 * @example
 * array([[1, 2], [3, 4]]).shape; // [2, 2]
 * await array([1, 2], "int32").tolist(); // [1, 2]
 */
export function array(data: ArrayData, dtype?: Dtype): MLXArray {
  if (dtype !== undefined) requireDtype("array", dtype);
  if (data instanceof MLXArray)
    return dtype === undefined || dtype === data.dtype ? another(data) : castTo(data, dtype);
  if (ArrayBuffer.isView(data)) return fromTypedArray(data, undefined, dtype);
  if (!Array.isArray(data)) return scalar(data, dtype);
  if (containsArrays(data)) {
    const parts = data.map((part: ArrayData) => array(part, dtype));
    return callLaterOne("stackAll", stackedAval(parts), parts);
  }
  const shape = shapeOf(data);
  const flat: Scalar[] = [];
  flatten(data, shape, 0, flat);
  const chosen = dtype ?? dtypeOf(flat);
  return upload(elementsOf(chosen, flat), shape, chosen);
}

/** An array with the elements of `x`, on the same memory once there is any: it stays when `x` is disposed, or donated. */
export function another(x: MLXArray): MLXArray {
  x.requireKept("array");
  if (!x.allocation) return x.isEvaluated ? apply(x.primitive, [], x.params) : identity(x);
  x.allocation.retain();
  return fromAllocation(x.allocation, { shape: x.shape, dtype: x.dtype });
}

/**
 * An array of the elements of a typed array, copied, under `shape` (flat unless given) and `dtype` (the typed array's own
 * unless given). A `Uint16Array` given with dtype float16 or bfloat16 is taken as bits.
 *
 * @throws {ShapeError} if the number of elements is not that of `shape`
 */
export function fromTypedArray(data: ArrayBufferView, shape?: Shape, dtype?: Dtype): MLXArray {
  const own = dtypeOfTypedArray(data);
  const source = new (carrierOf(own))(data.buffer, data.byteOffset, data.byteLength / byteLengthOf(own));
  const target = shape ?? [source.length];
  checkShape("array", target);
  if (sizeOf(target) !== source.length) {
    throw new ShapeError("array", `${source.length} elements do not fill shape ${formatShape(target)}`);
  }
  const chosen = dtype ?? own;
  if (chosen === own || (isHalf(chosen) && own === "uint16")) return upload(source, target, chosen);
  const elements = new (carrierOf(chosen))(source.length);
  for (let position = 0; position < source.length; position++)
    writeElement(elements, position, chosen, source[position] ?? 0);
  return upload(elements, target, chosen);
}

function upload(elements: TypedArray, shape: Shape, dtype: Dtype): MLXArray {
  return fromAllocation(currentRuntime().backend.upload(elements), { shape, dtype });
}

function scalar(value: unknown, dtype: Dtype | undefined): MLXArray {
  if (typeof value === "boolean") return constant(value, dtype ?? "bool");
  if (typeof value === "bigint") return constant(value, dtype ?? "int64");
  if (typeof value === "number") return constant(value, dtype ?? "float32");
  throw notData(value);
}

function containsArrays(data: readonly ArrayData[]): boolean {
  return data.some(
    (part) => part instanceof MLXArray || ArrayBuffer.isView(part) || (Array.isArray(part) && containsArrays(part)),
  );
}

function shapeOf(data: readonly unknown[]): Shape {
  const shape: number[] = [];
  for (let level: unknown = data; Array.isArray(level); level = level[0]) shape.push(level.length);
  return shape;
}

function flatten(data: readonly unknown[], shape: Shape, axis: number, flat: Scalar[]): void {
  if (data.length !== shape[axis]) {
    throw new ShapeError(
      "array",
      `nested lists must have equal lengths: at axis ${axis} one has ${shape[axis]} and one ${data.length}`,
    );
  }
  const isLast = axis === shape.length - 1;
  for (const part of data) {
    if (Array.isArray(part) === isLast) {
      throw new ShapeError(
        "array",
        `nested lists must have equal depth: a ${isLast ? "list" : "number"} at axis ${axis + 1}`,
      );
    }
    if (Array.isArray(part)) flatten(part, shape, axis + 1, flat);
    else if (typeof part === "number" || typeof part === "boolean" || typeof part === "bigint") flat.push(part);
    else throw notData(part);
  }
}

function dtypeOf(flat: readonly Scalar[]): Dtype {
  if (flat.length > 0 && flat.every((value) => typeof value === "boolean")) return "bool";
  if (flat.length > 0 && flat.every((value) => typeof value === "bigint")) return "int64";
  return "float32";
}

function notData(value: unknown): DtypeError {
  return new DtypeError("array", `elements are numbers, booleans or bigints; got ${describeValue(value)}`);
}

/** The dtype whose elements a typed array carries. @throws {DtypeError} if there is none. */
export function dtypeOfTypedArray(data: ArrayBufferView): Dtype {
  const name = Object.prototype.toString.call(data).slice(8, -1);
  const dtype = name === "DataView" ? "uint8" : name.replace(/^Big|(Clamped)?Array$/g, "").toLowerCase();
  if (isDtype(dtype)) return dtype;
  throw new DtypeError("array", `a ${name} carries no dtype`);
}
