/** Rows without inputs: evaluated data, scalar constants and the placeholders of transforms. */
import type { Dtype } from "../base/dtype.ts";
import { integerLimits, isBigInteger, isFloating } from "../base/dtype.ts";
import { elementsOf, readElement } from "../base/elements.ts";
import { DtypeError, MLXError } from "../base/errors.ts";
import type { Aval, MLXArray } from "../graph/mlx-array.ts";
import type { Lowering, Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import type { Allocation } from "../ir/backend.ts";
import type { ScalarValue } from "../ir/expr.ts";

/** A row without inputs: there is nothing to differentiate with respect to, and nothing to batch. */
function leafRow<P>(name: string, aval: (params: P) => Aval, lowering: Lowering<P>): Primitive<P> {
  return {
    name,
    aval: (_, params) => aval(params),
    lowering,
    derivative: { kind: "none", because: "it has no inputs", isZero: true },
    batch() {
      throw new MLXError(name, "has no inputs to batch");
    },
  };
}

/** An array whose elements lie in memory. */
export const dataRow: Primitive<Aval> = /* @__PURE__ */ leafRow("data", (aval) => aval, { kind: "data" });

/** A scalar known when the graph is built. */
export const constantRow: Primitive<{ readonly value: ScalarValue; readonly dtype: Dtype }> = /* @__PURE__ */ leafRow(
  "constant",
  ({ dtype }) => ({ shape: [], dtype }),
  { kind: "constant", value: ({ value }) => value },
);

/** Stands for an argument while a function is traced; it can never be evaluated. */
export const placeholderRow: Primitive<Aval> = /* @__PURE__ */ leafRow("placeholder", (aval) => aval, { kind: "data" });

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

/** A scalar array of `dtype`, rounded as an element would be. @throws {DtypeError} if an integer does not fit. */
export function constant(value: number | bigint | boolean, dtype: Dtype): MLXArray {
  const held = scalarOf(value, dtype);
  return unroundedConstant(isFloating(dtype) ? Number(readElement(elementsOf(dtype, [held]), 0, dtype)) : held, dtype);
}

/** A literal on its own: rounded when it gets the dtype of what it meets, and not before. */
export function literal(value: number | bigint | boolean): MLXArray {
  const dtype = literalDtype(value);
  return unroundedConstant(scalarOf(value, dtype), dtype);
}

function unroundedConstant(value: ScalarValue, dtype: Dtype): MLXArray {
  return apply(constantRow, [], { value, dtype });
}

/** The value of `x` if it is a constant itself; else null. */
export function constantOf({ primitive: { lowering }, params }: MLXArray): ScalarValue | null {
  return lowering.kind === "constant" ? lowering.value(params) : null;
}

/** `value` as the element type `dtype` holds it. @throws {DtypeError} if it would overflow an integer type. */
function scalarOf(value: number | bigint | boolean, dtype: Dtype): ScalarValue {
  if (dtype === "bool") return value ? 1 : 0;
  if (isFloating(dtype)) return Number(value);
  const number = Number(value);
  const whole = typeof value === "bigint" ? value : BigInt(Number.isFinite(number) ? Math.trunc(number) : 0);
  const [low, high] = integerLimits(dtype);
  if (whole < low || whole > high) {
    throw new DtypeError("constant", `${value} does not fit ${dtype} (${low} to ${high}); use a wider dtype`);
  }
  return isBigInteger(dtype) ? whole : Number(whole);
}

/** The dtype a number literal has on its own: int32 (int64 out of range) for integral ones, float32 for others and what no integer holds. */
export function literalDtype(value: number | bigint | boolean): Dtype {
  if (typeof value === "boolean") return "bool";
  if (value >= -(2 ** 31) && value < 2 ** 31 && Number.isInteger(Number(value))) return "int32";
  return typeof value === "bigint" || (Number.isInteger(value) && Math.abs(value) < 2 ** 63) ? "int64" : "float32";
}

/** The dtype of an operation between `literal` and an array of `dtype`: the literal is weak. */
export function weakPromote(dtype: Dtype, literal: number | bigint | boolean): Dtype {
  if (typeof literal === "boolean" || isFloating(dtype)) return dtype;
  if (literalDtype(literal) === "float32") return "float32";
  return dtype === "bool" ? "int32" : dtype;
}
