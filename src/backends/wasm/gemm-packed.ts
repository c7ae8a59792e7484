/** The schedule of large matrix products: operands are packed into panels, block by block or ahead of the product. */

import type { ModuleBuilder } from "./assembler.ts";
import { batchCount, GemmEmitter, isShared, type Push, packingBytes, roundUp } from "./gemm-emitter.ts";
import { gemmLibrary } from "./gemm-library.ts";
import type { GemmCode, GemmPhase, GemmSpec } from "./gemm-spec.ts";
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
/** Columns that one item of the packing phase covers. */
const PACK_COLUMNS = 64;
/** Rows of blocks are a multiple of this: whole panels, and whole vectors of computed operands. */
const ROW_STEP = TILE_ROWS * 2;
/** Fewest columns of a block that packs both operands: the left one is packed again for each. */
const LEAST_COLUMNS = 64;
/** Multiplications below which a block is not cut for the sake of more threads. */
const LEAST_ITEM_WORK = 1 << 18;

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

/**
 * Emits the phases `pack`, where several blocks of rows meet the same columns, and `multiply`.
 *
 *     pack:      right ──────────────► panels of columns, all depths         (threads take 64 columns at a time)
 *     multiply:  for each block of rows and columns                          (threads take blocks)
 *                  for each block of depths:  left ─► panels of 6 rows,  (right ─► panels,)  sums += panels · panels
 *                  sums ─► output
 *
 * A sum runs over depths in ascending order, in blocks that depend on the depth alone: threads never change a bit.
 */
export function emitPackedGemm(module: ModuleBuilder, spec: GemmSpec): GemmCode {
  const batches = batchCount(spec);
  const blocks = chooseBlocks(spec, batches);
  const { columns, depth, left, right, tileColumns } = spec;
  const { packsAhead } = blocks;
  const rightBatches = isShared(right) ? 1 : batches;
  const paddedColumns = roundUp(columns, tileColumns);
  const batchBytes = depth * paddedColumns * 4;
  const aheadBytes = packsAhead ? roundUp(rightBatches * batchBytes + 64, 64) : 0;

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
  const bytesPerThread = workOffset + packingBytes([left, right]);
  const phases: GemmPhase[] = [];

  /** Calls `body` with the first depth of each block and how many it has. */
  const eachDepthBlock = (e: GemmEmitter, body: (k: number, depths: number) => void): void =>
    e.loop(depth, blocks.depth, (k) => {
      const depths = e.let(e.least(e.constant(blocks.depth), () => e.f.i32(depth).get(k).op("i32.sub")));
      body(k, depths);
      e.f.release(depths);
    });

  if (packsAhead) {
    const groups = Math.ceil(columns / PACK_COLUMNS);
    GemmEmitter.addPhase(module, spec, "pack", (e, item) => {
      const { f } = e;
      const [batch = 0, group = 0] = e.split(item, [rightBatches, groups]);
      const column = e.let(e.sum([e.get(group), PACK_COLUMNS]));
      const count = e.let(e.least(e.constant(PACK_COLUMNS), () => f.i32(columns).get(column).op("i32.sub")));
      eachDepthBlock(e, (k, depths) => {
        const panels = e.sum(
          [e.scratch(0), 1],
          [e.get(batch), batchBytes],
          [e.get(k), paddedColumns * 4],
          [() => f.get(column, depths).op("i32.mul"), 4],
        );
        const work = e.sum([e.threadScratch(aheadBytes, bytesPerThread), 1], workOffset);
        e.pack("Right", right, { batch, lane: column, lanes: count, k, depth: depths }, panels, work);
      });
    });
    const itemCount = rightBatches * groups;
    phases.push({
      name: "pack",
      itemCount,
      itemsPerChunk: Math.max(1, Math.min(Math.floor(itemCount / (spec.threadCount * 4)), 16)),
      work: (rightBatches * columns * depth) / 2,
    });
  }

  GemmEmitter.addPhase(module, spec, "multiply", (e, item) => {
    const { f } = e;
    const [batch = 0, rowBlock = 0, columnBlock = 0] = e.split(item, [batches, blocks.rowBlocks, blocks.columnBlocks]);
    const row = e.let(e.sum([e.get(rowBlock), blocks.rows]));
    const rows = e.let(e.least(e.constant(blocks.rows), () => f.i32(spec.rows).get(row).op("i32.sub")));
    const leftPanels = e.let(e.threadScratch(aheadBytes, bytesPerThread));
    const rightPanels = e.sum([e.get(leftPanels), 1], leftBytes);
    const sums = e.let(e.sum([e.get(leftPanels), 1], leftBytes + rightBytes));
    const work = e.sum([e.get(leftPanels), 1], workOffset);
    e.loop(blocks.columns, sumColumns, (chunk) => {
      const column = e.let(e.sum([e.get(columnBlock), blocks.columns], [e.get(chunk), 1]));
      // The last block may end before this chunk begins.
      f.get(column)
        .i32(columns)
        .op("i32.lt_u")
        .if(() => {
          const count = e.let(e.least(e.constant(sumColumns), () => f.i32(columns).get(column).op("i32.sub")));
          const columnPanels = e.panels(e.get(count), tileColumns);
          eachDepthBlock(e, (k, depths) => {
            // Chunks after the first exist only with a single block of depths: they use its panels again.
            f.get(chunk)
              .op("i32.eqz")
              .if(() =>
                e.pack("Left", left, { batch, lane: row, lanes: rows, k, depth: depths }, e.get(leftPanels), work),
              );
            if (!packsAhead) {
              e.pack("Right", right, { batch, lane: column, lanes: count, k, depth: depths }, rightPanels, work);
            }
            const aheadPanels = e.sum(
              [e.scratch(0), 1],
              [e.get(batch), rightBatches === 1 ? 0 : batchBytes],
              [e.get(k), paddedColumns * 4],
              [() => f.get(column, depths).op("i32.mul"), 4],
            );
            const multiplyTo = (target: Push): void =>
              e.call(
                "multiply",
                e.get(leftPanels),
                packsAhead ? aheadPanels : rightPanels,
                target,
                e.constant(sumStride),
                e.get(depths),
                e.get(rows),
                columnPanels,
              );
            f.get(k).if(
              () => {
                const part = e.sum([e.get(sums), 1], sumBytes);
                multiplyTo(part);
                e.call("addVectors", part, e.get(sums), e.sum([e.get(rows), sumStride]));
              },
              () => multiplyTo(e.get(sums)),
            );
          });
          const range = { batch, row: e.get(row), rows: e.get(rows), column: e.get(column), columns: e.get(count) };
          e.finish(spec.output, range, e.get(sums), sumStride);
        });
    });
  });

  const products = batches * spec.rows * columns * depth;
  const itemCount = batches * blocks.rowBlocks * blocks.columnBlocks;
  // Small items, such as those of a large batch of small products, are taken several at a time.
  const itemsPerChunk = Math.max(1, Math.floor(LEAST_ITEM_WORK / (products / itemCount)));
  phases.push({ name: "multiply", itemCount, itemsPerChunk, work: products / 3 });
  return { phases, scratchBytes: aheadBytes + bytesPerThread * spec.threadCount, library: gemmLibrary(tileColumns) };
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
