/** The loops at a point, shared by the members of a team: written out where they are short, as counted loops otherwise. */

import { expressionsIn } from "../../compiler/loop-nest.ts";
import { countWork } from "../../compiler/weight.ts";
import type { Axis, Expr, Expressions } from "../../ir/expr.ts";
import { argOf } from "../../ir/expr.ts";
import type { Loop } from "../../ir/kernel.ts";
import { Reducer, requireReduction, type State } from "./loop-reducer.ts";
import type { Body } from "./loop-schedule.ts";
import type { WgslEmitter } from "./wgsl-expression.ts";
import type { Lanes } from "./wgsl-types.ts";
import { typeName } from "./wgsl-types.ts";

/** Sums of more terms than this are taken in blocks of so many, which are then summed: errors grow with both, not with their product. */
const sumBlock = 64;
/** Instructions of loops that are written out. */
const textLimit = 1200;

/** How the steps of a loop are dealt out: the thread takes `first`, and every `stride`-th one from there. */
export interface Share {
  /** An i32. */
  readonly first: string;
  readonly stride: number;
  /** Positions along axes outside of the loop. */
  readonly outer: ReadonlyMap<number, Expr>;
  /** The lane axis of the points, if they come as vectors. */
  readonly lane: Axis | null;
  /** A bool that says whether this thread may store; null if it may. */
  readonly inside: string | null;
}

/** A reduction of a loop with what this thread has found of it; parts of a state are names. */
export interface Found {
  readonly reducer: Reducer;
  readonly state: State;
  readonly lanes: Lanes;
}

/** Whether the loops are short enough to be written out, each step of this thread once. */
export function areWrittenOut(bodies: readonly Body[], stride: number, limit: number): boolean {
  const rounds = Math.max(0, ...bodies.map(({ spelling }) => Math.ceil(spelling.steps / stride)));
  if (rounds > limit || bodies.some(({ loop }) => loop.children.length > 0)) return false;
  const work = bodies.flatMap(({ loop }) => expressionsIn(loop)).reduce((sum, expr) => sum + 2 + countWork(expr), 0);
  return work * rounds <= textLimit;
}

/** Emits the loops of one point. */
export class BodyEmitter {
  readonly #e: Expressions;
  readonly #em: WgslEmitter;

  constructor(e: Expressions, em: WgslEmitter) {
    this.#e = e;
    this.#em = em;
  }

