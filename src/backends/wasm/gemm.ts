/**
 * Float32 matrix products: emits the phases of one product into a kernel's module.
 *
 * The module must be registered with the library that comes with the code; the pool then runs the phases in
 * order, all with the kernel's argument block. Operands are read from memory at any strides, or computed by functions of
 * the kernel (`load`); results go to memory or through a function of the kernel (`store`).
 */

import { ArgumentError } from "../../base/errors.ts";
import { emitPackedGemm } from "./gemm-packed.ts";
import type { GemmCode, GemmSpec } from "./gemm-spec.ts";
import { emitThinGemm, thinView } from "./gemm-thin.ts";
import type { ModuleBuilder } from "./module-builder.ts";

/**
 * Emits the phases of a product into `module`.
 *
 * Sums are float32. Their order depends on the lengths and strides alone, so any number of threads gives the same bits.
 *
 * @throws {ArgumentError} if a length is less than 1
 */
export function emitGemm(module: ModuleBuilder, spec: GemmSpec): GemmCode {
  const lengths = [...spec.batchLengths, spec.rows, spec.columns, spec.depth];
  if (lengths.some((length) => length < 1)) throw new ArgumentError("matmul", `an empty product: lengths ${lengths}`);
  const thin = thinView(spec);
  return thin === undefined ? emitPackedGemm(module, spec) : emitThinGemm(module, spec, thin);
}
