/** Which attentions the kernel takes, and their lengths. */
import { sizeOf } from "../../base/shape.ts";
import type { TensorCall, TensorType } from "../../ir/kernel.ts";
import type { Mask } from "./attention-rows.ts";
import { propertyOf } from "./engine-features.ts";

/** Lengths and parameters of an attention. */
export interface Attention {
  /** Batch axes, then heads of the queries. */
  readonly leading: readonly number[];
  /** Heads of the queries that share a head of keys and values. */
  readonly group: number;
  readonly queries: number;
  readonly keys: number;
  readonly features: number;
  readonly valueFeatures: number;
  readonly scale: number;
  readonly isCausal: boolean;
  readonly mask: Mask | null;
}

/** The attention that `call` is, if the kernel takes it: float32, not empty, a mask that is boolean or float32. */
export function attentionOf({ name, inputs, params }: TensorCall): Attention | null {
  const [q, k, v, mask] = inputs;
  const [scale, isCausal] = [propertyOf(params, "scale"), propertyOf(params, "isCausal") === true];
  if (name !== "scaledDotProductAttention" || !q || !k || !v || typeof scale !== "number") return null;
  if ([q, k, v].some(({ dtype }) => dtype !== "float32") || !Number.isFinite(scale)) return null;
  const leading = q.shape.slice(0, -2);
  const [queries = 0, features = 0] = q.shape.slice(-2);
  const [keys = 0, valueFeatures = 0] = v.shape.slice(-2);
  const keyHeads = k.shape.at(-3) ?? 0;
  if ([...leading, queries, features, keys, valueFeatures, keyHeads].some((length) => length === 0)) return null;
  const layout = mask ? maskLayout(mask, [...leading, queries, keys]) : null;
  if (mask && !layout) return null;
  const group = (leading.at(-1) ?? 1) / keyHeads;
  return { scale, isCausal, leading, group, queries, keys, features, valueFeatures, mask: layout };
}

function maskLayout({ shape, dtype }: TensorType, scores: readonly number[]): Mask | null {
  if (dtype !== "bool" && dtype !== "float32") return null;
  const byteLength = dtype === "bool" ? 1 : 4;
  const missing = scores.length - shape.length;
  const strides = scores.map((_, axis) => {
    const length = shape[axis - missing] ?? 1;
    return axis < missing || length === 1 ? 0 : sizeOf(shape.slice(axis - missing + 1)) * byteLength;
  });
  return {
    isBoolean: dtype === "bool",
    leading: strides.slice(0, -2),
    queryStride: strides.at(-2) ?? 0,
    keyStride: strides.at(-1) ?? 0,
  };
}
