/** Emits the WebAssembly module of a loop kernel: phases that threads share, and what runs between them. */

import { expressionsIn, joinAxes, mapLoop, workOf } from "../../compiler/loop-nest.ts";
import type { Axis, Expr } from "../../ir/expr.ts";
import { argOf, Expressions, pointsOf } from "../../ir/expr.ts";
import type { Loop, LoopKernel } from "../../ir/kernel.ts";
import type { AccumulatorType } from "./accumulator.ts";
import { Accumulator, accumulatorBytes, accumulatorType, pointsPerBlock } from "./accumulator.ts";
import type { FunctionBuilder } from "./assembler.ts";
import type { ExpressionEmitter } from "./expression-emitter.ts";
import type { GemmPhase } from "./gemm-spec.ts";
import type { ArgumentLayout, KernelCode, KernelTarget } from "./kernel-code.ts";
import { argumentLayout, emitterFor, phaseType } from "./kernel-code.ts";
import type { KeepingLoops } from "./loop-memory.ts";
import { chooseVectorAxis, expensiveIn } from "./loop-shaping.ts";
import { ModuleBuilder } from "./module-builder.ts";
import type { ScratchSlot } from "./scratch-slots.ts";

/** Instructions in one range of a phase, at least. */
const rangeWork = 1 << 17;
/** Instructions from which a loop over columns may be worth rewriting. */
const largeWork = 1 << 20;
/** Ranges of a phase, at most. */
const rangeLimit = 64;

/** Compiles a loop kernel to a module. */
export function emitLoopKernel(kernel: LoopKernel, target: KernelTarget): KernelCode {
  const module = new ModuleBuilder(target);
  const e = new Expressions();
  let nextAxis = 1_000_000;
  const memo = new Map<Expr, Expr>();
  const imported = mapLoop(kernel.root, (expr) => e.substitute(expr, new Map(), memo));
  const joined = joinAxes(e, imported, () => nextAxis++);
  const counts = { slots: kernel.slots.length, threads: target.threadCount };
  const expensive = expensiveIn(expressionsIn(joined), () => true).length;
  const mayKeep = expensive > 1 || hasManyColumns(joined);
  const { math, scratchMemory } = target.parts;
  // Values of several expensive functions, and results of columns, may be worth keeping. Parts are asked for together, and
  // before anything is emitted that would have to be emitted again.
  if (mayKeep) scratchMemory.prefetch();
  if (expensive > 0) math.get();
  const keeping = mayKeep ? scratchMemory.get().keepValues(e, joined, () => nextAxis++, counts) : null;
  const root = keeping?.root ?? joined;
  const loops = root.axes.length > 0 ? [root] : root.children;
  const layout = argumentLayout(kernel.slots.length, kernel.arguments);
  const resultBytes = loops.reduce((count, { reduces }) => count + reduces.length, 0) * 16;
  // Reductions over nothing still give their identity.
  const lengthOf = (loop: Loop): number => Math.max(1, loop.axes[0]?.length ?? 1);
  const partialBytes = loops.map(
    (loop) => Math.ceil(lengthOf(loop) / chunkOf(e, loop)) * loop.reduces.length * accumulatorBytes,
  );
  const scratchBase = Math.ceil((resultBytes + Math.max(0, ...partialBytes)) / 64) * 64;
  const options: EmitterOptions = {
    e,
    target,
    layout,
    resultBytes,
    keeping,
    scratchSlots: keeping?.slots ?? [],
    scratchBase,
    nextAxis: () => nextAxis++,
  };
  const phases: GemmPhase[] = [];
  const results = new Map<Expr, number>();
  const once = (name: string, itemCount: number): void => {
    phases.push({ name, itemCount, itemsPerChunk: Math.max(1, itemCount), work: itemCount });
  };
  loops.forEach((loop, index) => {
    const { reduces } = loop;
    const length = lengthOf(loop);
    const itemsPerChunk = chunkOf(e, loop);
    let types: readonly AccumulatorType[] = [];
    module.addFunction(`p${index}`, phaseType, (f) => {
      const emitter = new LoopEmitter(f, options);
      emitter.bindResults(results);
      types = emitter.emitPhase(loop, itemsPerChunk);
    });
    phases.push({ name: `p${index}`, itemCount: length, itemsPerChunk, work: workOf(loop) });
    if (reduces.length === 0) return;
    module.addFunction(`f${index}`, phaseType, (f) => new LoopEmitter(f, options).joinPartials(types, results.size));
    once(`f${index}`, Math.ceil(length / itemsPerChunk));
    for (const reduce of reduces) results.set(reduce, results.size);
  });
  if (root.axes.length === 0 && root.stores.length > 0) {
    module.addFunction("s", phaseType, (f) => {
      const emitter = new LoopEmitter(f, options);
      emitter.bindResults(results);
      emitter.emitStores(root);
    });
    once("s", 1);
  }
  const scratchBytes = scratchBase + (keeping?.byteLength ?? 0);
  return { bytes: module.build(), phases, scratchBytes, layout, instructions: module.instructions };
}

