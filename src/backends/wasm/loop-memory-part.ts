/** Provides what loops keep in scratch memory. */
import "../../array/methods.ts";
import "./other-opcodes.ts";
import { emitPasses, keepValues } from "./loop-memory.ts";
import { cpuParts } from "./wasm-backend.ts";

cpuParts.loopMemory.provide({ emitPasses, keepValues });
