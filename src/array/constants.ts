/** The dtypes, their categories and the mathematical constants as values; what a dtype can hold. */
import type { Dtype } from "../base/dtype.ts";
import {
  byteLengthOf,
  greatestFinite,
  integerLimits,
  isBigInteger,
  isDtype,
  isFloating,
  isInteger,
  kindOf,
  promote,
  requireDtype,
} from "../base/dtype.ts";
import { DtypeError } from "../base/errors.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { literalDtype, weakPromote } from "../primitives/leaf.ts";
import type { ArrayLike } from "../primitives/operands.ts";

/** The ratio of a circle's circumference to its diameter. */
export const pi: number = Math.PI;
/** The base of the natural logarithm. */
export const e: number = Math.E;
/** Positive infinity. */
export const inf: number = Number.POSITIVE_INFINITY;
/** Not a number. */
export const nan: number = Number.NaN;
/** The limit of the harmonic series minus the logarithm, γ. */
export const eulerGamma: number = 0.5772156649015329;
/** As an index: an axis of length 1. */
export const newaxis: null = null;

/** True or false, in one byte. */
export const bool = "bool";
/** Whole numbers from 0 to 255. */
export const uint8 = "uint8";
/** Whole numbers of 16 bits without sign. */
export const uint16 = "uint16";
/** Whole numbers of 32 bits without sign. */
export const uint32 = "uint32";
/** Whole numbers of 64 bits without sign, read as bigint. */
export const uint64 = "uint64";
/** Whole numbers from -128 to 127. */
export const int8 = "int8";
/** Whole numbers of 16 bits with sign. */
export const int16 = "int16";
/** Whole numbers of 32 bits with sign. */
export const int32 = "int32";
/** Whole numbers of 64 bits with sign, read as bigint. */
export const int64 = "int64";
/** IEEE half precision: 11 significant bits, up to 65504. */
export const float16 = "float16";
/** The upper half of a float32: 8 significant bits, the range of float32. */
export const bfloat16 = "bfloat16";
/** IEEE single precision. */
export const float32 = "float32";
/** IEEE double precision; on the CPU only. */
export const float64 = "float64";

/** A set of dtypes, as MLX names them. There are no complex arrays; `complexfloating` is empty. */
export type DtypeCategory =
  | "generic"
  | "number"
  | "inexact"
  | "floating"
  | "complexfloating"
  | "integer"
  | "signedinteger"
  | "unsignedinteger";

/** The category of every dtype. */
export const generic = "generic";
/** The category of every dtype but bool. */
export const number = "number";
/** The category of dtypes that round. */
export const inexact = "inexact";
/** The category of the floating-point dtypes. */
export const floating = "floating";
/** The category of complex dtypes, of which there are none. */
export const complexfloating = "complexfloating";
/** The category of the integer dtypes. */
export const integer = "integer";
/** The category of the integers with sign. */
export const signedinteger = "signedinteger";
/** The category of the integers without sign. */
export const unsignedinteger = "unsignedinteger";

/** The category just above each one. */
const wider: Readonly<Record<DtypeCategory, DtypeCategory | null>> = {
  generic: null,
  number: "generic",
  inexact: "number",
  floating: "inexact",
  complexfloating: "inexact",
  integer: "number",
  signedinteger: "integer",
  unsignedinteger: "integer",
};

const categories = {
  bool: "generic",
  unsigned: "unsignedinteger",
  signed: "signedinteger",
  float: "floating",
} as const;

/**
 * Whether everything in `part`, a dtype or a category, is in `whole`.
 *
 * @example
 * issubdtype("int32", "integer"); // true
 * issubdtype("float32", "integer"); // false
 * issubdtype("floating", "number"); // true
 */
export function issubdtype(part: Dtype | DtypeCategory, whole: Dtype | DtypeCategory): boolean {
  if (isDtype(whole)) return part === requireKnown(whole);
  requireKnown(whole);
  let category: DtypeCategory | null = isDtype(part) ? categories[kindOf(part)] : requireKnown(part);
  while (category !== null && category !== whole) category = wider[category];
  return category !== null;
}

