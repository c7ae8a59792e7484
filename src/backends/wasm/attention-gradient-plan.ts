/** How the gradient of attention is cut into blocks, and where a thread keeps what it makes of one. */
import type { MaskedAttention } from "./attention-call.ts";
import { roundUp } from "./gemm-emitter.ts";
import { packingBytes } from "./gemm-panels.ts";
import type { TileColumns } from "./gemm-tile.ts";
import { TILE_ROWS } from "./gemm-tile.ts";

/** Queries of a block. */
const QUERY_BLOCK = 48;
/** Keys that are packed, and whose sums are added up, at a time. */
const KEY_CHUNK = 384;

/** A piece of a thread's memory. */
export type GradientArea =
  | "queryPanels"
  | "cotangentPanels"
  | "keyPanels"
  | "valuePanels"
  | "scores"
  | "slopes"
  | "totals"
  | "factors"
  | "cotangents"
  | "ownQueries"
  | "ownCotangents"
  | "left"
  | "chunkKeys"
  | "part"
  | "querySums"
  | "keySums"
  | "valueSums"
  | "table";

/** Blocks and memory of a gradient. */
export interface GradientPlan {
  readonly width: TileColumns;
  /** Queries of a block, and keys of a chunk. */
  readonly block: number;
  readonly chunk: number;
  /** Features of keys and of values, whole panels. */
  readonly columns: number;
  readonly valueColumns: number;
  /** Bytes of a row of scores, of sums of queries and keys, and of sums of values. */
  readonly scoreStride: number;
  readonly sumStride: number;
  readonly valueStride: number;
  /** Bytes of each area of a thread's memory, and where it lies. */
  readonly areas: Readonly<Record<GradientArea, number>>;
  readonly offsets: Readonly<Record<GradientArea, number>>;
  readonly bytesPerThread: number;
}

/** The plan for an attention, with tiles of `width` columns. */
export function planGradient(attention: MaskedAttention, width: TileColumns): GradientPlan {
  const { queries, keys, features, valueFeatures } = attention;
  const block = Math.min(QUERY_BLOCK, roundUp(queries, TILE_ROWS));
  const chunk = Math.min(KEY_CHUNK, roundUp(keys, width));
  const [columns, valueColumns] = [roundUp(features, width), roundUp(valueFeatures, width)];
  // One more cache line to each row, so that the rows of a tile do not fall into one set of the cache.
  const scoreStride = roundUp(keys, width) * 4 + 64;
  const cut = { width, block, chunk, columns, valueColumns, scoreStride };
  const areas = areasOf(attention, cut);
  const offsets = { ...areas };
  let bytesPerThread = 0;
  for (const [area, length] of Object.entries(areas)) {
    Object.assign(offsets, { [area]: bytesPerThread });
    // Vectors may reach past the end of what they read and write.
    bytesPerThread += roundUp(length + 64, 64);
  }
  const strides = { sumStride: columns * 4, valueStride: valueColumns * 4 };
  return { ...cut, ...strides, areas, offsets, bytesPerThread };
}

function areasOf(
  { keys, features, valueFeatures }: MaskedAttention,
  {
    width,
    block,
    chunk,
    columns,
    valueColumns,
    scoreStride,
  }: Pick<GradientPlan, "width" | "block" | "chunk" | "columns" | "valueColumns" | "scoreStride">,
): Readonly<Record<GradientArea, number>> {
  return {
    queryPanels: block * features * 4,
    cotangentPanels: block * valueFeatures * 4,
    keyPanels: roundUp(keys, width) * features * 4,
    valuePanels: roundUp(keys, width) * valueFeatures * 4,
    scores: block * scoreStride,
    slopes: block * scoreStride,
    totals: block * 4,
    /** The scale, and one. */
    factors: 8,
    /** Cotangents divided by the sums of their queries' softmax, before they are packed. */
    cotangents: block * valueFeatures * 4,
    ownQueries: block * columns * 4,
    ownCotangents: block * valueColumns * 4,
    /** The left operand of the products that give sums, and the right one of those of queries. */
    left: roundUp(block, TILE_ROWS) * roundUp(chunk, TILE_ROWS) * 4,
    chunkKeys: chunk * columns * 4,
    /** Sums over a chunk of keys, or a block of queries, before they are added. */
    part: Math.max(block, roundUp(chunk, TILE_ROWS)) * Math.max(columns, valueColumns) * 4,
    querySums: block * columns * 4,
    keySums: roundUp(keys, TILE_ROWS) * columns * 4,
    valueSums: roundUp(keys, TILE_ROWS) * valueColumns * 4,
    table: packingBytes([]),
  };
}