/** Whether there may be results of a large matrix's columns to keep. */
function hasManyColumns(root: Loop): boolean {
  const phases = root.axes.length > 0 ? [root] : root.children;
  const isColumnwise = (loop: Loop): boolean => loop.children.length > 0 && loop.axes.length === 1;
  return phases.some((loop) => isColumnwise(loop) && workOf(loop) > largeWork);
}

/** Points of the outermost axis in one range: a matter of the loop alone, so that results do not depend on threads. */
function chunkOf(e: Expressions, loop: Loop): number {
  const choice = chooseVectorAxis(e, loop);
  const granularity = choice?.axis === loop.axes[0] ? (choice?.lanes ?? 1) : 1;
  const ranges = Math.max(1, Math.min(rangeLimit, Math.floor(workOf(loop) / rangeWork)));
  return Math.max(1, Math.ceil((loop.axes[0]?.length ?? 1) / ranges / granularity)) * granularity;
}

interface EmitterOptions {
  readonly e: Expressions;
  readonly target: KernelTarget;
  readonly layout: ArgumentLayout;
  /** Room for the finished results of all phases; partial ones lie behind it. */
  readonly resultBytes: number;
  /** What loops keep in scratch memory, and where there its slots begin. */
  readonly keeping: KeepingLoops | null;
  readonly scratchSlots: readonly ScratchSlot[];
  readonly scratchBase: number;
  readonly nextAxis: () => number;
}

/** How a loop's own vector axis is spelled, and its reductions before that. */
interface Spelling {
  readonly reduces: readonly Expr[];
  readonly spelled: ReadonlyMap<number, Expr>;
}

/** The vectors of a loop, and which of its accumulators take them in blocks. */
interface Vectors {
  readonly step: Axis;
  readonly lane: Axis;
  readonly vector: Loop;
  readonly blocks: readonly Accumulator[];
}

interface Range {
  readonly begin: number;
  readonly end: number;
}

/** Emits the loops of one function. */
class LoopEmitter {
  readonly #f: FunctionBuilder;
  readonly #em: ExpressionEmitter;
  readonly #options: EmitterOptions;

  constructor(f: FunctionBuilder, options: EmitterOptions) {
    this.#f = f;
    this.#options = options;
    this.#em = emitterFor(f, options);
  }

  /** Makes the finished results of earlier phases available. */
  bindResults(results: ReadonlyMap<Expr, number>): void {
    const { scratch } = this.#options.layout;
    for (const [reduce, place] of results) {
      const register = this.#f.local("v128");
      this.#f
        .get(0)
        .memory("i32.load", scratch)
        .memory("v128.load", place * 16)
        .set(register);
      this.#em.bindValue(reduce, { registers: [register], isUniform: true });
    }
  }

  /** The loop with its outermost axis running over the range given by the function's parameters; says what it accumulates in. */
  emitPhase(loop: Loop, itemsPerChunk: number): readonly AccumulatorType[] {
    const f = this.#f;
    const accumulators = this.#emitLoop(loop, { begin: 1, end: 2 });
    const { layout, resultBytes } = this.#options;
    if (accumulators.length > 0) {
      const address = f.local("i32");
      const stride = accumulators.length * accumulatorBytes;
      f.get(0).memory("i32.load", layout.scratch);
      f.get(1).i32(itemsPerChunk).op("i32.div_u").i32(stride).op("i32.mul").op("i32.add").set(address);
      for (const [k, accumulator] of accumulators.entries())
        accumulator.save(address, resultBytes + k * accumulatorBytes);
    }
    return accumulators.map(({ type }) => type);
  }

