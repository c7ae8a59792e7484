/** Provides composites that are computed whole. */
import "../../array/methods.ts";
import "./other-opcodes.ts";
import "./relaxed-simd-part.ts";
import { emit, isTaken } from "./composites.ts";
import { cpuParts } from "./wasm-backend.ts";

cpuParts.composites.provide({ emit, isTaken });
