/** Which emitter serves a kernel. Those that many programs do without are loaded when a plan first needs them. */
import { asLoops } from "../../compiler/loop-nest.ts";
import type { CompositeKernel, ContractionKernel, LoopKernel, TensorCall } from "../../ir/kernel.ts";
import { attentionOf } from "./attention-call.ts";
import type { KernelCode, KernelTarget } from "./kernel-code.ts";
import { emitLoopKernel } from "./loop-kernel.ts";
import { quantizedOf } from "./quantized-call.ts";

/** Whether a composite is computed by a kernel of its own. */
export function isTakenWhole(call: TensorCall): boolean {
  return attentionOf(call) !== null || quantizedOf(call) !== null;
}

/** The module of a kernel. @throws {MissingPart} if its emitter is not loaded */
export function emitKernel(kernel: LoopKernel | ContractionKernel | CompositeKernel, target: KernelTarget): KernelCode {
  if (kernel.kind === "composite") {
    const { attention, quantized } = target.parts;
    return (quantizedOf(kernel.call) ? quantized : attention).get()(kernel, target);
  }
  if (kernel.kind === "contraction" && isPackedProduct(kernel)) return target.parts.products.get()(kernel, target);
  return emitLoopKernel(asLoops(kernel), target);
}

/** Multiplications from which packing pays. */
const leastProduct = 2048;

/** Whether a contraction is one for the packed kernels: float32, not empty, not tiny. */
function isPackedProduct({ dtype, batch, m, n, k }: ContractionKernel): boolean {
  const multiplications = [...batch, m, n, k].reduce((product, { length }) => product * length, 1);
  return dtype === "float32" && multiplications >= leastProduct;
}
