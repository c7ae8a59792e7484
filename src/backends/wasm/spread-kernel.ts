/** Emits a convolution to few outputs: products of each place with all weights, spread over the outputs that see it. */
import type { CompositeKernel } from "../../ir/kernel.ts";
import type { FunctionBuilder } from "./assembler.ts";
import { compositeModule } from "./composite-module.ts";
import { type GemmEmitter, type Push, roundUp } from "./gemm-emitter.ts";
import { gemmLibrary } from "./gemm-library.ts";
import { advanceBy, forUpTo, takesIntegers } from "./gemm-loops.ts";
import { TILE_ROWS } from "./gemm-tile.ts";
import { tileColumns } from "./gemm-width.ts";
import type { KernelCode, KernelTarget } from "./kernel-code.ts";
import { type SpreadAxis, type SpreadConvolution, spreadOf } from "./spread-call.ts";

/** Places of a block of products, about, and most places of a row that are one block. */
const [BLOCK_PLACES, MOST_PLACES] = [96, 256];
/** Bytes of outputs that an item adds up: of several small pictures together, and of a part of a large one at most. */
const [PICTURES_BYTES, PART_BYTES] = [1 << 16, 1 << 19];

/** How a convolution is cut into items, and what a row of outputs takes. Only `pictures` and `rows` depend on threads. */
interface Cut {
  /** Pictures of an item, which are whole if there are several. */
  readonly pictures: number;
  /** Outputs along the first axis of an item. */
  readonly rows: number;
  /** Outputs along the last axis of an item, and the most places that reach them. */
  readonly columns: number;
  readonly places: number;
  /** Outputs before and after a row, which places at its ends reach beside it. */
  readonly margin: number;
  readonly rowBytes: number;
}

/**
 * Compiles a convolution to a module on the library of matrix products.
 *
 *     weights    [outputs, sizes…, channels] ─► panels of one matrix, [channels, sizes… · outputs]
 *     spread     for each part of the outputs:                                       (threads take parts)
 *                  for each block of the places that they see:
 *                    products = places · panels,   outputs += products, row by row
 *
 * Weights next to each other along the last axis meet outputs next to each other, so that what is added is contiguous.
 * An output adds up what it sees in an order that depends on the lengths alone.
 */
