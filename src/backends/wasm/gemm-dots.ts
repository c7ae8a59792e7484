/** The inner loop of products with one small side, where both sides are contiguous along the axis that is summed. */
import type { FunctionBuilder } from "./assembler.ts";
import { advance, advanceBy, forUpTo, multiplyAdd, transpose } from "./gemm-loops.ts";

/** Lanes of the small and of the large operand that a tile has at most. */
const [THIN_LANES, WIDE_LANES] = [2, 4];

/** Parameters of the function, and what it keeps: locals. */
interface Dots {
  readonly f: FunctionBuilder;
  readonly relaxed: boolean;
  /** Address of the first lane of either operand that is left, how many are, and bytes from one to the next. */
  readonly thin: number;
  readonly thinStride: number;
  readonly thinCount: number;
  readonly wide: number;
  readonly wideStride: number;
  readonly wideCount: number;
  /** Address of their sum, and bytes from it to that of the next lane of either operand. */
  readonly target: number;
  readonly thinStep: number;
  readonly wideStep: number;
  readonly depth: number;
  /** Addresses of the lanes of a tile. */
  readonly thinLanes: readonly number[];
  readonly wideLanes: readonly number[];
  /** Bytes from there to the vectors at hand, and to the end of whole vectors. */
  readonly offset: number;
  readonly end: number;
  /** Depths past whole vectors, and the lanes of a vector that have one. */
  readonly rest: number;
  readonly mask: number;
  /** Address of the sum of the first lanes of a tile, and how many lanes of `thin` are left for these of `wide`. */
  readonly at: number;
  readonly rowsLeft: number;
  /** A vector of each lane of `thin`, and of one lane of `wide`. */
  readonly left: readonly number[];
  readonly right: number;
  /** For each lane of `thin` a sum for each of `wide`. */
  readonly sums: readonly (readonly number[])[];
}

/** Tiles of 2 × 4 dot products (1 × 4 for an odd last row), summed in four lanes each. */
export function addDots(f: FunctionBuilder, relaxed: boolean): void {
  const dots = dotsOf(f, relaxed);
  const { wide, wideStride, wideCount, target, wideStep } = dots;
  splitDepth(dots);
  f.block(() => {
    f.loop(() => {
      f.get(wideCount).op("i32.eqz").brIf(1);
      locateWideLanes(dots);
      addRowsOfTiles(dots);
      f.get(wideCount).i32(WIDE_LANES).op("i32.le_u").brIf(1);
      advanceBy(f, wideCount, -WIDE_LANES);
      f.get(wide, wideStride).i32(Math.log2(WIDE_LANES)).op("i32.shl").op("i32.add").set(wide);
      f.get(target, wideStep).i32(Math.log2(WIDE_LANES)).op("i32.shl").op("i32.add").set(target).br(0);
    });
  });
}

function dotsOf(f: FunctionBuilder, relaxed: boolean): Dots {
  const locals = (count: number, type: "i32" | "v128"): number[] => Array.from({ length: count }, () => f.local(type));
  const [thinLanes, wideLanes] = [locals(THIN_LANES, "i32"), locals(WIDE_LANES, "i32")];
  const [offset = 0, end = 0, rest = 0, at = 0, rowsLeft = 0] = locals(5, "i32");
  const mask = f.local("v128");
  const left = locals(THIN_LANES, "v128");
  const right = f.local("v128");
  const sums = left.map(() => locals(WIDE_LANES, "v128"));
  return {
    f,
    relaxed,
    thin: 0,
    thinStride: 1,
    wide: 2,
    wideStride: 3,
    target: 4,
    thinStep: 5,
    wideStep: 6,
    thinCount: 7,
    wideCount: 8,
    depth: 9,
    thinLanes,
    wideLanes,
    offset,
    end,
    rest,
    mask,
    at,
    rowsLeft,
    left,
    right,
    sums,
  };
}

