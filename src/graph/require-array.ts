/** Refuses what is no array where an operation takes one. */
import { describeValue } from "../base/describe.ts";
import { DtypeError } from "../base/errors.ts";
import { MLXArray } from "./mlx-array.ts";

/** Throws unless `value` is an array. @throws {DtypeError} */
export function requireArray(operation: string, value: unknown): asserts value is MLXArray {
  if (!(value instanceof MLXArray)) throw noArray(operation, value, "an array");
}

/** Throws unless all values are arrays. @throws {DtypeError} */
export function requireArrays(operation: string, values: readonly unknown[]): void {
  for (const value of values) requireArray(operation, value);
}

/** The error for `value`, which stands where `operation` takes what is `needed`. */
export function noArray(operation: string, value: unknown, needed: string): DtypeError {
  const isList = Array.isArray(value) || ArrayBuffer.isView(value);
  const isOther = Object(value).isEvaluated !== undefined;
  const remedy = isList ? "; write array(…)" : isOther ? " of another copy of mlx-ts; load it once" : "";
  return new DtypeError(operation, `needs ${needed}, got ${describeValue(value)}${remedy}`);
}
