/** Provides what lanes of integers, bool and half floats need. */
import "../../array/methods.ts";
import "./other-opcodes.ts";
import * as casts from "./lane-casts.ts";
import * as integers from "./lane-integers.ts";
import * as narrow from "./lane-narrow.ts";
import * as positions from "./lane-positions.ts";
import { cpuParts } from "./wasm-backend.ts";

cpuParts.types.provide({ ...integers, ...casts, ...narrow, ...positions });
