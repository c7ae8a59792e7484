/** Packs operands of matrix products into panels: through tables of addresses, block by block, or run by run. */

import { type GemmEmitter, type Push, roundUp } from "./gemm-emitter.ts";
import { forUpTo } from "./gemm-loops.ts";
import type { ComputedOperand, GemmOperand, LocatedOperand, StridedOperand } from "./gemm-spec.ts";
import { TAIL_ROWS, TILE_ROWS } from "./gemm-tile.ts";

/** Most lanes and depths of the blocks that computed operands are asked for. */
export const BLOCK = 64;
/** Most lanes, depths and columns of a block: its addresses are a table. */
const TABLE_LENGTH = 1024;
/** Bytes of a table, one for each line. */
export const TABLE_BYTES: number = TABLE_LENGTH * 4;
/** Lanes of such a block when panels are packed from it: whole vectors, and whole panels of the left and right operand. */
const BLOCK_LANES = 48;
/** Most lanes beyond whole panels of the left operand that make two smaller panels with the last of them. */
const EXTRA_LANES = 2 * TAIL_ROWS - TILE_ROWS;
/** Bytes of one such block, with room for a vector that overruns. */
export const BLOCK_BYTES: number = BLOCK * BLOCK * 4 + 64;

/** Bytes of memory that packing needs on the side: a table of addresses, a block, or zeros and tables of positions. */
export function packingBytes(operands: readonly GemmOperand[]): number {
  const bytes = operands.map((operand) => {
    if (operand.kind === "located") return TABLE_BYTES * (1 + operand.tableCount);
    return operand.kind === "computed" || (operand.laneStride !== 4 && operand.depthStride !== 4) ? BLOCK_BYTES : 0;
  });
  return TABLE_BYTES + roundUp(Math.max(0, ...bytes), 64);
}

/** The side of a product that an operand is on. */
export type Side = "Left" | "Right";

/** What is packed: locals. */
export interface PackRange {
  readonly batch: number;
  readonly lane: number;
  readonly lanes: number;
  readonly k: number;
  readonly depth: number;
}

/** Where panels go, and where there is as much memory as {@link packingBytes} says: what pushes the addresses. */
export interface PackPlace {
  readonly destination: Push;
  readonly work: Push;
}

/** Packs lanes `lane` … `lane + lanes` and depths `k` … `k + depth` of an operand into panels, `depth` deep. */
export function pack(e: GemmEmitter, side: Side, operand: GemmOperand, range: PackRange, place: PackPlace): void {
  if (operand.kind === "located") {
    packRuns(e, side, operand, range, place);
    return;
  }
  if (operand.kind === "strided") {
    const { laneStride, depthStride } = operand;
    const { batch, lane, lanes, k, depth } = range;
    const source = addressOf(e, operand, batch, e.get(lane), e.get(k));
    if (laneStride === 4 || depthStride === 4) {
      const all = { lanes: e.get(lanes), depth: e.get(depth), panelDepth: e.get(depth) };
      packStrided(e, side, source, [laneStride, depthStride], all, place);
      return;
    }
  }
  packBlocks(e, side, operand, range, place);
}

/** Packs what lies at strides, one of which is 4; the working memory takes a table of addresses. */
export function packStrided(
  e: GemmEmitter,
  side: Side,
  source: Push,
  [laneStride, depthStride]: readonly [number, number],
  lengths: { readonly lanes: Push; readonly depth: Push; readonly panelDepth: Push; readonly firstDepth?: Push },
  { destination, work: table }: PackPlace,
): void {
  const { lanes, depth, panelDepth, firstDepth = e.constant(0) } = lengths;
  const isLines = depthStride === 4;
  e.call("ladder", table, isLines ? lanes : depth, source, e.constant(isLines ? laneStride : depthStride));
  e.call(`pack${side}${isLines ? "Lines" : "Copies"}`, table, lanes, depth, destination, panelDepth, firstDepth);
}

/** Pushes the address of an element. */
function addressOf(e: GemmEmitter, operand: StridedOperand, batch: number, lane: Push, k: Push): Push {
  return e.sum(
    [e.address(operand), 1],
    [e.batchOffset(batch, operand.batchStrides), 1],
    [lane, operand.laneStride],
    [k, operand.depthStride],
  );
}

/** Makes an operand contiguous, block by block, and packs the blocks. */
function packBlocks(
  e: GemmEmitter,
  side: Side,
  operand: ComputedOperand | StridedOperand,
  range: PackRange,
  { destination, work }: PackPlace,
): void {
  const { f } = e;
  const { depth } = range;
  const isAlongLanes = operand.kind === "computed" && operand.contiguous === "lane";
  const strides = isAlongLanes ? ([4, BLOCK * 4] as const) : ([BLOCK * 4, 4] as const);
  const block = e.sum([work, 1], TABLE_BYTES);
  eachBlock(e, range, (part) => {
    copyBlock(e, operand, range, part, block);
    const lengths = { lanes: e.get(part.lanes), depth: e.get(part.depths), panelDepth: e.get(depth) };
    // Panels before this one hold `lane` lanes of `depth` depths.
    const panel = e.sum([destination, 1], [() => f.get(part.lane, depth).op("i32.mul"), 4]);
    packStrided(e, side, block, strides, { ...lengths, firstDepth: e.get(part.depth) }, { destination: panel, work });
  });
}

