/** What WGSL calls the types of expressions, and how it writes constants. */
import type { Dtype } from "../../base/dtype.ts";
import { isFloating, isHalf } from "../../base/dtype.ts";
import { DtypeError } from "../../base/errors.ts";
import { roundToBfloat16, roundToFloat16 } from "../../base/half-rounding.ts";
import type { ExprType, ScalarValue } from "../../ir/expr.ts";

/** How many elements a value holds: one, or four neighbours in a vector. */
export type Lanes = 1 | 4;

/** The scalar types that values have while they are computed: small integers widen to 32 bits, half floats to f32. */
export type RegisterType = "f32" | "i32" | "u32" | "bool";

/** A computed value: text that names it, or is short enough to be repeated. */
export interface WgslValue {
  readonly text: string;
  readonly lanes: Lanes;
}

/**
 * The type in which values of `type` are computed; positions are i32.
 *
 * @throws {DtypeError} for types of 64 bits, which WGSL lacks
 */
export function registerOf(type: ExprType): RegisterType {
  switch (type) {
    case "bool":
      return "bool";
    case "float16":
    case "bfloat16":
    case "float32":
      return "f32";
    case "uint8":
    case "uint16":
    case "uint32":
      return "u32";
    case "int8":
    case "int16":
    case "int32":
    case "index":
      return "i32";
    default:
      throw new DtypeError(
        "gpu",
        `${type} is not computed on the GPU: convert with asType("${type === "float64" ? "float32" : "int32"}"), or compute on the CPU`,
      );
  }
}

/** The name of a register type, or of a vector of four. */
export function typeName(register: RegisterType, lanes: Lanes): string {
  if (lanes === 1) return register;
  return register === "bool" ? "vec4<bool>" : `vec4${register[0]}`;
}

/** The text of a vector of four equal lanes, if `value` is not one already. */
export function widened(value: WgslValue, register: RegisterType, lanes: Lanes): string {
  return value.lanes === lanes ? value.text : `${typeName(register, lanes)}(${value.text})`;
}

/** A constant of `type`; infinities and NaN, which WGSL does not write, come out of a function of their bits. */
export function literal(type: ExprType, value: ScalarValue): string {
  switch (registerOf(type)) {
    case "bool":
      return Number(value) === 0 ? "false" : "true";
    case "i32":
      return Number(value) === -(2 ** 31) ? "i32(-2147483648)" : `${Number(value)}i`.replace(/^(-.*)$/, "($1)");
    case "u32":
      return `${Number(value)}u`;
    case "f32":
      return floatLiteral(rounded(type, Number(value)));
  }
}

/** A float32 constant. */
export function floatLiteral(value: number): string {
  if (!Number.isFinite(value)) return `float_of(${bitsLiteral(value)})`;
  if (Object.is(value, -0)) return "bitcast<f32>(0x80000000u)";
  return value < 0 ? `(${value}f)` : `${value}f`;
}

function bitsLiteral(value: number): string {
  if (Number.isNaN(value)) return "0x7fc00000u";
  return value > 0 ? "0x7f800000u" : "0xff800000u";
}

function rounded(type: ExprType, value: number): number {
  if (type === "float16") return roundToFloat16(value);
  return type === "bfloat16" ? roundToBfloat16(value) : Math.fround(value);
}

const scratch = new DataView(new ArrayBuffer(4));

/** The 32 bits by which a lifted constant of `dtype` is handed to a shader: floats as float32, integers widened, bool as 0 or 1. */
export function argumentBits(dtype: Dtype, value: ScalarValue): number {
  if (isFloating(dtype)) {
    scratch.setFloat32(0, isHalf(dtype) ? rounded(dtype, Number(value)) : Number(value));
    return scratch.getUint32(0);
  }
  if (dtype === "bool") return Number(value) === 0 ? 0 : 1;
  return Number(BigInt.asUintN(32, BigInt(value)));
}
