/** Which code serves which kind of kernel. */
import { MLXError } from "../../base/errors.ts";
import type { Kernel, TensorCall } from "../../ir/kernel.ts";
import type { GpuKernelCode, GpuTarget } from "./kernel-code.ts";

/** Whether the GPU has a kernel of its own for this composite. */
export function overridesComposite(_call: TensorCall, _target: GpuTarget): boolean {
  return false;
}

/** The code of `kernel`. */
export function emitKernel(kernel: Kernel, _target: GpuTarget): GpuKernelCode {
  throw new MLXError("codegen", kernel.kind);
}
