/** Provides matrix products. */
import "../../array/methods.ts";
import "./other-opcodes.ts";
import "./relaxed-simd-part.ts";
import { emitContraction } from "./contraction-kernel.ts";
import { contractionText } from "./contraction-text.ts";
import { cpuParts } from "./wasm-backend.ts";

cpuParts.products.provide({ emit: emitContraction, text: contractionText });
