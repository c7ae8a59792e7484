/** Inner loops of products with one small side, where the rows of the large one are scaled and added up. */
import type { FunctionBuilder } from "./assembler.ts";
import { advance, advanceBy, countDown, forUpTo, multiplyAdd } from "./gemm-loops.ts";

/** Rows of `wide` that stream through the target at a time: with fewer the target is read and written more often. */
const STREAMED_ROWS = 8;

/** Streams some rows of `wide` at a time through the target: sequential reads, whatever the stride. */
export function addScaledRows(f: FunctionBuilder, relaxed: boolean): void {
  const [thin, thinStride, wide, wideStride, target, targetStride, thinCount, wideCount, depth] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8,
  ];
  const offset = f.local("i32");
  const end = f.local("i32");
  const factorAt = f.local("i32");
  const row = f.local("i32");
  const cell = f.local("i32");
  const rowsLeft = f.local("i32");
  const sources = [wide, ...Array.from({ length: STREAMED_ROWS - 1 }, () => f.local("i32"))];
  const factors = sources.map(() => f.local("v128"));
  const sum = f.local("v128");
  const value = f.local("v128");

  const addRows = (count: number): void => {
    for (let u = 1; u < count; u++)
      f.get(sources[u - 1] ?? 0, wideStride)
        .op("i32.add")
        .set(sources[u] ?? 0);
    f.get(thin).set(factorAt).get(target).set(row).get(thinCount).set(rowsLeft);
    countDown(f, rowsLeft, 1, () => {
      for (let u = 0; u < count; u++)
        f.get(factorAt)
          .memory("v128.load32_splat", u * 4)
          .set(factors[u] ?? 0);
      f.i32(0).set(offset);
      forUpTo(f, offset, end, 16, () => {
        for (let u = 0; u < count; u++) {
          f.get(sources[u] ?? 0, offset)
            .op("i32.add")
            .memory("v128.load")
            .set(value);
          if (u === 0)
            f.get(value, factors[0] ?? 0)
              .op("f32x4.mul")
              .set(sum);
          else multiplyAdd(f, relaxed, value, factors[u] ?? 0, sum);
        }
        f.get(row, offset).op("i32.add").tee(cell).get(cell).memory("v128.load").get(sum).op("f32x4.add");
        f.memory("v128.store");
      });
      advance(advance(f, factorAt, thinStride), row, targetStride);
    });
  };

  f.get(wideCount).i32(2).op("i32.shl").set(end);
  f.block(() => {
    f.loop(() => {
      f.get(depth).i32(STREAMED_ROWS).op("i32.lt_u").brIf(1);
      addRows(STREAMED_ROWS);
      f.get(sources[STREAMED_ROWS - 1] ?? 0, wideStride)
        .op("i32.add")
        .set(wide);
      advanceBy(advanceBy(f, thin, STREAMED_ROWS * 4), depth, -STREAMED_ROWS).br(0);
    });
  });
  f.get(depth).if(() => {
    countDown(f, depth, 1, () => {
      addRows(1);
      advanceBy(advance(f, wide, wideStride), thin, 4);
    });
  });
}

/** Adds one row of vectors to another. */
export function addVectors(f: FunctionBuilder): void {
  const [source, target, byteLength] = [0, 1, 2];
  const at = f.local("i32");
  countDown(f, byteLength, 16, () => {
    f.get(target, byteLength).op("i32.add").i32(16).op("i32.sub").tee(at).get(at).memory("v128.load");
    f.get(source, byteLength).op("i32.add").i32(16).op("i32.sub").memory("v128.load");
    f.op("f32x4.add").memory("v128.store");
  });
}
