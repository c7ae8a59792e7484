/** The table of float32 vector functions, and the float64 functions that kernels import for all others. */

import type { FunctionBuilder } from "./assembler.ts";
import { emitCosh, emitErf, emitExp, emitExpm1, emitSigmoid, emitSinh, emitTanh } from "./vector-math-exponential.ts";
import { erf, erfinv, power, remainder } from "./vector-math-imported.ts";
import { emitAcos, emitAsin, emitAtan, emitAtan2, emitErfinv } from "./vector-math-inverse.ts";
import { emitLog, emitLog1p, emitLog2, emitLog10 } from "./vector-math-logarithm.ts";
import type { VectorTarget } from "./vector-math-scope.ts";
import { emitCos, emitSin, emitTan } from "./vector-math-trigonometric.ts";
import { emitAcosh, emitAsinh, emitAtanh, emitPow } from "./vector-math-wide.ts";

/** Emits a function of one vector of four float32: takes a v128 local, returns the local of the result. */
export type VectorEmitter = (f: FunctionBuilder, x: number, target: VectorTarget) => number;

/** Emits a function of two vectors of four float32, likewise. */
export type BinaryVectorEmitter = (f: FunctionBuilder, x: number, y: number, target: VectorTarget) => number;

/** Emitters of float32 vector functions by operation; each one's docstring states its error. */
export const float32Math: Readonly<Record<string, VectorEmitter>> = {
  exp: emitExp,
  expm1: emitExpm1,
  log: emitLog,
  log1p: emitLog1p,
  log2: emitLog2,
  log10: emitLog10,
  sin: emitSin,
  cos: emitCos,
  tan: emitTan,
  asin: emitAsin,
  acos: emitAcos,
  atan: emitAtan,
  sinh: emitSinh,
  cosh: emitCosh,
  tanh: emitTanh,
  asinh: emitAsinh,
  acosh: emitAcosh,
  atanh: emitAtanh,
  sigmoid: emitSigmoid,
  erf: emitErf,
  erfinv: emitErfinv,
};

/** Emitters of float32 vector functions of two operands. `atan2` takes y, then x. */
export const float32BinaryMath: Readonly<Record<string, BinaryVectorEmitter>> = {
  pow: emitPow,
  atan2: emitAtan2,
};

/** Scalar float64 functions by operation: modules import them from "e" for float64 and for what the tables above lack. */
export const importedMath: Readonly<Record<string, (x: number, y: number) => number>> = {
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  log2: Math.log2,
  log10: Math.log10,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  erf,
  erfinv,
  atan2: Math.atan2,
  pow: power,
  remainder,
};
