/** The outputs of a 3 × 3 convolution at one place, directly: for tiles whose transformed sums are not finite. */
import type { FunctionBuilder, FunctionType } from "./assembler.ts";
import { advanceBy, countDown, forUpTo, takesIntegers } from "./gemm-loops.ts";
import type { TiledConvolution } from "./winograd-call.ts";

/** (weights, target, nine addresses of pixels): all outputs at one place. */
export const directType: FunctionType = takesIntegers(11);

/** Body of the function: each output is the sum over nine pixels, four channels at a time. */
export function emitDirect(f: FunctionBuilder, { channels, outputs, flip }: TiledConvolution): void {
  const [weights, target, firstPixel] = [0, 1, 2];
  const [rest, at, end, from] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  const sum = f.local("v128");
  f.i32(outputs)
    .set(rest)
    .i32(channels * 4)
    .set(end);
  countDown(f, rest, 1, () => {
    f.splatF32(0).set(sum).i32(0).set(at).get(weights).set(from);
    forUpTo(f, at, end, 16, () => {
      for (let tap = 0; tap < 9; tap++) {
        f.get(from).memory("v128.load", (flip ? 8 - tap : tap) * channels * 4);
        f.get(firstPixel + tap, at)
          .op("i32.add")
          .memory("v128.load");
        f.op("f32x4.mul").get(sum).op("f32x4.add").set(sum);
      }
      advanceBy(f, from, 16);
    });
    f.get(target);
    for (let lane = 0; lane < 4; lane++) {
      f.get(sum).lane("f32x4.extract_lane", lane);
      if (lane > 0) f.op("f32.add");
    }
    f.memory("f32.store");
    advanceBy(advanceBy(f, target, 4), weights, 9 * channels * 4);
  });
}
