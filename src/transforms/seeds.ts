/** The cotangent 1 that gradients begin with, recognized so that nothing is multiplied by it. */
import type { MLXArray } from "../graph/mlx-array.ts";
import { constant } from "../primitives/leaf.ts";
import { broadcastRow } from "../primitives/views.ts";

/** A scalar 1 of the dtype of `output`. */
export function one(output: MLXArray): MLXArray {
  return constant(1, output.dtype);
}

/** Whether `x` is the constant 1, repeated or not. */
export function isOne(x: MLXArray): boolean {
  const source = x.primitive === broadcastRow ? x.inputs[0] : x;
  const { lowering } = source?.primitive ?? x.primitive;
  return lowering.kind === "constant" && lowering.value(source?.params) === 1;
}
