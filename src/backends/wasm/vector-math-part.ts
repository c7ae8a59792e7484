/** Provides transcendental functions. */
import { emitFunction } from "./vector-math.ts";
import { cpuParts } from "./wasm-backend.ts";

cpuParts.math.provide(emitFunction);
