/** Provides composites that are computed whole. */
import "../../array/methods.ts";
import { emitAttention } from "./attention-kernel.ts";
import { emitQuantizedProduct } from "./quantized-kernel.ts";
import { cpuParts } from "./wasm-backend.ts";

cpuParts.composites.provide((kernel, target) =>
  kernel.call.name === "quantizedMatmul" ? emitQuantizedProduct(kernel, target) : emitAttention(kernel, target),
);
