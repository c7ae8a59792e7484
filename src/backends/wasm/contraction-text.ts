/** Products as text that two of them share exactly if one module serves both. */
import type { ContractionKernel } from "../../ir/kernel.ts";
import { KernelWriter } from "./kernel-text.ts";

/** The cache key of a contraction kernel. */
export function contractionText(kernel: ContractionKernel): string {
  const writer = new KernelWriter(kernel);
  writer.write(`contract ${kernel.dtype}`);
  for (const axis of [...kernel.batch, kernel.m, kernel.n, kernel.k]) writer.axis(axis.id, axis.length);
  for (const expr of [kernel.left, kernel.right, kernel.result]) writer.write(`;${writer.reference(expr)}`);
  writer.stores(kernel.stores);
  return writer.text;
}
