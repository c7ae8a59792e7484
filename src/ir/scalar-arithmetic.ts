/** What each instruction does to plain numbers of each dtype: the definition that every backend is held to. */
import type { Dtype } from "../base/dtype.ts";
import { byteLengthOf, isFloating, kindOf } from "../base/dtype.ts";
import { MLXError } from "../base/errors.ts";
import { halfToNumber, numberToHalf } from "../base/half.ts";
import { roundToBfloat16, roundToFloat16 } from "../base/half-rounding.ts";
import type { ExprType } from "./expr.ts";
import type { BinaryOp, CompareOp, UnaryOp } from "./instruction.ts";
import { erf, erfinv } from "./special-functions.ts";

/** A function of one number. */
export type NumberUnary = (x: number) => number;
/** A function of two numbers. */
export type NumberBinary = (a: number, b: number) => number;
const same: NumberUnary = (x) => x;

/** Brings the exact result of an operation into `type`: floats are rounded once, integers wrap around. */
export function narrowed(type: ExprType): NumberUnary {
  switch (type) {
    case "bool":
      return (x) => (x === 0 ? 0 : 1);
    case "uint8":
      return (x) => x & 0xff;
    case "uint16":
      return (x) => x & 0xffff;
    case "uint32":
      return (x) => x >>> 0;
    case "int8":
      return (x) => (x << 24) >> 24;
    case "int16":
      return (x) => (x << 16) >> 16;
    case "int32":
      return (x) => x | 0;
    case "float16":
      return roundToFloat16;
    case "bfloat16":
      return roundToBfloat16;
    case "float32":
      return Math.fround;
    case "float64":
    case "index":
      return same;
    default:
      throw new MLXError("interpret", `elements of ${type} are bigints, not numbers`);
  }
}

/**
 * Conversion of a number to `type`: to an integer it drops the fraction and stops at the limits, NaN becomes 0. To fewer than
 * 32 bits it goes by way of int32 and wraps around from there, as in MLX.
 */
export function castNumber(from: ExprType, type: ExprType): NumberUnary {
  if (type === "index") return from === "index" || !isFloating(from) ? same : Math.trunc;
  const wrap = narrowed(type);
  if (type === "bool" || isFloating(type) || from === "index" || !isFloating(from)) return wrap;
  const [low, high] = type === "uint32" ? [0, 2 ** 32 - 1] : [-(2 ** 31), 2 ** 31 - 1];
  return (x) => wrap(Math.min(Math.max(x, low), high));
}

/** A unary instruction on numbers of `dtype`. */
export function numberUnary(op: UnaryOp, dtype: ExprType): NumberUnary {
  const finish = narrowed(dtype);
  if (op === "not") return dtype === "bool" ? (x) => 1 - x : (x) => finish(~x);
  const exact = exactUnary(op);
  return finish === same ? exact : (x) => finish(exact(x));
}

function exactUnary(op: Exclude<UnaryOp, "not">): NumberUnary {
  switch (op) {
    case "neg":
      return (x) => -x;
    case "rsqrt":
      return (x) => 1 / Math.sqrt(x);
    case "sigmoid":
      return (x) => 1 / (1 + Math.exp(-x));
    case "erf":
      return erf;
    case "erfinv":
      return erfinv;
    case "round":
      return roundToEven;
    default:
      return Math[op];
  }
}

/** The nearest integer, the even one of two. */
function roundToEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest < 0.5) return low === 0 && x < 0 ? -0 : low;
  const rounded = rest > 0.5 || low % 2 !== 0 ? low + 1 : low;
  return rounded === 0 && x < 0 ? -0 : rounded;
}

/** A binary instruction on numbers of `dtype`. */
export function numberBinary(op: BinaryOp, dtype: ExprType): NumberBinary {
  if (dtype === "index") return indexBinary(op);
  const finish = narrowed(dtype);
  if (isFloating(dtype)) {
    const exact = floatBinary(op);
    return finish === same ? exact : (a, b) => finish(exact(a, b));
  }
  const exact = integerBinary(op, kindOf(dtype) === "signed");
  return (a, b) => finish(exact(a, b));
}

function floatBinary(op: BinaryOp): NumberBinary {
  switch (op) {
    case "add":
      return (a, b) => a + b;
    case "sub":
      return (a, b) => a - b;
    case "mul":
      return (a, b) => a * b;
    case "div":
      return (a, b) => a / b;
    case "quotient":
      return (a, b) => Math.trunc(a / b);
    case "remainder":
      return floatRemainder;
    case "pow":
      return power;
    case "atan2":
      return Math.atan2;
    case "min":
      return Math.min;
    case "max":
      return Math.max;
    default:
      throw new MLXError(op, "is no operation on floating-point numbers");
  }
}

