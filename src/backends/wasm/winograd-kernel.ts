/** Emits a convolution of 3 × 3 weights by transformed tiles: products of 4 × 4 places, 5 × 5 with stride 2, for 2 × 2 outputs. */
import type { CompositeKernel } from "../../ir/kernel.ts";
import { compositeModule } from "./composite-module.ts";
import type { GemmEmitter } from "./gemm-emitter.ts";
import { gemmLibrary } from "./gemm-library.ts";
import { forUpTo } from "./gemm-loops.ts";
import { tileColumns } from "./gemm-width.ts";
import type { KernelCode, KernelTarget } from "./kernel-code.ts";
import { BlockEmitter, planTiles, type TilePlan } from "./winograd-block.ts";
import { type TiledConvolution, tiledConvolutionOf } from "./winograd-call.ts";
import { directType, emitDirect } from "./winograd-direct.ts";
import { MATRICES, transformWeights, VectorScope } from "./winograd-transforms.ts";

/**
 * Compiles a convolution to a module on the library of matrix products.
 *
 *     weights      3 × 3 weights of each output ─► places ─► panels, sixteen matrices of [channels, outputs]
 *     convolve     for each block of tiles:                                             (threads take blocks)
 *       pixels of each tile ─► places
 *       for each matrix and the places that meet it:   pixels ─► panels,  sums = panels · panels
 *       sums ─► 2 × 2 outputs
 *
 * A transformed infinity or NaN would reach outputs that do not see it: tiles with an output that is not finite are
 * computed again, directly. A tile's bits depend on neither blocks nor threads.
 */
export function emitTiledConvolution(kernel: CompositeKernel, target: KernelTarget): KernelCode {
  const shape = tiledConvolutionOf(kernel.call);
  const { channels, outputs } = shape;
  const { module, layout, addPhase } = compositeModule(kernel, target);
  const plan = planTiles(shape, tileColumns(target));
  const { tiles, block } = plan;
  const direct = module.addFunction(null, directType, (f) => emitDirect(f, shape));
  addPhase("weights", (e, output) => emitWeights(e, output, shape, plan));
  addPhase("convolve", (e, item) => new BlockEmitter(e, shape, plan, item).emit(direct, kernel.slots.length - 1));

  const products = (tiles * plan.placeCount * channels * plan.columns) / 3;
  return {
    bytes: module.build(),
    library: gemmLibrary(plan.panelWidth),
    phases: [
      {
        name: "weights",
        itemCount: outputs,
        itemsPerChunk: Math.ceil(outputs / (4 * target.threadCount)),
        work: outputs * channels * 20,
      },
      {
        name: "convolve",
        itemCount: Math.ceil(tiles / block),
        itemsPerChunk: 1,
        work: products + tiles * (channels + outputs) * 25,
      },
    ],
    scratchBytes: MATRICES * plan.matrixBytes + plan.bytesPerThread * target.threadCount,
    layout,
  };
}

/** Transforms the weights of an output. */
function emitWeights(
  e: GemmEmitter,
  output: number,
  { channels, stride, flip }: TiledConvolution,
  { panelWidth, matrixBytes }: TilePlan,
): void {
  const { f } = e;
  const from = e.let(e.sum([e.slot(1), 1], [e.get(output), 9 * channels * 4]));
  const [panel, lane] = [
    () => f.get(output).i32(panelWidth).op("i32.div_u"),
    () => f.get(output).i32(panelWidth).op("i32.rem_u"),
  ];
  const to = e.let(e.sum([e.scratch(0), 1], [panel, channels * panelWidth * 4], [lane, 4]));
  const end = e.let(e.sum([e.get(from), 1], channels * 4));
  const v = new VectorScope(f);
  forUpTo(f, from, end, 16, () => {
    const taps = [0, 1, 2].map((y) =>
      [0, 1, 2].map((x) => {
        const tap = flip ? 8 - (y * 3 + x) : y * 3 + x;
        return v.keep(() => f.get(from).memory("v128.load", tap * channels * 4));
      }),
    );
    for (const [matrix, vector] of transformWeights(v, taps, stride).flat().entries()) {
      for (let channel = 0; channel < 4; channel++)
        f.get(to, vector).memoryLane("v128.store32_lane", matrix * matrixBytes + channel * panelWidth * 4, channel);
    }
    v.release();
    f.get(to)
      .i32(4 * panelWidth * 4)
      .op("i32.add")
      .set(to);
  });
}
