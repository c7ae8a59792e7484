/** The inner loop of a convolution to few outputs: what a row of places adds to a row of outputs. */
import type { FunctionBuilder } from "./assembler.ts";
import { roundUp } from "./gemm-emitter.ts";
import { advanceBy, forUpTo } from "./gemm-loops.ts";
import type { SpreadConvolution } from "./spread-call.ts";

/**
 * Body of (products, outputs, places): adds the products of each place to the outputs from there on. Places that follow each
 * other add to the same outputs, so they are taken far enough apart that none waits for what another has just stored.
 */
export function emitSpread(f: FunctionBuilder, { outputs, axes }: SpreadConvolution, sumStride: number): void {
  const [products, target, places] = [0, 1, 2];
  const { size, spread, step } = axes[2];
  const [phase, from, to, end] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  const run = (spread === 1 ? size : 1) * outputs;
  const runs = spread === 1 ? 1 : size;
  const apart = Math.ceil(((runs - 1) * spread * outputs + roundUp(run, 4)) / (step * outputs));
  const add = (fromOffset: number, toOffset: number, lanes: number): void => {
    f.get(to, to).memory("v128.load", toOffset).get(from).memory("v128.load", fromOffset);
    // What lies beyond the run belongs to other outputs, and need not be finite.
    if (lanes < 4)
      f.v128(new Uint8Array(Int32Array.from([0, 1, 2, 3], (lane) => (lane < lanes ? -1 : 0)).buffer)).op("v128.and");
    f.op("f32x4.add").memory("v128.store", toOffset);
  };
  f.get(places).i32(sumStride).op("i32.mul").get(products).op("i32.add").set(end);
  const phases = f.local("i32");
  f.get(places).i32(apart).get(places).i32(apart).op("i32.lt_u").op("select").set(phases);
  f.i32(0).set(phase);
  forUpTo(f, phase, phases, 1, () => {
    f.get(phase).i32(sumStride).op("i32.mul").get(products).op("i32.add").set(from);
    f.get(phase)
      .i32(step * outputs * 4)
      .op("i32.mul")
      .get(target)
      .op("i32.add")
      .set(to);
    forUpTo(f, from, end, apart * sumStride, () => {
      for (let k = 0; k < runs; k++) {
        for (let first = 0; first < run; first += 4)
          add((k * run + first) * 4, (k * spread * outputs + first) * 4, Math.min(4, run - first));
      }
      advanceBy(f, to, apart * step * outputs * 4);
    });
  });
}
