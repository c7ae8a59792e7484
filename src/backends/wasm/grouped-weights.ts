/** Emits the gradient of the weights of a convolution in groups of few channels: sums in registers along rows of outputs. */
import type { CompositeKernel } from "../../ir/kernel.ts";
import type { FunctionBuilder } from "./assembler.ts";
import { compositeModule } from "./composite-module.ts";
import { gemmLibrary } from "./gemm-library.ts";
import { advanceBy, forUpTo, multiplyAdd, takesIntegers } from "./gemm-loops.ts";
import { tileColumns } from "./gemm-width.ts";
import { groupedWeightsOf, productsOf } from "./grouped-call.ts";
import { planRows, type RowPlan, rowsOfPiece } from "./grouped-plan.ts";
import { eachSeenRow, emitSpread } from "./grouped-rows.ts";
import type { KernelCode, KernelTarget } from "./kernel-code.ts";

/** Parts of the outputs whose sums are joined, about: their number must not depend on threads. */
const PARTS = 16;
/** Sums in registers; a vector of outputs for each of its own, and one of places, come beside them. */
const SUMS = 10;

/**
 * Compiles the gradient to a module.
 *
 *     sum     for each part of the outputs:                                          (threads take parts)
 *               for each row, and each row of places that it sees:
 *                 sums += cotangent · place, for some weights and vectors of outputs, along the row;  part += sums
 *     join    first part += further parts;  [sizes…, inner, outputs] ─► [outputs, sizes…, inner]
 */
export function emitGroupedWeights(kernel: CompositeKernel, target: KernelTarget): KernelCode {
  const shape = groupedWeightsOf(kernel.call);
  if (!shape) throw new RangeError("no convolution in groups of few channels");
  const { batch, groups, inner, outer, rows, columns } = shape;
  const outputs = groups * outer;
  const { module, layout, addPhase } = compositeModule(kernel, target);
  const plan = planRows(shape);
  const { segmentLength, segments, weightBytes } = plan;
  const pictures = Math.ceil(batch / Math.min(batch, Math.ceil(PARTS / segments)));
  const pieceRows = rowsOfPiece(plan, PARTS);
  const parts = [Math.ceil(batch / pictures), Math.ceil(rows.outLength / pieceRows), segments];
  const partCount = parts.reduce((a, b) => a * b);
  const spread = module.addFunction(null, takesIntegers(3), (f) => emitSpread(f, shape));
  const add = module.addFunction(null, takesIntegers(4), (f) => emitSums(f, target.relaxed, plan));

  addPhase("sum", (e, item) => {
    const { f } = e;
    const [group = 0, piece = 0, segment = 0] = e.split(item, parts);
    const table = e.let(e.threadScratch(partCount * weightBytes, plan.bytes));
    const weights = e.sum([e.scratch(0), 1], [e.get(item), weightBytes]);
    const picture = e.let(e.sum([e.get(group), pictures]));
    const lastPicture = e.let(e.least(e.sum([e.get(picture), 1], pictures), e.constant(batch)));
    const row = f.local("i32");
    const lastRow = e.let(e.least(e.sum([e.get(piece), pieceRows], pieceRows), e.constant(rows.outLength)));
    const first = e.let(e.sum([e.get(segment), segmentLength]));
    const count = e.let(e.least(e.constant(segmentLength), () => f.i32(columns.outLength).get(first).op("i32.sub")));
    weights();
    f.i32(0).i32(weightBytes).memoryFill();
    forUpTo(f, picture, lastPicture, 1, () => {
      e.sum([e.get(piece), pieceRows])();
      f.set(row);
      const pictureBytes = rows.length * columns.length * groups * inner * 4;
      const from = e.sum([e.slot(1), 1], [e.get(picture), pictureBytes]);
      eachSeenRow(e, plan, { row, lastRow, first, table, weights, spread, picture: from }, (tableEnd) => {
        const place = e.sum(
          [e.get(picture), rows.outLength * columns.outLength],
          [e.get(row), columns.outLength],
          [e.get(first), 1],
        );
        f.get(table, tableEnd);
        e.sum([e.slot(0), 1], [place, outputs * 4])();
        f.get(count).call(add);
      });
    });
  });

  addPhase("join", (e) => {
    const part = e.let(e.constant(1));
    const end = e.let(e.constant(partCount));
    forUpTo(e.f, part, end, 1, () => {
      e.call("addVectors", e.sum([e.scratch(0), 1], [e.get(part), weightBytes]), e.scratch(0), e.constant(weightBytes));
    });
    const lines = rows.size * columns.size * inner;
    const [across, down] = [e.constant(4), e.constant(outputs * 4)];
    const lengths = [e.constant(outputs), e.constant(lines)];
    e.call("gather", e.scratch(0), across, down, ...lengths, e.slot(2), e.constant(lines * 4));
  });

  return {
    bytes: module.build(),
    library: gemmLibrary(tileColumns(target)),
    phases: [
      { name: "sum", itemCount: partCount, itemsPerChunk: 1, work: productsOf(shape) / 4 },
      { name: "join", itemCount: 1, itemsPerChunk: 1, work: (partCount * weightBytes) / 16 },
    ],
    scratchBytes: partCount * weightBytes + plan.bytes * target.threadCount,
    layout,
  };
}

