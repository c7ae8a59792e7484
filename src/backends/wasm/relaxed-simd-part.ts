/** Provides what is found out of relaxed SIMD. */
import "../../array/methods.ts";
import { relaxedSimd } from "./relaxed-simd.ts";
import { cpuParts } from "./wasm-backend.ts";

cpuParts.relaxedSimd.provide(relaxedSimd);
