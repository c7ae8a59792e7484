/** One step of a loop: its expressions as they are spelled there, what its reductions take in, what is stored. */
import type { Expr, Expressions } from "../../ir/expr.ts";
import { argOf } from "../../ir/expr.ts";
import type { Loop } from "../../ir/kernel.ts";
import type { State } from "./loop-reducer.ts";
import { Reducer, requireReduction } from "./loop-reducer.ts";
import type { Spelling } from "./loop-spelling.ts";
import type { WgslEmitter } from "./wgsl-expression.ts";
import type { Lanes } from "./wgsl-types.ts";

/** A loop at one of its steps, or a loop that runs within a thread at any of its points. */
export interface Round {
  /** The loop with all axes around and of it replaced by what stands for them. */
  readonly loop: Loop;
  /** Flat positions over the axes of the reductions, in their order. */
  readonly positions: readonly Expr[];
}

/** Spells loops and emits single rounds of them. */
export class RoundEmitter {
  readonly #e: Expressions;
  readonly #em: WgslEmitter;

  constructor(e: Expressions, em: WgslEmitter) {
    this.#e = e;
    this.#em = em;
  }

  /** `loop` with each axis of `spelled` as what stands for it. */
  round(loop: Loop, spelled: ReadonlyMap<number, Expr>): Round {
    const memo = new Map<Expr, Expr>();
    const e = this.#e;
    const change = (expr: Expr): Expr => e.substitute(expr, spelled, memo);
    const changeLoop = (inner: Loop): Loop => ({
      axes: inner.axes,
      children: inner.children.map(changeLoop),
      reduces: inner.reduces.map(change),
      stores: inner.stores.map(({ slot, index, value }) => ({ slot, index: change(index), value: change(value) })),
    });
    return { loop: changeLoop(loop), positions: loop.reduces.map((reduce) => this.#position(reduce, spelled)) };
  }

  /** `outer`, and the axes of a loop at `step`. */
  spelled(outer: ReadonlyMap<number, Expr>, spelling: Spelling, step: Expr): ReadonlyMap<number, Expr> {
    const replacement = new Map([[spelling.step.id, step]]);
    const own = [...spelling.axes].map(([id, expr]): [number, Expr] => [id, this.#e.substitute(expr, replacement)]);
    return new Map([...outer, ...own]);
  }

  /** The flat position over the axes of a reduction. */
  #position(reduce: Expr, spelled: ReadonlyMap<number, Expr>): Expr {
    const { axes } = requireReduction(reduce);
    return this.#e.ravel(
      axes.map((axis) => spelled.get(axis.id) ?? this.#e.axis(axis)),
      axes.map(({ length }) => length),
    );
  }

  /** `states` with the elements of this round; those for which `condition`, a bool in as many lanes, is false are left out. */
  take(
    { loop, positions }: Round,
    reducers: readonly Reducer[],
    states: readonly State[],
    lanes: Lanes,
    condition: string | null,
  ): State[] {
    const em = this.#em;
    const { shader } = em;
    return reducers.map((reducer, k) => {
      const [reduce, position] = [loop.reduces[k], positions[k]];
      if (!reduce || !position) return [];
      const taken = reducer.take(em.text(argOf(reduce, 0), lanes), () => em.text(position, lanes), lanes);
      const identity = reducer.identity(lanes);
      const chosen = condition ? taken.map((text, p) => `select(${identity[p]}, ${text}, ${condition})`) : taken;
      const names = chosen.map((text) => shader.named("s", text));
      const before = states[k] ?? [];
      if (before.every((text, p) => text === identity[p])) return names;
      return reducer.combine(before, names, lanes).map((text) => shader.let("s", text));
    });
  }

  /** Computes what a round stores, so that several rounds can be computed before the first of them stores. */
  prepare({ loop }: Round): void {
    for (const { value } of loop.stores) this.#em.value(value);
  }

  /** Stores what a round stores, if all conditions hold. */
  store({ loop }: Round, conditions: readonly (string | null)[]): void {
    if (loop.stores.length === 0) return;
    const store = (): void => {
      for (const { slot, index, value } of loop.stores) this.#em.store(slot, index, value);
    };
    const needed = conditions.filter((condition) => condition !== null);
    if (needed.length === 0) store();
    else this.#em.block(`if (${needed.join(" && ")})`, store);
  }

  /** Sets the variables of each reducer. */
  assign(reducers: readonly Reducer[], targets: readonly State[], states: readonly State[]): void {
    reducers.forEach((reducer, k) => {
      reducer.assign(targets[k] ?? [], states[k] ?? []);
    });
  }

  /** Adds the states of one set of variables to those of another. */
  merge(reducers: readonly Reducer[], targets: readonly State[], parts: readonly State[], lanes: Lanes): void {
    const merged = reducers.map((reducer, k) => reducer.combine(targets[k] ?? [], parts[k] ?? [], lanes));
    this.assign(reducers, targets, merged);
  }

  /** The reducers of a loop. */
  reducers(loop: Loop): Reducer[] {
    return loop.reduces.map((reduce) => new Reducer(this.#em.shader, reduce));
  }
}
