/** The element types of arrays: their sizes, kinds, promotion lattice and typed-array classes. Knows nothing of arrays. */
import { DtypeError } from "./errors.ts";

/** The element type of an array. */
export type Dtype =
  | "bool"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "float16"
  | "bfloat16"
  | "float32"
  | "float64";

/** What kind of number a dtype holds. */
export type DtypeKind = "bool" | "unsigned" | "signed" | "float";

/** The typed arrays that carry elements; float16 and bfloat16 travel as their bits in a `Uint16Array`, bool as 0 and 1 in a `Uint8Array`. */
export type TypedArray =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** The typed array that reading elements as `D` gives; halves come as float32. */
export type ElementsOf<D extends Dtype> = D extends "bool" | "uint8"
  ? Uint8Array
  : D extends "uint16"
    ? Uint16Array
    : D extends "uint32"
      ? Uint32Array
      : D extends "uint64"
        ? BigUint64Array
        : D extends "int8"
          ? Int8Array
          : D extends "int16"
            ? Int16Array
            : D extends "int32"
              ? Int32Array
              : D extends "int64"
                ? BigInt64Array
                : D extends "float64"
                  ? Float64Array
                  : Float32Array;

interface TypedArrayClass {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): TypedArray;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray;
}

const records: Readonly<Record<Dtype, readonly [kind: DtypeKind, carrier: TypedArrayClass]>> = {
  bool: ["bool", Uint8Array],
  uint8: ["unsigned", Uint8Array],
  uint16: ["unsigned", Uint16Array],
  uint32: ["unsigned", Uint32Array],
  uint64: ["unsigned", BigUint64Array],
  int8: ["signed", Int8Array],
  int16: ["signed", Int16Array],
  int32: ["signed", Int32Array],
  int64: ["signed", BigInt64Array],
  float16: ["float", Uint16Array],
  bfloat16: ["float", Uint16Array],
  float32: ["float", Float32Array],
  float64: ["float", Float64Array],
};

/** Every dtype, in MLX's order. */
export const dtypes: readonly Dtype[] = Object.keys(records) as readonly Dtype[];

/** Whether `value` names a dtype. */
export function isDtype(value: unknown): value is Dtype {
  return typeof value === "string" && Object.hasOwn(records, value);
}

/** `dtype`, if it is one. @throws {DtypeError} */
export function requireDtype(operation: string, dtype: Dtype): Dtype {
  if (isDtype(dtype)) return dtype;
  throw new DtypeError(operation, `${String(dtype)} is no dtype; there are ${dtypes.join(", ")}`);
}

/** The kind of number that `dtype` holds. */
export function kindOf(dtype: Dtype): DtypeKind {
  return records[dtype][0];
}

/** Bytes per element of `dtype`. */
export function byteLengthOf(dtype: Dtype): number {
  return carrierOf(dtype).BYTES_PER_ELEMENT;
}

/** The typed-array class that carries elements of `dtype`. */
export function carrierOf(dtype: Dtype): TypedArrayClass {
  return records[dtype][1];
}

/** Whether `dtype` is a floating-point type. */
export function isFloating(dtype: Dtype): boolean {
  return kindOf(dtype) === "float";
}

/** Whether `dtype` is a signed or unsigned integer type (bool is not). */
export function isInteger(dtype: Dtype): boolean {
  const kind = kindOf(dtype);
  return kind === "signed" || kind === "unsigned";
}

/** Whether elements of `dtype` are read as bigint. */
export function isBigInteger(dtype: Dtype): boolean {
  return dtype === "int64" || dtype === "uint64";
}

/** Whether `dtype` is stored in 16 bits and computed in float32. */
export function isHalf(dtype: Dtype): boolean {
  return dtype === "float16" || dtype === "bfloat16";
}

/** The dtype of least precision that both operands fit in, by MLX's lattice (uint64 with a signed integer gives float32). */
export function promote(a: Dtype, b: Dtype): Dtype {
  if (a === b) return a;
  const kindA = kindOf(a);
  const kindB = kindOf(b);
  if (kindA === "bool" || (kindB === "float" && kindA !== "float")) return b;
  if (kindB === "bool" || (kindA === "float" && kindB !== "float")) return a;
  const sizeA = byteLengthOf(a);
  const sizeB = byteLengthOf(b);
  if (kindA === kindB) return isHalf(a) && isHalf(b) ? "float32" : sizeA > sizeB ? a : b;
  const [unsignedSize, signed, signedSize] = kindA === "unsigned" ? [sizeA, b, sizeB] : [sizeB, a, sizeA];
  if (signedSize > unsignedSize) return signed;
  switch (unsignedSize) {
    case 1:
      return "int16";
    case 2:
      return "int32";
    case 4:
      return "int64";
    default:
      return "float32";
  }
}

/** `dtype` itself if it is floating, float32 otherwise: the result type of division, means and transcendental functions. */
export function atLeastFloat(dtype: Dtype): Dtype {
  return isFloating(dtype) ? dtype : "float32";
}

/** The dtype that a sum or product of `dtype` has: small integers widen to 32 bits. */
export function accumulatedDtype(dtype: Dtype): Dtype {
  const kind = kindOf(dtype);
  if (kind === "float" || byteLengthOf(dtype) === 8) return dtype;
  return kind === "unsigned" ? "uint32" : "int32";
}

/** Throws if `dtype` is not a floating type. @throws {DtypeError} naming `operation`. */
export function requireFloating(operation: string, dtype: Dtype): void {
  if (!isFloating(dtype)) {
    throw new DtypeError(operation, `needs a floating-point array, got ${dtype}; convert it with asType("float32")`);
  }
}

/** The least and greatest value of an integer dtype. */
export function integerLimits(dtype: Dtype): readonly [bigint, bigint] {
  const bits = BigInt(byteLengthOf(dtype) * 8);
  return kindOf(dtype) === "signed" ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n] : [0n, (1n << bits) - 1n];
}

/** The greatest finite value of a floating dtype. */
export function greatestFinite(dtype: Dtype): number {
  switch (dtype) {
    case "float16":
      return 65504;
    case "bfloat16":
      return 3.3895313892515355e38;
    case "float32":
      return 3.4028234663852886e38;
    default:
      return Number.MAX_VALUE;
  }
}
