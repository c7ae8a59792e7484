/** The schedule of matrix products with one small side, such as matrix times vector: the other operand is read in place. */

import { batchCount, GemmEmitter, isShared, type Push, roundUp } from "./gemm-emitter.ts";
import { thinLibrary } from "./gemm-library.ts";
import { BLOCK, BLOCK_BYTES } from "./gemm-panels.ts";
import type { ComputedOperand, GemmCode, GemmPhase, GemmSpec, StridedOperand } from "./gemm-spec.ts";
import type { ModuleBuilder } from "./module-builder.ts";

/** Most lanes of the small side of dot products. */
const DOTS_LIMIT = 16;
/**
 * The same where rows are scaled and added up, and where the large side has this many elements. Wide tiles pack sooner,
 * narrow ones later; but a result's bits must not depend on which of them a trial chose.
 */
const [ROWS_LIMIT, LARGE_SIZE, LARGE_ROWS_LIMIT] = [6, 1 << 20, 3];
/** Depths summed at a time, so that errors do not pile up over long sums, and the small operand stays in the cache. */
const DEPTH_BLOCK = 1024;
/** Lanes of the large operand in one item, at most: of rows that are scaled long stretches, which come faster from memory. */
const [DOTS_BLOCK, ROWS_BLOCK] = [512, 4096];
const LEAST_WIDE_BLOCK = 64;
/** Most lanes that a fused store computes at a time. */
const STORE_LANES = 8;

/** A product seen from its small operand. */
interface ThinView {
  readonly thin: StridedOperand | ComputedOperand;
  readonly wide: StridedOperand;
  readonly thinCount: number;
  readonly wideCount: number;
  /** Whether the small operand is the right one. */
  readonly isTransposed: boolean;
}

/** Whether, and how, a product can be computed by {@link emitThinGemm}. */
export function thinView({ rows, columns, depth, left, right }: GemmSpec): ThinView | undefined {
  const byLeft = { thin: left, wide: right, thinCount: rows, wideCount: columns, isTransposed: false };
  const byRight = { thin: right, wide: left, thinCount: columns, wideCount: rows, isTransposed: true };
  for (const { wide, thin, ...view } of rows <= columns ? [byLeft, byRight] : [byRight, byLeft]) {
    if (wide.kind !== "strided" || thin.kind === "located" || (thin.kind === "computed" && thin.isInRuns)) continue;
    const rowsLimit = view.wideCount * depth < LARGE_SIZE ? ROWS_LIMIT : LARGE_ROWS_LIMIT;
    const limit = wide.depthStride === 4 ? DOTS_LIMIT : wide.laneStride === 4 ? rowsLimit : 0;
    if (view.thinCount <= limit) return { wide, thin, ...view };
  }
  return undefined;
}

/** A thin product that is cut into blocks of lanes of the large operand, and the memory that it takes, in bytes. */
interface ThinPlan extends ThinView {
  readonly spec: GemmSpec;
  readonly batches: number;
  /** Whether sums are dot products; otherwise rows of the large operand are scaled and added up. */
  readonly usesDots: boolean;
  /** The small operand, if it lies ready. */
  readonly inPlace: StridedOperand | null;
  /** The small operand, gathered: how many batches differ, what a lane takes, and all. */
  readonly thinBatches: number;
  readonly lineBytes: number;
  readonly thinBytes: number;
  /** Lanes of the large operand in a block, and the number of blocks. */
  readonly wideBlock: number;
  readonly wideBlocks: number;
  /** Of a thread: what computing the small operand takes, then sums. */
  readonly blockBytes: number;
  readonly sumBytes: number;
  readonly bytesPerThread: number;
  /** Sums lie as [thin][wide], or as [wide][thin] for a transposed product. Scaled rows only make the former. */
  readonly mustTurn: boolean;
  /** Scaled rows of a deep product are summed apart, one block of depths at a time. */
  readonly sumsApart: boolean;
}

