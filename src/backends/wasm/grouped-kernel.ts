/** Emits a convolution in groups of few channels: sums of products of vectors, for several places and outputs at a time. */
import type { CompositeKernel } from "../../ir/kernel.ts";
import type { FunctionBuilder } from "./assembler.ts";
import { compositeModule } from "./composite-module.ts";
import { gemmLibrary } from "./gemm-library.ts";
import { forUpTo, multiplyAdd, takesIntegers } from "./gemm-loops.ts";
import { tileColumns } from "./gemm-width.ts";
import { type GroupedConvolution, groupedOf, productsOf } from "./grouped-call.ts";
import { eachSeenRow, emitSpread, planRows, rowsOfPiece, type Taps } from "./grouped-rows.ts";
import type { KernelCode, KernelTarget } from "./kernel-code.ts";

/** Places whose sums are in registers, for two vectors of outputs: eight sums hide the latency of a multiply-add. */
const TILE_PLACES = 4;

/**
 * Compiles a convolution to a module.
 *
 *     weights    [outputs, sizes…, inner] ─► [sizes…, inner, outputs]
 *     convolve   for each segment of each picture's rows of outputs:                (threads take segments)
 *                  places it sees ─► rows [place, inner, outputs] with zeros around: for each output the channels of its group
 *                  for each output row, 4 places and 8 outputs:   sums += place · weight,   sums ─► output
 *
 * Rows that further rows of outputs see too are kept. Each output is summed on its own, by rows, columns, channels.
 */
export function emitGroupedConvolution(kernel: CompositeKernel, target: KernelTarget): KernelCode {
  const shape = groupedOf(kernel.call);
  if (!shape) throw new RangeError("no convolution in groups of few channels");
  const { batch, groups, inner, outer, rows, columns } = shape;
  const outputs = groups * outer;
  const { module, layout, addPhase } = compositeModule(kernel, target);
  const plan = planRows(shape);
  const { taps, placeBytes, segmentLength, weightBytes } = plan;
  const { step, stride } = columns;
  const wanted = target.threadCount === 1 ? 1 : 2 * target.threadCount;
  const pieceRows = rowsOfPiece(shape, plan, wanted);
  const parts = [batch, Math.ceil(rows.outLength / pieceRows), plan.segments];
  const spread = module.addFunction(null, takesIntegers(3), (f) => emitSpread(f, shape));
  const tiles = taps.map(({ met }) =>
    [TILE_PLACES, 1].map((places) =>
      module.addFunction(null, takesIntegers(4), (f) => emitTile(f, target.relaxed, shape, met, places, plan.lowest)),
    ),
  );

  addPhase("weights", (e) => {
    const lines = rows.size * columns.size * inner;
    const [across, down] = [e.constant(4), e.constant(lines * 4)];
    e.call(
      "gather",
      e.slot(1),
      across,
      down,
      e.constant(lines),
      e.constant(outputs),
      e.scratch(0),
      e.constant(outputs * 4),
    );
  });

  addPhase("convolve", (e, item) => {
    const { f } = e;
    const [picture = 0, piece = 0, segment = 0] = e.split(item, parts);
    const table = e.let(e.threadScratch(weightBytes, plan.bytes));
    const row = e.let(e.sum([e.get(piece), pieceRows]));
    const lastRow = e.let(e.least(e.sum([e.get(row), 1], pieceRows), e.constant(rows.outLength)));
    const first = e.let(e.sum([e.get(segment), segmentLength]));
    const pictureBytes = rows.length * columns.length * groups * inner * 4;
    const seen = { row, lastRow, first, table, weights: e.scratch(0), spread };
    const from = e.sum([e.slot(0), 1], [e.get(picture), pictureBytes]);
    eachSeenRow(e, shape, plan, { ...seen, picture: from }, (tableEnd) => {
      const outRow = e.let(
        e.sum(
          [e.slot(2), 1],
          [e.get(picture), rows.outLength * columns.outLength * outputs * 4],
          [e.get(row), columns.outLength * outputs * 4],
        ),
      );
      for (const [k, { remainder }] of taps.entries()) {
        const outsides = Math.ceil((columns.outLength - remainder) / step);
        const count = e.let(e.least(e.constant(segmentLength), () => f.i32(outsides).get(first).op("i32.sub")));
        const at = e.let(e.constant(0));
        const tile = (function_: number): void => {
          f.get(table, tableEnd);
          e.sum([e.get(at), stride * placeBytes])();
          e.sum(
            [e.get(outRow), 1],
            [e.sum([e.get(first), 1], [e.get(at), 1]), step * outputs * 4],
            remainder * outputs * 4,
          )();
          f.call(function_);
        };
        const [several = 0, single = 0] = tiles[k] ?? [];
        f.get(count)
          .i32(TILE_PLACES)
          .op("i32.lt_u")
          .if(
            () => forUpTo(f, at, count, 1, () => tile(single)),
            () => {
              forUpTo(f, at, count, TILE_PLACES, () => {
                // The last tile begins earlier, and computes again what is there.
                e.least(e.get(at), e.sum([e.get(count), 1], -TILE_PLACES))();
                f.set(at);
                tile(several);
              });
            },
          );
        f.release(count);
        f.release(at);
      }
      f.release(outRow);
    });
  });

  const { instructions } = module;
  return {
    bytes: module.build(),
    library: gemmLibrary(tileColumns(target)),
    instructions,
    phases: [
      { name: "weights", itemCount: 1, itemsPerChunk: 1, work: weightBytes },
      { name: "convolve", itemCount: parts.reduce((a, b) => a * b), itemsPerChunk: 1, work: productsOf(shape) / 4 },
    ],
    scratchBytes: weightBytes + plan.bytes * target.threadCount,
    layout,
  };
}

