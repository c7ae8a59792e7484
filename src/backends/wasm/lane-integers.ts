/** Arithmetic and comparisons of integers and bool in registers: small integers in 32-bit lanes, bool as masks. */
import "./other-opcodes.ts";
import type { Dtype } from "../../base/dtype.ts";
import { byteLengthOf, kindOf } from "../../base/dtype.ts";
import { MLXError } from "../../base/errors.ts";
import type { BinaryOp, CompareOp, UnaryOp } from "../../ir/instruction.ts";
import type { FunctionBuilder } from "./assembler.ts";
import type { LaneOps } from "./lane-ops.ts";
import { registerTypeOf } from "./lane-ops.ts";
import { byLane } from "./lane-scalars.ts";
import type { OpName } from "./opcodes.ts";

/** Whether lanes have 64 bits. */
function isLong(dtype: Dtype): boolean {
  return registerTypeOf(dtype) === "i64";
}

function shapeOf(dtype: Dtype): "i32x4" | "i64x2" {
  return isLong(dtype) ? "i64x2" : "i32x4";
}

function isSigned(dtype: Dtype): boolean {
  return kindOf(dtype) === "signed";
}

/** An instruction on one operand. */
export function unary(ops: LaneOps, op: UnaryOp, dtype: Dtype, x: number): number {
  switch (op) {
    case "not":
      return wrap(ops, dtype, ops.op("v128.not", x));
    case "neg":
    case "abs":
      if (dtype === "bool" || (op === "abs" && !isSigned(dtype))) return x;
      return wrap(ops, dtype, ops.op(`${shapeOf(dtype)}.${op}`, x));
    case "floor":
    case "ceil":
    case "round":
    case "trunc":
      return x;
    default:
      throw new MLXError(op, `is not defined for ${dtype}`);
  }
}

/** An instruction on two operands. */
export function binary(ops: LaneOps, op: BinaryOp, dtype: Dtype, a: number, b: number): number {
  const isBool = dtype === "bool";
  switch (op) {
    case "and":
    case "or":
    case "xor":
      return ops.op(`v128.${op}`, a, b);
    case "shl":
    case "shr":
      return wrap(ops, dtype, shift(ops, op, dtype, a, b));
    case "add":
    case "sub":
    case "mul":
      if (isBool) return ops.op(boolOps[op], a, b);
      return wrap(ops, dtype, ops.op(`${shapeOf(dtype)}.${op}`, a, b));
    case "min":
    case "max":
      return isBool ? ops.op(boolOps[op], a, b) : extreme(ops, op, dtype, a, b);
    default:
      if (isBool) throw new MLXError(op, "is not defined for bool");
      return wrap(ops, dtype, scalarBinary(ops, op, dtype, a, b));
  }
}

const boolOps = { add: "v128.or", max: "v128.or", mul: "v128.and", min: "v128.and", sub: "v128.xor" } as const;

/** A mask of lanes as wide as the operands' own. */
export function compare(ops: LaneOps, op: CompareOp, dtype: Dtype, a: number, b: number): number {
  const isEquality = op === "eq" || op === "ne";
  if (isLong(dtype)) {
    if (isEquality) return ops.op(`i64x2.${op}`, a, b);
    if (isSigned(dtype)) return ops.op(`i64x2.${op}_s`, a, b);
    // There are no unsigned comparisons of 64 bits: both move by half the range.
    const half = ops.constant(-(2n ** 63n), "int64");
    return ops.op(`i64x2.${op}_s`, ops.op("v128.xor", a, half), ops.op("v128.xor", b, half));
  }
  return ops.op(isEquality ? `i32x4.${op}` : isSigned(dtype) ? `i32x4.${op}_s` : `i32x4.${op}_u`, a, b);
}

/** `x`, whose lanes are any 32-bit integers, wrapped to the width of `dtype`; 64-bit integers as they are. */
export function wrap(ops: LaneOps, dtype: Dtype, x: number): number {
  const bits = 32 - byteLengthOf(dtype) * 8;
  if (dtype === "bool" || bits <= 0) return x;
  const { f } = ops;
  return ops.keep(() =>
    f
      .get(x)
      .i32(bits)
      .op("i32x4.shl")
      .i32(bits)
      .op(isSigned(dtype) ? "i32x4.shr_s" : "i32x4.shr_u"),
  );
}

