/**
 * The gradient of attention, a block of examples or of queries after the other, so that memory grows with the tokens and not with
 * their square.
 * Source: Dao et al. 2022, algorithm 4, with a block of queries in the place of a tile. As there, the mean of a query's slopes is
 * the product of its cotangent and its result.
 */
import { isHalf } from "../base/dtype.ts";
import { sizeOf } from "../base/shape.ts";
import type { Aval, MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { add, divide, multiply, subtract } from "./arithmetic.ts";
import type { AttentionParams } from "./attention-scores.ts";
import { attentionText, batchAttention, foldHeads, maskedScores, onlySeen, seenInTime } from "./attention-scores.ts";
import { castTo } from "./cast.ts";
import { matmul } from "./contraction.ts";
import { exp } from "./exponential.ts";
import { only } from "./families.ts";
import { take } from "./gather.ts";
import { concatenate } from "./joining.ts";
import { constant } from "./leaf.ts";
import { pad } from "./padding.ts";
import { sum } from "./reductions.ts";
import { swapAxes } from "./shaping.ts";
import { sliceAxis } from "./slicing.ts";
import { reshape } from "./views.ts";

/** Scores up to which one block may have them all (16 MiB in float32), and that a block has at most (128 MiB). */
const [smallScores, blockScores] = [2 ** 22, 2 ** 25];
/** Queries of a block at least, if a block may have fewer examples instead: products of few rows leave a GPU idle. */
const leastQueries = 256;
/** Numbers of keys that blocks of a causal attention meet at most: more would save work, but each has kernels of its own. */
const mostRanges = 4;

/** What a gradient is computed from, but for the mask. */
interface Tensors {
  readonly query: MLXArray;
  readonly key: MLXArray;
  readonly value: MLXArray;
  readonly cotangent: MLXArray;
  readonly result: MLXArray;
  readonly statistics: MLXArray;
}

/**
 * The gradients of queries, keys and values, from these, the cotangent of the result, the result, its statistics and perhaps the
 * mask; a block has `most` scores if a query has no more.
 */
export function attentionGradients(
  inputs: readonly MLXArray[],
  params: AttentionParams,
  most: number = mostScores(inputs),
): readonly MLXArray[] {
  const [query, key, value] = [only("queries", inputs[0]), only("keys", inputs[1]), only("values", inputs[2])];
  const cotangent = only("cotangent", inputs[3]);
  const result = only("result", inputs[4]);
  const statistics = only("statistics", inputs[5]);
  const mask = inputs[6] ?? null;
  const [rows, columns] = [query.shape.at(-2) ?? 0, key.shape.at(-2) ?? 0];
  const examples = query.ndim > 2 ? (query.shape[0] ?? 1) : 1;
  const count = Math.ceil(scoresOf(inputs) / most);
  if (count <= 1) return blockGradients({ query, key, value, cotangent, result, statistics }, mask, params);
  const step = Math.ceil(rows / count);
  if (examples > 1 && step < Math.min(rows, leastQueries))
    return byExamples(inputs, Math.max(1, Math.floor(examples / count)), (part) =>
      attentionGradients(part, params, most),
    );
  const lead = columns - rows;
  const ofQueries: MLXArray[] = [];
  let ofKeys: MLXArray | null = null;
  let ofValues: MLXArray | null = null;
  for (let block = 0; block * step < rows; block++) {
    const end = Math.min(rows, (block + 1) * step);
    const seenKeys = params.isCausal && lead >= 0 ? lead + rangeEnd(block, count, step, rows) : columns;
    const own = (x: MLXArray): MLXArray => blockOf(x, -2, block, step);
    const part = {
      query: own(query),
      key: firstRows(key, seenKeys),
      value: firstRows(value, seenKeys),
      cotangent: own(cotangent),
      result: own(result),
      statistics: own(statistics),
    };
    const seen = params.isCausal ? seenInTime(end - block * step, seenKeys, lead + block * step) : mask && own(mask);
    const [ofQuery, ofKey, ofValue] = blockGradients(part, seen, { ...params, isCausal: false });
    ofQueries.push(ofQuery);
    ofKeys = addRows(ofKey, ofKeys);
    ofValues = addRows(ofValue, ofValues);
  }
  return [concatenate(ofQueries, -2), only("keys", ofKeys), only("values", ofValues)];
}

/** Scores that a block may have: never more than half of all, but where there are few. */
function mostScores(inputs: readonly MLXArray[]): number {
  return Math.min(blockScores, Math.max(smallScores, Math.ceil(scoresOf(inputs) / 2)));
}

/** How many scores queries and keys have. */
export function scoresOf([query, key]: readonly Aval[]): number {
  return sizeOf(only("queries", query).shape.slice(0, -1)) * (only("keys", key).shape.at(-2) ?? 0);
}

/** What `gradients` gives for `step` examples of `inputs` at a time, the first of which has them all. */
function byExamples(
  inputs: readonly MLXArray[],
  step: number,
  gradients: (inputs: readonly MLXArray[]) => readonly MLXArray[],
): readonly MLXArray[] {
  const { ndim, shape } = only("gradients", inputs[0]);
  const parts = Array.from({ length: Math.ceil((shape[0] ?? 1) / step) }, (_, block) =>
    gradients(inputs.map((input) => (input.ndim < ndim ? input : blockOf(input, -ndim, block, step)))),
  );
  return [0, 1, 2].map((k) =>
    concatenate(
      parts.map((part) => only("gradients", part[k])),
      0,
    ),
  );
}

/** The queries that end the part of all blocks to which `block` belongs. */
function rangeEnd(block: number, count: number, step: number, rows: number): number {
  const ranges = Math.min(count, mostRanges);
  const range = Math.floor((block * ranges) / count);
  return Math.min(rows, Math.ceil(((range + 1) * count) / ranges) * step);
}

/** The gradients of some queries, and what these add to the gradients of keys and values. */
function blockGradients(
  { query, key, value, cotangent, result, statistics }: Tensors,
  mask: MLXArray | null,
  params: AttentionParams,
): readonly [MLXArray, MLXArray, MLXArray] {
  const given = maskedScores(query, key, mask, params);
  const scores = isHalf(given.dtype) ? castTo(given, "float32") : given;
  const [greatest, total] = [0, 1].map((place) => sliceAxis(statistics, statistics.ndim - 1, place, 1));
  const weights = divide(exp(subtract(scores, only("statistics", greatest))), only("statistics", total));
  const products = matmul(foldHeads(cotangent, value), swapAxes(value, -1, -2));
  const slopes = castTo(reshape(products, scores.shape), scores.dtype);
  const mean = sum(multiply(castTo(cotangent, scores.dtype), castTo(result, scores.dtype)), -1, { keepAxes: true });
  const changes = castTo(onlySeen(multiply(weights, subtract(slopes, mean)), mask, params), key.dtype);
  const across = (x: MLXArray): MLXArray => swapAxes(foldHeads(castTo(x, key.dtype), key), -1, -2);
  return [
    reshape(matmul(foldHeads(changes, key), multiply(key, params.scale)), query.shape),
    matmul(across(changes), multiply(foldHeads(query, key), params.scale)),
    matmul(across(weights), foldHeads(cotangent, key)),
  ];
}

/** `x` and, in its first rows, `earlier`; stored, or every block would keep what it adds for the last one to add up. */
function addRows(x: MLXArray, earlier: MLXArray | null): MLXArray {
  if (earlier === null) return apply(storedRow, [x], null);
  const missing = (x.shape.at(-2) ?? 0) - (earlier.shape.at(-2) ?? 0);
  const widths = x.shape.map((_, axis): readonly [number, number] => [0, axis === x.ndim - 2 ? missing : 0]);
  return apply(storedRow, [add(x, missing === 0 ? earlier : pad(earlier, widths))], null);
}

/** The input itself, which a kernel stores. */
export const storedRow: Primitive<null> = {
  name: "stored",
  aval: ([input]) => {
    const { shape, dtype } = only("stored", input);
    return { shape, dtype };
  },
  lowering: { kind: "map", element: ({ index, read }) => read(0, index), isPointwise: true, isStored: true },
  derivative: { kind: "linear", transpose: (cotangent) => [cotangent] },
  batch: ([input], [axis = null]) => [apply(storedRow, [only("stored", input)], null), axis ?? 0],
};

function firstRows(x: MLXArray, count: number): MLXArray {
  return sliceAxis(x, x.ndim - 2, 0, count);
}

/**
 * The positions of a block along an axis that is counted from the last; `x` if it is broadcast there. Which block is a number
 * passed to kernels, so that blocks share them: it is counted from the end but for the last block, as 0 and -1 would be written
 * into kernels.
 */
function blockOf(x: MLXArray, axis: number, block: number, step: number): MLXArray {
  const place = x.ndim + axis;
  const { [place]: length = 1 } = x.shape;
  if (length === 1) return x;
  const whole = Math.floor(length / step);
  if (block === whole) return sliceAxis(x, place, whole * step, length - whole * step);
  const blocks = reshape(sliceAxis(x, place, 0, whole * step), x.shape.toSpliced(place, 1, whole, step));
  return take(blocks, constant(block === whole - 1 ? block : block - whole, "int32"), place);
}

/** The parameters of a gradient: that of queries (0), of keys (1) or of values (2). */
type GradientParams = AttentionParams & { readonly part: number };

/** Queries, keys, values, the cotangent, the result, its statistics, and perhaps a mask → a gradient. For backends with a kernel. */
export const attentionGradientRow: Primitive<GradientParams> = {
  name: "attentionGradient",
  aval(inputs, { part }) {
    const { shape, dtype } = only("attentionGradient", inputs[part]);
    return { shape, dtype };
  },
  lowering: {
    kind: "composite",
    define: (inputs, params) => only("attentionGradient", attentionGradients(inputs, params)[params.part]),
    result: ({ part, ...whole }) => ({ whole: attentionText(whole), part }),
    flops([q, k], { isCausal }) {
      const [query, key] = [only("attentionGradient", q), only("attentionGradient", k)];
      const scores = sizeOf(query.shape.slice(0, -1)) * (key.shape.at(-2) ?? 0) * (isCausal ? 0.5 : 1);
      return Math.round(scores * (10 * (query.shape.at(-1) ?? 0) + 20));
    },
  },
  derivative: { kind: "definition" },
  batch: (inputs, axes, params) => batchAttention(attentionGradientRow, inputs, axes, params, 6),
};

/** What `attentionGradients` gives, as backends with a kernel for all of it compute it. */
export function wholeAttentionGradients(inputs: readonly MLXArray[], params: AttentionParams): readonly MLXArray[] {
  return [0, 1, 2].map((part) => apply(attentionGradientRow, inputs, { ...params, part }));
}
