/** What each instruction does to 64-bit integers, which are bigints: the definition that every backend is held to. */
import type { Dtype } from "../base/dtype.ts";
import { byteLengthOf, isFloating, kindOf } from "../base/dtype.ts";
import { MLXError } from "../base/errors.ts";
import type { ExprType } from "./expr.ts";
import type { BinaryOp, UnaryOp } from "./instruction.ts";
import { narrowed } from "./scalar-arithmetic.ts";

/** A function of one 64-bit integer. */
export type BigUnary = (x: bigint) => bigint;
/** A function of two 64-bit integers. */
export type BigBinary = (a: bigint, b: bigint) => bigint;

/** Brings the exact result of an operation into int64 or uint64. */
export function narrowedBig(dtype: ExprType): BigUnary {
  return dtype === "int64" ? (x) => BigInt.asIntN(64, x) : (x) => BigInt.asUintN(64, x);
}

/** Conversion of a number to int64 or uint64: an integer wraps around; a float drops its fraction and stops at the limits, NaN becomes 0. */
export function castToBig(from: ExprType, dtype: ExprType): (x: number) => bigint {
  if (from === "index" || !isFloating(from)) {
    const finish = narrowedBig(dtype);
    return (x) => finish(BigInt(x));
  }
  const [low, high] = dtype === "int64" ? [-(1n << 63n), (1n << 63n) - 1n] : [0n, (1n << 64n) - 1n];
  return (x) => {
    if (Number.isNaN(x)) return 0n;
    if (x >= Number(high)) return high;
    return x <= Number(low) ? low : BigInt(Math.trunc(x));
  };
}

/** Conversion of a 64-bit integer to any other type: to fewer bits it wraps around, to a float it rounds. */
export function castFromBig(type: ExprType): (x: bigint) => number {
  if (type === "index" || type === "bool" || isFloating(type)) {
    const finish = narrowed(type);
    return (x) => finish(Number(x));
  }
  const bits = byteLengthOf(type) * 8;
  const isSigned = kindOf(type) === "signed";
  return (x) => Number(isSigned ? BigInt.asIntN(bits, x) : BigInt.asUintN(bits, x));
}

/** A unary instruction on 64-bit integers. */
export function bigUnary(op: UnaryOp, dtype: ExprType): BigUnary {
  const finish = narrowedBig(dtype);
  switch (op) {
    case "neg":
      return (x) => finish(-x);
    case "abs":
      return (x) => finish(x < 0n ? -x : x);
    case "not":
      return (x) => finish(~x);
    case "floor":
    case "ceil":
    case "round":
    case "trunc":
      return (x) => x;
    default:
      throw new MLXError(op, `is no operation on ${dtype}`);
  }
}

/** A binary instruction on 64-bit integers. */
export function bigBinary(op: BinaryOp, dtype: ExprType): BigBinary {
  const finish = narrowedBig(dtype);
  const exact = exactBigBinary(op, dtype);
  return (a, b) => finish(exact(a, b));
}

function exactBigBinary(op: BinaryOp, dtype: ExprType): BigBinary {
  switch (op) {
    case "add":
      return (a, b) => a + b;
    case "sub":
      return (a, b) => a - b;
    case "mul":
      return (a, b) => a * b;
    case "div":
    case "quotient":
      return (a, b) => (b === 0n ? 0n : a / b);
    case "remainder":
      return bigRemainder;
    case "pow":
      return (a, b) => bigPower(a, b, dtype);
    case "min":
      return (a, b) => (b < a ? b : a);
    case "max":
      return (a, b) => (b > a ? b : a);
    case "and":
      return (a, b) => a & b;
    case "or":
      return (a, b) => a | b;
    case "xor":
      return (a, b) => a ^ b;
    case "shl":
      return (a, b) => a << (b & 63n);
    case "shr":
      return (a, b) => a >> (b & 63n);
    default:
      throw new MLXError(op, `is no operation on ${dtype}`);
  }
}

function bigRemainder(a: bigint, b: bigint): bigint {
  if (b === 0n) return 0n;
  const rest = a % b;
  return rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest;
}

function bigPower(base: bigint, exponent: bigint, dtype: ExprType): bigint {
  if (exponent < 0n) return 0n;
  const finish = narrowedBig(dtype);
  let result = 1n;
  let factor = base;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = finish(result * factor);
    factor = finish(factor * factor);
  }
  return result;
}

const scratch = new DataView(new ArrayBuffer(8));

/** Reads the bytes of a float64 as a 64-bit integer of dtype `to`. */
export function bitcastToBig(to: Dtype): (x: number) => bigint {
  return (x) => {
    scratch.setFloat64(0, x);
    return to === "int64" ? scratch.getBigInt64(0) : scratch.getBigUint64(0);
  };
}

/** Reads the bytes of a 64-bit integer as a float64. */
export function bitcastFromBig(x: bigint): number {
  scratch.setBigUint64(0, BigInt.asUintN(64, x));
  return scratch.getFloat64(0);
}
