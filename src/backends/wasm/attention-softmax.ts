/** The softmax of rows of scores, under a mask or none: what attention and its gradient weigh values by. */
import type { FunctionBuilder, FunctionType } from "./assembler.ts";
import { type Mask, pushSeen } from "./attention-rows.ts";
import { advanceBy, countDown, forUpTo, takesIntegers } from "./gemm-loops.ts";
import { emitExp } from "./vector-math-exponential.ts";
import type { VectorTarget } from "./vector-math-scope.ts";

/** The score of a key that is not seen: as the definition has it, the least finite number. */
const UNSEEN = -3.4028234663852886e38;

/** Which keys a query sees. */
interface Sight {
  readonly isCausal: boolean;
  readonly mask: Mask | null;
}

/** The type of what `emitSoftmax` writes. */
export const softmaxType: FunctionType = takesIntegers(7);

/** What happens to the statistics, the greatest score and the sum of exponentials: nothing, they are written, or they are known. */
type Statistics = "none" | "written" | "known";
/** Bytes of the statistics of a query. */
export const statisticsBytes = 8;

/**
 * `softmax(scores, rows, limit, bound, mask, totals, statistics)`: exponentials in place, the sum of each row to `totals`, and the
 * `statistics` of each row written, or taken from there.
 */
export function emitSoftmax(
  f: FunctionBuilder,
  sight: Sight,
  scoreStride: number,
  target: VectorTarget,
  statistics: Statistics,
): void {
  const row = rowOf(f, sight, statistics);
  const { scores, rowsLeft, limit, bound, maskRow, totals, statisticsAt, end } = row;
  f.get(limit).i32(7).op("i32.add").i32(-8).op("i32.and").i32(2).op("i32.shl").set(end);
  countDown(f, rowsLeft, 1, () => {
    findPlainEnd(row);
    maskScores(row);
    exponentiate(row, target);
    clearRest(row);
    storeTotal(row);
    advanceBy(advanceBy(f, scores, scoreStride), totals, 4);
    if (statistics !== "none") advanceBy(f, statisticsAt, statisticsBytes);
    if (sight.isCausal) advanceBy(f, bound, 1);
    if (sight.mask && sight.mask.queryStride > 0) advanceBy(f, maskRow, sight.mask.queryStride);
  });
}

/** The row of scores that a softmax is at: locals. What ends somewhere does so at a whole pair of vectors, in bytes. */
interface SoftmaxRow extends Sight {
  readonly f: FunctionBuilder;
  readonly statistics: Statistics;
  /** Parameters: addresses of scores, mask, total and statistics; how many rows are left, how many keys are there, which is the last seen. */
  readonly scores: number;
  readonly rowsLeft: number;
  readonly limit: number;
  readonly bound: number;
  readonly maskRow: number;
  readonly totals: number;
  readonly statisticsAt: number;
  /** Bytes from the first score to the pair of vectors at hand, its address, and that of what the mask says of it. */
  readonly at: number;
  readonly cell: number;
  readonly maskCell: number;
  /** Before here all keys are there and seen; from here on exponentials are 0; here all keys end. */
  readonly plainEnd: number;
  readonly rowEnd: number;
  readonly end: number;
  /** Of either vector of a pair: the greatest score and the sum of exponentials. */
  readonly greatest: readonly [number, number];
  readonly total: readonly [number, number];
  /** The vector at hand, and the numbers of its keys. */
  readonly value: number;
  readonly keys: number;
}

function rowOf(f: FunctionBuilder, sight: Sight, statistics: Statistics): SoftmaxRow {
  return {
    f,
    ...sight,
    statistics,
    scores: 0,
    rowsLeft: 1,
    limit: 2,
    bound: 3,
    maskRow: 4,
    totals: 5,
    statisticsAt: 6,
    at: f.local("i32"),
    cell: f.local("i32"),
    maskCell: f.local("i32"),
    plainEnd: f.local("i32"),
    rowEnd: f.local("i32"),
    end: f.local("i32"),
    greatest: [f.local("v128"), f.local("v128")],
    total: [f.local("v128"), f.local("v128")],
    value: f.local("v128"),
    keys: f.local("v128"),
  };
}

function findPlainEnd({ f, isCausal, limit, bound, at, plainEnd }: SoftmaxRow): void {
  f.get(limit).set(plainEnd);
  if (isCausal) {
    // min(limit, max(bound + 1, 0))
    f.get(bound).i32(1).op("i32.add").tee(at).i32(0).get(at).i32(0).op("i32.gt_s").op("select").tee(at);
    f.get(limit, at, limit).op("i32.lt_u").op("select").set(plainEnd);
  }
  f.get(plainEnd).i32(-8).op("i32.and").i32(2).op("i32.shl").set(plainEnd);
}

/** Masks the scores of a row, and finds the greatest, in every lane, and where exponentials begin to be 0. */
function maskScores(row: SoftmaxRow): void {
  const { f, isCausal, mask, maskRow, at, maskCell, plainEnd, rowEnd, end } = row;
  const [greatest, other] = row.greatest;
  if (mask && mask.keyStride === 0) f.get(maskRow).set(maskCell);
  f.splatF32(Number.NEGATIVE_INFINITY).tee(greatest).set(other).i32(0).set(at);
  maskUpTo(row, plainEnd, true);
  if (isCausal && !mask) {
    // Past the vectors with keys that are seen all exponentials are 0, unless what is seen is no greater than UNSEEN.
    f.get(plainEnd).i32(32).op("i32.add").tee(rowEnd).get(end, rowEnd, end).op("i32.lt_u").op("select").set(rowEnd);
    maskUpTo(row, rowEnd, false);
    joinGreatest(row);
    f.get(greatest).lane("f32x4.extract_lane", 0).f32(UNSEEN).op("f32.le");
    f.if(() => {
      f.get(end).set(rowEnd);
      maskUpTo(row, end, false);
      joinGreatest(row);
    });
  } else {
    f.get(end).set(rowEnd);
    maskUpTo(row, end, false);
    joinGreatest(row);
  }
}