export function emitSpreadConvolution(kernel: CompositeKernel, target: KernelTarget): KernelCode {
  const shape = spreadOf(kernel.call);
  if (!shape) throw new RangeError("no convolution to spread");
  const { batch, channels, outputs, axes, ascends } = shape;
  const [outer, inner, last] = axes;
  const { module, layout, addPhase } = compositeModule(kernel, target);
  const panelWidth = tileColumns(target);
  const taps = outer.size * inner.size * last.size;
  const sums = taps * outputs;
  const columnPanels = Math.ceil(sums / panelWidth);
  const panelBytes = roundUp(columnPanels * panelWidth * channels * 4 + 64, 64);
  const cut = cutOf(shape, target.threadCount);
  const parts = [
    Math.ceil(batch / cut.pictures),
    Math.ceil(outer.outLength / cut.rows),
    Math.ceil(last.outLength / cut.columns),
  ];
  const isWhole = cut.rows >= outer.outLength;
  const blockRows = Math.max(1, Math.floor(BLOCK_PLACES / cut.places));
  const blockPlaces = blockRows * cut.places;
  // One more cache line to each row, so that the rows of a tile do not fall into one set of the cache.
  const sumStride = columnPanels * panelWidth * 4 + 64;
  const bytes = {
    outputs: roundUp(cut.pictures * cut.rows * inner.outLength * cut.rowBytes + 64, 64),
    places: roundUp(roundUp(blockPlaces, 2 * TILE_ROWS) * channels * 4 + 64, 64),
    sums: roundUp(blockPlaces, 2 * TILE_ROWS) * sumStride,
    table: roundUp(Math.max(blockPlaces, sums) * 4 + 16, 64),
  };
  const bytesPerThread = Object.values(bytes).reduce((sum, length) => sum + length, 0);
  const tableOffset = bytesPerThread - bytes.table;
  const spread = module.addFunction(null, takesIntegers(3), (f) => emitSpread(f, shape, sumStride));

  addPhase("weights", (e) => {
    const table = e.let(e.sum([e.threadScratch(panelBytes, bytesPerThread), 1], tableOffset));
    const depth = e.constant(channels);
    e.loop(taps, 1, (tap) => {
      const place = ascends
        ? e.sum([e.get(tap), channels * 4])
        : e.sum([e.get(tap), -channels * 4], (taps - 1) * channels * 4);
      const from = e.sum([e.slot(1), 1], [place, 1]);
      const entries = e.sum([e.get(table), 1], [e.get(tap), outputs * 4]);
      e.call("ladder", entries, e.constant(outputs), from, e.constant(taps * channels * 4));
    });
    e.call("packRightLines", e.get(table), e.constant(sums), depth, e.scratch(0), depth, e.constant(0));
  });

  addPhase("spread", (e, item) => {
    const { f } = e;
    const [group = 0, part = 0, segment = 0] = e.split(item, parts);
    const added = e.let(e.threadScratch(panelBytes, bytesPerThread));
    const placePanels = e.let(e.sum([e.get(added), 1], bytes.outputs));
    const products = e.let(e.sum([e.get(placePanels), 1], bytes.places));
    const table = e.let(e.sum([e.get(added), 1], tableOffset));
    const picture = e.let(e.sum([e.get(group), cut.pictures]));
    const pictures = e.let(e.least(e.constant(cut.pictures), () => f.i32(batch).get(picture).op("i32.sub")));
    // Whole pictures follow each other, and so do their lines, whether outputs see them or not.
    const [row, rows, firstRow, inRows] = isWhole ? whole(e, outer) : range(e, outer, part, cut.rows);
    const [column, columns, firstPlace, places] = range(e, last, segment, cut.columns);
    const outRows = e.let(() => f.get(pictures, rows).op("i32.mul").i32(inner.outLength).op("i32.mul"));
    const lines = e.let(() => f.get(pictures, inRows).op("i32.mul").i32(inner.length).op("i32.mul"));
    f.get(places)
      .op("i32.eqz")
      .if(() => f.i32(0).set(lines));
    const firstLine = e.let(e.sum([e.get(picture), outer.length * inner.length], [e.get(firstRow), inner.length]));
    // Where the first place of a line adds its products, in a row of outputs.
    const start = e.let(
      e.sum(
        [e.get(firstPlace), last.step * outputs * 4],
        [e.get(column), -outputs * 4],
        (last.first + cut.margin) * outputs * 4,
      ),
    );
    f.get(added).i32(0).get(outRows).i32(cut.rowBytes).op("i32.mul").memoryFill();
    const block = e.let(e.constant(0));
    const line = f.local("i32");
    forUpTo(f, block, lines, blockRows, () => {
      const count = e.let(e.least(e.constant(blockRows), () => f.get(lines, block).op("i32.sub")));
      const placeCount = e.let(() => f.get(count, places).op("i32.mul"));
      f.i32(0).set(line);
      forUpTo(f, line, count, 1, () => {
        const entries = e.sum([e.get(table), 1], [() => f.get(line, places).op("i32.mul"), 4]);
        const from = e.sum(
          [e.slot(0), 1],
          [e.sum([e.get(firstLine), 1], [e.get(block), 1], [e.get(line), 1]), last.length * channels * 4],
          [e.get(firstPlace), channels * 4],
        );
        e.call("ladder", entries, e.get(places), from, e.constant(channels * 4));
      });
      const depth = e.constant(channels);
      e.call("packLeftLines", e.get(table), e.get(placeCount), depth, e.get(placePanels), depth, e.constant(0));
      e.call(
        "multiply",
        e.get(placePanels),
        e.scratch(0),
        e.get(products),
        e.constant(sumStride),
        depth,
        e.get(placeCount),
        e.constant(columnPanels),
      );
      f.i32(0).set(line);
      forUpTo(f, line, count, 1, () => {
        const index = e.let(e.sum([e.get(block), 1], [e.get(line), 1]));
        const [own = 0, down = 0, across = 0] = isWhole
          ? e.split(index, [cut.pictures, outer.length, inner.length])
          : e.split(index, [1, outer.length, inner.length]);
        const from = e.let(e.sum([e.get(products), 1], [() => f.get(line, places).op("i32.mul"), sumStride]));
        for (let u = 0; u < outer.size; u++) {
          for (let v = 0; v < inner.size; v++) {
            const y = e.let(
              e.sum(
                [e.get(firstRow), outer.step],
                [e.get(down), outer.step],
                [e.get(row), -1],
                outer.first + u * outer.spread,
              ),
            );
            const z = e.let(e.sum([e.get(across), inner.step], inner.first + v * inner.spread));
            f.get(y, rows).op("i32.lt_u").get(z).i32(inner.outLength).op("i32.lt_u").op("i32.and");
            f.if(() => {
              const place = e.sum(
                [e.get(own), outer.outLength * inner.outLength],
                [e.get(y), inner.outLength],
                [e.get(z), 1],
              );
              e.sum([e.get(from), 1], (u * inner.size + v) * last.size * outputs * 4)();
              e.sum([e.get(added), 1], [place, cut.rowBytes], [e.get(start), 1])();
              f.get(places).call(spread);
            });
            f.release(y);
            f.release(z);
          }
        }
        for (const local of [index, own, down, across, from]) f.release(local);
      });
      f.release(count);
      f.release(placeCount);
    });
    const firstOut = e.sum([e.get(picture), outer.outLength * inner.outLength], [e.get(row), inner.outLength]);
    e.call(
      "copyRows",
      e.sum([e.get(added), 1], cut.margin * outputs * 4),
      e.constant(cut.rowBytes),
      e.sum([e.slot(2), 1], [firstOut, last.outLength * outputs * 4], [e.get(column), outputs * 4]),
      e.constant(last.outLength * outputs * 4),
      e.get(outRows),
      e.sum([e.get(columns), outputs]),
    );
  });

  const products = batch * outer.length * inner.length * last.length * channels * columnPanels * panelWidth;
  return {
    bytes: module.build(),
    library: gemmLibrary(panelWidth),
    phases: [
      { name: "weights", itemCount: 1, itemsPerChunk: 1, work: sums * channels },
      { name: "spread", itemCount: parts.reduce((a, b) => a * b), itemsPerChunk: 1, work: products / 3 },
    ],
    scratchBytes: panelBytes + bytesPerThread * target.threadCount,
    layout,
  };
}

