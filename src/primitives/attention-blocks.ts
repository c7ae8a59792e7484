/**
 * Attention's gradient in blocks: what defines a part on the scores of some queries and keys, applied to one block after the
 * other, so that memory grows with the tokens and not with their square. Knows how time masks scores, not what a part computes.
 */
import type { MLXArray } from "../graph/mlx-array.ts";
import { add } from "./arithmetic.ts";
import type { AttentionParams } from "./attention-scores.ts";
import { greaterEqual } from "./comparison.ts";
import { only } from "./families.ts";
import { iota } from "./generate.ts";
import { concatenate } from "./joining.ts";
import { sliceAxis } from "./slicing.ts";

/** Most scores of a block: 64 MiB in float32. */
const blockScores = 2 ** 24;

/** Inputs of a part: queries, keys, values, the cotangent, perhaps the statistics; and a mask. */
export interface PartInputs {
  readonly tensors: readonly MLXArray[];
  readonly mask: MLXArray | null;
}

type DefinePart = (inputs: PartInputs, params: AttentionParams) => MLXArray;

/**
 * What `define` gives, block by block of queries or of keys: whichever the rows of its result are. In time, a block of queries
 * meets the keys up to the last that it sees, and a block of keys the queries from the first that sees it on.
 */
export function inBlocks(
  along: "queries" | "keys",
  { tensors, mask }: PartInputs,
  params: AttentionParams,
  define: DefinePart,
): MLXArray {
  const [query, key] = [only("queries", tensors[0]), only("keys", tensors[1])];
  const [rows, columns] = [query.shape.at(-2) ?? 0, key.shape.at(-2) ?? 0];
  const lead = columns - rows;
  const scores = (query.size / (query.shape.at(-1) ?? 1)) * columns;
  const length = along === "queries" ? rows : columns;
  // Queries that see no key at all spread their weight over all keys.
  if (scores <= blockScores || (params.isCausal && lead < 0)) return define({ tensors, mask }, params);
  // Other blocks than those of the statistics: scores of equal ones would be computed once for both, and all be kept.
  const share = tensors.length > 4 ? 0.75 : 1;
  const step = Math.max(1, Math.floor((length * blockScores * share) / scores));
  const blocks: MLXArray[] = [];
  for (let begin = 0; begin < length; begin += step) {
    const end = Math.min(length, begin + step);
    const inTime = params.isCausal;
    const [firstRow, endRow] = along === "queries" ? [begin, end] : [inTime ? Math.max(0, begin - lead) : 0, rows];
    const [firstKey, endKey] = along === "keys" ? [begin, end] : [0, inTime ? lead + end : columns];
    const part = tensors.map((tensor, k) =>
      k === 1 || k === 2 ? between(tensor, -2, firstKey, endKey) : between(tensor, -2, firstRow, endRow),
    );
    const own = mask && between(between(mask, -2, firstRow, endRow), -1, firstKey, endKey);
    const seen = inTime ? seenBetween(endRow - firstRow, endKey - firstKey, lead + firstRow - firstKey) : own;
    blocks.push(define({ tensors: part, mask: seen }, { ...params, isCausal: false }));
  }
  return concatenate(blocks, (blocks[0]?.ndim ?? 2) - 2);
}

/** Elements `begin` to `end` of an axis counted from the last; all of one that is missing or broadcast. */
function between(x: MLXArray, axis: number, begin: number, end: number): MLXArray {
  const length = x.shape.at(axis) ?? 1;
  return length === 1 || (begin === 0 && end === length) ? x : sliceAxis(x, x.ndim + axis, begin, end - begin);
}

/** Whether row i sees column j: from column i + lead on it does not. */
function seenBetween(rows: number, columns: number, lead: number): MLXArray {
  return greaterEqual(add(iota([rows, columns], 0, "int32"), lead), iota([rows, columns], 1, "int32"));
}
