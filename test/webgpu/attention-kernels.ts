/** Calls about attention as the kernels that a backend gets for them, and inputs to run these on. */
import type { TypedArray } from "../../src/base/dtype.ts";
import { carrierOf } from "../../src/base/dtype.ts";
import { sizeOf } from "../../src/base/shape.ts";
import type { CompositeKernel, TensorCall } from "../../src/ir/kernel.ts";
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

/** The kernel that is this call alone. */
export function kernelOfCall(call: TensorCall): CompositeKernel {
  const { name, inputs, output } = call;
  const slots = [...inputs, output].map(({ shape, dtype }, slot) => ({
    dtype,
    size: sizeOf(shape),
    isOutput: slot === inputs.length,
  }));
  return { kind: "composite", label: name, flops: 0, arguments: [], slots, call };
}

/** Drawn inputs of a kernel, and zeros for what it writes. */
export function buffersOf({ slots }: CompositeKernel): TypedArray[] {
  return slots.map(({ dtype, size, isOutput }, slot) =>
    isOutput ? new (carrierOf(dtype))(size) : drawn(dtype, size, slot + 3),
  );
}
