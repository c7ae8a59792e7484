/** What backends with a kernel for attention need to know of a call: its lengths and parameters. */
import type { Dtype } from "../base/dtype.ts";
import { sizeOf } from "../base/shape.ts";
import type { TensorType } from "../ir/kernel.ts";

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

/** The attention of queries, keys and values, and perhaps a mask; null if it is empty or `params` are not those of an attention. */
export function attentionLengths(
  [q, k, v]: readonly TensorType[],
  mask: TensorType | undefined,
  params: unknown,
): Attention | null {
  if (!q || !k || !v || !isAttentionParams(params) || !Number.isFinite(params.scale)) return null;
  const leading = q.shape.slice(0, -2);
  const [queries = 0, features = 0] = q.shape.slice(-2);
  const [keys = 0, valueFeatures = 0] = v.shape.slice(-2);
  const keyHeads = k.shape.at(-3) ?? 0;
  if ([...leading, queries, features, keys, valueFeatures, keyHeads].some((length) => length === 0)) return null;
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
