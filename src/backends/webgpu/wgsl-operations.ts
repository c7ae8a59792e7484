/** Each instruction of the expressions as WGSL text on operands in registers. Small integers wrap after each one. */
import type { Dtype } from "../../base/dtype.ts";
import { byteLengthOf, isFloating, isHalf, kindOf } from "../../base/dtype.ts";
import { MLXError } from "../../base/errors.ts";
import type { ExprType } from "../../ir/expr.ts";
import type { BinaryOp, CompareOp, UnaryOp } from "../../ir/instruction.ts";
import type { Shader } from "./wgsl-shader.ts";
import type { Lanes } from "./wgsl-types.ts";
import { registerOf, typeName } from "./wgsl-types.ts";

/** Functions of floats that the library has under another name than `<op>_of`. */
const floatFunctions: Readonly<Record<string, string>> = {
  sqrt: "square_root",
  rsqrt: "inverse_square_root",
};

/** Instructions that the built-in functions of WGSL give exactly. */
const builtins: ReadonlySet<string> = new Set(["abs", "floor", "ceil", "round", "trunc"]);

/** `op` of `x`, in registers of `type`. */
export function unaryText(shader: Shader, op: UnaryOp, type: ExprType, x: string, lanes: Lanes): string {
  const register = registerOf(type);
  if (register === "f32") {
    if (op === "neg") return `-${x}`;
    if (builtins.has(op)) return `${op}(${x})`;
    if (op === "not") throw new MLXError(op, `is no operation on ${type}`);
    return shader.call(floatFunctions[op] ?? `${op}_of`, lanes, x);
  }
  switch (op) {
    case "not":
      return register === "bool" ? `!${x}` : wrapped(type, `~${x}`, lanes);
    case "neg":
      if (register === "bool") return x;
      return wrapped(type, register === "i32" ? `-${x}` : `(~${x} + ${typeName("u32", lanes)}(1u))`, lanes);
    case "abs":
      return register === "i32" ? wrapped(type, `abs(${x})`, lanes) : x;
    case "floor":
    case "ceil":
    case "round":
    case "trunc":
      return x;
    default:
      throw new MLXError(op, `is no operation on ${type}`);
  }
}

/** `a op b`, in registers of `type`. */
export function binaryText(shader: Shader, op: BinaryOp, type: ExprType, a: string, b: string, lanes: Lanes): string {
  switch (registerOf(type)) {
    case "f32":
      return floatBinary(shader, op, type, a, b, lanes);
    case "bool":
      return boolBinary(op, a, b, lanes);
    case "i32":
      return integerBinary(shader, op, type, "int", a, b, lanes);
    case "u32":
      return integerBinary(shader, op, type, "uint", a, b, lanes);
  }
}

const signs: Readonly<Record<string, string>> = { add: "+", sub: "-", mul: "*", and: "&", or: "|", xor: "^" };

function floatBinary(shader: Shader, op: BinaryOp, type: ExprType, a: string, b: string, lanes: Lanes): string {
  switch (op) {
    case "add":
      return `${a} + ${b}`;
    case "sub":
      return a === b ? shader.call("minus_itself", lanes, a) : `${a} - ${b}`;
    case "mul":
      if (isZero(a)) return shader.call("times_zero", lanes, b);
      return isZero(b) ? shader.call("times_zero", lanes, a) : `${a} * ${b}`;
    case "div":
      if (a === b) return shader.call("over_itself", lanes, a);
      // The quotient of WGSL is precise enough for 16 bits.
      return type !== "index" && isHalf(type) ? `${a} / ${b}` : shader.call("divide", lanes, a, b);
    case "quotient":
      return shader.call("float_quotient", lanes, a, b);
    case "remainder":
      return shader.call("float_remainder", lanes, a, b);
    case "min":
    case "max":
    case "pow":
    case "atan2":
      return shader.call(`${op}_of`, lanes, a, b);
    default:
      throw new MLXError(op, `is no operation on ${type}`);
  }
}

/** Whether a text is the constant 0, in one lane or four. */
function isZero(text: string): boolean {
  return text === "0f" || text === "vec4f(0f)";
}

function integerBinary(
  shader: Shader,
  op: BinaryOp,
  type: ExprType,
  kind: "int" | "uint",
  a: string,
  b: string,
  lanes: Lanes,
): string {
  switch (op) {
    case "add":
    case "sub":
    case "mul":
      return wrapped(type, `(${a} ${signs[op]} ${b})`, lanes);
    case "and":
    case "or":
    case "xor":
      return `${a} ${signs[op]} ${b}`;
    case "min":
    case "max":
      // Of vectors that are known when compiling, SwiftShader's compiler takes `min` and `max` for something else in comparisons.
      return lanes === 1 ? `${op}(${a}, ${b})` : `select(${a}, ${b}, ${b} ${op === "min" ? "<" : ">"} ${a})`;
    case "div":
    case "quotient":
      return wrapped(type, shader.call(`${kind}_quotient`, lanes, a, b), lanes);
    case "remainder":
      return wrapped(type, shader.call(`${kind}_remainder`, lanes, a, b), lanes);
    case "pow":
      return wrapped(type, shader.call(`${kind}_power`, lanes, a, b), lanes);
    case "shl":
    case "shr": {
      const words = typeName("u32", lanes);
      const count = `(${kind === "int" ? `bitcast<${words}>(${b})` : b} & ${words}(31u))`;
      return wrapped(type, `(${a} ${op === "shl" ? "<<" : ">>"} ${count})`, lanes);
    }
    default:
      throw new MLXError(op, `is no operation on ${type}`);
  }
}