/** A block of what is packed, counted from where that begins: locals. */
interface PackBlock {
  readonly lane: number;
  readonly lanes: number;
  readonly depth: number;
  readonly depths: number;
}

function eachBlock(
  e: GemmEmitter,
  { lanes: allLanes, depth: allDepths }: PackRange,
  body: (block: PackBlock) => void,
): void {
  const { f } = e;
  const lane = e.let(e.constant(0));
  const depth = f.local("i32");
  // One or two lanes more than whole blocks belong to the last block: with its last panel they make two smaller ones.
  const end = e.let(() => {
    f.get(allLanes).i32(EXTRA_LANES).op("i32.sub").i32(1);
    f.get(allLanes).i32(EXTRA_LANES).op("i32.gt_u").op("select");
  });
  forUpTo(f, lane, end, BLOCK_LANES, () => {
    const lanes = e.let(() => f.get(allLanes, lane).op("i32.sub"));
    f.get(lanes).i32(BLOCK_LANES).get(lanes);
    f.i32(BLOCK_LANES + EXTRA_LANES)
      .op("i32.le_u")
      .op("select")
      .set(lanes);
    f.i32(0).set(depth);
    forUpTo(f, depth, allDepths, BLOCK, () => {
      const depths = e.let(e.least(e.constant(BLOCK), () => f.get(allDepths, depth).op("i32.sub")));
      body({ lane, lanes, depth, depths });
      f.release(depths);
    });
    f.release(lanes);
  });
  f.release(lane);
  f.release(depth);
}

/** Computes, or gathers, a block of an operand. */
function copyBlock(
  e: GemmEmitter,
  operand: ComputedOperand | StridedOperand,
  { batch, lane, k }: PackRange,
  block: PackBlock,
  to: Push,
): void {
  const [firstLane, firstDepth] = [
    e.sum([e.get(lane), 1], [e.get(block.lane), 1]),
    e.sum([e.get(k), 1], [e.get(block.depth), 1]),
  ];
  if (operand.kind === "computed") {
    const endLane = e.sum([firstLane, 1], [e.get(block.lanes), 1]);
    const endDepth = e.sum([firstDepth, 1], [e.get(block.depths), 1]);
    e.load(operand, batch, [firstLane, endLane], [firstDepth, endDepth], to, BLOCK * 4);
  } else {
    const source = addressOf(e, operand, batch, firstLane, firstDepth);
    const strides = [e.constant(operand.laneStride), e.constant(operand.depthStride)];
    e.call("gather", source, ...strides, e.get(block.lanes), e.get(block.depths), to, e.constant(BLOCK * 4));
  }
}

/** Packs an operand run by run. */
function packRuns(
  e: GemmEmitter,
  side: Side,
  operand: LocatedOperand,
  { batch, lane, lanes, k, depth }: PackRange,
  { destination, work }: PackPlace,
): void {
  const { f } = e;
  const isLines = operand.contiguous === "depth";
  const [point, points, line, lines] = isLines ? [k, depth, lane, lanes] : [lane, lanes, k, depth];
  const zeros = e.sum([work, 1], TABLE_BYTES);
  const tables = e.sum([work, 1], 2 * TABLE_BYTES);
  zeros();
  f.i32(0)
    .i32(Math.min(operand.run, TABLE_LENGTH) * 4)
    .memoryFill();
  f.get(0, batch, line, line, lines).op("i32.add");
  tables();
  f.call(operand.tabulate);
  eachRun(e, operand.run, point, points, ({ at, run, first, count }) => {
    f.get(0, batch, lines, run, first);
    for (const push of [tables, work, zeros]) push();
    f.call(operand.locate);
    if (isLines) {
      const firstDepth = e.sum([e.get(at), 1], [e.get(point), -1]);
      const lengths = [e.get(lanes), e.get(count), destination, e.get(depth), firstDepth];
      e.call(`pack${side}Lines`, work, ...lengths);
    } else {
      // Panels before this run hold as many lanes of `depth` depths.
      const panel = e.sum([destination, 1], [() => f.get(at, point).op("i32.sub").get(depth).op("i32.mul"), 4]);
      const lengths = [e.get(count), e.get(depth), panel, e.get(depth), e.constant(0)];
      e.call(`pack${side}Copies`, work, ...lengths);
    }
  });
}

/** The part of a run that is packed: locals. */
interface PackRun {
  /** Its first point along the axis, the number of the run, its first point within it, and how many points it has. */
  readonly at: number;
  readonly run: number;
  readonly first: number;
  readonly count: number;
}

function eachRun(e: GemmEmitter, length: number, point: number, points: number, body: (run: PackRun) => void): void {
  const { f } = e;
  const at = e.let(e.get(point));
  const end = e.let(e.sum([e.get(point), 1], [e.get(points), 1]));
  f.block(() => {
    f.loop(() => {
      f.get(at, end).op("i32.ge_u").brIf(1);
      const run = e.let(() => f.get(at).i32(length).op("i32.div_u"));
      const first = e.let(() => f.get(at, run).i32(length).op("i32.mul").op("i32.sub"));
      const count = e.let(
        e.least(
          () => f.i32(length).get(first).op("i32.sub"),
          () => f.get(end, at).op("i32.sub"),
        ),
      );
      body({ at, run, first, count });
      f.get(at, count).op("i32.add").set(at).br(0);
    });
  });
}
