/** The cotangent 1 that gradients begin with, recognized so that nothing is multiplied by it. */
import type { MLXArray } from "../graph/mlx-array.ts";
import { knownValue } from "../primitives/elementwise.ts";
import { constant } from "../primitives/leaf.ts";

/** A scalar 1 of the dtype of `output`. */
export function one(output: MLXArray): MLXArray {
  return constant(1, output.dtype);
}

/** Whether `x` is the constant 1, repeated or not. */
export function isOne(x: MLXArray): boolean {
  return knownValue(x) === 1;
}
