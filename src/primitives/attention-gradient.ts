/**
 * The gradient of attention in parts for which no backend needs all scores at once: what is known of each query, the gradient of
 * the queries, and those of keys and values. Source: Dao et al. 2022, algorithm 4.
 */
import { isHalf } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import { sizeOf } from "../base/shape.ts";
import type { Aval, MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { divide, multiply, subtract } from "./arithmetic.ts";
import type { PartInputs } from "./attention-blocks.ts";
import { inBlocks } from "./attention-blocks.ts";
import type { AttentionParams } from "./attention-scores.ts";
import { batchAttention, foldHeads, maskedScores, onlySeen } from "./attention-scores.ts";
import { castTo } from "./cast.ts";
import { matmul } from "./contraction.ts";
import { exp } from "./exponential.ts";
import { max } from "./extrema.ts";
import { only } from "./families.ts";
import { concatenate, stack } from "./joining.ts";
import { sum } from "./reductions.ts";
import { swapAxes } from "./shaping.ts";
import { sliceAxis } from "./slicing.ts";
import { reshape } from "./views.ts";

/** What is known of a query: its greatest score, the sum of weights relative to it, and the mean slope of its weights. */
const statistics = 3;

/** Scores in float32, or in float64 for that. */
function scoresOf(query: MLXArray, key: MLXArray, mask: MLXArray | null, params: AttentionParams): MLXArray {
  const scores = maskedScores(query, key, mask, params);
  return isHalf(scores.dtype) ? castTo(scores, "float32") : scores;
}

/** How the result changes with each weight: the products of cotangents and values, in the shape of the scores. */
function slopesOf(cotangent: MLXArray, value: MLXArray, scores: MLXArray): MLXArray {
  const products = matmul(foldHeads(cotangent, value), swapAxes(value, -1, -2));
  return castTo(reshape(products, scores.shape), scores.dtype);
}

/** Queries, keys, values, the cotangent, and perhaps a mask → [..., queries, 3]. */
export const attentionStatisticsRow: Primitive<AttentionParams> = /* @__PURE__ */ gradientPart("attentionStatistics", {
  shape: ([q]) => [...only("attentionStatistics", q).shape.slice(0, -1), statistics],
  tensors: 4,
  products: 2,
  along: "queries",
  define({ tensors: [q, k, v, g], mask }, params) {
    const [query, key, value, cotangent] = [q, k, v, g].map((tensor) => only("attentionStatistics", tensor));
    const scores = scoresOf(only("queries", query), only("keys", key), mask, params);
    const greatest = max(scores, -1, { keepAxes: true });
    const weights = exp(subtract(scores, greatest));
    const total = sum(weights, -1);
    const slopes = slopesOf(only("cotangent", cotangent), only("values", value), scores);
    const mean = divide(sum(multiply(weights, slopes), -1), total);
    return stack([reshape(greatest, total.shape), total, mean], -1);
  },
});

/** The weights, and how the result changes with each score. */
function weightsOf(
  [query, key, value, cotangent, known]: readonly MLXArray[],
  mask: MLXArray | null,
  params: AttentionParams,
): readonly [weights: MLXArray, changes: MLXArray] {
  const scores = scoresOf(only("queries", query), only("keys", key), mask, params);
  const of = (column: number): MLXArray => {
    const array = only("statistics", known);
    return sliceAxis(array, array.ndim - 1, column, 1);
  };
  const weights = divide(exp(subtract(scores, of(0))), of(1));
  const slopes = slopesOf(only("cotangent", cotangent), only("values", value), scores);
  return [weights, onlySeen(multiply(weights, subtract(slopes, of(2))), mask, params)];
}

/** Queries, keys, values, the cotangent, the statistics, and perhaps a mask → the gradient of the queries. */
export const attentionQueryGradientRow: Primitive<AttentionParams> = /* @__PURE__ */ gradientPart(
  "attentionQueryGradient",
  {
    shape: ([q]) => only("attentionQueryGradient", q).shape,
    tensors: 5,
    products: 3,
    along: "queries",
    define({ tensors, mask }, params) {
      const [query, key] = [only("queries", tensors[0]), only("keys", tensors[1])];
      const [, changes] = weightsOf(tensors, mask, params);
      const gradient = matmul(castTo(foldHeads(changes, key), key.dtype), multiply(key, params.scale));
      return reshape(gradient, query.shape);
    },
  },
);

/** The same inputs → the gradients of keys and values, side by side: [..., keys, features + value features]. */
export const attentionKeyGradientRow: Primitive<AttentionParams> = /* @__PURE__ */ gradientPart(
  "attentionKeyGradient",
  {
    shape([, k, v]) {
      const [key, value] = [only("keys", k), only("values", v)];
      return [...key.shape.slice(0, -1), (key.shape.at(-1) ?? 0) + (value.shape.at(-1) ?? 0)];
    },
    tensors: 5,
    products: 4,
    along: "keys",
    define({ tensors, mask }, params) {
      const [query, key] = [only("queries", tensors[0]), only("keys", tensors[1])];
      const cotangent = only("cotangent", tensors[3]);
      const [weights, changes] = weightsOf(tensors, mask, params);
      const across = (x: MLXArray): MLXArray => castTo(swapAxes(foldHeads(x, key), -1, -2), key.dtype);
      const ofKeys = matmul(across(changes), multiply(foldHeads(query, key), params.scale));
      const ofValues = matmul(across(weights), foldHeads(cotangent, key));
      return concatenate([ofKeys, ofValues], key.ndim - 1);
    },
  },
);

/** What parts of the gradient do not have in common. */
interface Part {
  shape(inputs: readonly Aval[]): Shape;
  /** Inputs before the mask. */
  readonly tensors: number;
  /** Products of features per score. */
  readonly products: number;
  /** Whether its result has a row for each query or for each key. */
  readonly along: "queries" | "keys";
  define(inputs: PartInputs, params: AttentionParams): MLXArray;
}

function gradientPart(name: string, { shape, tensors, products, along, define }: Part): Primitive<AttentionParams> {
  const row: Primitive<AttentionParams> = {
    name,
    aval(inputs) {
      const { dtype } = only(name, inputs[0]);
      return { shape: shape(inputs), dtype: name === "attentionStatistics" && isHalf(dtype) ? "float32" : dtype };
    },
    lowering: {
      kind: "composite",
      define: (inputs, params) =>
        inBlocks(along, { tensors: inputs.slice(0, tensors), mask: inputs[tensors] ?? null }, params, define),
      flops([q, k], { isCausal }) {
        const [query, key] = [only(name, q), only(name, k)];
        const scores = sizeOf(query.shape.slice(0, -1)) * (key.shape.at(-2) ?? 0) * (isCausal ? 0.5 : 1);
        return Math.round(scores * (2 * products * (query.shape.at(-1) ?? 0) + 16));
      },
    },
    derivative: { kind: "definition" },
    batch: (inputs, axes, params) => batchAttention(row, inputs, axes, params, tensors),
  };
  return row;
}

/**
 * Queries, keys, values, the cotangent, and perhaps a mask → the gradients of queries, keys and values of each example, one after
 * the other: [..., their elements]. For backends with a kernel for all of it, which needs the scores once.
 */
export const attentionGradientRow: Primitive<AttentionParams> = {
  name: "attentionGradient",
  aval(inputs) {
    const { shape, dtype } = only("attentionGradient", inputs[0]);
    return { shape: [...shape.slice(0, -3), sumOf(lengthsOf(inputs))], dtype };
  },
  lowering: {
    kind: "composite",
    define(inputs, params) {
      const [query, key, value, cotangent] = inputs.slice(0, 4).map((input) => only("attentionGradient", input));
      const tensors = [query, key, value].map((input) => only("attentionGradient", input));
      const gradients = attentionGradients(only("cotangent", cotangent), [...tensors, ...inputs.slice(4)], params);
      const flat = gradients.map((gradient) => reshape(gradient, [...gradient.shape.slice(0, -3), -1]));
      return concatenate(flat, -1);
    },
    flops([q, k], { isCausal }) {
      const [query, key] = [only("attentionGradient", q), only("attentionGradient", k)];
      const scores = sizeOf(query.shape.slice(0, -1)) * (key.shape.at(-2) ?? 0) * (isCausal ? 0.5 : 1);
      return Math.round(scores * (10 * (query.shape.at(-1) ?? 0) + 20));
    },
  },
  derivative: { kind: "definition" },
  batch: (inputs, axes, params) => batchAttention(attentionGradientRow, inputs, axes, params, 4),
};

/** Elements of an example's queries, keys and values. */
function lengthsOf(inputs: readonly Aval[]): readonly number[] {
  return inputs.slice(0, 3).map(({ shape }) => sizeOf(shape.slice(-3)));
}

const sumOf = (lengths: readonly number[]): number => lengths.reduce((sum, length) => sum + length, 0);

/** The gradients of queries, keys and values as `attentionGradientRow` gives them. */
export function wholeAttentionGradients(
  cotangent: MLXArray,
  inputs: readonly MLXArray[],
  params: AttentionParams,
): readonly MLXArray[] {
  const tensors = inputs.slice(0, 3);
  const all = apply(attentionGradientRow, [...tensors, cotangent, ...inputs.slice(3)], params);
  const lengths = lengthsOf(tensors);
  return tensors.map(({ shape }, k) => {
    const part = sliceAxis(all, all.ndim - 1, sumOf(lengths.slice(0, k)), lengths[k] ?? 0);
    return reshape(part, shape);
  });
}

/** The gradients of queries, keys and values in parts, from that of the result. */
export function attentionGradients(
  cotangent: MLXArray,
  inputs: readonly MLXArray[],
  params: AttentionParams,
): readonly MLXArray[] {
  const [query, key, value] = inputs.slice(0, 3).map((tensor) => only("scaledDotProductAttention", tensor));
  const [q, k, v] = [only("queries", query), only("keys", key), only("values", value)];
  const mask = inputs.slice(3);
  const known = apply(attentionStatisticsRow, [q, k, v, cotangent, ...mask], params);
  const all = [q, k, v, cotangent, known, ...mask];
  const both = apply(attentionKeyGradientRow, all, params);
  const features = k.shape.at(-1) ?? 0;
  return [
    apply(attentionQueryGradientRow, all, params),
    sliceAxis(both, both.ndim - 1, 0, features),
    sliceAxis(both, both.ndim - 1, features, v.shape.at(-1) ?? 0),
  ];
}
