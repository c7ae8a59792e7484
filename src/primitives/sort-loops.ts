/** The loops behind sorting and searching. NaN counts as greater than every number. */
import type { Dtype, TypedArray } from "../base/dtype.ts";
import { isHalf } from "../base/dtype.ts";
import { readElement, writeElement } from "../base/elements.ts";
import type { RoutineCall } from "../graph/primitive.ts";
import type { SearchParams } from "./sorting.ts";

/** Each row in ascending order. */
export function sort({ inputs, output, outputAval: { shape, dtype } }: RoutineCall<null>): void {
  const [input = output] = inputs;
  const length = shape.at(-1) ?? 1;
  const sorted = numbersOf(input, dtype);
  for (let start = 0; start < sorted.length; start += length) sorted.subarray(start, start + length).sort();
  if (isHalf(dtype)) for (let i = 0; i < sorted.length; i++) writeElement(output, i, dtype, sorted[i] ?? 0);
  else bytesOf(output).set(bytesOf(sorted));
}

/** The positions of each row in ascending order of their elements. */
export function argSort({ inputs, inputAvals, output, outputAval }: RoutineCall<null>): void {
  const [input = output] = inputs;
  const [{ shape, dtype } = outputAval] = inputAvals;
  const length = shape.at(-1) ?? 1;
  const values = numbersOf(input, dtype);
  for (let start = 0; start < values.length; start += length) {
    const order = sortedPositions(values.subarray(start, start + length));
    for (let i = 0; i < length; i++) output[start + i] = order[i] ?? 0;
  }
}

/** For each value how many of the sorted ones come before it. */
export function search({ inputs, inputAvals, output, outputAval, params }: RoutineCall<SearchParams>): void {
  const { isRight, batchRank } = params;
  const [sortedAval = outputAval, valuesAval = outputAval] = inputAvals;
  const [sorted, values] = inputs.map((input) => numbersOf(input, sortedAval.dtype));
  const length = sortedAval.shape.at(-1) ?? 1;
  const each = valuesAval.shape.slice(batchRank).reduce((size, one) => size * one, 1);
  for (let i = 0; i < output.length; i++) {
    const start = Math.floor(i / each) * length;
    let [low, high] = [0, length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = compare(sorted?.[start + middle] ?? 0, values?.[i] ?? 0);
      if (order < 0 || (isRight && order === 0)) low = middle + 1;
      else high = middle;
    }
    output[i] = low;
  }
}

function numbersOf(elements: TypedArray, dtype: Dtype): TypedArray {
  if (!isHalf(dtype)) return elements.slice();
  return Float32Array.from({ length: elements.length }, (_, i) => Number(readElement(elements, i, dtype)));
}

function bytesOf({ buffer, byteOffset, byteLength }: TypedArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Rows up to which a value of 32 bits and its position fit into one exact double. */
const packedRow = 2 ** 21;

/** The positions in ascending order of `values`. */
function sortedPositions(values: TypedArray): Float64Array | Uint32Array {
  const { length } = values;
  if (length > packedRow || values.BYTES_PER_ELEMENT > 4) {
    const order = Uint32Array.from({ length }, (_, i) => i);
    return order.sort((a, b) => compare(values[a] ?? 0, values[b] ?? 0));
  }
  // Value and position in one number each: these sort without a comparison function, and in the order of position on ties.
  const keys = new Float64Array(length);
  const bits = new Int32Array(1);
  const float = new Float32Array(bits.buffer);
  for (let i = 0; i < length; i++) {
    let key = Number(values[i]);
    if (values instanceof Float32Array) {
      float[0] = key + 0; // -0 becomes 0
      const pattern = bits[0] ?? 0;
      key = Number.isNaN(key) ? 0x7fffffff : pattern < 0 ? pattern ^ 0x7fffffff : pattern;
    }
    keys[i] = key * packedRow + i;
  }
  keys.sort();
  for (let i = 0; i < length; i++) keys[i] = (keys[i] ?? 0) - Math.floor((keys[i] ?? 0) / packedRow) * packedRow;
  return keys;
}

function compare(a: number | bigint, b: number | bigint): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return 0;
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}