/** Masks the pairs of vectors from `at` up to `end`; `isPlain` if all of their keys are there, and seen but for the mask. */
function maskUpTo(row: SoftmaxRow, end: number, isPlain: boolean): void {
  const { f, mask, scores, maskRow, at, cell, maskCell } = row;
  forUpTo(f, at, end, 32, () => {
    f.get(scores, at).op("i32.add").set(cell);
    if (mask && mask.keyStride > 0) {
      f.get(maskRow, at);
      if (mask.isBoolean) f.i32(2).op("i32.shr_u");
      f.op("i32.add").set(maskCell);
    }
    for (const half of [0, 1] as const) maskVector(row, half, isPlain);
  });
}

function maskVector(row: SoftmaxRow, half: 0 | 1, isPlain: boolean): void {
  const { f, mask, cell, value, greatest } = row;
  const offset = half * 16;
  f.get(cell).memory("v128.load", offset).set(value);
  if (mask) applyMask(row, mask, offset);
  if (!isPlain) hideKeys(row, offset);
  if (mask || !isPlain) f.get(cell, value).memory("v128.store", offset);
  // NaN may get lost here: the exponentials have it again. `max` would keep it, in eight instructions.
  f.get(greatest[half], value).op("f32x4.pmax").set(greatest[half]);
}

/** Adds what the mask adds, or hides what it does not show. */
function applyMask({ f, maskCell, value }: SoftmaxRow, mask: Mask, offset: number): void {
  if (mask.isBoolean) {
    f.get(value).splatF32(UNSEEN);
    pushSeen(f, mask, maskCell, offset);
    f.op("v128.bitselect").set(value);
  } else {
    f.get(value, maskCell);
    if (mask.keyStride === 0) f.memory("v128.load32_splat");
    else f.memory("v128.load", offset);
    f.op("f32x4.add").set(value);
  }
}

/** Hides the keys that come after the query, and those that are not there. */
function hideKeys({ f, isCausal, limit, bound, at, value, keys }: SoftmaxRow, offset: number): void {
  f.get(at)
    .i32(2)
    .op("i32.shr_u")
    .i32(offset / 4)
    .op("i32.add")
    .op("i32x4.splat")
    .v128(new Uint8Array(Int32Array.of(0, 1, 2, 3).buffer));
  f.op("i32x4.add").set(keys);
  if (isCausal) {
    f.get(value).splatF32(UNSEEN).get(keys, bound).op("i32x4.splat").op("i32x4.le_s");
    f.op("v128.bitselect").set(value);
  }
  f.get(value).splatF32(Number.NEGATIVE_INFINITY).get(keys, limit).op("i32x4.splat").op("i32x4.lt_s");
  f.op("v128.bitselect").set(value);
}

/** The greatest of all lanes, in each, unless it is known. */
function joinGreatest({ f, statistics, statisticsAt, greatest: [greatest, other] }: SoftmaxRow): void {
  if (statistics === "known") {
    f.get(statisticsAt).memory("v128.load32_splat").set(greatest);
    return;
  }
  f.get(greatest, other).op("f32x4.pmax").set(greatest);
  joinLanes(f, greatest, "f32x4.pmax");
}

/** Every lane of `vector` becomes the combination of all. */
function joinLanes(f: FunctionBuilder, vector: number, op: "f32x4.pmax" | "f32x4.add"): void {
  f.get(vector, vector, vector).shuffle(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7).op(op).set(vector);
  f.get(vector, vector, vector).shuffle(4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11).op(op).set(vector);
}

/** Writes `exp(score - greatest)` over the scores up to `rowEnd`, and sums it. */
function exponentiate(row: SoftmaxRow, target: VectorTarget): void {
  const { f, scores, at, cell, rowEnd, greatest, total, value } = row;
  f.splatF32(0).tee(total[0]).set(total[1]).i32(0).set(at);
  forUpTo(f, at, rowEnd, 32, () => {
    f.get(scores, at).op("i32.add").set(cell);
    for (const [half, sum] of total.entries()) {
      f.get(cell)
        .memory("v128.load", half * 16)
        .get(greatest[0])
        .op("f32x4.sub")
        .set(value);
      const power = emitExp(f, value, target);
      f.get(cell, power).memory("v128.store", half * 16);
      f.get(sum, power).op("f32x4.add").set(sum);
      f.release(power);
    }
  });
}

/** The exponentials that are 0. */
function clearRest({ f, scores, at, end }: SoftmaxRow): void {
  forUpTo(f, at, end, 16, () => {
    f.get(scores, at).op("i32.add").splatF32(0).memory("v128.store");
  });
}

function storeTotal({
  f,
  totals,
  statistics,
  statisticsAt,
  greatest: [greatest],
  total: [total, other],
}: SoftmaxRow): void {
  if (statistics === "known") {
    f.get(totals, statisticsAt).memory("f32.load", 4).memory("f32.store");
    return;
  }
  f.get(total, other).op("f32x4.add").set(total);
  joinLanes(f, total, "f32x4.add");
  f.get(totals, total).lane("f32x4.extract_lane", 0).memory("f32.store");
  if (statistics === "none") return;
  f.get(statisticsAt, greatest).lane("f32x4.extract_lane", 0).memory("f32.store");
  f.get(statisticsAt, total).lane("f32x4.extract_lane", 0).memory("f32.store", 4);
}
