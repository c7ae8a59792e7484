/** The schedule of large matrix products: operands are packed into panels, block by block or ahead of the product. */

import { LEAST_ITEM_WORK, type PackedPlan, planPacked } from "./gemm-blocks.ts";
import { GemmEmitter, type Push } from "./gemm-emitter.ts";
import { gemmLibrary } from "./gemm-library.ts";
import { type PackRange, pack } from "./gemm-panels.ts";
import type { GemmCode, GemmPhase, GemmSpec } from "./gemm-spec.ts";
import type { ModuleBuilder } from "./module-builder.ts";

/** Columns that one item of the packing phase covers. */
const PACK_COLUMNS = 64;

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
  const plan = planPacked(spec);
  const phases: GemmPhase[] = [];
  if (plan.blocks.packsAhead) {
    GemmEmitter.addPhase(module, spec, "pack", (e, item) => packColumns(e, plan, item));
    phases.push(packPhase(plan));
  }
  GemmEmitter.addPhase(module, spec, "multiply", (e, item) => multiplyBlock(e, plan, item));
  phases.push(multiplyPhase(plan));
  const scratchBytes = plan.aheadBytes + plan.bytesPerThread * spec.threadCount;
  return { phases, scratchBytes, library: gemmLibrary(spec.tileColumns) };
}

function packPhase({ spec, rightBatches }: PackedPlan): GemmPhase {
  const itemCount = rightBatches * packGroups(spec);
  const itemsPerChunk = Math.max(1, Math.min(Math.floor(itemCount / (spec.threadCount * 4)), 16));
  return { name: "pack", itemCount, itemsPerChunk, work: (rightBatches * spec.columns * spec.depth) / 2 };
}

function multiplyPhase({ spec, batches, blocks }: PackedPlan): GemmPhase {
  const products = batches * spec.rows * spec.columns * spec.depth;
  const itemCount = batches * blocks.rowBlocks * blocks.columnBlocks;
  // Small items, such as those of a large batch of small products, are taken several at a time.
  const itemsPerChunk = Math.max(1, Math.floor(LEAST_ITEM_WORK / (products / itemCount)));
  return { name: "multiply", itemCount, itemsPerChunk, work: products / 3 };
}

function packGroups({ columns }: GemmSpec): number {
  return Math.ceil(columns / PACK_COLUMNS);
}

/** Packs all depths of some columns of the right operand, for all blocks that meet them. */
function packColumns(e: GemmEmitter, plan: PackedPlan, item: number): void {
  const { spec, rightBatches, aheadBytes, bytesPerThread, workOffset } = plan;
  const [batch = 0, group = 0] = e.split(item, [rightBatches, packGroups(spec)]);
  const lane = e.let(e.sum([e.get(group), PACK_COLUMNS]));
  const lanes = e.let(e.least(e.constant(PACK_COLUMNS), () => e.f.i32(spec.columns).get(lane).op("i32.sub")));
  eachDepthBlock(e, plan, (k, depth) => {
    const range = { batch, lane, lanes, k, depth };
    const work = e.sum([e.threadScratch(aheadBytes, bytesPerThread), 1], workOffset);
    const destination = panelsAhead(e, plan, range, plan.batchBytes);
    pack(e, "Right", spec.right, range, { destination, work });
  });
}

/** Pushes where the panels of the right operand that were packed ahead begin. */
function panelsAhead(
  e: GemmEmitter,
  { paddedColumns }: PackedPlan,
  { batch, lane, k, depth }: PackRange,
  batchBytes: number,
): Push {
  return e.sum(
    [e.scratch(0), 1],
    [e.get(batch), batchBytes],
    [e.get(k), paddedColumns * 4],
    [() => e.f.get(lane, depth).op("i32.mul"), 4],
  );
}

/** Calls `body` with the first depth of each block and how many it has. */
function eachDepthBlock(
  e: GemmEmitter,
  { spec: { depth }, blocks }: PackedPlan,
  body: (k: number, depths: number) => void,
): void {
  e.loop(depth, blocks.depth, (k) => {
    const depths = e.let(e.least(e.constant(blocks.depth), () => e.f.i32(depth).get(k).op("i32.sub")));
    body(k, depths);
    e.f.release(depths);
  });
}