/** The remainder with the sign of the divisor. */
function floatRemainder(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

/** `a` to the power `b` as C99 has it: a base of 1 gives 1 whatever the exponent, and so does -1 to an infinite one. */
function power(a: number, b: number): number {
  return a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY) ? 1 : a ** b;
}

function integerBinary(op: BinaryOp, isSigned: boolean): NumberBinary {
  switch (op) {
    case "add":
      return (a, b) => a + b;
    case "sub":
      return (a, b) => a - b;
    case "mul":
      return Math.imul;
    case "div":
    case "quotient":
      return (a, b) => (b === 0 ? 0 : Math.trunc(a / b));
    case "remainder":
      return (a, b) => (b === 0 ? 0 : floatRemainder(a, b));
    case "pow":
      return integerPower;
    case "min":
      return Math.min;
    case "max":
      return Math.max;
    case "and":
      return (a, b) => a & b;
    case "or":
      return (a, b) => a | b;
    case "xor":
      return (a, b) => a ^ b;
    case "shl":
      return (a, b) => a << b;
    case "shr":
      return isSigned ? (a, b) => a >> b : (a, b) => a >>> b;
    default:
      throw new MLXError(op, "is no operation on integers");
  }
}

/** Power by squaring, modulo 2³²; a negative exponent gives 0, as in MLX. */
function integerPower(base: number, exponent: number): number {
  if (exponent < 0) return 0;
  let result = 1;
  let factor = base;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = Math.imul(result, factor);
    factor = Math.imul(factor, factor);
  }
  return result;
}

function indexBinary(op: BinaryOp): NumberBinary {
  switch (op) {
    case "quotient":
      return (a, b) => Math.floor(a / b);
    case "remainder":
      return (a, b) => a - Math.floor(a / b) * b;
    case "add":
    case "sub":
    case "mul":
    case "min":
    case "max":
      return floatBinary(op);
    default:
      throw new MLXError(op, "is no operation on indices");
  }
}

/** A comparison of two numbers or two bigints, giving 0 or 1; with NaN only `ne` holds. */
export function comparison(op: CompareOp): <T extends number | bigint>(a: T, b: T) => number {
  switch (op) {
    case "eq":
      return (a, b) => (a === b ? 1 : 0);
    case "ne":
      return (a, b) => (a === b ? 0 : 1);
    case "lt":
      return (a, b) => (a < b ? 1 : 0);
    case "le":
      return (a, b) => (a <= b ? 1 : 0);
  }
}

const scratch = new DataView(new ArrayBuffer(8));

/** Reads the bytes of a number of dtype `from` as a number of dtype `to` of the same size. */
export function bitcastNumber(from: Dtype, to: Dtype): NumberUnary {
  const write = numberWriter(from);
  const read = numberReader(to);
  return (x) => {
    write(x);
    return read();
  };
}

function numberWriter(dtype: Dtype): (x: number) => void {
  switch (dtype) {
    case "float16":
    case "bfloat16":
      return (x) => scratch.setUint16(0, numberToHalf(x, dtype));
    case "float32":
      return (x) => scratch.setFloat32(0, x);
    case "float64":
      return (x) => scratch.setFloat64(0, x);
    default:
      return byteLengthOf(dtype) === 1
        ? (x) => scratch.setUint8(0, x)
        : byteLengthOf(dtype) === 2
          ? (x) => scratch.setUint16(0, x)
          : (x) => scratch.setUint32(0, x);
  }
}

function numberReader(dtype: Dtype): () => number {
  switch (dtype) {
    case "float16":
    case "bfloat16":
      return () => halfToNumber(scratch.getUint16(0), dtype);
    case "float32":
      return () => scratch.getFloat32(0);
    case "float64":
      return () => scratch.getFloat64(0);
    case "int8":
      return () => scratch.getInt8(0);
    case "bool":
      return () => (scratch.getUint8(0) === 0 ? 0 : 1);
    case "uint8":
      return () => scratch.getUint8(0);
    case "int16":
      return () => scratch.getInt16(0);
    case "uint16":
      return () => scratch.getUint16(0);
    case "int32":
      return () => scratch.getInt32(0);
    default:
      return () => scratch.getUint32(0);
  }
}
