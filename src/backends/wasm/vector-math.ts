/** The table of float32 vector functions, and the float64 functions that kernels import. */

import type { FunctionBuilder } from "./assembler.ts";
import { emitCosh, emitErf, emitExp, emitExpm1, emitSigmoid, emitSinh, emitTanh } from "./vector-math-exponential.ts";
import { emitLog, emitLog1p, emitLog2, emitLog10 } from "./vector-math-logarithm.ts";
import type { VectorTarget } from "./vector-math-scope.ts";

/** Emitters by operation. */
export const float32Math: Readonly<Record<string, (f: FunctionBuilder, x: number, target: VectorTarget) => number>> = {
  exp: emitExp,
  erf: emitErf,
  cosh: emitCosh,
  sinh: emitSinh,
  log: emitLog,
  log2: emitLog2,
  log10: emitLog10,
  log1p: emitLog1p,
  expm1: emitExpm1,
  sigmoid: emitSigmoid,
  tanh: emitTanh,
};
/** Float64 functions that kernels import. */
export const importedMath: Readonly<Record<string, (x: number, y: number) => number>> = {
  exp: Math.exp,
  log: Math.log,
  sin: Math.sin,
  cos: Math.cos,
  pow: Math.pow,
};
