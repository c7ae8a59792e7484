/** The scores of attention, as attention itself and the parts of its gradient define them. */
import { greatestFinite } from "../base/dtype.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { add, multiply } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { greater } from "./comparison.ts";
import { matmul } from "./contraction.ts";
import { alignBatch, only } from "./families.ts";
import { iota } from "./generate.ts";
import { where } from "./selection.ts";
import { swapAxes } from "./shaping.ts";
import { reshape } from "./views.ts";

/** The parameters of an attention. */
export interface AttentionParams {
  readonly scale: number;
  /** Whether a query sees only the keys up to its own place. */
  readonly isCausal: boolean;
}

/** `x` [batch, heads, queries, …] with the heads that share those of `keys` below one another: [batch, key heads, groups · queries, …]. */
export function foldHeads(x: MLXArray, keys: MLXArray): MLXArray {
  const [heads = 1, rows = 0, columns = 0] = x.shape.slice(-3);
  const leading = keys.shape.slice(0, -2);
  const groups = heads / Math.max(leading.at(-1) ?? 1, 1);
  return reshape(x, [...leading, groups * rows, columns]);
}

/** What every query makes of every key, [batch, heads, queries, keys]: the least finite number where it does not see the key. */
export function maskedScores(
  queries: MLXArray,
  keys: MLXArray,
  mask: MLXArray | null,
  { scale, isCausal }: AttentionParams,
): MLXArray {
  const products = matmul(multiply(foldHeads(queries, keys), scale), swapAxes(keys, -1, -2));
  const scores = reshape(products, [...queries.shape.slice(0, -1), keys.shape.at(-2) ?? 0]);
  const lowest = -greatestFinite(scores.dtype);
  if (isCausal) return where(seenByEnd(scores), scores, lowest);
  if (mask === null) return scores;
  return mask.dtype === "bool" ? where(mask, scores, lowest) : add(scores, castTo(mask, scores.dtype));
}

/** `x`, in the shape of the scores, with 0 where a query does not see a key. */
export function onlySeen(x: MLXArray, mask: MLXArray | null, { isCausal }: AttentionParams): MLXArray {
  if (isCausal) return where(seenByEnd(x), x, 0);
  return mask?.dtype === "bool" ? where(mask, x, 0) : x;
}

/**
 * Whether row i sees column j, which it does up to column i + `lead`, [rows, columns]. Written without the numbers 0 and 1 beside
 * `lead`, which would be part of the kernel: blocks that differ in `lead` alone share one.
 */
export function seenInTime(rows: number, columns: number, lead: number): MLXArray {
  return greater(add(iota([rows, columns], 0, "int32"), lead + 2), add(iota([rows, columns], 1, "int32"), 1));
}

/** As the queries of `scores` see its keys: the last query sees all. */
function seenByEnd({ shape }: MLXArray): MLXArray {
  const [rows = 0, columns = 0] = shape.slice(-2);
  return seenInTime(rows, columns, columns - rows);
}

/** Text for what all results of an attention, or of its gradient, have in common beside their inputs. */
export function attentionText({ scale, isCausal }: AttentionParams): string {
  return `${scale} ${isCausal}`;
}

/** A row of so many tensors, and perhaps a mask, on inputs that carry one more axis. */
export function batchAttention<P extends AttentionParams>(
  row: Primitive<P>,
  inputs: readonly MLXArray[],
  axes: readonly (number | null)[],
  params: P,
  tensors: number,
): readonly [MLXArray, number] {
  const aligned = alignBatch(inputs, axes);
  const [mask, original] = [aligned[tensors], inputs[tensors]];
  const rest = aligned.slice(0, tensors);
  if (!mask || !original) return [apply(row, rest, params), 0];
  if ((axes[tensors] ?? null) === null) return [apply(row, [...rest, original], params), 0];
  const missing = only(row.name, rest[0]).ndim - mask.ndim;
  const [examples = 1, ...lengths] = mask.shape;
  const spread = reshape(mask, [examples, ...new Array<number>(missing).fill(1), ...lengths]);
  return [apply(row, [...rest, spread], params), 0];
}
