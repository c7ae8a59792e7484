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
  if (!Array.isArray(data)) {
    const value = requireScalar(data);
    return constant(value, dtype ?? dtypeOf([value]));
  }
  const lists = flattened(data);
  if (!lists) {
    const parts = data.map((part: ArrayData) => array(part, dtype));
    return callLaterOne("stackAll", stackedAval(parts), parts);
  }
  const chosen = dtype ?? dtypeOf(lists.flat);
  return upload(elementsOf(chosen, lists.flat), lists.shape, chosen);
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
 * @example
 * await fromTypedArray(new Float32Array([1, 2, 3, 4]), [2, 2]).tolist(); // [[1, 2], [3, 4]]
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

/** The numbers in nested lists and the lengths of the lists, level by level; null if there are arrays among them. */
function flattened(data: readonly unknown[]): { readonly shape: Shape; readonly flat: readonly Scalar[] } | null {
  const shape = [data.length];
  const flat: Scalar[] = [];
  for (let level = data; ; ) {
    const first: unknown = level[0];
    const length: unknown = Array.isArray(first) ? first.length : null;
    const next: unknown[] = [];
    for (const part of level) {
      if (part instanceof MLXArray || ArrayBuffer.isView(part)) return null;
      const isList = Array.isArray(part);
      if (isList !== (length !== null)) {
        throw new ShapeError(
          "array",
          `nested lists must have equal depth: a ${isList ? "list" : "number"} at axis ${shape.length}`,
        );
      }
      if (!isList) flat.push(requireScalar(part));
      else if (part.length === length) for (const item of part) next.push(item);
      else {
        throw new ShapeError(
          "array",
          `nested lists must have equal lengths: at axis ${shape.length} one has ${length} and one ${part.length}`,
        );
      }
    }
    if (typeof length !== "number") return { shape, flat };
    if (shape.push(length) > 64) throw new ShapeError("array", "nested lists are more than 64 deep");
    level = next;
  }
}

function dtypeOf(flat: readonly Scalar[]): Dtype {
  const kind = typeof flat[0];
  if (kind === "number" || flat.some((value) => typeof value !== kind)) return "float32";
  return kind === "boolean" ? "bool" : kind === "bigint" ? "int64" : "float32";
}

function requireScalar(value: unknown): Scalar {
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return value;
  throw new DtypeError("array", `elements are numbers, booleans or bigints; got ${describeValue(value)}`);
}

/** The dtype whose elements a typed array carries. @throws {DtypeError} if there is none. */
function dtypeOfTypedArray(data: ArrayBufferView): Dtype {
  const name = Object.prototype.toString.call(data).slice(8, -1);
  const dtype = name === "DataView" ? "uint8" : name.replace(/^Big|(Clamped)?Array$/g, "").toLowerCase();
  if (isDtype(dtype)) return dtype;
  throw new DtypeError("array", `a ${name} carries no dtype`);
}
