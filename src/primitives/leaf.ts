/** Rows without inputs: evaluated data, scalar constants and the placeholders of transforms. */
import type { Dtype } from "../base/dtype.ts";
import { integerLimits, isBigInteger, isFloating, kindOf } from "../base/dtype.ts";
import { DtypeError, MLXError } from "../base/errors.ts";
import type { Aval, MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import type { Allocation } from "../ir/backend.ts";
import type { ScalarValue } from "../ir/expr.ts";

const noDerivative = { kind: "none", because: "it has no inputs", isZero: true } as const;

function neverBatched(name: string): never {
  throw new MLXError(name, "has no inputs to batch");
}

/** An array whose elements lie in memory. */
export const dataRow: Primitive<Aval> = /* @__PURE__ */ {
  name: "data",
  aval: (_, params) => params,
  lowering: { kind: "data" },
  derivative: noDerivative,
  batch: () => neverBatched("data"),
};

/** A scalar known when the graph is built. */
export const constantRow: Primitive<{ readonly value: ScalarValue; readonly dtype: Dtype }> = /* @__PURE__ */ {
  name: "constant",
  aval: (_, { dtype }) => ({ shape: [], dtype }),
  lowering: { kind: "constant", value: ({ value }) => value },
  derivative: noDerivative,
  batch: () => neverBatched("constant"),
};

/** Stands for an argument while a function is traced; it can never be evaluated. */
export const placeholderRow: Primitive<Aval> = /* @__PURE__ */ {
  name: "placeholder",
  aval: (_, params) => params,
  lowering: { kind: "data" },
  derivative: noDerivative,
  batch: () => neverBatched("placeholder"),
};

/** An array over memory that already holds its elements, row-major. */
export function fromAllocation(allocation: Allocation, aval: Aval): MLXArray {
  const result = apply(dataRow, [], aval);
  result.settle(allocation);
  return result;
}

/** A stand-in of the given shape and dtype. */
export function placeholder(aval: Aval): MLXArray {
  return apply(placeholderRow, [], { shape: aval.shape, dtype: aval.dtype });
}

/** A scalar array of `dtype`. @throws {DtypeError} if an integer does not fit. */
export function constant(value: number | bigint | boolean, dtype: Dtype): MLXArray {
  return apply(constantRow, [], { value: scalarOf(value, dtype), dtype });
}

/** `value` as the element type `dtype` holds it. @throws {DtypeError} if it would overflow an integer type. */
export function scalarOf(value: number | bigint | boolean, dtype: Dtype): ScalarValue {
  if (dtype === "bool") return value ? 1 : 0;
  if (isFloating(dtype)) return Number(value);
  const whole =
    typeof value === "bigint" ? value : BigInt(Math.trunc(Number.isFinite(Number(value)) ? Number(value) : 0));
  const [low, high] = integerLimits(dtype);
  if (whole < low || whole > high) {
    throw new DtypeError("constant", `${value} does not fit ${dtype} (${low} to ${high}); use a wider dtype`);
  }
  return isBigInteger(dtype) ? whole : Number(whole);
}

/** The dtype a number literal has on its own: int32 (int64 out of range) for integral ones, float32 otherwise. */
export function literalDtype(value: number | bigint | boolean): Dtype {
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return value >= -2147483648n && value <= 2147483647n ? "int32" : "int64";
  if (!Number.isInteger(value)) return "float32";
  return Math.abs(value) <= 2147483647 ? "int32" : "int64";
}

/** The dtype of an operation between `literal` and an array of `dtype`: the literal is weak. */
export function weakPromote(dtype: Dtype, literal: number | bigint | boolean): Dtype {
  if (typeof literal === "boolean") return dtype;
  const isWhole = typeof literal === "bigint" || Number.isInteger(literal);
  if (isFloating(dtype)) return dtype;
  if (!isWhole) return "float32";
  return kindOf(dtype) === "bool" ? "int32" : dtype;
}
