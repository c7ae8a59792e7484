/** Provides transcendental functions. */
import "../../array/methods.ts";
import "./other-opcodes.ts";
import "./relaxed-simd-part.ts";
import { emitFunction } from "./vector-math.ts";
import { cpuParts } from "./wasm-backend.ts";

cpuParts.math.provide(emitFunction);
