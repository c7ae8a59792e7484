/** The schedule of large matrix products: the right operand is packed as a whole, the left one block by block. */

import type { ModuleBuilder } from "./assembler.ts";
import { BLOCK_BYTES, batchCount, GemmEmitter, isShared, type Push, roundUp } from "./gemm-emitter.ts";
import type { GemmCode, GemmSpec } from "./gemm-spec.ts";
import { TILE_COLUMNS, TILE_ROWS } from "./gemm-tile.ts";

/** Depths of a block: a right panel of so many (20 KiB) stays in the first-level cache. */
const DEPTH_BLOCK = 640;
/** Rows of a block: with DEPTH_BLOCK depths (480 KiB) it stays in the second-level cache. */
const ROW_BLOCK = 192;
/** Columns of a block whose sums must wait for further depths. */
const COLUMN_BLOCK = 1024;
/** Columns of finished sums that are handed on at a time, to be read from the cache. */
const CHUNK_COLUMNS = 256;
/** Columns that one item of the packing phase covers. */
const PACK_COLUMNS = 64;
/** Rows of blocks are a multiple of this: whole panels, and whole vectors of computed operands. */
const ROW_STEP = TILE_ROWS * 2;
/** Multiplications below which a block is not cut for the sake of more threads. */
const LEAST_ITEM_WORK = 1 << 18;

/** How a product is cut into blocks. */
interface Blocks {
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly rowBlocks: number;
  readonly columnBlocks: number;
}

/**
 * Emits the phases `<prefix>pack` and `<prefix>multiply`.
 *
 *     pack:      right ──────────────► panels of 8 columns, all depths       (threads take 64 columns at a time)
 *     multiply:  for each block of rows and columns                          (threads take blocks)
 *                  for each block of depths:  left ─► panels of 6 rows,  sums += panels · panels
 *                  sums ─► output
 *
 * A sum runs over depths in ascending order, in blocks that depend on the depth alone: threads never change a bit.
 */
