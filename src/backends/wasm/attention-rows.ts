/** What attention does with rows of scores and of weighted values: softmax under a mask, division by its sums. */
import type { FunctionBuilder, FunctionType } from "./assembler.ts";
import { advanceBy, countDown, forUpTo, takesIntegers } from "./gemm-loops.ts";
import { emitExp } from "./vector-math-exponential.ts";
import type { VectorTarget } from "./vector-math-scope.ts";

/** The score of a key that is not seen: as the definition has it, the least finite number. */
const UNSEEN = -3.4028234663852886e38;

/** Where a mask lies: bytes between neighbours along the axes before queries, along queries and along keys. */
export interface Mask {
  readonly isBoolean: boolean;
  readonly leading: readonly number[];
  readonly queryStride: number;
  readonly keyStride: number;
}

/** The type of what `emitSoftmax` writes. */
export const softmaxType: FunctionType = takesIntegers(6);

/** The type of what `emitFinish` writes. */
export const finishType: FunctionType = takesIntegers(4);

/** `softmax(scores, rows, limit, bound, mask, totals)`: exponentials in place, the sum of each row to `totals`. */
export function emitSoftmax(
  f: FunctionBuilder,
  { isCausal, mask }: { readonly isCausal: boolean; readonly mask: Mask | null },
  scoreStride: number,
  target: VectorTarget,
): void {
  const [scoresAt, rowsLeft, limit, bound, maskAt, totalsAt] = [0, 1, 2, 3, 4, 5];
  const [at, cell, maskCell] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const [plainEnd, rowEnd, end] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const [greatest, otherGreatest] = [f.local("v128"), f.local("v128")];
  const [total, otherTotal] = [f.local("v128"), f.local("v128")];
  const [value, places] = [f.local("v128"), f.local("v128")];
  const lanes = new Uint8Array(Int32Array.of(0, 1, 2, 3).buffer);

  /** The vector at `cell + offset`, masked and, past `plainEnd`, with the keys that are not there or not seen. */
  const mend = (offset: number, isPlain: boolean): void => {
    f.get(cell).memory("v128.load", offset).set(value);
    if (mask) {
      const { isBoolean, keyStride } = mask;
      if (isBoolean) {
        f.get(value).splatF32(UNSEEN);
        pushSeen(f, mask, maskCell, offset);
        f.op("v128.bitselect").set(value);
      } else {
        f.get(value, maskCell);
        if (keyStride === 0) f.memory("v128.load32_splat");
        else f.memory("v128.load", offset);
        f.op("f32x4.add").set(value);
      }
    }
    if (!isPlain) {
      f.get(at)
        .i32(2)
        .op("i32.shr_u")
        .i32(offset / 4)
        .op("i32.add")
        .op("i32x4.splat")
        .v128(lanes);
      f.op("i32x4.add").set(places);
      if (isCausal) {
        f.get(value).splatF32(UNSEEN).get(places, bound).op("i32x4.splat").op("i32x4.le_s");
        f.op("v128.bitselect").set(value);
      }
      f.get(value).splatF32(Number.NEGATIVE_INFINITY).get(places, limit).op("i32x4.splat").op("i32x4.lt_s");
      f.op("v128.bitselect").set(value);
    }
    if (mask || !isPlain) f.get(cell, value).memory("v128.store", offset);
    // NaN may get lost here: the exponentials have it again. `max` would keep it, in eight instructions.
    const most = offset === 0 ? greatest : otherGreatest;
    f.get(most, value).op("f32x4.pmax").set(most);
  };
  const pass = (to: number, body: () => void): void =>
    forUpTo(f, at, to, 32, () => {
      f.get(scoresAt, at).op("i32.add").set(cell);
      if (mask && mask.keyStride > 0) {
        f.get(maskAt, at);
        if (mask.isBoolean) f.i32(2).op("i32.shr_u");
        f.op("i32.add").set(maskCell);
      }
      body();
    });
  /** Every lane of `vector` becomes the combination of all. */
  const across = (vector: number, op: "f32x4.pmax" | "f32x4.add"): void => {
    f.get(vector, vector, vector).shuffle(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7).op(op).set(vector);
    f.get(vector, vector, vector).shuffle(4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11).op(op).set(vector);
  };

  /** The greatest of all lanes, in each. */
  const gather = (): void => {
    f.get(greatest, otherGreatest).op("f32x4.pmax").set(greatest);
    across(greatest, "f32x4.pmax");
  };

  f.get(limit).i32(7).op("i32.add").i32(-8).op("i32.and").i32(2).op("i32.shl").set(end);
  countDown(f, rowsLeft, 1, () => {
    f.get(limit).set(plainEnd);
    if (isCausal) {
      // min(limit, max(bound + 1, 0))
      f.get(bound).i32(1).op("i32.add").tee(at).i32(0).get(at).i32(0).op("i32.gt_s").op("select").tee(at);
      f.get(limit, at, limit).op("i32.lt_u").op("select").set(plainEnd);
    }
    f.get(plainEnd).i32(-8).op("i32.and").i32(2).op("i32.shl").set(plainEnd);
    if (mask && mask.keyStride === 0) f.get(maskAt).set(maskCell);
    f.splatF32(Number.NEGATIVE_INFINITY).tee(greatest).set(otherGreatest).i32(0).set(at);
    const mendTo = (to: number, isPlain: boolean): void =>
      pass(to, () => {
        mend(0, isPlain);
        mend(16, isPlain);
      });
    mendTo(plainEnd, true);
    if (isCausal && !mask) {
      // Past the vectors with keys that are seen all exponentials are 0, unless what is seen is no greater than UNSEEN.
      f.get(plainEnd).i32(32).op("i32.add").tee(rowEnd).get(end, rowEnd, end).op("i32.lt_u").op("select").set(rowEnd);
      mendTo(rowEnd, false);
      gather();
      f.get(greatest)
        .lane("f32x4.extract_lane", 0)
        .f32(UNSEEN)
        .op("f32.le")
        .if(() => {
          f.get(end).set(rowEnd);
          mendTo(end, false);
          gather();
        });
    } else {
      f.get(end).set(rowEnd);
      mendTo(end, false);
      gather();
    }
    f.splatF32(0).tee(total).set(otherTotal).i32(0).set(at);
    forUpTo(f, at, rowEnd, 32, () => {
      f.get(scoresAt, at).op("i32.add").set(cell);
      for (const [offset, sum] of [
        [0, total],
        [16, otherTotal],
      ] as const) {
        f.get(cell).memory("v128.load", offset).get(greatest).op("f32x4.sub").set(value);
        const power = emitExp(f, value, target);
        f.get(cell, power).memory("v128.store", offset);
        f.get(sum, power).op("f32x4.add").set(sum);
        f.release(power);
      }
    });
    forUpTo(f, at, end, 16, () => {
      f.get(scoresAt, at).op("i32.add").splatF32(0).memory("v128.store");
    });
    f.get(total, otherTotal).op("f32x4.add").set(total);
    across(total, "f32x4.add");
    f.get(totalsAt, total).lane("f32x4.extract_lane", 0).memory("f32.store");
    advanceBy(advanceBy(f, scoresAt, scoreStride), totalsAt, 4);
    if (isCausal) advanceBy(f, bound, 1);
    if (mask && mask.queryStride > 0) advanceBy(f, maskAt, mask.queryStride);
  });
}

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
