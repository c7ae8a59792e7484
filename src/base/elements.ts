/** Elements between JavaScript values and the typed arrays that carry them. */
import type { Dtype, TypedArray } from "./dtype.ts";
import { carrierOf, isHalf } from "./dtype.ts";
import { halfToNumber, numberToHalf } from "./half.ts";

/** A JavaScript value of one element: bigint for 64-bit integers, boolean for bool, number otherwise. */
export type Scalar = number | bigint | boolean;

/** Bytes in a buffer that threads do not share, as `Blob` and `WebAssembly` want them, in words of TypeScript 5.4. */
export type OwnBytes = Uint8Array & { readonly buffer: ArrayBuffer };

/** Writes `value` as an element of `dtype`; integers wrap around. */
export function writeElement(elements: TypedArray, position: number, dtype: Dtype, value: Scalar): void {
  if (elements instanceof BigInt64Array || elements instanceof BigUint64Array) {
    elements[position] = typeof value === "bigint" ? value : BigInt(Math.trunc(Number(value)));
  } else if (isHalf(dtype)) elements[position] = numberToHalf(Number(value), dtype);
  else if (dtype === "bool") elements[position] = value ? 1 : 0;
  else elements[position] = typeof value === "bigint" ? Number(BigInt.asIntN(64, value)) : Number(value);
}

/** `value` as text that differs wherever values do: -0 is not 0. */
export function scalarText(value: unknown): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Reads one element of `dtype` as a JavaScript value. */
export function readElement(elements: TypedArray, position: number, dtype: Dtype): Scalar {
  const raw = elements[position] ?? 0;
  if (dtype === "bool") return raw !== 0;
  return isHalf(dtype) ? halfToNumber(Number(raw), dtype) : raw;
}

/** The carrier array of `values` as elements of `dtype`. */
export function elementsOf(dtype: Dtype, values: readonly Scalar[]): TypedArray {
  const elements = new (carrierOf(dtype))(values.length);
  values.forEach((value, position) => {
    writeElement(elements, position, dtype, value);
  });
  return elements;
}
