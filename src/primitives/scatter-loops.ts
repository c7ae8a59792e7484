/** The loop behind writing elements by arrays of indices. */
import type { Dtype, TypedArray } from "../base/dtype.ts";
import { isBigInteger, isFloating, isHalf } from "../base/dtype.ts";
import { readElement, writeElement } from "../base/elements.ts";
import type { Shape } from "../base/shape.ts";
import { rowMajorStrides, sizeOf } from "../base/shape.ts";
import type { RoutineCall } from "../graph/primitive.ts";
import type { GatherParams } from "./gather.ts";
import type { ScatterOp, ScatterParams } from "./scatter.ts";

/** The array with each update written. */
export function scatter(call: RoutineCall<ScatterParams>): void {
  const { inputs, output, outputAval, params } = call;
  const [base = output, updates = output, ...indices] = inputs;
  copyElements(base, output);
  const combine = combiner(params.op, outputAval.dtype, output, updates);
  const { shape } = outputAval;
  const { batchRank, axes } = params;
  const strides = rowMajorStrides(shape);
  const batches = sizeOf(shape.slice(0, batchRank));
  const batchStride = sizeOf(shape.slice(batchRank));
  const positions = (indices[0]?.length ?? 0) / Math.max(batches, 1);
  const rest = restOffsets(shape, strides, params);
  let from = 0;
  for (let batch = 0; batch < batches; batch++) {
    for (let position = 0; position < positions; position++) {
      let start = batch * batchStride;
      for (let k = 0; k < axes.length; k++) {
        const axis = axes[k] ?? 0;
        const length = shape[axis] ?? 1;
        const given = Number(indices[k]?.[batch * positions + position] ?? 0);
        const index = given < 0 ? given + length : given;
        start = index < 0 || index >= length ? Number.NaN : start + index * (strides[axis] ?? 1);
      }
      if (Number.isNaN(start)) from += rest.length;
      else for (let i = 0; i < rest.length; i++) combine(start + (rest[i] ?? 0), from++);
    }
  }
}

/** The distance from the first of the elements that one update covers, in row-major order of the axes not indexed. */
function restOffsets(shape: Shape, strides: readonly number[], { batchRank, axes }: GatherParams): Int32Array {
  let offsets = [0];
  shape.forEach((length, axis) => {
    if (axis < batchRank || axes.includes(axis)) return;
    const stride = strides[axis] ?? 1;
    offsets = offsets.flatMap((offset) => Array.from({ length }, (_, i) => offset + i * stride));
  });
  return Int32Array.from(offsets);
}

function copyElements(from: TypedArray, to: TypedArray): void {
  const bytes = new Uint8Array(from.buffer, from.byteOffset, from.byteLength);
  new Uint8Array(to.buffer, to.byteOffset, to.byteLength).set(bytes);
}

/** Writes update `from` to element `to`. */
function combiner(
  op: ScatterOp,
  dtype: Dtype,
  output: TypedArray,
  updates: TypedArray,
): (to: number, from: number) => void {
  if (op === "set") {
    return (to, from) => {
      output[to] = updates[from] ?? 0;
    };
  }
  const isBig = output instanceof BigInt64Array || output instanceof BigUint64Array;
  if (isBig && (updates instanceof BigInt64Array || updates instanceof BigUint64Array)) {
    const combine = bigOperations[op];
    return (to, from) => {
      output[to] = combine(output[to] ?? 0n, updates[from] ?? 0n);
    };
  }
  const combine = op === "multiply" && !isFloating(dtype) ? Math.imul : operations[op];
  if (isHalf(dtype) || isBigInteger(dtype) || isBig || dtype === "bool") {
    return (to, from) => {
      const value = combine(Number(readElement(output, to, dtype)), Number(readElement(updates, from, dtype)));
      writeElement(output, to, dtype, value);
    };
  }
  return (to, from) => {
    output[to] = combine(Number(output[to] ?? 0), Number(updates[from] ?? 0));
  };
}

const operations: Readonly<Record<Exclude<ScatterOp, "set">, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  multiply: (a, b) => a * b,
  maximum: (a, b) => Math.max(a, b),
  minimum: (a, b) => Math.min(a, b),
};
const bigOperations: Readonly<Record<Exclude<ScatterOp, "set">, (a: bigint, b: bigint) => bigint>> = {
  add: (a, b) => a + b,
  multiply: (a, b) => a * b,
  maximum: (a, b) => (a > b ? a : b),
  minimum: (a, b) => (a < b ? a : b),
};
