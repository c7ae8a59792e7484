/** The loops at a point, shared by the members of a team: written out where they are short, as counted loops otherwise. */
import { expressionsIn } from "../../compiler/loop-nest.ts";
import { countWork } from "../../compiler/weight.ts";
import type { Axis, Expr, Expressions } from "../../ir/expr.ts";
import type { Loop } from "../../ir/kernel.ts";
import type { Reducer, State } from "./loop-reducer.ts";
import type { Round } from "./loop-round.ts";
import { RoundEmitter } from "./loop-round.ts";
import type { Body } from "./loop-shape.ts";
import type { WgslEmitter } from "./wgsl-expression.ts";
import type { Lanes } from "./wgsl-types.ts";

/** Sums of more terms than this are taken in blocks of so many, which are then summed: errors grow with both, not with their product. */
const sumBlock = 64;
/** Rounds that a counted loop computes at a time, so that their loads do not wait for each other. */
const roundsAtATime = 4;
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
  return bodies.reduce((sum, { loop }) => sum + workOfRound(loop), 0) * rounds <= textLimit;
}

function workOfRound(loop: Loop): number {
  return expressionsIn(loop).reduce((sum, expr) => sum + 2 + countWork(expr), 0);
}

/** Emits the loops of one point. */
export class BodyEmitter {
  readonly #e: Expressions;
  readonly #em: WgslEmitter;
  readonly #rounds: RoundEmitter;

  constructor(e: Expressions, em: WgslEmitter) {
    this.#e = e;
    this.#em = em;
    this.#rounds = new RoundEmitter(e, em);
  }

