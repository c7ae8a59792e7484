/** Which code serves which kind of kernel. */
import { MLXError } from "../../base/errors.ts";
import { asLoops } from "../../compiler/loop-nest.ts";
import type { Kernel, TensorCall } from "../../ir/kernel.ts";
import type { GpuKernelCode, GpuTarget } from "./kernel-code.ts";
import { emitLoops } from "./loop-kernel.ts";

/** Whether the GPU has a kernel of its own for this composite. */
export function overridesComposite(_call: TensorCall, _target: GpuTarget): boolean {
  return false;
}

/** The code of `kernel`. */
export function emitKernel(kernel: Kernel, target: GpuTarget): GpuKernelCode {
  if (kernel.kind === "loop" || kernel.kind === "contraction") return emitLoops(asLoops(kernel), target);
  throw new MLXError("codegen", `${kernel.label}: no code for a ${kernel.kind} on the GPU`);
}
