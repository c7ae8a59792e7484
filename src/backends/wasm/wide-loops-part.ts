/** Provides the choice of loops that are compiled for wide vectors. */
import "../../array/methods.ts";
import "./other-opcodes.ts";
import { cpuParts } from "./wasm-backend.ts";
import { mayWiden } from "./wide-loops.ts";

cpuParts.wideLoops.provide(mayWiden);
