/** Calls about attention as the kernels that a backend gets for them, and inputs to run these on. */
import type * as mx from "mlx-ts";
import type { TypedArray } from "../../src/base/dtype.ts";
import { carrierOf } from "../../src/base/dtype.ts";
import { sizeOf } from "../../src/base/shape.ts";
import { apply } from "../../src/graph/primitive.ts";
import type { CompositeKernel, TensorCall, TensorType } from "../../src/ir/kernel.ts";
import { attentionRow } from "../../src/primitives/attention-row.ts";
import { drawn } from "./compare-kernel.ts";

/** The lengths of queries [...leading, queries, features] and keys [..., keyHeads, keys, features]. */
export interface AttentionCase {
  readonly leading: readonly number[];
  readonly keyHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly features: number;
  readonly isCausal?: boolean;
}

/** The parameters of the attention, or of its gradient. */
export function paramsOf({ features, isCausal = false }: AttentionCase): { scale: number; isCausal: boolean } {
  return { scale: features ** -0.5, isCausal };
}

/** The kernel that is this call alone, with all of its results: that of the call, then `others`. */
export function kernelOfCall(call: TensorCall, others: readonly TensorType[]): CompositeKernel {
  const { name, inputs, output } = call;
  const outputs = [output, ...others];
  const slots = [...inputs, ...outputs].map(({ shape, dtype }, slot) => ({
    dtype,
    size: sizeOf(shape),
    isOutput: slot >= inputs.length,
  }));
  const parts = outputs.map((_, part) => part);
  return { kind: "composite", parts, label: name, flops: 0, arguments: [], slots, call };
}

/** The statistics of such queries. */
export function statisticsType({ leading, queries }: AttentionCase): TensorType {
  return { shape: [...leading, queries, 2], dtype: "float32" };
}

/** What the statistics of queries, keys, values and perhaps a mask are by definition. */
export function statisticsOf(inputs: readonly mx.MLXArray[], given: AttentionCase): mx.MLXArray {
  return apply(attentionRow, inputs, { ...paramsOf(given), part: 1 });
}

/** Of each query the logarithm of the sum of exponentials; of those that see nothing, whose scores are so low, that of their number. */
export function logarithmsOf(statistics: mx.TypedArray): Float32Array {
  return Float32Array.from({ length: statistics.length / 2 }, (_, query) => {
    const [greatest, total] = [Number(statistics[2 * query]), Number(statistics[2 * query + 1])];
    return (greatest < -1e38 ? 0 : greatest) + Math.log(total);
  });
}

/** Drawn inputs of a kernel, and zeros for what it writes. */
export function buffersOf({ slots }: CompositeKernel): TypedArray[] {
  return slots.map(({ dtype, size, isOutput }, slot) =>
    isOutput ? new (carrierOf(dtype))(size) : drawn(dtype, size, slot + 3),
  );
}