  /** The loop, every step written out in the block at hand, so that later loops find what this one loaded. */
  writtenOut({ loop, spelling }: Body, share: Share): Found[] {
    const em = this.#em;
    const { shader } = em;
    const reducers = loop.reduces.map((reduce) => new Reducer(shader, reduce));
    const lanes = lanesOf(spelling.lane ?? share.lane);
    let states = reducers.map((reducer) => reducer.identity(lanes));
    const rounds = Math.ceil(spelling.steps / share.stride);
    const first: Axis = { id: firstMember, length: share.stride };
    em.bindAxis(first, share.first);
    for (let round = 0; round < rounds; round++) {
      const step = this.#e.add(this.#e.axis(first), this.#e.index(round * share.stride));
      const change = this.#changeTo(loop, { ...share, outer: this.#with(share.outer, { loop, spelling }, step) });
      const isRagged = (round + 1) * share.stride > spelling.steps;
      em.withLanes(spelling.lane ?? share.lane, () => {
        const isInside = isRagged ? shader.let("b", `${em.text(step, 1)} < ${spelling.steps}`) : null;
        states = this.#take(change, { loop, spelling }, step, reducers, states, lanes, isInside);
        this.#store(change, [isInside, share.inside]);
      });
    }
    return reducers.map((reducer, k) => this.#found(reducer, states[k] ?? [], lanes, spelling.lane !== null));
  }

  /** The loop as one that counts. */
  counted({ loop, spelling }: Body, share: Share): Found[] {
    const em = this.#em;
    const { shader } = em;
    const reducers = loop.reduces.map((reduce) => new Reducer(shader, reduce));
    const lane = spelling.lane ?? share.lane;
    const lanes = lanesOf(lane);
    const step = this.#e.axis(spelling.step);
    const inner = this.#with(share.outer, { loop, spelling }, step);
    const change = this.#changeTo(loop, { ...share, outer: inner });
    const totals = this.#variables(reducers, lanes);
    const rounds = spelling.steps / share.stride;
    const isBlocked = rounds > 2 * sumBlock && reducers.some(({ isRounded }) => isRounded);
    const blockSteps = sumBlock * share.stride;
    em.withLanes(lane, () => {
      em.hoist(expressionsIn(change));
      const round = (targets: readonly State[]): void => {
        em.bindAxis(spelling.step, "j");
        this.#children(change, share, lane);
        const states = this.#take(change, { loop, spelling }, step, reducers, targets, lanes, null);
        assign(em, targets, states);
        this.#store(change, [share.inside]);
      };
      if (!isBlocked) {
        em.block(`for (var j = ${share.first}; j < ${spelling.steps}; j += ${share.stride})`, () => round(totals));
        return;
      }
      em.block(`for (var block = ${share.first}; block < ${spelling.steps}; block += ${blockSteps})`, () => {
        const parts = this.#variables(reducers, lanes);
        const end = shader.let("end", `block + min(${spelling.steps} - block, ${blockSteps})`);
        em.block(`for (var j = block; j < ${end}; j += ${share.stride})`, () => round(parts));
        assign(
          em,
          totals,
          reducers.map((reducer, k) => reducer.combine(totals[k] ?? [], parts[k] ?? [], lanes)),
        );
      });
    });
    return reducers.map((reducer, k) => this.#found(reducer, totals[k] ?? [], lanes, spelling.lane !== null));
  }

  /** Loops inside of a loop run within each thread; their reductions get values. */
  #children(loop: Loop, share: Share, lane: Axis | null): void {
    for (const child of loop.children) this.#nested(child, share, lane);
  }

  #nested(loop: Loop, share: Share, lane: Axis | null): void {
    const em = this.#em;
    const lanes = lanesOf(lane);
    const reducers = loop.reduces.map((reduce) => new Reducer(em.shader, reduce));
    const totals = this.#variables(reducers, lanes);
    em.hoist(expressionsIn(loop));
    const nest = (axes: readonly Axis[]): void => {
      const [axis, ...rest] = axes;
      if (axis) {
        const name = em.shader.name("j");
        em.block(`for (var ${name} = 0; ${name} < ${axis.length}; ${name}++)`, () => {
          em.bindAxis(axis, name);
          nest(rest);
        });
        return;
      }
      this.#children(loop, share, lane);
      const states = reducers.map((reducer, k) => {
        const taken = this.#element(reducer, lanes);
        return reducer.combine(totals[k] ?? [], taken, lanes);
      });
      assign(em, totals, states);
      this.#store(loop, [share.inside]);
    };
    nest(loop.axes);
    reducers.forEach((reducer, k) => {
      const state = (totals[k] ?? []).map((name) => em.shader.let("s", name));
      em.bindValue(reducer.reduce, { text: em.shader.let("r", reducer.finish(state, lanes)), lanes });
    });
  }

