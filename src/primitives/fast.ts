/** Functions that a backend may compute in kernels of its own: normalizations, rotary positions, attention. */
import { shown } from "../base/describe.ts";
import { promote, requireFloating } from "../base/dtype.ts";
import { ArgumentError, DtypeError, ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { broadcastShapes, formatShape, sameShape } from "../base/shape.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed, withOptions } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { requireArray, requireArrays } from "../graph/require-array.ts";
import { attentionRow } from "./attention-row.ts";
import { castTo } from "./cast.ts";
import type { NormParams } from "./composites.ts";
import { layerNormRow, rmsNormRow, ropeRow } from "./composites.ts";
import { asArray } from "./operands.ts";

/**
 * Root-mean-square normalization over the last axis: `x / sqrt(mean(x²) + eps) · weight`.
 *
 * Accumulates in float32 where the dtype has 16 bits. Source: Zhang & Sennrich 2019, eq. 4.
 *
 * @param x [..., features]
 * @param weight [features], or null for none
 * @param eps 1e-5 unless given
 * @returns [..., features] of the promoted dtype
 * @throws {ShapeError} if `weight` is not [features]
 * @throws {DtypeError} if `x` is not floating-point
 * @example
 * await fast.rmsNorm(array([3, 4]), ones([2])).tolist(); // ≈ [0.84852803, 1.1313708]
 */
export function rmsNorm(x: MLXArray, weight?: MLXArray | null, eps = 1e-5, options?: OperationOptions): MLXArray {
  if (options) return placed("rmsNorm", options, () => rmsNorm(x, weight, eps));
  return normalized(rmsNormRow, x, weight ?? null, null, eps);
}

/**
 * Normalization over the last axis to mean 0 and variance 1: `(x - mean(x)) / sqrt(var(x) + eps) · weight + bias`.
 *
 * Accumulates in float32 where the dtype has 16 bits. Source: Ba et al. 2016.
 *
 * @param x [..., features]
 * @param weight [features], or null for none
 * @param bias [features], or null for none
 * @param eps 1e-5 unless given
 * @returns [..., features] of the promoted dtype
 * @throws {ShapeError} if `weight` or `bias` is not [features]
 * @throws {DtypeError} if `x` is not floating-point
 * @example
 * await fast.layerNorm(array([1, 3])).tolist(); // ≈ [-0.999995, 0.999995]
 */
export function layerNorm(
  x: MLXArray,
  weight?: MLXArray | null,
  bias?: MLXArray | null,
  eps = 1e-5,
  options?: OperationOptions,
): MLXArray {
  if (options) return placed("layerNorm", options, () => layerNorm(x, weight, bias, eps));
  return normalized(layerNormRow, x, weight ?? null, bias ?? null, eps);
}

function normalized(
  row: Primitive<NormParams>,
  x: MLXArray,
  weight: MLXArray | null,
  bias: MLXArray | null,
  eps: number,
): MLXArray {
  requireArray(row.name, x);
  requireFloating(row.name, x.dtype);
  if (x.ndim === 0) throw new ShapeError(row.name, "a scalar has no axis to normalize over");
  for (const factor of [weight, bias]) {
    if (factor === null) continue;
    requireArray(row.name, factor);
    if (factor.ndim !== 1 || factor.size !== x.shape.at(-1)) {
      throw new ShapeError(
        row.name,
        `weight and bias must be [${x.shape.at(-1)}] for an input of shape ${formatShape(x.shape)}, got ${formatShape(factor.shape)}`,
      );
    }
  }
  const factors = [weight, bias].filter((factor) => factor !== null);
  return apply(row, [x, ...factors], { eps, hasWeight: weight !== null, hasBias: bias !== null });
}

/** The options of `rope`. */
export interface RopeOptions extends OperationOptions {
  /** Whether neighbouring features are rotated together, and not those half of `dims` apart; false unless given. */
  readonly traditional?: boolean | undefined;
  /** The base of the angular frequencies, 10000 unless given; null if `freqs` gives the periods instead. */
  readonly base?: number | null | undefined;
  /** A factor of the positions; 1 unless given. */
  readonly scale?: number | undefined;
  /** The position of the first row: a number, a scalar array, or one per first axis; 0 unless given. */
  readonly offset?: number | MLXArray | undefined;
  /** One period per rotated pair, [dims / 2], instead of `base`. */
  readonly freqs?: MLXArray | null | undefined;
}

/**
 * Rotary position encoding: turns pairs of the first `dims` features by the row's position times the pair's frequency,
 * `base^(-2k / dims)`. Angles are computed in float32. Source: Su et al. 2021.
 *
 * @param x [..., rows, features]
 * @param dims how many features to turn; even
 * @returns shape and dtype of `x`
 * @throws {ShapeError} if `x` has fewer than two axes or fewer than `dims` features
 * @throws {ArgumentError} if `dims` is odd, or not exactly one of `base` and `freqs` is given
 * @example
 * await fast.rope(array([[1, 0]]), 2, { offset: 1 }).tolist(); // ≈ [[0.5403023, 0.84147096]]
 */
export function rope(x: MLXArray, dims: number, options: RopeOptions = {}): MLXArray {
  return withOptions("rope", options, ["traditional", "base", "scale", "offset", "freqs", "device"], () => {
    const { traditional = false, scale = 1, offset = 0, freqs = null } = options;
    const base = options.base === undefined ? (freqs ? null : 10000) : options.base;
    requireArray("rope", x);
    requireFloating("rope", x.dtype);
    if (x.ndim < 2 || dims > (x.shape.at(-1) ?? 0)) {
      throw new ShapeError("rope", `needs [..., rows, at least ${dims} features], got ${formatShape(x.shape)}`);
    }
    if (dims <= 0 || dims % 2 !== 0) throw new ArgumentError("rope", `dims is even and positive, got ${dims}`);
    if ((base === null) === (freqs === null)) throw new ArgumentError("rope", "needs either a base or freqs");
    const start = asArray("rope", offset);
    if (start.ndim > 1 || (start.ndim === 1 && (x.ndim < 3 || start.size !== x.shape[0]))) {
      throw new ShapeError("rope", `offset is a scalar or one per first axis, got ${formatShape(start.shape)}`);
    }
    if (freqs !== null) requireArray("rope", freqs);
    if (freqs && (freqs.ndim !== 1 || freqs.size !== dims / 2)) {
      throw new ShapeError("rope", `freqs must be [${dims / 2}], got ${formatShape(freqs.shape)}`);
    }
    const params = { dims, isTraditional: traditional, base, scale };
    return apply(ropeRow, freqs ? [x, start, freqs] : [x, start], params);
  });
}

/** What keeps queries from seeing keys: nothing, the order of time, or an array (boolean, or added to the scores). */
export type AttentionMask = "causal" | MLXArray | null;

/** The options of `scaledDotProductAttention`. */
export interface AttentionOptions extends OperationOptions {
  /** What the products of queries and keys are multiplied with, usually `1 / √features`. */
  readonly scale: number;
  /**
   * "causal": a query sees the keys up to its own place, the last query all of them. A boolean array holds where a query sees
   * a key, any other is added to the scores; both broadcast to [batch, heads, queries, keys]. None unless given.
   */
  readonly mask?: AttentionMask | undefined;
}

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
  options: AttentionOptions,
): MLXArray {
  return withOptions("scaledDotProductAttention", options, ["scale", "mask", "device"], () => {
    const { scale, mask = null } = options;
    const name = "scaledDotProductAttention";
    requireArrays(name, [queries, keys, values]);
    for (const tensor of [queries, keys, values]) requireFloating(name, tensor.dtype);
    checkShapes(queries.shape, keys.shape, values.shape);
    const dtype = [queries, keys, values].map((tensor) => tensor.dtype).reduce(promote);
    const tensors = [queries, keys, values].map((tensor) => castTo(tensor, dtype));
    if (mask === null || mask === "causal")
      return apply(attentionRow, tensors, { scale, isCausal: mask === "causal", part: 0 });
    if (!(mask instanceof MLXArray)) {
      throw new DtypeError(name, `mask is "causal", an array or null, got ${shown(mask)}`);
    }
    const scores = [...queries.shape.slice(0, -1), keys.shape.at(-2) ?? 0];
    if (!sameShape(broadcastShapes(name, mask.shape, scores), scores)) {
      throw new ShapeError(name, `the mask ${formatShape(mask.shape)} does not broadcast to ${formatShape(scores)}`);
    }
    return apply(attentionRow, [...tensors, mask], { scale, isCausal: false, part: 0 });
  });
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
