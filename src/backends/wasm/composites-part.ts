/** Provides composites that are computed whole. */
import "../../array/methods.ts";
import { emitAttention } from "./attention-kernel.ts";
import { emitQuantizedProduct } from "./quantized-kernel.ts";
import { cpuParts } from "./wasm-backend.ts";
import { emitTiledConvolution } from "./winograd-kernel.ts";

const emitters = new Map([
  ["quantizedMatmul", emitQuantizedProduct],
  ["convolution", emitTiledConvolution],
]);

cpuParts.composites.provide((kernel, target) => (emitters.get(kernel.call.name) ?? emitAttention)(kernel, target));
