/** Which attentions the GPU computes whole, and their lengths. */
import type { Dtype } from "../../base/dtype.ts";
import { isFloating } from "../../base/dtype.ts";
import { sizeOf } from "../../base/shape.ts";
import type { TensorCall, TensorType } from "../../ir/kernel.ts";

/** How a mask lies in memory: elements between neighbours along each axis, 0 where one serves all. */
export interface AttentionMask {
  readonly dtype: Dtype;
  /** Along the batch axes and the heads. */
  readonly leading: readonly number[];
  readonly query: number;
  readonly key: number;
}

/** Lengths and parameters of an attention. */
export interface Attention {
  /** Batch axes, then heads of the queries. */
  readonly leading: readonly number[];
  /** All of them together. */
  readonly heads: number;
  /** Heads of the queries that share a head of keys and values. */
  readonly group: number;
  readonly queries: number;
  readonly keys: number;
  readonly features: number;
  readonly valueFeatures: number;
  readonly scale: number;
  readonly isCausal: boolean;
  readonly mask: AttentionMask | null;
}

/** Queries from which blocks of them pay: for fewer the definition is better spread over the GPU. */
const leastQueries = 16;
/** Features up to which a thread keeps its results in registers. */
const mostValueFeatures = 128;

/** The attention that `call` is, if the kernel takes it: floats of up to 32 bits, not empty, not for single queries. */
export function attentionOf({ name, inputs, params }: TensorCall): Attention | null {
  if (name !== "scaledDotProductAttention") return null;
  const attention = lengthsOf(inputs.slice(0, 3), inputs[3], params);
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
  const attention = lengthsOf(inputs.slice(0, 3), inputs[gradientParts[name]], params);
  return attention && { part: name, attention };
}

function isGradientPart(name: string): name is GradientPart {
  return name in gradientParts;
}

/** Queries, keys, values, and perhaps a mask as lengths: floats of up to 32 bits, not empty. */
function lengthsOf([q, k, v]: readonly TensorType[], mask: TensorType | undefined, params: unknown): Attention | null {
  if (!q || !k || !v || !isAttentionParams(params)) return null;
  const isTaken = ({ dtype }: TensorType): boolean => isFloating(dtype) && dtype !== "float64";
  if (![q, k, v].every(isTaken) || !Number.isFinite(params.scale)) return null;
  const leading = q.shape.slice(0, -2);
  const [queries = 0, features = 0] = q.shape.slice(-2);
  const [keys = 0, valueFeatures = 0] = v.shape.slice(-2);
  const keyHeads = k.shape.at(-3) ?? 0;
  if ([...leading, queries, features, keys, valueFeatures, keyHeads].some((length) => length === 0)) return null;
  if (valueFeatures > mostValueFeatures || (mask && mask.dtype !== "bool" && !isTaken(mask))) return null;
  return {
    leading,
    heads: sizeOf(leading),
    group: (leading.at(-1) ?? 1) / keyHeads,
    queries,
    keys,
    features,
    valueFeatures,
    scale: params.scale,
    isCausal: params.isCausal,
    mask: mask ? maskLayout(mask, [...leading, queries, keys]) : null,
  };
}

function isAttentionParams(params: unknown): params is { readonly scale: number; readonly isCausal: boolean } {
  return (
    typeof params === "object" &&
    params !== null &&
    "scale" in params &&
    typeof params.scale === "number" &&
    "isCausal" in params &&
    typeof params.isCausal === "boolean"
  );
}

function maskLayout({ shape, dtype }: TensorType, scores: readonly number[]): AttentionMask {
  const missing = scores.length - shape.length;
  const strides = scores.map((_, axis) => {
    const length = shape[axis - missing] ?? 1;
    return axis < missing || length === 1 ? 0 : sizeOf(shape.slice(axis - missing + 1));
  });
  return { dtype, leading: strides.slice(0, -2), query: strides.at(-2) ?? 0, key: strides.at(-1) ?? 0 };
}
