/** Loops, register operations and function types that the inner loops of matrix products are written with. */

import type { FunctionBuilder, FunctionType } from "./assembler.ts";

/** The type of a function that takes so many integers and returns nothing. */
export const takesIntegers = (count: number): FunctionType => ({
  params: new Array<"i32">(count).fill("i32"),
  results: [],
});

/** `for (; local < end; local += step) body()`, unsigned; `end` is a local. The body must not branch out. */
export function forUpTo(f: FunctionBuilder, local: number, end: number, step: number, body: () => void): void {
  f.block(() => {
    f.loop(() => {
      f.get(local, end).op("i32.ge_u").brIf(1);
      body();
      f.get(local).i32(step).op("i32.add").set(local).br(0);
    });
  });
}

/** `do body() while (count -= step)`: at least once, and `count` must be a multiple of the step. */
export function countDown(f: FunctionBuilder, count: number, step: number, body: () => void): void {
  f.loop(() => {
    body();
    f.get(count).i32(step).op("i32.sub").tee(count).brIf(0);
  });
}

/** local += stride, a local too. */
export function advance(f: FunctionBuilder, local: number, stride: number): FunctionBuilder {
  return f.get(local, stride).op("i32.add").set(local);
}

/** local += byteCount, a constant. */
export function advanceBy(f: FunctionBuilder, local: number, byteCount: number): FunctionBuilder {
  return f.get(local).i32(byteCount).op("i32.add").set(local);
}

/** sum = a · b + sum; without relaxed instructions in two roundings. */
export function multiplyAdd(f: FunctionBuilder, relaxed: boolean, a: number, b: number, sum: number): void {
  if (relaxed) f.get(a, b, sum).op("f32x4.relaxed_madd").set(sum);
  else f.get(a, b).op("f32x4.mul").get(sum).op("f32x4.add").set(sum);
}

/** A shuffle that takes the first two lanes of both operands in turns. */
export const LOW_PAIRS: readonly number[] = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
/** The same with the last two. */
export const HIGH_PAIRS: readonly number[] = [8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31];
const LOW_HALVES = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const HIGH_HALVES = [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31];

/** Calls `emit(i)` with column i of the 4 × 4 matrix of row locals `rows` on the stack when it runs `push()`. */
export function transpose(
  f: FunctionBuilder,
  rows: readonly number[],
  emit: (index: number, push: () => void) => void,
): void {
  const [r0 = 0, r1 = 0, r2 = 0, r3 = 0] = rows;
  const pairs = [f.local("v128"), f.local("v128"), f.local("v128"), f.local("v128")];
  const [p0 = 0, p1 = 0, p2 = 0, p3 = 0] = pairs;
  f.get(r0, r1)
    .shuffle(...LOW_PAIRS)
    .set(p0); // r0[0] r1[0] r0[1] r1[1]
  f.get(r0, r1)
    .shuffle(...HIGH_PAIRS)
    .set(p1);
  f.get(r2, r3)
    .shuffle(...LOW_PAIRS)
    .set(p2);
  f.get(r2, r3)
    .shuffle(...HIGH_PAIRS)
    .set(p3);
  for (let index = 0; index < 4; index++) {
    emit(index, () =>
      f.get(...(index < 2 ? [p0, p2] : [p1, p3])).shuffle(...(index % 2 === 0 ? LOW_HALVES : HIGH_HALVES)),
    );
  }
  for (const local of pairs) f.release(local);
}
