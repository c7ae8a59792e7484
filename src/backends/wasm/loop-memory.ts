/** What loops keep in scratch memory: expensive values of a row, running results of columns, strips of values between passes. */
import { ownExpressions } from "../../compiler/loop-nest.ts";
import type { Axis, Expr, Expressions } from "../../ir/expr.ts";
import type { Loop } from "../../ir/kernel.ts";
import type { FunctionBuilder } from "./assembler.ts";
import { columnPhases } from "./column-phases.ts";
import type { ExpressionEmitter } from "./expression-emitter.ts";
import { keepRows } from "./kept-rows.ts";
import type { ScratchSlot } from "./scratch-slots.ts";
import { ScratchSlots } from "./scratch-slots.ts";
import { stripMemory, stripsFor } from "./strips.ts";

/** A nest that keeps values in further slots. */
export interface KeepingLoops {
  readonly root: Loop;
  readonly slots: readonly ScratchSlot[];
  readonly byteLength: number;
  /** The slot in which each thread keeps strips. */
  readonly strips: number;
}

/** The nest of a kernel with `slotCount` slots, rewritten to keep what it would compute or fetch again. */
export function keepValues(
  e: Expressions,
  root: Loop,
  nextAxis: () => number,
  counts: { readonly slots: number; readonly threads: number },
): KeepingLoops {
  const table = new ScratchSlots(counts.slots, counts.threads);
  const strips = table.add(stripMemory, "float32", "each");
  const rewritten = keepRows(e, columnPhases(e, root, table, nextAxis), table);
  return { root: rewritten, slots: table.slots, byteLength: table.byteLength, strips };
}

/** A range of a counter, in locals. */
export interface CountedRange {
  readonly begin: number;
  readonly end: number;
}

/** A loop over vectors, about to be emitted. */
export interface VectorLoop {
  readonly f: FunctionBuilder;
  readonly em: ExpressionEmitter;
  readonly loop: Loop;
  /** Counts vectors of `lanes` elements each. */
  readonly step: Axis;
  readonly lane: Axis;
  readonly slot: number;
  nextAxis(): number;
  /** Emits a loop over a range of vectors. */
  count(range: CountedRange, body: () => void): void;
  /** Emits what happens at each vector. */
  body(): void;
}

/** Emits the loop over the vectors in `range` in passes over strips; false, and nothing, where one loop does as well. */
export function emitPasses(
  { f, em, loop, step, lane, slot, nextAxis, count, body }: VectorLoop,
  range: CountedRange,
): boolean {
  if (loop.children.length > 0) return false;
  const { e } = em;
  const lanes = lane.length;
  const strips = stripsFor(ownExpressions(loop), (expr) => em.variesByLane(expr), step.length * lanes);
  if (!strips) return false;
  const { begin, end } = range;
  const from = f.local("i32");
  const to = f.local("i32");
  // The first element of the strip, as the counter of an axis: elements of a strip are counted from there.
  const first: Axis = { id: nextAxis(), length: step.length * lanes };
  const origin = f.local("i32");
  const place = (strip: number): Expr =>
    e.add(e.sub(e.add(e.scale(e.axis(step), lanes), e.axis(lane)), e.axis(first)), e.index(strip * strips.stride));
  em.enter();
  em.bindAxis(first, origin);
  f.get(begin).set(from);
  f.block(() => {
    f.loop(() => {
      f.get(from, end).op("i32.ge_s").brIf(1);
      f.get(from)
        .i32(strips.length / lanes)
        .op("i32.add")
        .tee(to);
      f.get(end, to, end).op("i32.lt_s").op("select").set(to);
      f.get(from).i32(lanes).op("i32.mul").set(origin);
      for (const { takes, leaves } of strips.passes) {
        count({ begin: from, end: to }, () => {
          for (const { expr, strip } of takes) em.bindValue(expr, em.value(e.load(slot, "float32", place(strip))));
          for (const { expr, strip } of leaves) em.store(slot, place(strip), e.cast(expr, "float32"));
          if (leaves.length === 0) body();
        });
      }
      f.get(to).set(from).br(0);
    });
  });
  em.leave();
  return true;
}