  /** The loop, every step written out in the block at hand, so that later loops find what this one loaded. */
  writtenOut({ loop, spelling }: Body, share: Share): Found[] {
    const { shader } = this.#em;
    const emitter = this.#rounds;
    const reducers = emitter.reducers(loop);
    const lane = spelling.lane ?? share.lane;
    const lanes = lanesOf(lane);
    let states: State[] = reducers.map((reducer) => reducer.identity(lanes));
    const member: Axis = { id: memberAxis, length: share.stride };
    this.#em.bindAxis(member, share.first);
    this.#em.withLanes(lane, () => {
      const done: { readonly round: Round; readonly isInside: string | null }[] = [];
      for (let begin = 0; begin < spelling.steps; begin += share.stride) {
        const step = this.#e.add(this.#e.axis(member), this.#e.index(begin));
        const round = emitter.round(loop, emitter.spelled(share.outer, spelling, step));
        const isRagged = begin + share.stride > spelling.steps;
        const isInside = isRagged ? shader.let("b", `${this.#em.text(step, 1)} < ${spelling.steps}`) : null;
        const condition = reducers.length > 0 ? this.#validity({ loop, spelling }, step, lanes, isInside) : null;
        states = emitter.take(round, reducers, states, lanes, condition);
        emitter.prepare(round);
        done.push({ round, isInside });
      }
      for (const { round, isInside } of done) emitter.store(round, [isInside, share.inside]);
    });
    return reducers.map((reducer, k) => this.#found(reducer, states[k] ?? [], lanes, spelling.lane !== null));
  }

  /** The loop as one that counts. */
  counted(body: Body, share: Share): Found[] {
    const { loop, spelling } = body;
    const { steps } = spelling;
    const { stride, first } = share;
    const emitter = this.#rounds;
    const reducers = emitter.reducers(loop);
    const lane = spelling.lane ?? share.lane;
    const lanes = lanesOf(lane);
    const totals = reducers.map((reducer) => reducer.variables(lanes));
    const isLight = loop.children.length === 0 && workOfRound(loop) * roundsAtATime <= textLimit / 8;
    const atATime = isLight ? roundsAtATime : 1;
    const isBlocked = steps > 2 * sumBlock * stride && reducers.some(({ isRounded }) => isRounded);
    this.#em.withLanes(lane, () => {
      const { loop: hoisted } = emitter.round(loop, share.outer);
      this.#em.hoist(expressionsIn(hoisted));
      let begin = 0;
      /** Rounds from `begin` to `end`, so many at a time, of which each thread has equally many unless `end` is the last step. */
      const run = (from: string, end: string, count: number, targets: readonly State[]): void => {
        const name = this.#em.shader.name("j");
        this.#em.block(`for (var ${name} = ${from}; ${name} < ${end}; ${name} += ${count * stride})`, () => {
          this.#em.bindAxis(spelling.step, name);
          this.#several(body, share, count, reducers, targets, lanes);
        });
      };
      const blockSteps = sumBlock * stride;
      if (isBlocked) {
        begin = Math.floor(steps / blockSteps) * blockSteps;
        const block = this.#em.shader.name("block");
        this.#em.block(`for (var ${block} = 0; ${block} < ${begin}; ${block} += ${blockSteps})`, () => {
          const parts = reducers.map((reducer) => reducer.variables(lanes));
          run(`${block} + ${first}`, `${block} + ${blockSteps}`, atATime, parts);
          emitter.merge(reducers, totals, parts, lanes);
        });
      }
      const together = begin + Math.floor((steps - begin) / (stride * atATime)) * stride * atATime;
      if (atATime > 1 && together > begin) {
        run(begin === 0 ? first : `${begin} + ${first}`, `${together}`, atATime, totals);
        begin = together;
      }
      if (begin < steps) run(begin === 0 ? first : `${begin} + ${first}`, `${steps}`, 1, totals);
    });
    return reducers.map((reducer, k) => this.#found(reducer, totals[k] ?? [], lanes, spelling.lane !== null));
  }

  /** `count` rounds from the step at hand on: all of them computed before the first of them stores. */
  #several(
    { loop, spelling }: Body,
    share: Share,
    count: number,
    reducers: readonly Reducer[],
    targets: readonly State[],
    lanes: Lanes,
  ): void {
    const emitter = this.#rounds;
    let states: readonly State[] = targets;
    const done: Round[] = [];
    for (let k = 0; k < count; k++) {
      const step = this.#e.add(this.#e.axis(spelling.step), this.#e.index(k * share.stride));
      const round = emitter.round(loop, emitter.spelled(share.outer, spelling, step));
      for (const child of round.loop.children) this.#within(child, share, spelling.lane ?? share.lane);
      const condition = reducers.length > 0 ? this.#validity({ loop, spelling }, step, lanes, null) : null;
      states = emitter.take(round, reducers, states, lanes, condition);
      emitter.prepare(round);
      done.push(round);
    }
    emitter.assign(reducers, targets, states);
    for (const round of done) emitter.store(round, [share.inside]);
  }

  /** A loop inside of a shared one, which each thread runs by itself; its reductions get values. */
  #within(loop: Loop, share: Share, lane: Axis | null): void {
    const em = this.#em;
    const emitter = this.#rounds;
    const lanes = lanesOf(lane);
    const reducers = emitter.reducers(loop);
    const round = emitter.round(loop, new Map());
    const totals = reducers.map((reducer) => reducer.variables(lanes));
    const points = loop.axes.reduce((product, { length }) => product * length, 1);
    const isBlocked = points > 2 * sumBlock && reducers.some(({ isRounded }) => isRounded);
    em.hoist(expressionsIn(loop));
    const point = (targets: readonly State[]): void => {
      for (const child of loop.children) this.#within(child, share, lane);
      emitter.assign(reducers, targets, emitter.take(round, reducers, targets, lanes, null));
      emitter.store(round, [share.inside]);
    };
    const nest = (axes: readonly Axis[]): void => {
      const [axis, ...rest] = axes;
      if (!axis) {
        point(totals);
        return;
      }
      const name = em.shader.name("j");
      const count = (from: string, end: string, body: () => void): void => {
        em.block(`for (var ${name} = ${from}; ${name} < ${end}; ${name}++)`, () => {
          em.bindAxis(axis, name);
          body();
        });
      };
      if (rest.length > 0 || !isBlocked) {
        count("0", `${axis.length}`, () => nest(rest));
        return;
      }
      const block = em.shader.name("block");
      em.block(`for (var ${block} = 0; ${block} < ${axis.length}; ${block} += ${sumBlock})`, () => {
        const parts = reducers.map((reducer) => reducer.variables(lanes));
        count(block, `min(${block} + ${sumBlock}, ${axis.length})`, () => point(parts));
        emitter.merge(reducers, totals, parts, lanes);
      });
    };
    nest(loop.axes);
    reducers.forEach((reducer, k) => {
      const state = (totals[k] ?? []).map((name) => em.shader.let("s", name));
      em.bindValue(reducer.reduce, { text: em.shader.let("r", reducer.finish(state, lanes)), lanes });
    });
  }

  /** Which lanes of a step lie within the loop; null if all do. */
  #validity({ spelling }: Body, step: Expr, lanes: Lanes, isInside: string | null): string | null {
    const { shader } = this.#em;
    if (spelling.isPadded) {
      const flat = `vec4i(${this.#em.text(step, 1)} * 4) + vec4i(0, 1, 2, 3)`;
      return shader.let("b", `(${flat}) < vec4i(${spelling.points})`);
    }
    if (isInside === null) return null;
    return lanes === 4 ? `vec4<bool>(${isInside})` : isInside;
  }

  #found(reducer: Reducer, state: State, lanes: Lanes, joins: boolean): Found {
    const names = state.map((text) => this.#em.shader.let("s", text));
    return joins ? { reducer, state: reducer.joinLanes(names), lanes: 1 } : { reducer, state: names, lanes };
  }
}

/** The id of the axis that stands for the first step of a thread where loops are written out. */
const memberAxis = -2;

function lanesOf(lane: Axis | null): Lanes {
  return lane ? 4 : 1;
}