  /** The states after one more step. */
  #take(
    change: Loop,
    { spelling }: Body,
    step: Expr,
    reducers: readonly Reducer[],
    states: readonly State[],
    lanes: Lanes,
    isInside: string | null,
  ): State[] {
    const em = this.#em;
    const { shader } = em;
    if (reducers.length === 0) return [];
    const condition = this.#validity(spelling, step, lanes, isInside);
    return change.reduces.map((reduce, k) => {
      const reducer = reducers[k];
      if (!reducer) return [];
      let taken = this.#element(new Reducer(shader, reduce), lanes);
      const identity = reducer.identity(lanes);
      if (condition) taken = taken.map((text, part) => `select(${identity[part]}, ${text}, ${condition})`);
      const known = states[k] ?? [];
      if (known.every((text, part) => text === identity[part])) return taken.map((text) => shader.let("s", text));
      const names = taken.map((text) => shader.let("s", text));
      return reducer.combine(known, names, lanes).map((text) => shader.let("s", text));
    });
  }

  /** Which lanes of a step lie within the loop; null if all do. */
  #validity(spelling: Body["spelling"], step: Expr, lanes: Lanes, isInside: string | null): string | null {
    const { shader } = this.#em;
    if (spelling.isPadded) {
      const flat = `vec4i(${this.#em.text(step, 1)} * 4) + vec4i(0, 1, 2, 3)`;
      return shader.let("b", `(${flat}) < vec4i(${spelling.points})`);
    }
    if (isInside === null) return null;
    return lanes === 4 ? `vec4<bool>(${isInside})` : isInside;
  }

  /** The state of the element at this point of a loop. */
  #element(reducer: Reducer, lanes: Lanes): State {
    const em = this.#em;
    const operand = em.text(argOf(reducer.reduce, 0), lanes);
    return reducer.take(operand, () => em.text(this.#positionOf(reducer.reduce), lanes), lanes);
  }

  /** The flat position over the axes that a reduction had before they were spelled. */
  #positionOf(reduce: Expr): Expr {
    return this.#positions.get(reduce) ?? this.#flatOver(requireReduction(reduce).axes);
  }

  #flatOver(axes: readonly Axis[]): Expr {
    return this.#e.ravel(
      axes.map((axis) => this.#e.axis(axis)),
      axes.map(({ length }) => length),
    );
  }

  readonly #positions = new Map<Expr, Expr>();

  #store({ stores }: Loop, conditions: readonly (string | null)[]): void {
    if (stores.length === 0) return;
    const store = (): void => {
      for (const { slot, index, value } of stores) this.#em.store(slot, index, value);
    };
    const needed = conditions.filter((condition) => condition !== null);
    if (needed.length === 0) store();
    else this.#em.block(`if (${needed.join(" && ")})`, store);
  }

  /** `loop` with its axes and those around it as they are spelled. */
  #changeTo(loop: Loop, { outer }: Share): Loop {
    const memo = new Map<Expr, Expr>();
    const e = this.#e;
    const change = (expr: Expr): Expr => e.substitute(expr, outer, memo);
    const changeLoop = (inner: Loop): Loop => ({
      axes: inner.axes,
      children: inner.children.map(changeLoop),
      reduces: inner.reduces.map((reduce) => {
        const changed = change(reduce);
        const { axes } = requireReduction(reduce);
        const position = e.ravel(
          axes.map((axis) => outer.get(axis.id) ?? e.axis(axis)),
          axes.map(({ length }) => length),
        );
        this.#positions.set(changed, position);
        return changed;
      }),
      stores: inner.stores.map(({ slot, index, value }) => ({ slot, index: change(index), value: change(value) })),
    });
    return changeLoop(loop);
  }

  #with(outer: ReadonlyMap<number, Expr>, { spelling }: Body, step: Expr): ReadonlyMap<number, Expr> {
    const e = this.#e;
    const own = [...spelling.axes].map(([id, expr]): [number, Expr] => [
      id,
      e.substitute(expr, new Map([[spelling.step.id, step]])),
    ]);
    return new Map([...outer, ...own]);
  }

  #variables(reducers: readonly Reducer[], lanes: Lanes): State[] {
    const { shader } = this.#em;
    return reducers.map((reducer) =>
      reducer.identity(lanes).map((text, part) => {
        const name = shader.name("a");
        shader.line(`var ${name}: ${typeName(reducer.parts[part] ?? "f32", lanes)} = ${text};`);
        return name;
      }),
    );
  }

  #found(reducer: Reducer, state: State, lanes: Lanes, joins: boolean): Found {
    const names = state.map((text) => this.#em.shader.let("s", text));
    return joins ? { reducer, state: reducer.joinLanes(names), lanes: 1 } : { reducer, state: names, lanes };
  }
}

/** The id of the axis that stands for the first step of a thread where loops are written out. */
const firstMember = -1;

function lanesOf(lane: Axis | null): Lanes {
  return lane ? 4 : 1;
}

function assign(em: WgslEmitter, targets: readonly State[], states: readonly State[]): void {
  states.forEach((state, k) => {
    state.forEach((text, part) => {
      em.shader.line(`${targets[k]?.[part]} = ${text};`);
    });
  });
}
