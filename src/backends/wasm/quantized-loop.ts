/** The innermost loop of products with packed weights: weights become floats in registers, a row of outputs at a time. */
import type { FunctionBuilder, FunctionType } from "./assembler.ts";
import { advanceBy, countDown, multiplyAdd, takesIntegers } from "./gemm-loops.ts";

/** Words of a pair: two vectors of packed weights that go through the same instructions. */
export const PAIR_WORDS = 8;
/** Bytes that a row of `x` leaves of one output: a pair of vectors of sums. */
export const PAIR_BYTES = 32;

/** How weights are packed, and for how many rows of `x` they are unpacked at a time. */
export interface QuantizedLoop {
  readonly bits: 2 | 4 | 8;
  /** Pairs of vectors of packed weights that share a scale and a bias. */
  readonly pairsPerGroup: number;
  readonly rows: 1 | 2;
}

/** Weights in a word. */
export function weightsPerWord({ bits }: Pick<QuantizedLoop, "bits">): number {
  return 32 / bits;
}

/**
 * Floats for each pair that `spread` lays out: for each weight of a word its eight factors in each row of `x`, then, per row,
 * their sum over the weights of a word.
 */
export function floatsPerPair(loop: QuantizedLoop): number {
  return (weightsPerWord(loop) + 1) * loop.rows * PAIR_WORDS;
}

/** Bytes before the factors in the memory that `spread` points to: the mask of a weight in the first four. */
export const SPREAD_HEAD = 64;

/** (words, scales, biases, spread, target, outputs, groups): sums of each output, a pair of vectors for each row of `x`. */
export const quantizedLoopType: FunctionType = takesIntegers(7);

/**
 * Body of the loop: `target[output][row] = Σ over groups of scale · Σ q · x + bias · Σ x`, in eight lanes that are still to
 * be added up.
 *
 * Both vectors of a pair go through the same instructions, next to each other in memory from the first load to the last
 * store, so that an engine can make one of them. A word's weight k is shifted down, masked and converted; its factors lie
 * together because `x` was spread that way.
 */
export function multiplyPacked(f: FunctionBuilder, relaxed: boolean, loop: QuantizedLoop): void {
  const [words, scales, biases, spread, target, outputs, groups] = [0, 1, 2, 3, 4, 5, 6];
  const { bits, pairsPerGroup, rows } = loop;
  const count = weightsPerWord(loop);
  const at = f.local("i32");
  const rest = f.local("i32");
  const factor = f.local("v128");
  const mask = f.local("v128");
  const pairOf = (): readonly number[] => [f.local("v128"), f.local("v128")];
  const packed = pairOf();
  const weights = pairOf();
  const byRow = Array.from({ length: rows }, () => ({ dots: pairOf(), totals: pairOf() }));

  // From memory: a constant of the module would keep some engines from making wide vectors.
  f.get(spread).memory("v128.load32_splat").set(mask);
  countDown(f, outputs, 1, () => {
    for (const { totals } of byRow) for (const total of totals) f.splatF32(0).set(total);
    f.get(spread).i32(SPREAD_HEAD).op("i32.add").set(at).get(groups).set(rest);
    countDown(f, rest, 1, () => {
      for (let pair = 0; pair < pairsPerGroup; pair++) {
        for (const [half, vector] of packed.entries())
          f.get(words)
            .memory("v128.load", half * 16)
            .set(vector);
        for (let k = 0; k < count; k++) {
          for (const [half, vector] of packed.entries()) {
            f.get(vector);
            if (k > 0) f.i32(k * bits).op("i32x4.shr_u");
            if (k < count - 1) f.get(mask).op("v128.and");
            f.op("f32x4.convert_i32x4_s").set(weights[half] ?? 0);
          }
          for (const [row, { dots }] of byRow.entries()) {
            for (const [half, dot] of dots.entries()) {
              const weight = weights[half] ?? 0;
              f.get(at)
                .memory("v128.load", ((k * rows + row) * 2 + half) * 16)
                .set(factor);
              if (k === 0 && pair === 0) f.get(weight, factor).op("f32x4.mul").set(dot);
              else multiplyAdd(f, relaxed, weight, factor, dot);
            }
          }
        }
        f.get(biases)
          .memory("v128.load32_splat")
          .set(weights[0] ?? 0);
        for (const [row, { totals }] of byRow.entries()) {
          for (const [half, total] of totals.entries()) {
            f.get(at)
              .memory("v128.load", ((count * rows + row) * 2 + half) * 16)
              .set(factor);
            multiplyAdd(f, relaxed, weights[0] ?? 0, factor, total);
          }
        }
        advanceBy(advanceBy(f, words, PAIR_WORDS * 4), at, floatsPerPair(loop) * 4);
      }
      f.get(scales).memory("v128.load32_splat").set(factor);
      for (const { dots, totals } of byRow) {
        for (const [half, total] of totals.entries()) multiplyAdd(f, relaxed, factor, dots[half] ?? 0, total);
      }
      advanceBy(advanceBy(f, scales, 4), biases, 4);
    });
    for (const [row, { totals }] of byRow.entries()) {
      for (const [half, total] of totals.entries())
        f.get(target, total).memory("v128.store", row * PAIR_BYTES + half * 16);
    }
    advanceBy(f, target, rows * PAIR_BYTES);
  });
}