/** Body of (table of rows and their weights, its end, cotangents of a row of outputs, outputs): adds to the weights. */
function emitSums(
  f: FunctionBuilder,
  relaxed: boolean,
  { shape: { groups, inner, outer, columns }, taps, lowest, placeBytes }: RowPlan,
): void {
  const [table, tableEnd, cotangents, count] = [0, 1, 2, 3];
  const outputBytes = groups * outer * 4;
  const [entry, at, end, place] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  const [cotangent, cotangentEnd, weights] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const value = f.local("v128");
  const met = (taps[0]?.met ?? []).flatMap(({ tap, offset }) =>
    Array.from({ length: inner }, (_, channel) => ({
      weight: (tap * inner + channel) * outputBytes,
      place: ((offset - lowest) * inner + channel) * outputBytes,
    })),
  );
  const chunk = Math.ceil(met.length / Math.ceil(met.length / (SUMS - 1)));
  const most = Math.max(1, Math.min(4, Math.floor(SUMS / chunk), outputBytes / 16));
  const factors = Array.from({ length: most }, () => f.local("v128"));
  const sums = Array.from({ length: chunk }, () => factors.map(() => f.local("v128")));

  /** Sums for so many vectors of outputs from `at` on. */
  const vectors = (width: number): void => {
    for (let first = 0; first < met.length; first += chunk) {
      const some = met.slice(first, first + chunk);
      for (const sum of sums.slice(0, some.length)) for (const one of sum.slice(0, width)) f.splatF32(0).set(one);
      f.get(entry).memory("i32.load").get(at).op("i32.add").set(place);
      f.get(cotangents, at).op("i32.add").tee(cotangent);
      f.get(count).i32(outputBytes).op("i32.mul").op("i32.add").set(cotangentEnd);
      forUpTo(f, cotangent, cotangentEnd, outputBytes, () => {
        for (const [k, factor] of factors.slice(0, width).entries())
          f.get(cotangent)
            .memory("v128.load", k * 16)
            .set(factor);
        for (const [m, one] of some.entries()) {
          for (const [k, factor] of factors.slice(0, width).entries()) {
            f.get(place)
              .memory("v128.load", one.place + k * 16)
              .set(value);
            multiplyAdd(f, relaxed, value, factor, sums[m]?.[k] ?? 0);
          }
        }
        advanceBy(f, place, columns.stride * placeBytes);
      });
      f.get(entry).memory("i32.load", 4).get(at).op("i32.add").set(weights);
      for (const [m, { weight }] of some.entries()) {
        for (let k = 0; k < width; k++) {
          f.get(weights, weights).memory("v128.load", weight + k * 16);
          f.get(sums[m]?.[k] ?? 0)
            .op("f32x4.add")
            .memory("v128.store", weight + k * 16);
        }
      }
    }
  };

  f.get(table).set(entry);
  const whole = Math.floor(outputBytes / (16 * most)) * 16 * most;
  forUpTo(f, entry, tableEnd, 8, () => {
    f.i32(0).set(at).i32(whole).set(end);
    forUpTo(f, at, end, 16 * most, () => vectors(most));
    if (whole < outputBytes) {
      f.i32(outputBytes).set(end);
      forUpTo(f, at, end, 16, () => vectors(1));
    }
  });
}
