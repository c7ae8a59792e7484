/** What attention does with rows: which keys a mask shows, and the division of weighted values by the sums of weights. */
import type { FunctionBuilder, FunctionType } from "./assembler.ts";
import { advanceBy, countDown, forUpTo, takesIntegers } from "./gemm-loops.ts";

/** Where a mask lies: bytes between neighbours along the axes before queries, along queries and along keys. */
export interface Mask {
  readonly isBoolean: boolean;
  readonly leading: readonly number[];
  readonly queryStride: number;
  readonly keyStride: number;
}

/** The type of what `emitFinish` writes. */
export const finishType: FunctionType = takesIntegers(4);

/** Pushes which of four keys a boolean mask shows: those `offset` bytes of scores past the one at `cell`. */
export function pushSeen(f: FunctionBuilder, { keyStride }: Mask, cell: number, offset: number): void {
  f.get(cell);
  if (keyStride === 0) f.memory("i32.load8_u").op("i32x4.splat");
  else {
    f.memory("v128.load32_zero", offset / 4);
    f.op("i16x8.extend_low_i8x16_u").op("i32x4.extend_low_i16x8_u");
  }
  f.splatI32(0).op("i32x4.ne");
}

/** `finish(sums, totals, output, rows)`: each row divided by its total, to rows that follow one another. */
export function emitFinish(f: FunctionBuilder, columns: number, sumStride: number): void {
  const [sumsAt, totalsAt, to, rowsLeft] = [0, 1, 2, 3];
  const [from, end] = [f.local("i32"), f.local("i32")];
  const [total, value] = [f.local("v128"), f.local("v128")];
  countDown(f, rowsLeft, 1, () => {
    f.get(totalsAt).memory("v128.load32_splat").set(total).get(sumsAt).set(from);
    f.get(to)
      .i32((columns >> 2) * 16)
      .op("i32.add")
      .set(end);
    forUpTo(f, to, end, 16, () => {
      f.get(to, from).memory("v128.load").get(total).op("f32x4.div").memory("v128.store");
      advanceBy(f, from, 16);
    });
    if (columns % 4 > 0) {
      f.get(from).memory("v128.load").get(total).op("f32x4.div").set(value);
      for (let lane = 0; lane < columns % 4; lane++) f.get(to, value).memoryLane("v128.store32_lane", lane * 4, lane);
      advanceBy(f, to, (columns % 4) * 4);
    }
    advanceBy(advanceBy(f, sumsAt, sumStride), totalsAt, 4);
  });
}