/** Even parts. */
function cutOf({ batch, outputs, axes }: SpreadConvolution, threadCount: number): Cut {
  const [outer, inner, last] = axes;
  const segments = Math.ceil(last.length / MOST_PLACES);
  const columns = Math.ceil(last.outLength / segments);
  const margin = (last.size - 1) * last.spread;
  // A vector at the end of what a place adds may reach beyond it.
  const rowBytes = roundUp((columns + 2 * margin) * outputs * 4 + 16, 16);
  const places = Math.min(last.length, Math.floor((columns - 1 + margin) / last.step) + 1);
  const pictureBytes = outer.outLength * inner.outLength * rowBytes;
  const wanted = threadCount === 1 ? 1 : 2 * threadCount;
  // Parts see some of the same places.
  const most = Math.max(1, Math.floor(outer.outLength / (4 * (outer.size - 1) * outer.spread + 1)));
  const pieces = Math.max(Math.ceil(pictureBytes / PART_BYTES), Math.min(Math.ceil(wanted / (batch * segments)), most));
  const rows = Math.ceil(outer.outLength / pieces);
  const fitting = Math.floor(PICTURES_BYTES / pictureBytes);
  const pictures = pieces > 1 ? 1 : Math.max(1, Math.min(fitting, Math.floor((batch * segments) / wanted), batch));
  return { pictures, rows, columns, places, margin, rowBytes };
}

/** Locals: the first output of a part, how many it has, the first place that they see, and how many. */
function range(e: GemmEmitter, axis: SpreadAxis, part: number, length: number): [number, number, number, number] {
  const { f } = e;
  const begin = e.let(e.sum([e.get(part), length]));
  const count = e.let(e.least(e.constant(length), () => f.i32(axis.outLength).get(begin).op("i32.sub")));
  const reach = (axis.size - 1) * axis.spread;
  /** How many places lie before the first that adds at or beyond an output: 0 to all. */
  const before = (output: Push): number => {
    const lead = roundUp(reach + Math.max(0, axis.first), axis.step);
    const number = e.let(() => {
      e.sum([output, 1], lead - axis.first + axis.step - 1)();
      f.i32(axis.step)
        .op("i32.div_u")
        .i32(lead / axis.step)
        .op("i32.sub");
    });
    f.get(number).i32(0).get(number).i32(0).op("i32.gt_s").op("select").set(number);
    f.get(number).i32(axis.length).get(number).i32(axis.length).op("i32.lt_s").op("select").set(number);
    return number;
  };
  const first = before(e.sum([e.get(begin), 1], -reach));
  const end = before(e.sum([e.get(begin), 1], [e.get(count), 1]));
  return [begin, count, first, e.let(() => f.get(end, first).op("i32.sub"))];
}

/** The same for all outputs along an axis. */
function whole(e: GemmEmitter, { length, outLength }: SpreadAxis): [number, number, number, number] {
  const zero = e.let(e.constant(0));
  return [zero, e.let(e.constant(outLength)), zero, e.let(e.constant(length))];
}

/**
 * Body of (products, outputs, places): adds the products of each place to the outputs from there on. Places that follow each
 * other add to the same outputs, so they are taken far enough apart that none waits for what another has just stored.
 */
function emitSpread(f: FunctionBuilder, { outputs, axes }: SpreadConvolution, sumStride: number): void {
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