export function emitPackedGemm(module: ModuleBuilder, spec: GemmSpec, prefix: string): GemmCode {
  const batches = batchCount(spec);
  const blocks = chooseBlocks(spec, batches);
  const { columns, depth, left, right } = spec;
  const rightBatches = isShared(right) ? 1 : batches;
  const paddedColumns = roundUp(columns, TILE_COLUMNS);
  const batchBytes = depth * paddedColumns * 4;
  const rightBytes = roundUp(rightBatches * batchBytes + 64, 64);

  const sumColumns = blocks.depth < depth ? blocks.columns : Math.min(CHUNK_COLUMNS, blocks.columns);
  // One more cache line to each row, so that the rows of a tile do not fall into one set of the cache.
  const sumStride = sumColumns * 4 + 64;
  const leftBytes = roundUp(blocks.rows * blocks.depth * 4 + 64, 64);
  const sumBytes = roundUp(blocks.rows * sumStride + 64, 64);
  const hasComputed = left.kind === "computed" || right.kind === "computed";
  // Sums of further blocks of depths come after the sums that they are added to.
  const sumsBytes = blocks.depth < depth ? 2 * sumBytes : sumBytes;
  const bytesPerThread = leftBytes + sumsBytes + (hasComputed ? roundUp(BLOCK_BYTES, 64) : 0);

  const groups = Math.ceil(columns / PACK_COLUMNS);
  GemmEmitter.addPhase(module, spec, `${prefix}pack`, (e, item) => {
    const { f } = e;
    const [batch = 0, group = 0] = e.split(item, [rightBatches, groups]);
    const column = e.let(e.sum([e.get(group), PACK_COLUMNS]));
    const count = e.let(e.least(e.constant(PACK_COLUMNS), () => f.i32(columns).get(column).op("i32.sub")));
    e.loop(depth, blocks.depth, (k) => {
      const depths = e.let(e.least(e.constant(blocks.depth), () => f.i32(depth).get(k).op("i32.sub")));
      const panels = e.sum(
        [e.scratch(0), 1],
        [e.get(batch), batchBytes],
        [e.get(k), paddedColumns * 4],
        [() => f.get(column, depths).op("i32.mul"), 4],
      );
      const block = e.sum([e.threadScratch(rightBytes, bytesPerThread), 1], leftBytes + sumsBytes);
      e.pack(right, "packRight", { batch, lane: column, lanes: count, k, depth: depths }, panels, block);
    });
  });

  GemmEmitter.addPhase(module, spec, `${prefix}multiply`, (e, item) => {
    const { f } = e;
    const [batch = 0, rowBlock = 0, columnBlock = 0] = e.split(item, [batches, blocks.rowBlocks, blocks.columnBlocks]);
    const row = e.let(e.sum([e.get(rowBlock), blocks.rows]));
    const rows = e.let(e.least(e.constant(blocks.rows), () => f.i32(spec.rows).get(row).op("i32.sub")));
    const panels = e.let(e.threadScratch(rightBytes, bytesPerThread));
    const sums = e.let(e.sum([e.get(panels), 1], leftBytes));
    const block = e.sum([e.get(panels), 1], leftBytes + sumsBytes);
    e.loop(blocks.columns, sumColumns, (chunk) => {
      const column = e.let(e.sum([e.get(columnBlock), blocks.columns], [e.get(chunk), 1]));
      // The last block may end before this chunk begins.
      f.get(column)
        .i32(columns)
        .op("i32.lt_u")
        .if(() => {
          const count = e.let(e.least(e.constant(sumColumns), () => f.i32(columns).get(column).op("i32.sub")));
          const columnPanels = (): void => {
            f.get(count)
              .i32(TILE_COLUMNS - 1)
              .op("i32.add")
              .i32(3)
              .op("i32.shr_u");
          };
          e.loop(depth, blocks.depth, (k) => {
            const depths = e.let(e.least(e.constant(blocks.depth), () => f.i32(depth).get(k).op("i32.sub")));
            // Chunks after the first exist only with a single block of depths: they use its panels again.
            f.get(chunk)
              .op("i32.eqz")
              .if(() =>
                e.pack(left, "packLeft", { batch, lane: row, lanes: rows, k, depth: depths }, e.get(panels), block),
              );
            const rightPanels = e.sum(
              [e.scratch(0), 1],
              [e.get(batch), rightBatches === 1 ? 0 : batchBytes],
              [e.get(k), paddedColumns * 4],
              [() => f.get(column, depths).op("i32.mul"), 4],
            );
            const multiplyTo = (target: Push): void =>
              e.call(
                "multiply",
                e.get(panels),
                rightPanels,
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
  const packItems = rightBatches * groups;
  const itemsPerPack = Math.max(1, Math.min(Math.floor(packItems / (spec.threadCount * 4)), 16));
  return {
    phases: [
      {
        name: `${prefix}pack`,
        itemCount: packItems,
        itemsPerChunk: itemsPerPack,
        work: (rightBatches * columns * depth) / 2,
      },
      {
        name: `${prefix}multiply`,
        itemCount: batches * blocks.rowBlocks * blocks.columnBlocks,
        itemsPerChunk: itemsPerChunk(products / (batches * blocks.rowBlocks * blocks.columnBlocks)),
        work: products / 3,
      },
    ],
    scratchBytes: rightBytes + bytesPerThread * spec.threadCount,
  };
}

/** Small items, such as those of a large batch of small products, are taken several at a time. */
function itemsPerChunk(productsPerItem: number): number {
  return Math.max(1, Math.floor(LEAST_ITEM_WORK / productsPerItem));
}

/** Even blocks, of the cache's size or smaller, at least two for each thread where there is work enough. */
function chooseBlocks({ rows, columns, depth, threadCount }: GemmSpec, batches: number): Blocks {
  // A multiple of 8, so that computed operands are asked for whole vectors.
  const depthBlock = Math.min(depth, roundUp(Math.ceil(depth / Math.ceil(depth / DEPTH_BLOCK)), 8));
  const columnBlocks = Math.ceil(columns / COLUMN_BLOCK);
  const products = rows * columns * depth;
  const cut = (rowBlocks: number, columnPieces: number): Blocks => {
    const evenRows = roundUp(Math.ceil(rows / rowBlocks), ROW_STEP);
    const evenColumns = roundUp(Math.ceil(columns / columnPieces), TILE_COLUMNS);
    return {
      rows: evenRows,
      columns: evenColumns,
      depth: depthBlock,
      rowBlocks: Math.ceil(rows / evenRows),
      columnBlocks: Math.ceil(columns / evenColumns),
    };
  };
  const wanted = threadCount === 1 ? 1 : Math.min(2 * threadCount, Math.floor((batches * products) / LEAST_ITEM_WORK));
  let rowBlocks = Math.ceil(rows / ROW_BLOCK);
  let columnPieces = columnBlocks;
  while (batches * rowBlocks * columnPieces < wanted) {
    // Cut the longer side of a block; rows down to 16, columns down to 64.
    const canCutRows = rows / rowBlocks >= 32;
    const canCutColumns = columns / columnPieces >= 128;
    if (!canCutRows && !canCutColumns) break;
    if (canCutRows && (!canCutColumns || rows / rowBlocks >= columns / columnPieces / 4)) rowBlocks++;
    else columnPieces++;
  }
  // A multiple of the threads, so that none waits for the last block.
  const remainder = (batches * rowBlocks * columnPieces) % threadCount;
  if (batches === 1 && columnPieces === 1 && remainder > 0 && rowBlocks < 4 * threadCount && rows / rowBlocks >= 32) {
    rowBlocks += threadCount - remainder;
  }
  return cut(rowBlocks, columnPieces);
}