/**
 * The dtype that arrays, number literals (weak ones, as everywhere) and dtypes are promoted to together.
 *
 * @example
 * resultType("int32", "float16"); // "float16"
 * resultType("uint8", "int8"); // "int16"
 * resultType(array([1, 2], "int8"), 3); // "int8"
 */
export function resultType(...operands: readonly (ArrayLike | Dtype)[]): Dtype {
  if (operands.length === 0) throw new DtypeError("resultType", "needs at least one array or dtype");
  let dtype: Dtype | null = null;
  for (const operand of operands) {
    if (typeof operand === "object" || typeof operand === "string") {
      const own = requireDtype("resultType", typeof operand === "object" ? operand.dtype : operand);
      dtype = dtype === null ? own : promote(dtype, own);
    }
  }
  for (const operand of operands) {
    if (typeof operand === "object" || typeof operand === "string") continue;
    dtype = dtype === null ? literalDtype(operand) : weakPromote(dtype, operand);
  }
  return dtype ?? "float32";
}

/**
 * Whether a dtype, or an array's, goes into `to` by promotion: whether both together are promoted to `to`.
 *
 * @example
 * canCast("int32", "float32"); // true
 * canCast("float32", "int32"); // false
 */
export function canCast(from: MLXArray | Dtype, to: Dtype): boolean {
  const source = from instanceof MLXArray ? from.dtype : requireDtype("canCast", from);
  return promote(source, requireDtype("canCast", to)) === to;
}

/** What a floating-point dtype can hold. */
export interface FloatLimits {
  readonly dtype: Dtype;
  readonly bits: number;
  readonly min: number;
  readonly max: number;
  /** The distance from 1 to the next greater value. */
  readonly eps: number;
  /** The least positive value that keeps all significant bits. */
  readonly smallestNormal: number;
}

/** What an integer dtype can hold; bigints for the 64-bit ones. */
export interface IntegerLimits {
  readonly dtype: Dtype;
  readonly bits: number;
  readonly min: number | bigint;
  readonly max: number | bigint;
}

/**
 * The limits of a floating-point dtype.
 *
 * @throws {DtypeError} for any other dtype
 * @example
 * finfo("float16").max; // 65504
 * finfo("float32").eps; // 1.1920928955078125e-7
 */
export function finfo(dtype: Dtype): FloatLimits {
  if (!isFloating(requireDtype("finfo", dtype)))
    throw new DtypeError("finfo", `${dtype} is no floating-point type; iinfo tells an integer's limits`);
  const max = greatestFinite(dtype);
  const [eps, smallestNormal] = precisionOf(dtype);
  return { dtype, bits: byteLengthOf(dtype) * 8, min: -max, max, eps, smallestNormal };
}

/**
 * The limits of an integer dtype.
 *
 * @throws {DtypeError} for any other dtype
 * @example
 * iinfo("int8").min; // -128
 * iinfo("uint64").max; // 18446744073709551615n
 */
export function iinfo(dtype: Dtype): IntegerLimits {
  if (!isInteger(requireDtype("iinfo", dtype)))
    throw new DtypeError("iinfo", `${dtype} is no integer type; finfo tells a floating-point type's limits`);
  const [min, max] = integerLimits(dtype);
  const bits = byteLengthOf(dtype) * 8;
  return isBigInteger(dtype) ? { dtype, bits, min, max } : { dtype, bits, min: Number(min), max: Number(max) };
}

function precisionOf(dtype: Dtype): readonly [eps: number, smallestNormal: number] {
  switch (dtype) {
    case "float16":
      return [2 ** -10, 2 ** -14];
    case "bfloat16":
      return [2 ** -7, 2 ** -126];
    case "float32":
      return [2 ** -23, 2 ** -126];
    default:
      return [2 ** -52, 2 ** -1022];
  }
}

function requireKnown<T extends Dtype | DtypeCategory>(name: T): T {
  if (isDtype(name) || Object.hasOwn(wider, name)) return name;
  throw new DtypeError("issubdtype", `${String(name)} is neither a dtype nor a category`);
}
