/** Kernels as they are planned for arrays, for tests that look at kernels one by one. */
import * as mx from "mlx-ts";
import { currentRuntime } from "../../src/array/device.ts";
import { planFor } from "../../src/array/explain.ts";
import type { Kernel } from "../../src/ir/kernel.ts";

/** The kernels that would compute `roots`, in order. */
export function kernelsOf(roots: readonly mx.MLXArray[]): Kernel[] {
  return planFor(currentRuntime(), roots).plan.steps.map(({ kernel }) => kernel);
}

/** The only kernel of its kind among those that would compute `roots`. */
export function kernelOf<K extends Kernel["kind"]>(
  kind: K,
  ...roots: readonly mx.MLXArray[]
): Extract<Kernel, { readonly kind: K }> {
  const found = kernelsOf(roots).filter(
    (kernel): kernel is Extract<Kernel, { readonly kind: K }> => kernel.kind === kind,
  );
  const [kernel] = found;
  if (!kernel || found.length > 1) throw new Error(`${found.length} kernels of kind ${kind} are planned, not one`);
  return kernel;
}

/** An evaluated array of this shape; kernels only see its shape and dtype. */
export async function given(shape: readonly number[], dtype: mx.Dtype = "float32"): Promise<mx.MLXArray> {
  const array = mx.ones(shape, dtype);
  await mx.evaluate(array);
  return array;
}
