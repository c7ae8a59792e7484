/** The table of float32 vector functions, and the float64 functions that kernels import. */
import { emitExp, emitExpm1, emitSigmoid, emitTanh } from "./vector-math-exponential.ts";
import type { FunctionBuilder } from "./assembler.ts";
import type { VectorTarget } from "./vector-math-scope.ts";

/** Emitters by operation. */
export const float32Math: Readonly<Record<string, (f: FunctionBuilder, x: number, target: VectorTarget) => number>> = {
  exp: emitExp,
  expm1: emitExpm1,
  sigmoid: emitSigmoid,
  tanh: emitTanh,
};
/** Float64 functions that kernels import. */
export const importedMath: Readonly<Record<string, (x: number, y: number) => number>> = {
  exp: Math.exp, log: Math.log, sin: Math.sin, cos: Math.cos, pow: Math.pow,
};
