/** Which code serves which kind of kernel. */
import { MLXError } from "../../base/errors.ts";
import type { Kernel, TensorCall } from "../../ir/kernel.ts";
import { emitContraction } from "./contraction-kernel.ts";
import type { GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { emitLoops } from "./loop-kernel.ts";
import { emitRoutine } from "./routine-kernel.ts";

/** Whether the GPU has a kernel of its own for this composite. */
export function overridesComposite(_call: TensorCall, _target: GpuTarget): boolean {
  return false;
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
      throw new MLXError("codegen", `the GPU has no code for ${kernel.call.name}`);
  }
}
