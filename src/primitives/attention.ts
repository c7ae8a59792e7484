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
import { alignBatch, batchLength, batchToFront, only } from "./families.ts";
import { iota } from "./generate.ts";
import { where } from "./selection.ts";
import { swapAxes } from "./shaping.ts";
import { softmax } from "./statistics.ts";
import { broadcastTo, reshape } from "./views.ts";

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
    const tensors = alignBatch([...inputs.slice(0, 3), ...shapeHolder(inputs, axes)], [...axes.slice(0, 3)]);
    const [mask] = inputs.slice(3);
    const maskAxis = axes[3] ?? null;
    if (!mask) return [apply(attentionRow, tensors.slice(0, 3), params), 0];
    return [apply(attentionRow, [...tensors.slice(0, 3), mask], params), maskAxis ?? 0];
  },
};