  /** Joins the saved results of `params[2]` ranges and writes the finished ones from place `first` on. */
  joinPartials(types: readonly AccumulatorType[], first: number): void {
    const f = this.#f;
    const { scratch } = this.#options.layout;
    const base = f.local("i32");
    const address = f.local("i32");
    const left = f.local("i32");
    f.get(0).memory("i32.load", scratch).tee(base).set(address);
    f.get(2).set(left);
    const accumulators = types.map((type) => new Accumulator(this.#em.ops, type, 1));
    const stride = types.length * accumulatorBytes;
    f.block(() => {
      f.loop(() => {
        f.get(left).op("i32.eqz").brIf(1);
        for (const [k, accumulator] of accumulators.entries()) {
          accumulator.addSaved(address, this.#options.resultBytes + k * accumulatorBytes);
        }
        f.get(address).i32(stride).op("i32.add").set(address);
        f.get(left).i32(1).op("i32.sub").set(left);
        f.br(0);
      });
    });
    accumulators.forEach((accumulator, k) => {
      const [register = 0] = accumulator.finish();
      f.get(base, register).memory("v128.store", (first + k) * 16);
    });
  }

  /** The stores of a root without axes. */
  emitStores(loop: Loop): void {
    for (const { slot, index, value } of loop.stores) this.#em.store(slot, index, value);
  }

  /** A loop with the loops inside it; returns its accumulators, joined over lanes where they vary by its own lanes. */
  #emitLoop(loop: Loop, split: Range | null): Accumulator[] {
    const em = this.#em;
    const outerLanes = em.laneAxis?.lanes ?? 1;
    const choice = em.laneAxis ? null : chooseVectorAxis(this.#options.e, loop);
    const types = loop.reduces.map((reduce) => accumulatorType(reduce, pointsOf(loop.axes) / (choice?.lanes ?? 1)));
    if (!choice) {
      const varies = loop.reduces.map((reduce) => outerLanes > 1 && this.#variesInside(reduce));
      const accumulators = types.map((type, k) => new Accumulator(em.ops, type, varies[k] ? outerLanes : 1));
      this.#nest(loop, loop.axes, split, () => this.#body(loop, accumulators));
      return accumulators;
    }
    const { axis, lanes } = choice;
    const vectorCount = Math.floor(axis.length / lanes);
    const step: Axis = { id: this.#options.nextAxis(), length: vectorCount };
    const lane: Axis = { id: this.#options.nextAxis(), length: lanes };
    const { e } = this.#options;
    const stepExpr = vectorCount === 1 ? e.index(0) : e.axis(step);
    const spelled = new Map([[axis.id, e.add(e.scale(stepExpr, lanes), e.axis(lane))]]);
    const memo = new Map<Expr, Expr>();
    const vector = mapLoop(loop, (expr) => e.substitute(expr, spelled, memo));
    const outer = loop.axes.filter((other) => other !== axis);
    const isSplitVector = split !== null && axis === loop.axes[0];
    const main = types.map((type) => new Accumulator(em.ops, type, lanes));
    const tail = types.map((type) => new Accumulator(em.ops, type, 1));
    this.#nest(loop, outer, isSplitVector ? null : split, () => {
      em.laneAxis = { lane, lanes };
      const range = isSplitVector && split ? this.#scaled(split, lanes) : null;
      const blocks = vectorCount >= pointsPerBlock ? main.filter(({ takesBlocks }) => takesBlocks) : [];
      this.#countVectors({ step, lane, vector, blocks }, range, () =>
        this.#body(vector, main, { reduces: loop.reduces, spelled }),
      );
      em.laneAxis = null;
      if (axis.length % lanes !== 0) {
        const from = this.#f.local("i32");
        const end = this.#f.local("i32");
        if (isSplitVector && split) {
          this.#f.get(split.end).i32(lanes).op("i32.div_s").i32(lanes).op("i32.mul").set(from);
          this.#f.get(split.end).set(end);
        } else {
          this.#f.i32(vectorCount * lanes).set(from);
          this.#f.i32(axis.length).set(end);
        }
        this.#count(axis, { begin: from, end }, () => this.#body(loop, tail), expressionsIn(loop));
      }
    });
    return main.map((accumulator, k) => {
      const joined = accumulator.joinLanes();
      const rest = tail[k];
      if (rest) joined.join(rest);
      return joined;
    });
  }

  /** What happens at each point: the loops inside, the reductions, the stores. */
  #body(loop: Loop, accumulators: readonly Accumulator[], vector?: Spelling): void {
    const em = this.#em;
    for (const child of loop.children) {
      const done = this.#emitLoop(child, null);
      child.reduces.forEach((reduce, k) => {
        const accumulator = done[k];
        if (accumulator) em.bindValue(reduce, { registers: accumulator.finish(), isUniform: accumulator.isUniform });
      });
    }
    loop.reduces.forEach((reduce, k) => {
      const accumulator = accumulators[k];
      if (!accumulator) return;
      const operand = argOf(reduce, 0);
      const registers = accumulator.isUniform ? em.value(operand).registers : em.registers(operand);
      accumulator.add(
        registers,
        accumulator.isArg
          ? this.#em.ops.others.reducedPosition(
              this.#em,
              vector?.reduces[k] ?? reduce,
              vector?.spelled,
              accumulator.isUniform,
            )
          : [],
      );
    });
    this.emitStores(loop);
  }

  #variesInside(reduce: Expr): boolean {
    return this.#em.variesByLane(argOf(reduce, 0));
  }

