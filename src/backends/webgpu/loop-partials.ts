/** Partial results of reductions on their way from one dispatch to the next, through scratch memory. */
import type { Expr } from "../../ir/expr.ts";
import type { State } from "./loop-reducer.ts";
import { Reducer } from "./loop-reducer.ts";
import type { Team } from "./loop-team.ts";
import { fromWords, joinTeam, toWords } from "./loop-team.ts";
import type { ShaderMemory } from "./wgsl-memory.ts";
import type { Shader } from "./wgsl-shader.ts";
import type { Lanes } from "./wgsl-types.ts";

/** Where the partial results of a reduction lie: for each part `slices` times `points` words. */
export interface PartialsPlace {
  /** First word of each part. */
  readonly offsets: readonly number[];
  readonly slices: number;
  readonly points: number;
}

/** Hands out the scratch memory of a kernel, in words. */
export class ScratchLayout {
  words = 0;
  readonly #places = new Map<Expr, PartialsPlace>();

  /** Makes a place for the partial results of `reduce`. */
  place(reduce: Expr, parts: number, slices: number, points: number): PartialsPlace {
    const offsets = Array.from({ length: parts }, (_, part) => this.words + part * slices * points);
    this.words += parts * slices * points;
    const place = { offsets, slices, points };
    this.#places.set(reduce, place);
    return place;
  }

  /** The place of a reduction that an earlier stage has written. */
  placeOf(reduce: Expr): PartialsPlace | undefined {
    return this.#places.get(reduce);
  }
}

/** A finished reduction. */
export interface Joined {
  readonly reduce: Expr;
  readonly text: string;
}

/** Writes and reads partial results in one shader. */
export class PartialsEmitter {
  readonly #shader: Shader;
  readonly #memory: ShaderMemory;
  readonly #scratch: ScratchLayout;

  constructor(shader: Shader, memory: ShaderMemory, scratch: ScratchLayout) {
    this.#shader = shader;
    this.#memory = memory;
    this.#scratch = scratch;
  }

  /** Writes what slice `slice` has found at `position`, in steps of so many lanes. */
  publish(reducer: Reducer, state: State, lanes: Lanes, slice: string, position: string, size: PartialsSize): void {
    const { slices, points } = size;
    const { offsets } = this.#scratch.place(reducer.reduce, reducer.parts.length, slices, points);
    const buffer = this.#memory.scratch(0, "u32", true);
    state.forEach((text, part) => {
      const at = this.#shader.let("at", `${offsets[part]} + ${slice} * ${points} + ${position} * ${lanes}`);
      const words = toWords(text, reducer.parts[part] ?? "u32", lanes);
      if (lanes === 1) {
        this.#shader.line(`${buffer}[${at}] = ${words};`);
        return;
      }
      const name = this.#shader.let("w", words);
      for (let lane = 0; lane < 4; lane++) this.#shader.line(`${buffer}[${at} + ${lane}] = ${name}[${lane}];`);
    });
  }

  /** The finished results of `reduces` at `position`, joined by a team of a workgroup of so many threads. */
  join(reduces: readonly Expr[], position: string, team: Team, lanes: Lanes, threads: number): Joined[] {
    const reducers: Reducer[] = [];
    const states: State[] = [];
    for (const reduce of reduces) {
      const place = this.#scratch.placeOf(reduce);
      if (!place) continue;
      const reducer = new Reducer(this.#shader, reduce);
      reducers.push(reducer);
      states.push(this.#sum(reducer, place, position, team, lanes));
    }
    const joined = joinTeam(this.#shader, team, reducers, states, lanes, threads);
    return reducers.map((reducer, k) => {
      const text = this.#shader.let("r", reducer.finish(joined[k] ?? [], lanes));
      return { reduce: reducer.reduce, text };
    });
  }

  /** What a member of the team finds in its share of the slices. */
  #sum(reducer: Reducer, place: PartialsPlace, position: string, team: Team, lanes: Lanes): State {
    const shader = this.#shader;
    const buffer = this.#memory.scratch(0, "u32", false);
    const found = reducer.variables(lanes);
    shader.block(`for (var s = ${team.member}; s < ${place.slices}; s += ${team.size})`, () => {
      const other = reducer.parts.map((part, p) => {
        const base = shader.let("at", `${place.offsets[p]} + s * ${place.points} + ${position} * ${lanes}`);
        if (lanes === 1) return shader.let("s", fromWords(`${buffer}[${base}]`, part, 1));
        const words = [0, 1, 2, 3].map((lane) => `${buffer}[${base} + ${lane}]`);
        return shader.let("s", fromWords(`vec4u(${words.join(", ")})`, part, 4));
      });
      reducer.assign(found, reducer.combine(found, other, lanes));
    });
    return found.map((name) => shader.let("s", name));
  }
}

/** How many partial results there are. */
export interface PartialsSize {
  readonly slices: number;
  readonly points: number;
}
