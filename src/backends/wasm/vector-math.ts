/** Functions of floating-point numbers: vector forms by operation, imports for those without. */
import type { BinaryOp, UnaryOp } from "../../ir/instruction.ts";
import type { FunctionBuilder } from "./assembler.ts";
import type { LaneOps } from "./lane-ops.ts";
import { byLane } from "./lane-scalars.ts";
import { emitCosh, emitErf, emitExp, emitExpm1, emitSigmoid, emitSinh, emitTanh } from "./vector-math-exponential.ts";
import { emitErf64, emitErfinv64, emitSigmoid64 } from "./vector-math-float64.ts";
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

/** Emitters of float64 vector functions by operation. */
export const float64Math: Readonly<Record<string, VectorEmitter>> = {
  sigmoid: emitSigmoid64,
  erf: emitErf64,
  erfinv: emitErfinv64,
};

/** Emits function `op` of registers: its vector form, or lane by lane the float64 function imported under its name. */
export function emitFunction(
  ops: LaneOps,
  op: UnaryOp | BinaryOp,
  shape: "f32x4" | "f64x2",
  operands: readonly number[],
): number {
  const { f, target } = ops;
  const [x = 0, y = 0] = operands;
  const isSingle = shape === "f32x4";
  const unary = (isSingle ? float32Math : float64Math)[op];
  if (unary) return unary(f, x, target);
  const binary = isSingle ? float32BinaryMath[op] : undefined;
  if (binary) return binary(f, x, y, target);
  const call = (): void => {
    f.callImport(op, { params: operands.map(() => "f64"), results: ["f64"] });
    if (isSingle) f.op("f32.demote_f64");
  };
  const type = isSingle ? "f32" : "f64";
  return byLane(f, type, operands, type, call, isSingle ? "f64.promote_f32" : undefined);
}
