/** Provides what loops keep in scratch memory, and where the intermediates of plans lie there. */
import "../../array/methods.ts";
import "./other-opcodes.ts";
import { placeIntermediates } from "./intermediates.ts";
import { emitPasses, keepValues } from "./loop-memory.ts";
import { cpuParts } from "./wasm-backend.ts";

cpuParts.scratchMemory.provide({ emitPasses, keepValues, placeIntermediates });
