/** What the gradient of attention does with rows: how the result changes with each score; rows times factors. */
import type { FunctionBuilder, FunctionType } from "./assembler.ts";
import type { MaskedAttention } from "./attention-call.ts";
import { pushSeen } from "./attention-rows.ts";
import { advance, advanceBy, countDown, forUpTo, takesIntegers } from "./gemm-loops.ts";

/** The type of what `emitChanges` writes. */
export const changesType: FunctionType = takesIntegers(9);

/** The type of what `emitScaled` writes. */
export const scaledType: FunctionType = takesIntegers(8);

/**
 * `change(exponentials, slopes, rows, limit, bound, mask, totals, cotangents, results)`: for each row the changes
 * `e / total · (slope − cotangent · result)` over its slopes, 0 for keys that are not seen, and `1 / total` over its total.
 */
export function emitChanges(
  f: FunctionBuilder,
  { isCausal, mask, valueFeatures }: Pick<MaskedAttention, "isCausal" | "mask" | "valueFeatures">,
  stride: number,
): void {
  const [weightsAt, slopesAt, rowsLeft, limit, bound, maskAt, totalsAt, cotangentsAt, resultsAt] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8,
  ];
  const [at, end, slope, weight, maskCell] = [
    f.local("i32"),
    f.local("i32"),
    f.local("i32"),
    f.local("i32"),
    f.local("i32"),
  ];
  const [inverse, mean] = [f.local("v128"), f.local("v128")];

  f.get(limit).i32(7).op("i32.add").i32(-8).op("i32.and").i32(2).op("i32.shl").set(end);
  countDown(f, rowsLeft, 1, () => {
    // Exponentials past the last key are 0; slopes are anything, NaN included.
    f.get(limit).i32(2).op("i32.shl").set(at);
    forUpTo(f, at, end, 4, () => f.get(slopesAt, at).op("i32.add").f32(0).memory("f32.store"));
    f.splatF32(1).get(totalsAt).memory("v128.load32_splat").op("f32x4.div").set(inverse);
    f.get(totalsAt, inverse).lane("f32x4.extract_lane", 0).memory("f32.store");
    emitProduct(f, cotangentsAt, resultsAt, valueFeatures);
    f.op("f32x4.splat").set(mean);
    // A row that sees no key has equal weights, whatever its scores: none of them changes it.
    if (isCausal)
      f.get(bound)
        .i32(0)
        .op("i32.lt_s")
        .if(() => f.splatF32(0).set(inverse));
    const change = (offset: number): void => {
      f.get(slope, weight).memory("v128.load", offset).get(inverse).op("f32x4.mul");
      f.get(slope).memory("v128.load", offset).get(mean).op("f32x4.sub").op("f32x4.mul");
      if (mask?.isBoolean) {
        f.get(maskAt);
        if (mask.keyStride > 0) f.get(at).i32(2).op("i32.shr_u").op("i32.add");
        f.set(maskCell);
        pushSeen(f, mask, maskCell, offset);
        f.op("v128.and");
      }
      f.memory("v128.store", offset);
    };
    f.i32(0).set(at);
    forUpTo(f, at, end, 32, () => {
      f.get(slopesAt, at).op("i32.add").set(slope);
      f.get(weightsAt, at).op("i32.add").set(weight);
      change(0);
      change(16);
    });
    advanceBy(advanceBy(advanceBy(f, weightsAt, stride), slopesAt, stride), totalsAt, 4);
    advanceBy(advanceBy(f, cotangentsAt, valueFeatures * 4), resultsAt, valueFeatures * 4);
    if (isCausal) advanceBy(f, bound, 1);
    if (mask && mask.queryStride > 0) advanceBy(f, maskAt, mask.queryStride);
  });
}

/** Pushes the product of two rows of so many elements. */
function emitProduct(f: FunctionBuilder, leftAt: number, rightAt: number, length: number): void {
  const [left, right, end] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const sum = f.local("v128");
  f.get(rightAt).set(right).splatF32(0).set(sum);
  f.get(leftAt)
    .tee(left)
    .i32((length - (length % 4)) * 4)
    .op("i32.add")
    .set(end);
  forUpTo(f, left, end, 16, () => {
    f.get(left).memory("v128.load").get(right).memory("v128.load").op("f32x4.mul");
    f.get(sum).op("f32x4.add").set(sum);
    advanceBy(f, right, 16);
  });
  for (const lane of [0, 1, 2, 3]) {
    f.get(sum).lane("f32x4.extract_lane", lane);
    if (lane > 0) f.op("f32.add");
  }
  for (let rest = 0; rest < length % 4; rest++) {
    f.get(left)
      .memory("f32.load", rest * 4)
      .get(right)
      .memory("f32.load", rest * 4)
      .op("f32.mul")
      .op("f32.add");
  }
  for (const local of [left, right, end, sum]) f.release(local);
}

/**
 * `scaled(source, sourceStride, target, targetStride, rows, length, factors, factorStep)`: each row times a factor of its own,
 * or all times one where the step is 0. Writes no element past the end of a row.
 */
export function emitScaled(f: FunctionBuilder): void {
  const [source, sourceStride, target, targetStride, rows, length, factors, factorStep] = [0, 1, 2, 3, 4, 5, 6, 7];
  const [from, to, vectorsEnd, end] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  const factor = f.local("v128");
  countDown(f, rows, 1, () => {
    f.get(factors).memory("v128.load32_splat").set(factor);
    f.get(source).set(from).get(target).set(to);
    f.get(to, length).i32(2).op("i32.shl").op("i32.add").set(end);
    f.get(to, length).i32(-4).op("i32.and").i32(2).op("i32.shl").op("i32.add").set(vectorsEnd);
    forUpTo(f, to, vectorsEnd, 16, () => {
      f.get(to, from).memory("v128.load").get(factor).op("f32x4.mul").memory("v128.store");
      advanceBy(f, from, 16);
    });
    forUpTo(f, to, end, 4, () => {
      f.get(to, from).memory("f32.load").get(factor).lane("f32x4.extract_lane", 0).op("f32.mul").memory("f32.store");
      advanceBy(f, from, 4);
    });
    advance(advance(advance(f, source, sourceStride), target, targetStride), factors, factorStep);
  });
}