/** Whole vectors of depths, and what is left. */
function splitDepth({ f, depth, end, rest, mask }: Dots): void {
  f.get(depth).i32(-4).op("i32.and").i32(2).op("i32.shl").set(end);
  f.get(depth).i32(3).op("i32.and").set(rest);
  // Lanes 0, 1, 2 are kept as `rest` says.
  f.get(rest)
    .op("i32x4.splat")
    .v128(new Uint8Array(Int32Array.of(0, 1, 2, 3).buffer))
    .op("i32x4.gt_s")
    .set(mask);
}

function locateWideLanes({ f, wide, wideStride, wideCount, wideLanes }: Dots): void {
  f.get(wide).set(wideLanes[0] ?? 0);
  for (let j = 1; j < WIDE_LANES; j++) {
    // Past the last lane the one before is computed again, and not stored.
    const [before = 0, here = 0] = [wideLanes[j - 1], wideLanes[j]];
    f.get(before, wideStride).op("i32.add").get(before).get(wideCount).i32(j).op("i32.gt_u").op("select").set(here);
  }
}

/** The tiles of some lanes of `wide` with all of `thin`, two at a time. */
function addRowsOfTiles(dots: Dots): void {
  const { f, thin, thinStride, thinCount, target, at, rowsLeft, thinLanes } = dots;
  const [lane = 0, next = 0] = thinLanes;
  f.get(thin).set(lane).get(target).set(at).get(thinCount).set(rowsLeft);
  f.block(() => {
    f.loop(() => {
      f.get(rowsLeft).i32(THIN_LANES).op("i32.lt_u").brIf(1);
      f.get(lane, thinStride).op("i32.add").set(next);
      addTile(dots, THIN_LANES);
      f.get(next, thinStride).op("i32.add").set(lane);
      advanceBy(f, rowsLeft, -THIN_LANES).br(0);
    });
  });
  f.get(rowsLeft).if(() => addTile(dots, 1));
}

/** Sums a tile of so many lanes of `thin`, and adds it to the target. */
function addTile(dots: Dots, rows: number): void {
  const { f, offset, end, rest, at, thinStep } = dots;
  const sums = dots.sums.slice(0, rows);
  for (const sum of sums.flat()) f.splatF32(0).set(sum);
  f.i32(0).set(offset);
  forUpTo(f, offset, end, 16, () => addProducts(dots, rows, false));
  f.get(rest).if(() => addProducts(dots, rows, true));
  for (const row of sums) {
    addTotals(dots, row);
    advance(f, at, thinStep);
  }
}

/** One vector of each operand at `offset`; `masked` keeps what lies past the end out, NaN included. */
function addProducts(
  { f, relaxed, thinLanes, wideLanes, offset, mask, left, right, sums }: Dots,
  rows: number,
  masked: boolean,
): void {
  const load = (lane: number): void => {
    f.get(lane, offset).op("i32.add").memory("v128.load");
    if (masked) f.get(mask).op("v128.and");
  };
  for (let i = 0; i < rows; i++) {
    load(thinLanes[i] ?? 0);
    f.set(left[i] ?? 0);
  }
  for (const [j, lane] of wideLanes.entries()) {
    load(lane);
    f.set(right);
    for (let i = 0; i < rows; i++) multiplyAdd(f, relaxed, left[i] ?? 0, right, sums[i]?.[j] ?? 0);
  }
}

/** Joins the lanes of each sum of a row of a tile, and adds the totals to the targets from `at` on. */
function addTotals({ f, wideCount, wideStep, offset, at, right }: Dots, row: readonly number[]): void {
  const [total, cell] = [right, offset]; // done with for this tile
  f.get(at).set(cell);
  transpose(f, row, (index, push) => {
    if (index > 0) f.get(total);
    push();
    if (index > 0) f.op("f32x4.add");
    f.set(total);
  });
  f.block(() => {
    for (let j = 0; j < WIDE_LANES; j++) {
      f.get(cell, cell).memory("f32.load").get(total).lane("f32x4.extract_lane", j);
      f.op("f32.add").memory("f32.store");
      if (j === WIDE_LANES - 1) continue;
      f.get(wideCount)
        .i32(j + 1)
        .op("i32.le_u")
        .brIf(0);
      advance(f, cell, wideStep);
    }
  });
}
