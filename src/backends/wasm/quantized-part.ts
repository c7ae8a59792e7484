/** Provides products with packed weights. */
import { emitQuantizedProduct } from "./quantized-kernel.ts";
import { cpuParts } from "./wasm-backend.ts";

cpuParts.quantized.provide(emitQuantizedProduct);