  /** Loops over `axes`, the first of which runs over `split` if given. */
  #nest(loop: Loop, axes: readonly Axis[], split: Range | null, body: () => void): void {
    const [axis, ...inner] = axes;
    if (axis) this.#count(axis, split, () => this.#nest(loop, inner, null, body), expressionsIn(loop));
    else body();
  }

  /** Counts `axis` over its range, or the one given; values that do not depend on it are computed before. */
  #count(axis: Axis, range: Range | null, body: () => void, hoistable: readonly Expr[]): void {
    const f = this.#f;
    const em = this.#em;
    if (axis.length === 0) return;
    em.enter();
    em.hoist(hoistable);
    const counter = f.local("i32");
    const end = range ? range.end : f.local("i32");
    if (range) f.get(range.begin).set(counter);
    else {
      f.i32(0).set(counter);
      f.i32(axis.length).set(end);
    }
    f.block(() => {
      f.get(counter, end).op("i32.ge_s").brIf(0);
      f.loop(() => {
        em.enter();
        em.bindAxis(axis, counter);
        body();
        em.leave();
        f.get(counter).i32(1).op("i32.add").tee(counter).get(end).op("i32.lt_s").brIf(0);
      });
    });
    em.leave();
  }

  /** Counts the vectors of a loop: one by one, in blocks that sums are taken of, or in passes over strips of them. */
  #countVectors({ step, lane, vector, blocks }: Vectors, range: Range | null, body: () => void): void {
    const f = this.#f;
    const em = this.#em;
    const { keeping, nextAxis, target } = this.#options;
    const exprs = expressionsIn(vector);
    if (!keeping && blocks.length === 0) {
      this.#count(step, range, body, exprs);
      return;
    }
    em.enter();
    em.hoist(exprs);
    const all = range ?? { begin: f.local("i32"), end: f.local("i32") };
    if (!range) f.i32(0).set(all.begin).i32(step.length).set(all.end);
    const count = (part: Range, inner: () => void): void => this.#count(step, part, inner, []);
    const isDone =
      keeping !== null &&
      target.parts.scratchMemory
        .get()
        .emitPasses({ f, em, loop: vector, step, lane, slot: keeping.strips, nextAxis, count, body }, all);
    if (!isDone && blocks.length > 0) this.#countBlocks(step, all, blocks, body);
    else if (!isDone) count(all, body);
    em.leave();
  }

  /** Counts a range in blocks of points, whose sums `accumulators` take one by one. */
  #countBlocks(step: Axis, { begin, end }: Range, accumulators: readonly Accumulator[], body: () => void): void {
    const f = this.#f;
    const from = f.local("i32");
    const to = f.local("i32");
    const counted = (): void => this.#count(step, { begin: from, end: to }, body, []);
    const summed = accumulators.reduce<() => void>((inner, one) => () => one.inBlock(inner), counted);
    f.get(begin).set(to);
    f.block(() => {
      f.loop(() => {
        f.get(to).tee(from).get(end).op("i32.ge_s").brIf(1);
        f.get(from).i32(pointsPerBlock).op("i32.add").tee(to).get(end);
        f.get(to, end).op("i32.lt_s").op("select").set(to);
        summed();
        f.br(0);
      });
    });
  }

  /** A range in steps of `lanes` points. */
  #scaled(range: Range, lanes: number): Range {
    const begin = this.#f.local("i32");
    const end = this.#f.local("i32");
    this.#f.get(range.begin).i32(lanes).op("i32.div_s").set(begin);
    this.#f.get(range.end).i32(lanes).op("i32.div_s").set(end);
    return { begin, end };
  }
}
