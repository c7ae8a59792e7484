/** Which attentions the GPU computes whole. */
import { isFloating } from "../../base/dtype.ts";
import type { Attention } from "../../compiler/attention-lengths.ts";
import { attentionLengths } from "../../compiler/attention-lengths.ts";
import type { TensorCall, TensorType } from "../../ir/kernel.ts";

/** Queries from which blocks of them pay: for fewer the definition is better spread over the GPU. */
const leastQueries = 16;
/** Features up to which a thread keeps its results in registers. */
const mostValueFeatures = 128;

/** The attention that `call` is, if the kernel takes it: floats of up to 32 bits, not empty, not for single queries. */
export function attentionOf({ name, inputs, params }: TensorCall): Attention | null {
  if (name !== "scaledDotProductAttention") return null;
  const [tensors, mask] = [inputs.slice(0, 3), inputs[3]];
  if (!tensors.every(isTaken) || (mask && mask.dtype !== "bool" && !isTaken(mask))) return null;
  const attention = attentionLengths(tensors, mask, params);
  return attention && attention.queries >= leastQueries && attention.valueFeatures <= mostValueFeatures
    ? attention
    : null;
}

/** The attention whose gradient `call` is, if it has no mask. */
export function attentionOfGradient({ name, inputs, params }: TensorCall): Attention | null {
  return name === "attentionGradient" && inputs.length === 6 ? attentionLengths(inputs, undefined, params) : null;
}

function isTaken({ dtype }: TensorType): boolean {
  return isFloating(dtype) && dtype !== "float64";
}