/** A shift of all lanes by one distance, which vectors have: the register `b` holds it in every lane, if it is not a number. */
export function shiftAll(
  ops: LaneOps,
  op: "shl" | "shr",
  dtype: Dtype,
  a: number,
  b: { readonly register: number } | number,
): number {
  const { f } = ops;
  const result = ops.keep(() => {
    f.get(a);
    // Of a 64-bit distance the lower half: vectors take it modulo their lanes' width.
    if (typeof b === "number") f.i32(b);
    else f.get(b.register).lane("i32x4.extract_lane", 0);
    f.op(`${shapeOf(dtype)}.${op === "shl" ? "shl" : isSigned(dtype) ? "shr_s" : "shr_u"}`);
  });
  return wrap(ops, dtype, result);
}

function shift(ops: LaneOps, op: "shl" | "shr", dtype: Dtype, a: number, b: number): number {
  const type = isLong(dtype) ? "i64" : "i32";
  const name: OpName = op === "shl" ? `${type}.shl` : isSigned(dtype) ? `${type}.shr_s` : `${type}.shr_u`;
  return byLane(ops.f, type, [a, b], type, () => ops.f.op(name));
}

function extreme(ops: LaneOps, op: "min" | "max", dtype: Dtype, a: number, b: number): number {
  if (!isLong(dtype)) return ops.op(`i32x4.${op}_${isSigned(dtype) ? "s" : "u"}`, a, b);
  const isLess = compare(ops, "lt", dtype, a, b);
  return op === "min" ? ops.select(isLess, a, b) : ops.select(isLess, b, a);
}

/** Division, remainder and power of integers: WebAssembly has them for scalars only. */
function scalarBinary(ops: LaneOps, op: BinaryOp, dtype: Dtype, a: number, b: number): number {
  const { f } = ops;
  const type = isLong(dtype) ? "i64" : "i32";
  const x = f.local(type);
  const y = f.local(type);
  const r = f.local(type);
  const zero = (): FunctionBuilder => (type === "i64" ? f.i64(0n) : f.i32(0));
  const minusOne = (): FunctionBuilder => (type === "i64" ? f.i64(-1n) : f.i32(-1));
  const result = byLane(f, type, [a, b], type, () => {
    f.set(y).set(x);
    if (op === "pow") return power(f, type, isSigned(dtype), x, y, r);
    if (op !== "quotient" && op !== "remainder") throw new MLXError(op, `is not defined for ${dtype}`);
    const isQuotient = op === "quotient";
    f.get(y).op(`${type}.eqz`);
    f.if(
      () => zero(),
      () => {
        if (!isSigned(dtype)) f.get(x, y).op(isQuotient ? `${type}.div_u` : `${type}.rem_u`);
        else {
          f.get(y);
          minusOne().op(`${type}.eq`);
          f.if(
            () => {
              zero();
              if (isQuotient) f.get(x).op(`${type}.sub`);
            },
            () => {
              f.get(x, y).op(isQuotient ? `${type}.div_s` : `${type}.rem_s`);
              if (isQuotient) return;
              f.tee(r);
              // A remainder whose sign differs from the divisor's moves by one divisor.
              f.get(y);
              zero();
              f.get(r).op(`${type}.eqz`).op("i32.eqz");
              f.get(r, y).op(`${type}.xor`);
              zero().op(`${type}.lt_s`).op("i32.and").op("select").op(`${type}.add`);
            },
            type,
          );
        }
      },
      type,
    );
  });
  f.release(x);
  f.release(y);
  f.release(r);
  return result;
}

/** Leaves x to the power y on the stack; a negative exponent gives 0, as in MLX. */
function power(f: FunctionBuilder, type: "i32" | "i64", signed: boolean, x: number, y: number, r: number): void {
  const literal = (value: number): FunctionBuilder => (type === "i64" ? f.i64(BigInt(value)) : f.i32(value));
  if (signed) {
    f.get(y);
    literal(-1).op(`${type}.xor`);
    literal(type === "i64" ? 63 : 31)
      .op(`${type}.shr_u`)
      .set(r);
  } else literal(1).set(r);
  f.block(() => {
    f.loop(() => {
      f.get(y).op(`${type}.eqz`).brIf(1);
      f.get(y);
      literal(1).op(`${type}.and`).op(`${type}.eqz`);
      f.if(
        () => {},
        () => {
          f.get(r, x).op(`${type}.mul`).set(r);
        },
      );
      f.get(x, x).op(`${type}.mul`).set(x);
      f.get(y);
      literal(1).op(`${type}.shr_u`).set(y);
      f.br(0);
    });
  });
  f.get(r);
}
