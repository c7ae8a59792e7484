/** The innermost loop of matrix products: a tile of sums in registers, over panels. Knows registers and engines' habits. */

import type { FunctionBuilder } from "./assembler.ts";
import { advance, advanceBy, countDown, multiplyAdd } from "./gemm-loops.ts";

/** Rows of a register tile, and of a panel of the left operand. */
export const TILE_ROWS = 6;
/** Rows of a last panel, or of the last two: so that 64 rows are 10 whole panels and one such, 32 rows 4 and two. */
export const TAIL_ROWS = 4;
/** Columns of a register tile, and of a panel of the right operand: 16 on registers of twice the width, see `gemm-width.ts`. */
export type TileColumns = 8 | 16;

/**
 * Body of `multiply`.
 *
 * Walks the right panels outside and the left panels inside, so that one right panel stays in the first-level cache while
 * the left block streams from the second. 6 × 8 sums are 12 registers; with two of the right panel and one factor of the
 * left they fill the 15 that engines leave (of either width), and 12 independent sums hide the latency of a multiply-add. Adding to the
 * target here would make some engines spill them, inside the loop too.
 */
export function multiply(f: FunctionBuilder, relaxed: boolean, tileColumns: TileColumns): void {
  const [left, right, target, rowStride, depth, rows, columnPanels] = [0, 1, 2, 3, 4, 5, 6];
  const vectors = tileColumns / 4;
  const a = f.local("i32");
  const b = f.local("i32");
  const end = f.local("i32");
  const row = f.local("i32");
  const tile = f.local("i32");
  const panels = f.local("i32");
  const whole = f.local("i32");
  const tails = f.local("i32");
  const panelBytes = f.local("i32");
  const splat = f.local("v128");
  const columns = Array.from({ length: vectors }, () => f.local("v128"));
  const sums = Array.from({ length: TILE_ROWS }, () => columns.map(() => f.local("v128")));

  const multiplyPanel = (tileRows: number): void => {
    const used = sums.slice(0, tileRows);
    f.get(right).set(b);
    for (const sum of used.flat()) f.splatF32(0).set(sum);
    f.loop(() => {
      for (const [j, column] of columns.entries())
        f.get(b)
          .memory("v128.load", j * 16)
          .set(column);
      for (const [i, rowSums] of used.entries()) {
        // Never taken: engines that move all loads of a basic block to its front would run out of registers.
        if (i === TILE_ROWS / 2) f.get(end).op("i32.eqz").brIf(0);
        f.get(a)
          .memory("v128.load32_splat", i * 4)
          .set(splat);
        for (const [j, sum] of rowSums.entries()) multiplyAdd(f, relaxed, splat, columns[j] ?? 0, sum);
      }
      advanceBy(advanceBy(f, a, tileRows * 4), b, tileColumns * 4);
      f.get(b, end).op("i32.ne").brIf(0);
    });
    f.get(tile).set(row);
    for (const rowSums of used) {
      for (const [j, sum] of rowSums.entries()) f.get(row, sum).memory("v128.store", j * 16);
      advance(f, row, rowStride);
    }
    f.get(row).set(tile);
  };

  f.get(depth)
    .i32(tileColumns * 4)
    .op("i32.mul")
    .set(panelBytes);
  countPanels(f, rows, whole, tails);
  countDown(f, columnPanels, 1, () => {
    f.get(left).set(a).get(target).set(tile);
    f.get(right, panelBytes).op("i32.add").set(end);
    f.get(whole)
      .tee(panels)
      .if(() => countDown(f, panels, 1, () => multiplyPanel(TILE_ROWS)));
    f.get(tails)
      .tee(panels)
      .if(() => countDown(f, panels, 1, () => multiplyPanel(TAIL_ROWS)));
    f.get(end).set(right);
    advanceBy(f, target, tileColumns * 4);
  });
}

/** Sets `whole` to the number of panels of TILE_ROWS lanes, `tails` to that of panels of TAIL_ROWS lanes after them. */
function countPanels(f: FunctionBuilder, lanes: number, whole: number, tails: number): void {
  const rest = (): FunctionBuilder => f.get(lanes, whole).i32(TILE_ROWS).op("i32.mul").op("i32.sub");
  f.get(lanes)
    .i32(TILE_ROWS - TAIL_ROWS - 1)
    .op("i32.add")
    .i32(TILE_ROWS)
    .op("i32.div_u")
    .set(whole);
  // One or two lanes more than whole panels: two smaller panels instead of the last.
  rest().i32(1).op("i32.sub").i32(2).op("i32.lt_u");
  f.get(whole)
    .i32(0)
    .op("i32.ne")
    .op("i32.and")
    .if(() => advanceBy(f, whole, -1));
  rest()
    .i32(TAIL_ROWS - 1)
    .op("i32.add")
    .i32(Math.log2(TAIL_ROWS))
    .op("i32.shr_u")
    .set(tails);
}

/** Pushes whether the next panel of the left operand is one of TAIL_ROWS lanes when so many are left. */
export function isTail(f: FunctionBuilder, lanesLeft: number): FunctionBuilder {
  f.get(lanesLeft)
    .i32(2 * TAIL_ROWS)
    .op("i32.le_u");
  return f
    .get(lanesLeft)
    .i32(TAIL_ROWS + 1)
    .op("i32.sub")
    .i32(TILE_ROWS - TAIL_ROWS)
    .op("i32.ge_u")
    .op("i32.and");
}
