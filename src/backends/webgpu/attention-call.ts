/** Which attentions, and which parts of their gradients, the GPU computes whole. */
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
  const attention = taken(inputs.slice(0, 3), inputs[3], params);
  return attention && attention.queries >= leastQueries ? attention : null;
}

/** Parts of the gradient of an attention: the tensors that each takes before a mask. */
const gradientParts = { attentionStatistics: 4, attentionQueryGradient: 5, attentionKeyGradient: 5 } as const;

/** A part of the gradient of an attention. */
export type GradientPart = keyof typeof gradientParts;

/** The part of a gradient that `call` is, with the attention that it belongs to, if the kernels take it. */
export function gradientOf({ name, inputs, params }: TensorCall): {
  readonly part: GradientPart;
  readonly attention: Attention;
} | null {
  if (!isGradientPart(name)) return null;
  const attention = taken(inputs.slice(0, 3), inputs[gradientParts[name]], params);
  return attention && { part: name, attention };
}

function isGradientPart(name: string): name is GradientPart {
  return name in gradientParts;
}

function taken(tensors: readonly TensorType[], mask: TensorType | undefined, params: unknown): Attention | null {
  const isTaken = ({ dtype }: TensorType): boolean => isFloating(dtype) && dtype !== "float64";
  if (!tensors.every(isTaken) || (mask && mask.dtype !== "bool" && !isTaken(mask))) return null;
  const attention = attentionLengths(tensors, mask, params);
  return attention && attention.valueFeatures <= mostValueFeatures ? attention : null;
}
