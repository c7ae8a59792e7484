/** Which emitter serves a kernel. Those that many programs do without are loaded when a plan first needs them. */
import { otherKernels } from "../../compiler/other-kernels.ts";
import { pointsOf } from "../../ir/expr.ts";
import type { CompositeKernel, ContractionKernel, LoopKernel, TensorCall } from "../../ir/kernel.ts";
import type { KernelCode, KernelParts, KernelTarget } from "./kernel-code.ts";
import { kernelText } from "./kernel-text.ts";
import { emitLoopKernel } from "./loop-kernel.ts";

type AnyKernel = LoopKernel | ContractionKernel | CompositeKernel;

/** Composites that may be computed by a kernel of their own. */
const wholeNames: readonly string[] = [
  "scaledDotProductAttention",
  "attentionGradient",
  "quantizedMatmul",
  "convolution",
  "convolutionWeights",
];

/** Whether a composite is computed by a kernel of its own. @throws {MissingPart} if what knows is not loaded */
export function isTakenWhole(call: TensorCall, parts: KernelParts): boolean {
  return wholeNames.includes(call.name) && parts.composites.get().isTaken(call);
}

/** The module of a kernel. @throws {MissingPart} if its emitter is not loaded */
export function emitKernel(kernel: AnyKernel, target: KernelTarget): KernelCode {
  if (kernel.kind === "composite") return target.parts.composites.get().emit(kernel, target);
  if (kernel.kind === "contraction") return target.parts.products.get().emit(kernel, target);
  return emitLoopKernel(kernel, target);
}

/** What a kernel is compiled as: small contractions as loops. */
export function asCompiled(kernel: AnyKernel): AnyKernel {
  return kernel.kind === "contraction" && !isPackedProduct(kernel) ? otherKernels.get().asLoops(kernel) : kernel;
}

/** Text that two kernels share exactly if one module serves both. @throws {MissingPart} */
export function textOf(kernel: AnyKernel, parts: KernelParts): string {
  if (kernel.kind === "composite") return JSON.stringify([kernel.call, kernel.parts]);
  return kernel.kind === "loop" ? kernelText(kernel) : parts.products.get().text(kernel);
}

/** Multiplications from which packing pays. */
const leastProduct = 2048;

/** Whether a contraction is one for the packed kernels: float32, not empty, not tiny. */
function isPackedProduct({ dtype, batch, m, n, k }: ContractionKernel): boolean {
  return dtype === "float32" && pointsOf([...batch, m, n, k]) >= leastProduct;
}
