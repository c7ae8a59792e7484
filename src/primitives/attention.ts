/** Scaled dot-product attention: a composite, which a backend may compute in one kernel of its own. */
import { greatestFinite, promote, requireFloating } from "../base/dtype.ts";
import { DtypeError, ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { broadcastShapes, formatShape, sameShape } from "../base/shape.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { add, multiply } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { greaterEqual } from "./comparison.ts";
import { matmul } from "./contraction.ts";
import { alignBatch, only } from "./families.ts";
import { iota } from "./generate.ts";
import { where } from "./selection.ts";
import { swapAxes } from "./shaping.ts";
import { softmax } from "./statistics.ts";
import { reshape } from "./views.ts";

/** What keeps queries from seeing keys: nothing, the order of time, or an array (boolean, or added to the scores). */
export type AttentionMask = "causal" | MLXArray | null;

/** The options of `scaledDotProductAttention`. */
export interface AttentionOptions {
  /** What the products of queries and keys are multiplied with, usually `1 / √features`. */
  readonly scale: number;
  /**
   * "causal": a query sees the keys up to its own place, the last query all of them. A boolean array holds where a query sees
   * a key, any other is added to the scores; both broadcast to [batch, heads, queries, keys].
   */
  readonly mask?: AttentionMask;
}

interface AttentionParams {
  readonly scale: number;
  /** Whether a query sees only the keys up to its own place. */
  readonly isCausal: boolean;
}

/** Attention: queries, keys, values, and perhaps a mask. */
export const attentionRow: Primitive<AttentionParams> = /* @__PURE__ */ {
  name: "scaledDotProductAttention",
  aval([q, , v]) {
    const [queries, values] = [only("scaledDotProductAttention", q), only("scaledDotProductAttention", v)];
    return { shape: [...queries.shape.slice(0, -1), values.shape.at(-1) ?? 0], dtype: queries.dtype };
  },
  lowering: { kind: "composite", define: attend },
  derivative: { kind: "definition" },
  batch(inputs, axes, params) {
    const [queries, keys, values, mask] = alignBatch(inputs, axes);
    const tensors = [queries, keys, values].map((tensor) => only("scaledDotProductAttention", tensor));
    const original = inputs[3];
    if (!mask || !original) return [apply(attentionRow, tensors, params), 0];
    if ((axes[3] ?? null) === null) return [apply(attentionRow, [...tensors, original], params), 0];
    const missing = only("scaledDotProductAttention", queries).ndim - mask.ndim;
    const [examples = 1, ...rest] = mask.shape;
    const spread = reshape(mask, [examples, ...new Array<number>(missing).fill(1), ...rest]);
    return [apply(attentionRow, [...tensors, spread], params), 0];
  },
};

/**
 * Attention of several heads: `softmax(scale · queries @ keysᵀ + mask) @ values`. Keys and values may have fewer heads than
 * the queries, each then serving several (grouped-query attention). The softmax is computed in float32 where the dtype has
 * 16 bits. Source: Vaswani et al. 2017, eq. 1; Ainslie et al. 2023.
 *
 * @param queries [batch, heads, queries, features]
 * @param keys [batch, key heads, keys, features]
 * @param values [batch, key heads, keys, value features]
 * @returns [batch, heads, queries, value features]
 * @throws {ShapeError} if the shapes do not fit
 * @throws {DtypeError} if an input is not floating-point
 * @example
 * const q = ones([1, 2, 3, 4]);
 * fast.scaledDotProductAttention(q, q, q, { scale: 0.5, mask: "causal" }).shape; // [1, 2, 3, 4]
 */
export function scaledDotProductAttention(
  queries: MLXArray,
  keys: MLXArray,
  values: MLXArray,
  { scale, mask = null }: AttentionOptions,
): MLXArray {
  const name = "scaledDotProductAttention";
  for (const tensor of [queries, keys, values]) requireFloating(name, tensor.dtype);
  checkShapes(queries.shape, keys.shape, values.shape);
  const dtype = [queries, keys, values].map((tensor) => tensor.dtype).reduce(promote);
  const tensors = [queries, keys, values].map((tensor) => castTo(tensor, dtype));
  if (mask === null || mask === "causal") return apply(attentionRow, tensors, { scale, isCausal: mask === "causal" });
  if (!(mask instanceof MLXArray)) {
    throw new DtypeError(name, `mask is "causal", an array or null, got ${JSON.stringify(mask)}`);
  }
  const scores = [...queries.shape.slice(0, -1), keys.shape.at(-2) ?? 0];
  if (!sameShape(broadcastShapes(name, mask.shape, scores), scores)) {
    throw new ShapeError(name, `the mask ${formatShape(mask.shape)} does not broadcast to ${formatShape(scores)}`);
  }
  return apply(attentionRow, [...tensors, mask], { scale, isCausal: false });
}

function attend([q, k, v, mask]: readonly MLXArray[], { scale, isCausal }: AttentionParams): MLXArray {
  const [queries, keys, values] = [q, k, v].map((tensor) => only("scaledDotProductAttention", tensor));
  const [query, key, value] = [only("queries", queries), only("keys", keys), only("values", values)];
  const [heads, rows, features] = query.shape.slice(-3);
  const leading = key.shape.slice(0, -2); // [batch, key heads]
  const [columns = 0, valueFeatures = 0] = value.shape.slice(-2);
  const groups = (heads ?? 1) / Math.max(leading.at(-1) ?? 1, 1);
  // Heads that share keys stand below one another: [batch, key heads, groups · queries, features].
  const folded = reshape(query, [...leading, groups * (rows ?? 0), features ?? 0]);
  const products = matmul(multiply(folded, scale), swapAxes(key, -1, -2));
  const scores = masked(reshape(products, [...query.shape.slice(0, -1), columns]), isCausal, mask ?? null);
  const weights = reshape(softmax(scores, -1), [...leading, groups * (rows ?? 0), columns]);
  return reshape(matmul(weights, value), [...query.shape.slice(0, -1), valueFeatures]);
}

/** `scores`, with the least finite number where a query does not see a key. */
function masked(scores: MLXArray, isCausal: boolean, mask: MLXArray | null): MLXArray {
  const lowest = -greatestFinite(scores.dtype);
  if (isCausal) {
    const [rows = 0, columns = 0] = scores.shape.slice(-2);
    const row = add(iota([rows, columns], 0, "int32"), columns - rows);
    return where(greaterEqual(row, iota([rows, columns], 1, "int32")), scores, lowest);
  }
  if (mask === null) return scores;
  return mask.dtype === "bool" ? where(mask, scores, lowest) : add(scores, castTo(mask, scores.dtype));
}

function checkShapes(queries: Shape, keys: Shape, values: Shape): void {
  const text = `queries ${formatShape(queries)}, keys ${formatShape(keys)}, values ${formatShape(values)}`;
  const fail = (reason: string): never => {
    throw new ShapeError("scaledDotProductAttention", `${reason}: ${text}`);
  };
  if (queries.length < 3 || keys.length !== queries.length || values.length !== queries.length) {
    fail("needs [batch, heads, rows, features] three times");
  }
  if (!sameShape(keys.slice(0, -1), values.slice(0, -1))) fail("keys and values differ in batch, heads or rows");
  if (!sameShape(queries.slice(0, -3), keys.slice(0, -3))) fail("the batches differ");
  if (queries.at(-1) !== keys.at(-1)) fail("queries and keys differ in features");
  const [heads = 0, keyHeads = 0] = [queries.at(-3), keys.at(-3)];
  if (keyHeads === 0 || heads % keyHeads !== 0) fail("the heads of the queries are no multiple of those of the keys");
}
