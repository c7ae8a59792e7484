/** How a large matrix product is cut into blocks, and where panels and sums of a block lie. */

import { batchCount, isShared, roundUp } from "./gemm-emitter.ts";
import { packingBytes } from "./gemm-panels.ts";
import type { GemmSpec } from "./gemm-spec.ts";
import { TILE_ROWS } from "./gemm-tile.ts";

/** Depths of a block: a right panel of so many (20 KiB) stays in the first-level cache. */
const DEPTH_BLOCK = 640;
/** Rows of a block: with DEPTH_BLOCK depths (480 KiB) it stays in the second-level cache. */
const ROW_BLOCK = 192;
/** Most rows of a block that takes all rows, so that the right operand need not be packed ahead for others. */
const SINGLE_ROW_BLOCK = 288;
/** Columns of a block whose sums must wait for further depths. */
const COLUMN_BLOCK = 1024;
/** Columns of finished sums that are handed on at a time, to be read from the cache. */
const CHUNK_COLUMNS = 256;
/** Rows of a block whose long rows a function stores whole, up to COLUMN_BLOCK: what it reads and writes lies in long runs. */
const STORED_ROWS = 96;
/**
 * A right operand larger than the second-level cache, rows contiguous, met by one block of rows: it is read once, and faster
 * by long stretches of a few rows than by short ones of many, which are all on pages of their own. So many depths and columns
 * at most (3 MiB, which the third-level cache hands on), and so many sums, then make a block.
 */
const [STREAM_SIZE, STREAM_DEPTH, STREAM_COLUMNS, STREAM_SUMS] = [1 << 20, 192, 4096, 3 << 17];
/** Rows of blocks are a multiple of this: whole panels, and whole vectors of computed operands. */
const ROW_STEP = TILE_ROWS * 2;
/** Fewest columns of a block that packs both operands: the left one is packed again for each. */
const LEAST_COLUMNS = 64;
/** Multiplications below which a block is not cut for the sake of more threads. */
export const LEAST_ITEM_WORK: number = 1 << 18;

/** How a product is cut into blocks. */
interface Blocks {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly rowBlocks: number;
  readonly columnBlocks: number;
  /** Whether the right operand is packed in a phase of its own, for all blocks of rows. */
  readonly packsAhead: boolean;
}

/** A product that is cut, and the memory that it takes, in bytes. */
export interface PackedPlan {
  readonly spec: GemmSpec;
  readonly batches: number;
  readonly blocks: Blocks;
  /** The right operand, packed ahead: how many batches differ, the columns of its panels, and what a batch and all of it take. */
  readonly rightBatches: number;
  readonly paddedColumns: number;
  readonly batchBytes: number;
  readonly aheadBytes: number;
  /** Columns of sums that are computed before they are handed on, and the distance of their rows. */
  readonly sumColumns: number;
  readonly sumStride: number;
  /** Of a thread: panels of the left operand, those of the right one, sums twice if depths are cut, and what packing needs. */
  readonly leftBytes: number;
  readonly rightBytes: number;
  readonly sumBytes: number;
  readonly workOffset: number;
  readonly bytesPerThread: number;
}

/** The plan of a product. */
export function planPacked(spec: GemmSpec): PackedPlan {
  const { columns, depth, left, right, tileColumns } = spec;
  const batches = batchCount(spec);
  const blocks = chooseBlocks(spec, batches);
  const { packsAhead } = blocks;
  const rightBatches = isShared(right) ? 1 : batches;
  const paddedColumns = roundUp(columns, tileColumns);
  const batchBytes = depth * paddedColumns * 4;
  const isDeep = blocks.depth < depth;
  const chunkColumns = isLongStore(spec) ? COLUMN_BLOCK : CHUNK_COLUMNS;
  const sumColumns = isDeep ? blocks.columns : Math.min(chunkColumns, blocks.columns);
  // One more cache line to each row, so that the rows of a tile do not fall into one set of the cache.
  const sumStride = sumColumns * 4 + 64;
  const leftBytes = roundUp(blocks.rows * blocks.depth * 4 + 64, 64);
  const rightBytes = packsAhead ? 0 : roundUp(sumColumns * blocks.depth * 4 + 64, 64);
  const sumBytes = roundUp(blocks.rows * sumStride + 64, 64);
  // Sums of further blocks of depths come after the sums that they are added to.
  const workOffset = leftBytes + rightBytes + (isDeep ? 2 : 1) * sumBytes;
  return {
    spec,
    batches,
    blocks,
    rightBatches,
    paddedColumns,
    batchBytes,
    aheadBytes: packsAhead ? roundUp(rightBatches * batchBytes + 64, 64) : 0,
    sumColumns,
    sumStride,
    leftBytes,
    rightBytes,
    sumBytes,
    workOffset,
    bytesPerThread: workOffset + packingBytes([left, right]),
  };
}

