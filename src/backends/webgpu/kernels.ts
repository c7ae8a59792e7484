/** Which code serves which kind of kernel. */
import type { Kernel, TensorCall } from "../../ir/kernel.ts";
import { attentionOf, attentionOfGradient } from "./attention-call.ts";
import { emitMatrixGradient, isGradientForMatrices } from "./attention-gradient-matrix.ts";
import { emitAttention } from "./attention-kernel.ts";
import { emitContraction } from "./contraction-kernel.ts";
import type { GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { emitLoops } from "./loop-kernel.ts";
import { emitRoutine } from "./routine-kernel.ts";

/** Whether the GPU has a kernel of its own for this composite. */
export function overridesComposite(call: TensorCall, target: GpuTarget): boolean {
  const gradient = attentionOfGradient(call);
  return gradient ? isGradientForMatrices(gradient, call, target) : attentionOf(call) !== null;
}

/** The code of `kernel`. */
export function emitKernel(kernel: Kernel, target: GpuTarget): GpuKernelCode {
  switch (kernel.kind) {
    case "loop":
      return emitLoops(kernel, target);
    case "contraction":
      return emitContraction(kernel, target);
    case "routine":
      return emitRoutine(kernel, target);
    case "composite": {
      const gradient = attentionOfGradient(kernel.call);
      return gradient ? emitMatrixGradient(kernel, target, gradient) : emitAttention(kernel, target);
    }
  }
}