function planThin(spec: GemmSpec, view: ThinView): ThinPlan {
  const { thin, wide, thinCount, wideCount, isTransposed } = view;
  const { depth, threadCount } = spec;
  const batches = batchCount(spec);
  const usesDots = wide.depthStride === 4;

  const inPlace = thin.kind === "strided" && thin.depthStride === 4 ? thin : null;
  const thinBatches = isShared(thin) ? 1 : batches;
  const lineBytes = depth * 4 + 16;
  const thinBytes = inPlace ? 0 : roundUp(thinBatches * thinCount * lineBytes + 64, 64);

  const pieces = Math.ceil(((usesDots ? 4 : 2) * threadCount) / batches);
  const evenBlock = Math.ceil(wideCount / (threadCount === 1 ? 1 : pieces));
  // Blocks begin at whole vectors of whatever is fused into the store.
  const mostBlock = usesDots ? DOTS_BLOCK : ROWS_BLOCK;
  const wideBlock = roundUp(Math.min(mostBlock, Math.max(LEAST_WIDE_BLOCK, evenBlock), wideCount), STORE_LANES);
  const sumBytes = roundUp(thinCount * wideBlock * 4 + 64, 64);
  const blockBytes = thin.kind === "computed" ? roundUp(BLOCK_BYTES, 64) : 0;
  const mustTurn = isTransposed && !usesDots && thinCount > 1;
  const sumsApart = !usesDots && depth > DEPTH_BLOCK;
  return {
    ...view,
    spec,
    batches,
    usesDots,
    inPlace,
    thinBatches,
    lineBytes,
    thinBytes,
    wideBlock,
    wideBlocks: Math.ceil(wideCount / wideBlock),
    blockBytes,
    sumBytes,
    bytesPerThread: (mustTurn || sumsApart ? 2 : 1) * sumBytes + blockBytes,
    mustTurn,
    sumsApart,
  };
}

/**
 * Emits the phases `gather`, unless the small operand lies ready, and `multiply`.
 *
 *     gather:    small operand ─► [lane][k], contiguous along k
 *     multiply:  for each block of lanes of the large operand      (threads take blocks)
 *                  sums ─► output,  where the sums are dot products if the large operand is contiguous along k,
 *                                   else its rows, eight at a time, scaled and added up
 */
export function emitThinGemm(module: ModuleBuilder, spec: GemmSpec, view: ThinView): GemmCode {
  const plan = planThin(spec, view);
  const { batches, inPlace, thinBatches, thinCount, wideCount, wideBlocks, thinBytes, bytesPerThread } = plan;
  const phases: GemmPhase[] = [];
  if (!inPlace) {
    GemmEmitter.addPhase(module, spec, "gather", (e, batch) => gatherThin(e, plan, batch));
    const work = thinBatches * thinCount * spec.depth * 2;
    phases.push({ name: "gather", itemCount: thinBatches, itemsPerChunk: 1, work });
  }
  GemmEmitter.addPhase(module, spec, "multiply", (e, item) => multiplyBlock(e, plan, item));
  const products = batches * thinCount * wideCount * spec.depth;
  phases.push({ name: "multiply", itemCount: batches * wideBlocks, itemsPerChunk: 1, work: products / 2 });
  return { phases, scratchBytes: thinBytes + bytesPerThread * spec.threadCount, library: thinLibrary };
}

/** A block of lanes of the large operand: locals. */
interface WideBlock {
  readonly batch: number;
  readonly lane: number;
  readonly lanes: number;
  /** Addresses of the sums, of the small operand and of the block. */
  readonly sums: number;
  readonly thinAt: number;
  readonly wideAt: number;
}

/** Sums a block of lanes of the large operand with all of the small one, and hands the sums on. */
function multiplyBlock(e: GemmEmitter, plan: ThinPlan, item: number): void {
  const { spec, usesDots, isTransposed, thinCount, wideBlock, sumBytes, mustTurn } = plan;
  const block = locateBlock(e, plan, item);
  const { batch, lane, lanes, sums } = block;
  e.f.get(sums).i32(0).i32(sumBytes).memoryFill();
  if (usesDots) addDots(e, plan, block);
  else addScaledRows(e, plan, block);
  const turned = e.sum([e.get(sums), 1], mustTurn ? sumBytes : 0);
  if (mustTurn) {
    const strides = [e.constant(4), e.constant(wideBlock * 4)];
    e.call("gather", e.get(sums), ...strides, e.get(lanes), e.constant(thinCount), turned, e.constant(thinCount * 4));
  }
  const [zero, all] = [e.constant(0), e.constant(thinCount)];
  const range = isTransposed
    ? { batch, row: e.get(lane), rows: e.get(lanes), column: zero, columns: all }
    : { batch, row: zero, rows: all, column: e.get(lane), columns: e.get(lanes) };
  e.finish(spec.output, range, turned, isTransposed ? thinCount * 4 : wideBlock * 4);
}

