/** Which code serves which kind of kernel. */
import type { Kernel, TensorCall } from "../../ir/kernel.ts";
import { attentionOf } from "./attention-call.ts";
import { emitAttention } from "./attention-kernel.ts";
import { emitContraction } from "./contraction-kernel.ts";
import type { GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { emitLoops } from "./loop-kernel.ts";
import { emitRoutine } from "./routine-kernel.ts";

/** Whether the GPU has a kernel of its own for this composite. */
export function overridesComposite(call: TensorCall): boolean {
  return attentionOf(call) !== null;
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
    case "composite":
      return emitAttention(kernel, target);
  }
}
