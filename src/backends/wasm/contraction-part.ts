/** Provides matrix products. */
import "../../array/methods.ts";
import { emitContraction } from "./contraction-kernel.ts";
import { cpuParts } from "./wasm-backend.ts";

cpuParts.products.provide(emitContraction);