function locateBlock(e: GemmEmitter, plan: ThinPlan, item: number): WideBlock {
  const { wide, wideCount, wideBlock, wideBlocks, batches, inPlace, thinBatches, thinCount, lineBytes } = plan;
  const [batch = 0, index = 0] = e.split(item, [batches, wideBlocks]);
  const lane = e.let(e.sum([e.get(index), wideBlock]));
  const lanes = e.let(e.least(e.constant(wideBlock), () => e.f.i32(wideCount).get(lane).op("i32.sub")));
  const sums = e.let(e.sum([e.threadScratch(plan.thinBytes, plan.bytesPerThread), 1], plan.blockBytes));
  const thinAt = e.let(
    inPlace
      ? e.sum([e.address(inPlace), 1], [e.batchOffset(batch, inPlace.batchStrides), 1])
      : e.sum([e.scratch(0), 1], [e.get(batch), thinBatches === 1 ? 0 : thinCount * lineBytes]),
  );
  const wideAt = e.let(
    e.sum([e.address(wide), 1], [e.batchOffset(batch, wide.batchStrides), 1], [e.get(lane), wide.laneStride]),
  );
  return { batch, lane, lanes, sums, thinAt, wideAt };
}

/** Calls `body` with the first depth of each block, and what pushes how many it has. */
function eachDepthBlock(e: GemmEmitter, { spec: { depth } }: ThinPlan, body: (k: number, depths: Push) => void): void {
  e.loop(depth, DEPTH_BLOCK, (k) =>
    body(
      k,
      e.least(e.constant(DEPTH_BLOCK), () => e.f.i32(depth).get(k).op("i32.sub")),
    ),
  );
}

/** The sums of a block as dot products. */
function addDots(e: GemmEmitter, plan: ThinPlan, { lanes, sums, thinAt, wideAt }: WideBlock): void {
  const { wide, inPlace, lineBytes, thinCount, wideBlock, isTransposed } = plan;
  const [thinStep, wideStep] = isTransposed ? [4, thinCount * 4] : [wideBlock * 4, 4];
  eachDepthBlock(e, plan, (k, depths) => {
    const at = (base: number): Push => e.sum([e.get(base), 1], [e.get(k), 4]);
    e.call(
      "addDots",
      ...[at(thinAt), e.constant(inPlace?.laneStride ?? lineBytes), at(wideAt), e.constant(wide.laneStride)],
      ...[e.get(sums), e.constant(thinStep), e.constant(wideStep), e.constant(thinCount), e.get(lanes), depths],
    );
  });
}

/** The sums of a block as rows of the large operand, scaled and added up. */
function addScaledRows(e: GemmEmitter, plan: ThinPlan, { lanes, sums, thinAt, wideAt }: WideBlock): void {
  const { wide, inPlace, lineBytes, thinCount, wideBlock, sumBytes, sumsApart } = plan;
  const part = sumsApart ? e.let(e.sum([e.get(sums), 1], sumBytes)) : sums;
  eachDepthBlock(e, plan, (k, depths) => {
    if (sumsApart) e.f.get(part).i32(0).i32(sumBytes).memoryFill();
    e.call(
      "addScaledRows",
      ...[e.sum([e.get(thinAt), 1], [e.get(k), 4]), e.constant(inPlace?.laneStride ?? lineBytes)],
      ...[e.sum([e.get(wideAt), 1], [e.get(k), wide.depthStride]), e.constant(wide.depthStride)],
      ...[e.get(part), e.constant(wideBlock * 4), e.constant(thinCount), e.get(lanes), depths],
    );
    if (sumsApart) e.call("addVectors", e.get(part), e.get(sums), e.constant(thinCount * wideBlock * 4));
  });
}

/** Makes the small operand of a batch contiguous along k. */
function gatherThin(e: GemmEmitter, plan: ThinPlan, batch: number): void {
  const { f } = e;
  const { thin, thinCount, lineBytes } = plan;
  const { depth } = plan.spec;
  const target = e.sum([e.scratch(0), 1], [e.get(batch), thinCount * lineBytes]);
  const block = e.threadScratch(plan.thinBytes, plan.bytesPerThread);
  const [zero, all] = [e.constant(0), e.constant(thinCount)];
  if (thin.kind === "strided") {
    const source = e.sum([e.address(thin), 1], [e.batchOffset(batch, thin.batchStrides), 1]);
    const strides = [e.constant(thin.laneStride), e.constant(thin.depthStride)];
    e.call("gather", source, ...strides, all, e.constant(depth), target, e.constant(lineBytes));
  } else if (thin.contiguous === "depth") {
    e.load(thin, batch, [zero, all], [zero, e.constant(depth)], target, lineBytes);
  } else {
    e.loop(depth, BLOCK, (k) => {
      const depths = e.let(e.least(e.constant(BLOCK), () => f.i32(depth).get(k).op("i32.sub")));
      const end = e.sum([e.get(k), 1], [e.get(depths), 1]);
      e.load(thin, batch, [zero, all], [e.get(k), end], block, BLOCK * 4);
      const to = e.sum([target, 1], [e.get(k), 4]);
      e.call("gather", block, e.constant(4), e.constant(BLOCK * 4), all, e.get(depths), to, e.constant(lineBytes));
    });
  }
}