/** Arithmetic on 0 and 1, where any result but 0 is 1. */
function boolBinary(op: BinaryOp, a: string, b: string, lanes: Lanes): string {
  switch (op) {
    case "add":
    case "or":
    case "max":
      return `${a} | ${b}`;
    case "mul":
    case "and":
    case "min":
    case "div":
    case "quotient":
      return `${a} & ${b}`;
    case "sub":
    case "xor":
      return `${a} != ${b}`;
    case "pow":
      return `${a} | !${b}`;
    case "shl":
      return a;
    case "shr":
      return `${a} & !${b}`;
    case "remainder":
      return `${typeName("bool", lanes)}(false)`;
    default:
      throw new MLXError(op, "is no operation on bool");
  }
}

/** Brings an integer of 32 bits into the range of `type` by dropping upper bits. */
function wrapped(type: ExprType, text: string, lanes: Lanes): string {
  if (type === "index") return text;
  const bits = byteLengthOf(type) * 8;
  if (bits === 32) return text;
  const words = typeName("u32", lanes);
  if (kindOf(type) === "unsigned") return `${text} & ${words}(${2 ** bits - 1}u)`;
  const shift = `${words}(${32 - bits}u)`;
  return `(${text} << ${shift}) >> ${shift}`;
}

/** The comparison `a op b`; with NaN only `ne` holds, which drivers keep only if it is written as the negation of `==`. */
export function compareText(shader: Shader, op: CompareOp, type: ExprType, a: string, b: string, lanes: Lanes): string {
  const register = registerOf(type);
  if (register === "f32" && a === b) {
    const test = shader.call("is_nan", lanes, a);
    return op === "ne" ? test : op === "lt" ? `${test} & !${test}` : `!${test}`;
  }
  switch (op) {
    case "eq":
      return `${a} == ${b}`;
    case "ne":
      return register === "f32" ? `!(${a} == ${b})` : `${a} != ${b}`;
    case "lt":
      return register === "bool" ? `!${a} & ${b}` : `${a} < ${b}`;
    case "le":
      return register === "bool" ? `!${a} | ${b}` : `${a} <= ${b}`;
  }
}

/** Numeric conversion of `x` to a type other than bool. */
export function castText(shader: Shader, from: ExprType, to: ExprType, x: string, lanes: Lanes): string {
  const source = registerOf(from);
  const target = registerOf(to);
  const name = typeName(target, lanes);
  if (target === "f32") {
    const isPlain = shader.roundsIntegers || (from !== "index" && byteLengthOf(from) < 4);
    const wide =
      source === "f32"
        ? x
        : isPlain
          ? `${name}(${x})`
          : shader.call(source === "i32" ? "int_value" : "uint_value", lanes, x);
    return to === "index" ? wide : roundedText(shader, to, wide, lanes);
  }
  if (source === "f32") {
    if (to === "uint32") return shader.call("to_uint", lanes, x);
    const whole = shader.call("to_int", lanes, x);
    return wrapped(to, target === "i32" ? whole : `bitcast<${name}>(${whole})`, lanes);
  }
  return wrapped(to, source === target ? x : `${name}(${x})`, lanes);
}

/** A float32 rounded to what `dtype` can hold. */
function roundedText(shader: Shader, dtype: Dtype, x: string, lanes: Lanes): string {
  if (!isHalf(dtype)) return x;
  return shader.call(dtype === "float16" ? "round_half" : "round_brain", lanes, x);
}

/** The same bits as another type of the same size. */
export function bitcastText(shader: Shader, from: Dtype, to: Dtype, x: string, lanes: Lanes): string {
  if (byteLengthOf(from) === 4) return `bitcast<${typeName(registerOf(to), lanes)}>(${x})`;
  return fromBits(shader, to, toBits(shader, from, x, lanes), lanes);
}

/** The bits of an element of fewer than 32, in the lower ones of a u32. */
export function toBits(shader: Shader, dtype: Dtype, x: string, lanes: Lanes): string {
  const words = typeName("u32", lanes);
  if (dtype === "bool") return `select(${words}(0u), ${words}(1u), ${x})`;
  if (isFloating(dtype)) return shader.call(dtype === "float16" ? "half_bits" : "brain_bits", lanes, x);
  if (kindOf(dtype) === "unsigned") return x;
  return `(bitcast<${words}>(${x}) & ${words}(${2 ** (byteLengthOf(dtype) * 8) - 1}u))`;
}

/** The element that the lower bits of a u32 stand for, those above being 0. */
export function fromBits(shader: Shader, dtype: Dtype, bits: string, lanes: Lanes): string {
  const words = typeName("u32", lanes);
  if (dtype === "bool") return `${bits} != ${words}(0u)`;
  if (isFloating(dtype)) return shader.call(dtype === "float16" ? "half_value" : "brain_value", lanes, bits);
  if (kindOf(dtype) === "unsigned") return bits;
  const shift = `${words}(${32 - byteLengthOf(dtype) * 8}u)`;
  return `bitcast<${typeName("i32", lanes)}>(${bits} << ${shift}) >> ${shift}`;
}
