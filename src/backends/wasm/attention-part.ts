/** Provides attention. */
import { emitAttention } from "./attention-kernel.ts";
import { cpuParts } from "./wasm-backend.ts";

cpuParts.attention.provide(emitAttention);