/** A block of rows, and the memory for it: locals, and what pushes addresses. */
interface RowBlock {
  readonly row: number;
  readonly rows: number;
  readonly leftPanels: Push;
  readonly rightPanels: Push;
  readonly sums: Push;
  /** What packing needs besides. */
  readonly work: Push;
}

/** Computes a block of the product, some columns after the others, and hands each on when its sums are finished. */
function multiplyBlock(e: GemmEmitter, plan: PackedPlan, item: number): void {
  const { f } = e;
  const { spec, batches, blocks, sumColumns, sumStride } = plan;
  const [batch = 0, rowBlock = 0, columnBlock = 0] = e.split(item, [batches, blocks.rowBlocks, blocks.columnBlocks]);
  const block = rowBlockOf(e, plan, rowBlock);
  e.loop(blocks.columns, sumColumns, (chunk) => {
    const column = e.let(e.sum([e.get(columnBlock), blocks.columns], [e.get(chunk), 1]));
    // The last block may end before this chunk begins.
    f.get(column).i32(spec.columns).op("i32.lt_u");
    f.if(() => {
      const columns = e.let(e.least(e.constant(sumColumns), () => f.i32(spec.columns).get(column).op("i32.sub")));
      eachDepthBlock(e, plan, (k, depth) => {
        // Chunks after the first exist only with a single block of depths: they use its panels again.
        f.get(chunk).op("i32.eqz");
        f.if(() => {
          const range = { batch, lane: block.row, lanes: block.rows, k, depth };
          pack(e, "Left", spec.left, range, { destination: block.leftPanels, work: block.work });
        });
        addDepths(e, plan, block, { batch, lane: column, lanes: columns, k, depth });
      });
      const range = { batch, row: e.get(block.row), rows: e.get(block.rows) };
      e.finish(spec.output, { ...range, column: e.get(column), columns: e.get(columns) }, block.sums, sumStride);
    });
  });
}

function rowBlockOf(e: GemmEmitter, plan: PackedPlan, index: number): RowBlock {
  const { spec, blocks, leftBytes, rightBytes } = plan;
  const row = e.let(e.sum([e.get(index), blocks.rows]));
  const rows = e.let(e.least(e.constant(blocks.rows), () => e.f.i32(spec.rows).get(row).op("i32.sub")));
  const leftPanels = e.get(e.let(e.threadScratch(plan.aheadBytes, plan.bytesPerThread)));
  return {
    row,
    rows,
    leftPanels,
    rightPanels: e.sum([leftPanels, 1], leftBytes),
    sums: e.get(e.let(e.sum([leftPanels, 1], leftBytes + rightBytes))),
    work: e.sum([leftPanels, 1], plan.workOffset),
  };
}

/** Adds the products of a block of depths, of which the left operand is packed, to the sums. */
function addDepths(e: GemmEmitter, plan: PackedPlan, block: RowBlock, range: PackRange): void {
  const { spec, blocks, rightBatches, sumStride, sumBytes } = plan;
  const { rows, leftPanels, sums, work } = block;
  if (!blocks.packsAhead) pack(e, "Right", spec.right, range, { destination: block.rightPanels, work });
  const rightPanels = blocks.packsAhead
    ? panelsAhead(e, plan, range, rightBatches === 1 ? 0 : plan.batchBytes)
    : block.rightPanels;
  const lengths = [e.get(range.depth), e.get(rows), e.panels(e.get(range.lanes), spec.tileColumns)];
  const multiplyTo = (target: Push): void =>
    e.call("multiply", leftPanels, rightPanels, target, e.constant(sumStride), ...lengths);
  e.f.get(range.k).if(
    () => {
      const part = e.sum([sums, 1], sumBytes);
      multiplyTo(part);
      e.call("addVectors", part, sums, e.sum([e.get(rows), sumStride]));
    },
    () => multiplyTo(sums),
  );
}