/** Whether a function stores rows longer than the chunks in which finished sums are handed on. */
function isLongStore({ output, columns }: GemmSpec): boolean {
  return output.kind === "computed" && columns > CHUNK_COLUMNS;
}

/** Even blocks, of the cache's size or smaller, at least two for each thread where there is work enough. */
function chooseBlocks(spec: GemmSpec, batches: number): Blocks {
  const { rows, columns, depth, right, threadCount, tileColumns } = spec;
  const [rowBlock, singleRows] = isLongStore(spec) ? [STORED_ROWS, 2 * STORED_ROWS] : [ROW_BLOCK, SINGLE_ROW_BLOCK];
  const isRepeated = isShared(right) && batches > 1;
  const isSingle = rows <= singleRows && !isRepeated;
  const hasLines = right.kind === "strided" && right.laneStride === 4;
  const isStreamed = isSingle && hasLines && columns * depth >= STREAM_SIZE;
  // A multiple of 8, so that computed operands are asked for whole vectors.
  const depthLimit = isStreamed ? STREAM_DEPTH : DEPTH_BLOCK;
  const depthBlock = Math.min(depth, roundUp(Math.ceil(depth / Math.ceil(depth / depthLimit)), 8));
  const cut = (rowPieces: number, columnPieces: number, packsAhead: boolean): Blocks => {
    const evenRows = roundUp(Math.ceil(rows / rowPieces), ROW_STEP);
    const evenColumns = roundUp(Math.ceil(columns / columnPieces), tileColumns);
    return {
      rows: evenRows,
      columns: evenColumns,
      depth: depthBlock,
      rowBlocks: Math.ceil(rows / evenRows),
      columnBlocks: Math.ceil(columns / evenColumns),
      packsAhead,
    };
  };
  const products = batches * rows * columns * depth;
  const wanted = threadCount === 1 ? 1 : Math.min(2 * threadCount, Math.floor(products / LEAST_ITEM_WORK));
  const columnsPerThread = batches >= wanted ? columns : columns / threadCount;
  if (isSingle && (wanted <= 1 || columnsPerThread >= LEAST_COLUMNS)) {
    // Chunks of one block share the packed left operand, unless further depths take its place.
    const widest = isStreamed ? Math.min(STREAM_COLUMNS, Math.floor(STREAM_SUMS / rows)) : CHUNK_COLUMNS;
    const fewest = depthBlock < depth ? Math.ceil(columns / widest) : 1;
    const most = Math.max(fewest, Math.floor(columns / LEAST_COLUMNS));
    // A multiple of the threads, so that none waits for the last block.
    const even = roundUp(Math.max(fewest, Math.ceil(wanted / batches)), batches >= wanted ? 1 : threadCount);
    return cut(1, Math.min(even, most), false);
  }
  let rowPieces = Math.ceil(rows / rowBlock);
  let columnPieces = Math.ceil(columns / COLUMN_BLOCK);
  while (batches * rowPieces * columnPieces < wanted) {
    // Cut the longer side of a block; rows down to 16, columns down to 64.
    const canCutRows = rows / rowPieces >= 32;
    const canCutColumns = columns / columnPieces >= 128;
    if (!canCutRows && !canCutColumns) break;
    if (canCutRows && (!canCutColumns || rows / rowPieces >= columns / columnPieces / 4)) rowPieces++;
    else columnPieces++;
  }
  // A multiple of the threads, so that none waits for the last block.
  const remainder = (batches * rowPieces * columnPieces) % threadCount;
  if (batches === 1 && columnPieces === 1 && remainder > 0 && rowPieces < 4 * threadCount && rows / rowPieces >= 32) {
    rowPieces += threadCount - remainder;
  }
  return cut(rowPieces, columnPieces, true);
}