/** Body of (table of rows and their weights, its end, offset of the first place in a row, outputs): the sums of some places. */
function emitTile(
  f: FunctionBuilder,
  relaxed: boolean,
  { groups, inner, outer, columns }: GroupedConvolution,
  met: Taps["met"],
  places: number,
  lowest: number,
): void {
  const [table, tableEnd, offset, target] = [0, 1, 2, 3];
  const outputs = groups * outer;
  const [at, end, entry] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const [row, weights] = [f.local("i32"), f.local("i32")];
  const [factor, value] = [[f.local("v128"), f.local("v128")], f.local("v128")];
  const sums = Array.from({ length: places }, () => [f.local("v128"), f.local("v128")]);
  /** The sums of so many vectors of outputs. */
  const vectors = (count: number): void => {
    for (const sum of sums) for (const one of sum.slice(0, count)) f.splatF32(0).set(one);
    f.get(table).set(entry);
    forUpTo(f, entry, tableEnd, 8, () => {
      f.get(entry).memory("i32.load").get(offset).op("i32.add").get(at).op("i32.add").set(row);
      f.get(entry).memory("i32.load", 4).get(at).op("i32.add").set(weights);
      for (const { tap, offset: place } of met) {
        for (let channel = 0; channel < inner; channel++) {
          for (let k = 0; k < count; k++)
            f.get(weights)
              .memory("v128.load", ((tap * inner + channel) * outputs + 4 * k) * 4)
              .set(factor[k] ?? 0);
          for (const [t, sum] of sums.entries()) {
            for (let k = 0; k < count; k++) {
              const lane = ((t * columns.stride + place - lowest) * inner + channel) * outputs + 4 * k;
              f.get(row)
                .memory("v128.load", lane * 4)
                .set(value);
              multiplyAdd(f, relaxed, value, factor[k] ?? 0, sum[k] ?? 0);
            }
          }
        }
      }
    });
    f.get(target, at).op("i32.add").set(row);
    for (const [t, sum] of sums.entries()) {
      for (let k = 0; k < count; k++)
        f.get(row, sum[k] ?? 0).memory("v128.store", (t * columns.step * outputs + 4 * k) * 4);
    }
  };
  f.i32(0)
    .set(at)
    .i32(Math.floor(outputs / 8) * 32)
    .set(end);
  if (outputs >= 8) forUpTo(f, at, end, 32, () => vectors(2));
  if (outputs % 8 !== 0) vectors(1);
}
