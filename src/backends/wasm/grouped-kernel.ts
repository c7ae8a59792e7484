/** Emits a convolution in groups of few channels: sums of products of vectors, for several places and outputs at a time. */
import type { CompositeKernel } from "../../ir/kernel.ts";
import type { FunctionBuilder } from "./assembler.ts";
import { ModuleBuilder } from "./assembler.ts";
import { GemmEmitter, type Push, roundUp } from "./gemm-emitter.ts";
import { gemmLibrary } from "./gemm-library.ts";
import { advanceBy, forUpTo, multiplyAdd, takesIntegers } from "./gemm-loops.ts";
import { tileColumns } from "./gemm-width.ts";
import { type GroupedConvolution, groupedOf } from "./grouped-call.ts";
import type { KernelCode, KernelTarget } from "./kernel-code.ts";
import { argumentLayout } from "./kernel-code.ts";

/** Places whose sums are in registers, for two vectors of outputs: eight sums hide the latency of a multiply-add. */
const TILE_PLACES = 4;
/** Bytes of the rows of places that an output sees, about: part of a second-level cache. */
const ROWS_BYTES = 1 << 17;
/** Fewest places of a segment of a row, for each remainder: those at its ends are spread for both neighbours. */
const LEAST_PLACES = 16;

/** What outputs of one remainder by the step meet: the number of a weight, and its place from that of the output on. */
interface Taps {
  readonly remainder: number;
  readonly met: readonly { readonly tap: number; readonly offset: number }[];
}

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
  const channels = groups * inner;
  const module = new ModuleBuilder(target);
  const layout = argumentLayout(kernel.slots.length, []);
  const spec = { batchLengths: [], scratchOffset: layout.scratch };
  const taps = tapsOf(shape);
  const offsets = taps.flatMap(({ met }) => met.map(({ offset }) => offset));
  const [lowest, highest] = [Math.min(0, ...offsets), Math.max(0, ...offsets)];
  const placeBytes = inner * outputs * 4;
  const { step, stride } = columns;
  const keptRows = Math.floor(((rows.size - 1) * rows.spread) / rows.step) + 1;
  const remaindersLength = Math.ceil(columns.outLength / step);
  const fitting = Math.floor(ROWS_BYTES / (keptRows * placeBytes * stride));
  const longest = Math.max(fitting, LEAST_PLACES);
  /** Outputs of a segment, for each remainder. */
  const segmentLength = Math.ceil(remaindersLength / Math.ceil(remaindersLength / longest));
  const segments = Math.ceil(remaindersLength / segmentLength);
  const segmentPlaces = (segmentLength - 1) * stride + highest - lowest + 1;
  const wanted = target.threadCount === 1 ? 1 : 2 * target.threadCount;
  const most = Math.max(1, Math.floor(rows.outLength / (4 * rows.size)));
  const pieces = Math.min(most, Math.ceil(wanted / (batch * segments)));
  const pieceRows = Math.ceil(rows.outLength / pieces);
  const parts = [batch, Math.ceil(rows.outLength / pieceRows), segments];
  const weightBytes = roundUp(rows.size * columns.size * placeBytes, 64);
  // One more cache line to each row, so that rows do not fall into one set of the cache.
  const rowBytes = roundUp(segmentPlaces * placeBytes, 64) + 64;
  const bytes = { table: roundUp(rows.size * 8, 64), rows: keptRows * rowBytes };
  const bytesPerThread = bytes.table + bytes.rows;
  const slot = (f: FunctionBuilder, index: number) => () => f.get(0).memory("i32.load", index * 4);
  const spread = module.addFunction("spread", takesIntegers(3), (f) => emitSpread(f, shape), { export: false });
  const tiles = taps.map(({ remainder, met }) =>
    [TILE_PLACES, 1].map((places) =>
      module.addFunction(
        `sum_${remainder}_${places}`,
        takesIntegers(4),
        (f) => emitTile(f, target.relaxed, shape, met, places, lowest),
        { export: false },
      ),
    ),
  );

  GemmEmitter.addPhase(module, spec, "weights", (e) => {
    const lines = rows.size * columns.size * inner;
    const [across, down] = [e.constant(4), e.constant(lines * 4)];
    e.call(
      "gather",
      slot(e.f, 1),
      across,
      down,
      e.constant(lines),
      e.constant(outputs),
      e.scratch(0),
      e.constant(outputs * 4),
    );
  });

  GemmEmitter.addPhase(module, spec, "convolve", (e, item) => {
    const { f } = e;
    const [picture = 0, piece = 0, segment = 0] = e.split(item, parts);
    const table = e.let(e.threadScratch(weightBytes, bytesPerThread));
    const kept = e.let(e.sum([e.get(table), 1], bytes.table));
    const row = e.let(e.sum([e.get(piece), pieceRows]));
    const lastRow = e.let(e.least(e.sum([e.get(row), 1], pieceRows), e.constant(rows.outLength)));
    const first = e.let(e.sum([e.get(segment), segmentLength]));
    // The place at the beginning of a kept row, which may lie before the picture, and those that lie within it.
    const begin = e.let(e.sum([e.get(first), stride], lowest));
    const clamp = (push: Push): number => {
      const local = e.let(push);
      f.get(local).i32(0).get(local).i32(0).op("i32.gt_s").op("select").set(local);
      f.get(local).i32(segmentPlaces).get(local).i32(segmentPlaces).op("i32.lt_s").op("select").set(local);
      return local;
    };
    const inside = clamp(e.sum([e.get(begin), -1]));
    const end = clamp(e.sum([e.get(begin), -1], columns.length));
    const next = e.let(e.constant(0));
    /** How many rows lie before an output's, moved back by the padding: 0 to all. */
    const rowsBefore = (moved: number): number => {
      const lead = roundUp(Math.max(0, -moved), rows.step);
      const local = e.let(() => {
        e.sum([e.get(row), rows.stride], lead + moved)();
        f.i32(rows.step)
          .op("i32.div_u")
          .i32(lead / rows.step)
          .op("i32.sub");
      });
      f.get(local).i32(0).get(local).i32(0).op("i32.gt_s").op("select").set(local);
      f.get(local).i32(rows.length).get(local).i32(rows.length).op("i32.lt_s").op("select").set(local);
      return local;
    };
    const keptRow = (place: number): Push =>
      e.sum([e.get(kept), 1], [() => f.get(place).i32(keptRows).op("i32.rem_u"), rowBytes]);
    const entry = f.local("i32");
    forUpTo(f, row, lastRow, 1, () => {
      const firstSeen = rowsBefore(rows.step - 1 - rows.low);
      const endSeen = rowsBefore((rows.size - 1) * rows.spread + rows.step - rows.low);
      f.get(firstSeen, next, firstSeen, next).op("i32.gt_u").op("select").set(next);
      forUpTo(f, next, endSeen, 1, () => {
        const to = e.let(keptRow(next));
        const middle = e.let(e.sum([e.get(to), 1], [e.get(inside), placeBytes]));
        const after = e.let(e.sum([e.get(to), 1], [e.get(end), placeBytes]));
        f.get(to).i32(0).get(middle, to).op("i32.sub").memoryFill();
        f.get(after)
          .i32(0)
          .get(to)
          .i32(segmentPlaces * placeBytes)
          .op("i32.add")
          .get(after)
          .op("i32.sub")
          .memoryFill();
        f.get(middle, after);
        e.sum(
          [slot(f, 0), 1],
          [e.get(picture), rows.length * columns.length * channels * 4],
          [e.get(next), columns.length * channels * 4],
          [e.get(begin), channels * 4],
          [e.get(inside), channels * 4],
        )();
        f.call(spread);
        for (const local of [to, middle, after]) f.release(local);
      });
      f.release(firstSeen);
      f.release(endSeen);
      f.get(table).set(entry);
      for (let tap = 0; tap < rows.size; tap++) {
        const place = e.let(e.sum([e.get(row), rows.stride], tap * rows.spread - rows.low));
        f.get(place)
          .i32(rows.length * rows.step)
          .op("i32.lt_u");
        if (rows.step > 1) f.get(place).i32(rows.step).op("i32.rem_s").op("i32.eqz").op("i32.and");
        f.if(() => {
          if (rows.step > 1) f.get(place).i32(rows.step).op("i32.div_u").set(place);
          const weightRow = shape.flip ? rows.size - 1 - tap : tap;
          f.get(entry);
          keptRow(place)();
          f.memory("i32.store").get(entry);
          e.scratch(weightRow * columns.size * placeBytes)();
          f.memory("i32.store", 4);
          advanceBy(f, entry, 8);
        });
        f.release(place);
      }
      const outRow = e.let(
        e.sum(
          [slot(f, 2), 1],
          [e.get(picture), rows.outLength * columns.outLength * outputs * 4],
          [e.get(row), columns.outLength * outputs * 4],
        ),
      );
      for (const [k, { remainder }] of taps.entries()) {
        const outsides = Math.ceil((columns.outLength - remainder) / step);
        const count = e.let(e.least(e.constant(segmentLength), () => f.i32(outsides).get(first).op("i32.sub")));
        const at = e.let(e.constant(0));
        const tile = (function_: number): void => {
          f.get(table, entry);
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
  const products = batch * rows.outLength * columns.outLength * outputs * rows.size * columns.size * inner;
  return {
    bytes: module.build(),
    library: gemmLibrary(tileColumns(target)),
    instructions,
    phases: [
      { name: "weights", itemCount: 1, itemsPerChunk: 1, work: weightBytes },
      { name: "convolve", itemCount: parts.reduce((a, b) => a * b), itemsPerChunk: 1, work: products / 4 },
    ],
    scratchBytes: weightBytes + bytesPerThread * target.threadCount,
    layout,
  };
}

/** For each remainder of outputs along a row, what they meet. */
function tapsOf({ columns, flip }: GroupedConvolution): readonly Taps[] {
  const { size, spread, step, low, outLength } = columns;
  return Array.from({ length: Math.min(step, outLength) }, (_, remainder) => {
    const all = Array.from({ length: size }, (_, tap) => ({ tap, place: remainder + tap * spread - low }));
    const met = all.filter(({ place }) => place % step === 0);
    return {
      remainder,
      met: met.map(({ tap, place }) => ({ tap: flip ? size - 1 - tap : tap, offset: place / step })),
    };
  });
}

/** Body of (row, its end, places): for each place, output and inner channel the channel of the output's group. */
function emitSpread(f: FunctionBuilder, { groups, inner, outer }: GroupedConvolution): void {
  const [to, end, from] = [0, 1, 2];
  const outputs = groups * outer;
  if (inner === 1 && outer === 1) {
    forUpTo(f, to, end, 16, () => {
      f.get(to, from).memory("v128.load").memory("v128.store");
      advanceBy(f, from, 16);
    });
    return;
  }
  // So many outputs, whole groups and whole vectors, repeat the same pattern.
  const period = outer * (outer % 4 === 0 ? 1 : outer % 2 === 0 ? 2 : 4);
  const patternEnd = f.local("i32");
  forUpTo(f, to, end, (inner - 1) * outputs * 4, () => {
    f.get(to)
      .i32(outputs * 4)
      .op("i32.add")
      .set(patternEnd);
    forUpTo(f, to, patternEnd, period * 4, () => {
      for (let channel = 0; channel < inner; channel++) {
        for (let first = 0; first < period; first += 4) {
          const sources = [0, 1, 2, 3].map((lane) => (Math.floor((first + lane) / outer) * inner + channel) * 4);
          f.get(to);
          const [own = 0, ...others] = sources;
          if (others.every((source) => source === own)) f.get(from).memory("v128.load32_splat", own);
          else if (others.every((source, k) => source === own + 4 * (k + 1))) f.get(from).memory("v128.load", own);
          else {
            const value = f.local("v128");
            f.get(from).memory("v128.load32_splat", own).set(value);
            for (const [k, source] of others.entries())
              f.get(from, value)
                .memoryLane("v128.load32_lane", source, k + 1)
                .set(value);
            f.get(value);
            f.release(value);
          }
          f.memory("v128.store", (channel * outputs + first) * 4);
        }
      }
      advanceBy(f, from, (period / outer) * inner * 4);
    });
  });
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
  const [at, end, entry, row, weights] = ["i32", "i32", "i32", "i32", "i32"].map(() => f.local("i32"));
  if (at === undefined || end === undefined || entry === undefined || row === undefined || weights === undefined)
    return;
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
