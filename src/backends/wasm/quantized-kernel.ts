/** Emits a product of a few rows with packed weights, which are unpacked in registers and never in memory. */
import type { CompositeKernel } from "../../ir/kernel.ts";
import type { FunctionBuilder } from "./assembler.ts";
import { compositeModule } from "./composite-module.ts";
import { roundUp } from "./gemm-emitter.ts";
import { advanceBy, countDown, forUpTo } from "./gemm-loops.ts";
import type { KernelCode, KernelLibrary, KernelTarget } from "./kernel-code.ts";
import { phaseType } from "./kernel-code.ts";
import { ModuleBuilder } from "./module-builder.ts";
import { quantizedOf } from "./quantized-call.ts";
import type { QuantizedLoop } from "./quantized-loop.ts";
import {
  floatsPerPair,
  multiplyPacked,
  PAIR_BYTES,
  PAIR_WORDS,
  quantizedLoopType,
  SPREAD_HEAD,
  weightsPerWord,
} from "./quantized-loop.ts";
import { isPackedLoopWide } from "./quantized-width.ts";

/** Outputs that a thread takes at a time. */
const OUTPUT_BLOCK = 32;

/**
 * Compiles a product with packed weights.
 *
 *     spread      rows of x ─► the order in which the loop meets them, with sums for the biases
 *     multiply    for each block of outputs and each one or two rows:   loop ─► eight lanes a sum ─► output   (threads take blocks)
 *
 * A sum's order depends on the length alone, so that rows, threads and wide vectors change no bit.
 */
export function emitQuantizedProduct(kernel: CompositeKernel, target: KernelTarget): KernelCode {
  const { rows, inputs, outputs, bits, groupSize } = quantizedOf(kernel.call);
  const loopFor = (rowsAtOnce: 1 | 2): QuantizedLoop => ({
    bits,
    pairsPerGroup: (groupSize * bits) / 256,
    rows: rowsAtOnce,
  });
  // Two rows at once overflow narrow registers.
  const pairedRows = loopFor(2);
  const loop = rows > 1 && isPackedLoopWide(pairedRows, target) ? pairedRows : loopFor(1);
  const groups = inputs / groupSize;
  const pairs = groups * loop.pairsPerGroup;
  const passes = Math.ceil(rows / loop.rows);
  const spreadBytes = roundUp(SPREAD_HEAD + pairs * floatsPerPair(loop) * 4, 64);
  const sumBytes = OUTPUT_BLOCK * loop.rows * PAIR_BYTES;
  const { module, layout, addPhase, emitter } = compositeModule(kernel, target);
  const multiply = module.importFunction("multiplyPacked", quantizedLoopType);

  addPhase("spread", (e, pass) => {
    const { f } = e;
    const to = e.let(e.sum([e.scratch(0), 1], [e.get(pass), spreadBytes]));
    f.get(to)
      .i32(2 ** bits - 1)
      .memory("i32.store");
    advanceBy(f, to, SPREAD_HEAD);
    for (let row = 0; row < loop.rows; row++) {
      const source = e.least(e.sum([e.get(pass), loop.rows], row), e.constant(rows - 1));
      const from = e.let(e.sum([e.slot(0), 1], [source, inputs * 4]));
      spreadRow(f, loop, row, { from, to, pairs });
    }
  });

  module.addFunction("multiply", phaseType, (f) => {
    const e = emitter(f);
    const [first, end] = [1, 2];
    const count = e.let(() => f.get(end, first).op("i32.sub"));
    const sums = e.let(e.threadScratch(passes * spreadBytes, sumBytes));
    for (let pass = 0; pass < passes; pass++) {
      e.sum([e.slot(1), 1], [e.get(first), (inputs * bits) / 8])();
      e.sum([e.slot(2), 1], [e.get(first), groups * 4])();
      e.sum([e.slot(3), 1], [e.get(first), groups * 4])();
      e.scratch(pass * spreadBytes)();
      f.get(sums, count).i32(groups).call(multiply);
      for (let row = 0; row < loop.rows && pass * loop.rows + row < rows; row++) {
        const place = (pass * loop.rows + row) * outputs * 4;
        const to = e.let(e.sum([e.slot(kernel.slots.length - 1), 1], [e.get(first), 4], place));
        const from = e.let(e.sum([e.get(sums), 1], row * PAIR_BYTES));
        addLanes(f, { from, to, count: e.let(e.get(count)), step: loop.rows * PAIR_BYTES });
      }
    }
  });

  const work = outputs * inputs * (0.5 + passes);
  const chunks = Math.ceil(outputs / OUTPUT_BLOCK);
  return {
    bytes: module.build(),
    library: libraryOf(loop, target),
    phases: [
      { name: "spread", itemCount: passes, itemsPerChunk: passes, work: rows * inputs * 4 },
      { name: "multiply", itemCount: outputs, itemsPerChunk: Math.ceil(outputs / chunks), work },
    ],
    scratchBytes: passes * spreadBytes + sumBytes * target.threadCount,
    layout,
  };
}

