/** Emits a convolution in groups of few channels: sums of products of vectors, for several places and outputs at a time. */
import type { CompositeKernel } from "../../ir/kernel.ts";
import type { FunctionBuilder } from "./assembler.ts";
import { compositeModule } from "./composite-module.ts";
import type { GemmEmitter, Push } from "./gemm-emitter.ts";
import { gemmLibrary } from "./gemm-library.ts";
import { forUpTo, multiplyAdd, takesIntegers } from "./gemm-loops.ts";
import { tileColumns } from "./gemm-width.ts";
import { type GroupedConvolution, groupedOf, productsOf } from "./grouped-call.ts";
import { planRows, type RowPlan, rowsOfPiece, type Taps } from "./grouped-plan.ts";
import { eachSeenRow, emitSpread, type RowSegment } from "./grouped-rows.ts";
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
  const { module, layout, addPhase } = compositeModule(kernel, target);
  const plan = planRows(shape);
  const pieceRows = rowsOfPiece(plan, target.threadCount === 1 ? 1 : 2 * target.threadCount);
  const parts = [shape.batch, Math.ceil(shape.rows.outLength / pieceRows), plan.segments];
  const spread = module.addFunction(null, takesIntegers(3), (f) => emitSpread(f, shape));
  const tiles = plan.taps.map((taps): TileFunctions => {
    const addTile = (places: number): number =>
      module.addFunction(null, takesIntegers(4), (f) => emitTile(f, target.relaxed, plan, taps, places));
    return { taps, several: addTile(TILE_PLACES), single: addTile(1) };
  });

  addPhase("weights", (e) => turnWeights(e, shape));
  addPhase("convolve", (e, item) => convolveSegment(e, { plan, pieceRows, parts, spread, tiles }, item));

  const { instructions } = module;
  return {
    bytes: module.build(),
    library: gemmLibrary(tileColumns(target)),
    instructions,
    phases: [
      { name: "weights", itemCount: 1, itemsPerChunk: 1, work: plan.weightBytes },
      { name: "convolve", itemCount: parts.reduce((a, b) => a * b), itemsPerChunk: 1, work: productsOf(shape) / 4 },
    ],
    scratchBytes: plan.weightBytes + plan.bytes * target.threadCount,
    layout,
  };
}

function turnWeights(e: GemmEmitter, { groups, inner, outer, rows, columns }: GroupedConvolution): void {
  const lines = rows.size * columns.size * inner;
  const outputs = groups * outer;
  const [across, down] = [e.constant(4), e.constant(lines * 4)];
  const lengths = [e.constant(lines), e.constant(outputs)];
  e.call("gather", e.slot(1), across, down, ...lengths, e.scratch(0), e.constant(outputs * 4));
}

/** How a convolution is cut into items, and the functions that they call. */
interface CutConvolution {
  readonly plan: RowPlan;
  /** Rows of outputs of an item. */
  readonly pieceRows: number;
  /** Pictures, pieces of each, segments of each row: an item for each combination. */
  readonly parts: readonly number[];
  /** The function that {@link emitSpread} writes. */
  readonly spread: number;
  readonly tiles: readonly TileFunctions[];
}

/** Functions that sum the outputs of one remainder: for several places, and for one. */
interface TileFunctions {
  readonly taps: Taps;
  readonly several: number;
  readonly single: number;
}

/** Computes a segment of some rows of a picture's outputs. */
function convolveSegment(
  e: GemmEmitter,
  { plan, pieceRows, parts, spread, tiles }: CutConvolution,
  item: number,
): void {
  const { shape, weightBytes, bytes, segmentLength } = plan;
  const { groups, inner, rows, columns } = shape;
  const [picture = 0, piece = 0, index = 0] = e.split(item, parts);
  const table = e.let(e.threadScratch(weightBytes, bytes));
  const row = e.let(e.sum([e.get(piece), pieceRows]));
  const lastRow = e.let(e.least(e.sum([e.get(row), 1], pieceRows), e.constant(rows.outLength)));
  const first = e.let(e.sum([e.get(index), segmentLength]));
  const address = e.sum([e.slot(0), 1], [e.get(picture), rows.length * columns.length * groups * inner * 4]);
  const segment = { picture: address, row, lastRow, first, table, weights: e.scratch(0), spread };
  eachSeenRow(e, plan, segment, (tableEnd) => {
    const output = e.let(outputRow(e, shape, picture, row));
    for (const functions of tiles) sumPlaces(e, plan, segment, { tableEnd, output }, functions);
    e.f.release(output);
  });
}

/** Pushes where a row of outputs begins. */
function outputRow(
  e: GemmEmitter,
  { groups, outer, rows, columns }: GroupedConvolution,
  picture: number,
  row: number,
): Push {
  const rowBytes = columns.outLength * groups * outer * 4;
  return e.sum([e.slot(2), 1], [e.get(picture), rows.outLength * rowBytes], [e.get(row), rowBytes]);
}

/** Sums the outputs of a segment of a row that have one remainder, several at a time. */
function sumPlaces(
  e: GemmEmitter,
  { shape, placeBytes, segmentLength }: RowPlan,
  { table, first }: RowSegment,
  { tableEnd, output }: { readonly tableEnd: number; readonly output: number },
  { taps: { remainder }, several, single }: TileFunctions,
): void {
  const { f } = e;
  const { outLength, step, stride } = shape.columns;
  const outputBytes = shape.groups * shape.outer * 4;
  const all = Math.ceil((outLength - remainder) / step);
  const count = e.let(e.least(e.constant(segmentLength), () => f.i32(all).get(first).op("i32.sub")));
  const at = e.let(e.constant(0));
  const sumTile = (tile: number): void => {
    const place = e.sum([e.get(first), 1], [e.get(at), 1]);
    f.get(table, tableEnd);
    e.sum([e.get(at), stride * placeBytes])();
    e.sum([e.get(output), 1], [place, step * outputBytes], remainder * outputBytes)();
    f.call(tile);
  };
  f.get(count).i32(TILE_PLACES).op("i32.lt_u");
  f.if(
    () => forUpTo(f, at, count, 1, () => sumTile(single)),
    () =>
      forUpTo(f, at, count, TILE_PLACES, () => {
        // The last tile begins earlier, and computes again what is there.
        e.least(e.get(at), e.sum([e.get(count), 1], -TILE_PLACES))();
        f.set(at);
        sumTile(several);
      }),
  );
  f.release(count);
  f.release(at);
}

/** Body of (table of rows and their weights, its end, offset of the first place in a row, outputs): the sums of some places. */
function emitTile(
  f: FunctionBuilder,
  relaxed: boolean,
  { shape: { groups, inner, outer, columns }, lowest }: RowPlan,
  { met }: Taps,
  places: number,
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