/** Weight k of word w of a pair meets `x[(pair · 8 + w) · weightsPerWord + k]`, lane w of vector pair k. */
function spreadRow(
  f: FunctionBuilder,
  loop: QuantizedLoop,
  row: number,
  { from, to, pairs }: { readonly from: number; readonly to: number; readonly pairs: number },
): void {
  const count = weightsPerWord(loop);
  const [at, rest, end] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const [total, value] = [f.local("f32"), f.local("f32")];
  f.get(to).set(at).i32(pairs).set(rest);
  countDown(f, rest, 1, () => {
    f.get(at)
      .i32(PAIR_WORDS * 4)
      .op("i32.add")
      .set(end);
    forUpTo(f, at, end, 4, () => {
      f.f32(0).set(total);
      for (let k = 0; k < count; k++) {
        f.get(at, from)
          .memory("f32.load", k * 4)
          .tee(value);
        f.memory("f32.store", (k * loop.rows + row) * PAIR_BYTES);
        f.get(total, value).op("f32.add").set(total);
      }
      f.get(at, total).memory("f32.store", (count * loop.rows + row) * PAIR_BYTES);
      advanceBy(f, from, count * 4);
    });
    advanceBy(f, at, floatsPerPair(loop) * 4 - PAIR_WORDS * 4);
  });
}

/** The eight lanes of each sum added up, in a fixed order, to floats that follow one another. */
function addLanes(
  f: FunctionBuilder,
  {
    from,
    to,
    count,
    step,
  }: { readonly from: number; readonly to: number; readonly count: number; readonly step: number },
): void {
  const sum = f.local("v128");
  countDown(f, count, 1, () => {
    f.get(from).memory("v128.load").get(from).memory("v128.load", 16).op("f32x4.add").set(sum);
    f.get(to);
    for (let lane = 0; lane < 4; lane++) {
      f.get(sum).lane("f32x4.extract_lane", lane);
      if (lane % 2 === 1) f.op("f32.add");
    }
    f.op("f32.add").memory("f32.store");
    advanceBy(advanceBy(f, from, step), to, 4);
  });
}

const libraries = new Map<string, KernelLibrary>();

/** The loop as a module of its own, because it alone is compiled for wide vectors. */
function libraryOf(loop: QuantizedLoop, target: KernelTarget): KernelLibrary {
  const key = `${loop.bits},${loop.pairsPerGroup},${loop.rows}`;
  let library = libraries.get(key);
  if (!library) {
    library = {
      name: "packed products",
      options: { optimize: true, widen: isPackedLoopWide(loop, target) },
      emit(own) {
        const builder = new ModuleBuilder(own);
        builder.addFunction("multiplyPacked", quantizedLoopType, (f) => multiplyPacked(f, own.relaxed, loop));
        return builder.build();
      },
    };
    libraries.set(key, library);
  }
  return library;
}
