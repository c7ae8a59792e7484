/** The shader of one stage of a loop nest: points over workgroups and teams, what the loops at a point find, and the stores. */
import { expressionsIn } from "../../compiler/loop-nest.ts";
import type { Axis, Expr, Expressions } from "../../ir/expr.ts";
import { argOf } from "../../ir/expr.ts";
import type { Store } from "../../ir/kernel.ts";
import { gridOf } from "./grid.ts";
import type { GpuDispatch, GpuTarget } from "./kernel-code.ts";
import type { Found } from "./loop-body.ts";
import { areWrittenOut, BodyEmitter } from "./loop-body.ts";
import type { ScratchLayout } from "./loop-partials.ts";
import { PartialsEmitter } from "./loop-partials.ts";
import { Reducer } from "./loop-reducer.ts";
import type { Stage } from "./loop-schedule.ts";
import type { Tuning } from "./loop-shape.ts";
import type { Team } from "./loop-team.ts";
import { joinTeam, neighboursOf } from "./loop-team.ts";
import { WgslEmitter } from "./wgsl-expression.ts";
import type { KernelInterface } from "./wgsl-memory.ts";
import { ShaderMemory } from "./wgsl-memory.ts";
import { Shader } from "./wgsl-shader.ts";
import type { Lanes } from "./wgsl-types.ts";

/** What the stages of a kernel share. */
export interface StageContext {
  readonly e: Expressions;
  readonly kernel: KernelInterface;
  readonly target: GpuTarget;
  readonly tuning: Tuning;
  readonly scratch: ScratchLayout;
}

/** The dispatch of a stage. */
export function emitStage(context: StageContext, stage: Stage): GpuDispatch {
  return new StageEmitter(context, stage).emit();
}

class StageEmitter {
  readonly #context: StageContext;
  readonly #stage: Stage;
  readonly #shader = new Shader();
  readonly #memory: ShaderMemory;
  readonly #em: WgslEmitter;
  readonly #bodies: BodyEmitter;
  readonly #partials: PartialsEmitter;
  /** The lanes of what is found for a point. */
  readonly #lanes: Lanes;

  constructor(context: StageContext, stage: Stage) {
    this.#context = context;
    this.#stage = stage;
    this.#memory = new ShaderMemory(this.#shader, context.kernel, context.target);
    this.#em = new WgslEmitter(this.#shader, this.#memory);
    this.#bodies = new BodyEmitter(context.e, this.#em);
    this.#partials = new PartialsEmitter(this.#shader, this.#memory, context.scratch);
    this.#lanes = stage.points.lanes;
  }

  get #threads(): number {
    return this.#stage.team * this.#stage.perGroup;
  }

  emit(): GpuDispatch {
    const { points, perGroup, repeats, slices, groups, reduces, needs } = this.#stage;
    const shader = this.#shader;
    const { workgroups, place: group } = gridOf(shader, this.#context.target, groups * slices, "group");
    const slice = slices === 1 ? "0" : shader.let("slice", `${group} % ${slices}`);
    const tile = slices === 1 ? group : shader.let("tile", `${group} / ${slices}`);
    const { local, member } = this.#places();
    this.#joinNeeds(
      needs.filter((reduce) => this.#isShared(reduce)),
      "0",
      this.#everyone,
      1,
    );
    const tiles = Math.ceil(points.steps / perGroup);
    const isExact = groups * perGroup * repeats === points.steps;
    if (repeats > 1) this.#repeated(tile, isExact);
    else if (reduces.length === 0) this.#tile(tile, local, member, slice, isExact);
    else this.#rounds(tiles, tile, local, member, isExact);
    const bindings = this.#memory.bindings();
    return { wgsl: shader.build(this.#threads), bindings, workgroups };
  }

  /** Which point of the workgroup's tile a thread has, and which member of its team it is. */
  #places(): { readonly local: string; readonly member: string } {
    const { team, perGroup, layout } = this.#stage;
    const shader = this.#shader;
    if (team === 1) return { local: "i32(thread)", member: "0" };
    if (perGroup === 1) return { local: "0", member: shader.let("member", "i32(thread)") };
    const [few, many] = layout === "along" ? [team, "member"] : [perGroup, "local"];
    const low = shader.let(many, `i32(thread % ${few}u)`);
    const high = shader.let(many === "member" ? "local" : "member", `i32(thread / ${few}u)`);
    return layout === "along" ? { local: high, member: low } : { local: low, member: high };
  }

  #team(member: string): Team {
    const { team, layout, perGroup } = this.#stage;
    const neighbours = neighboursOf(this.#context.target);
    return { size: team, stride: layout === "along" ? 1 : perGroup, member, neighbours };
  }

  /** All threads of the workgroup. */
  get #everyone(): Team {
    const neighbours = neighboursOf(this.#context.target);
    return { size: this.#threads, stride: 1, member: "i32(thread)", neighbours };
  }

  /** One point for each team. */
  #tile(tile: string, local: string, member: string, slice: string, isExact: boolean): void {
    const { points, perGroup, team } = this.#stage;
    const shader = this.#shader;
    const position = points.steps === 1 ? "0" : shader.let("point", `${tile} * ${perGroup} + ${local}`);
    if (isExact) {
      this.#point(position, member, slice, null);
      return;
    }
    if (team === 1) {
      this.#em.block(`if (${position} < ${points.steps})`, () => this.#point(position, member, slice, null));
      return;
    }
    // Nobody may leave before the last barrier: who has no point works on the last one, and keeps it to himself.
    const inside = shader.let("inside", `${position} < ${points.steps}`);
    this.#point(shader.let("point", `min(${position}, ${points.steps - 1})`), member, slice, inside);
  }

  /** Several independent points for each thread: all of them computed before the first is stored. */
  #repeated(tile: string, isExact: boolean): void {
    const { points, perGroup, repeats, stores } = this.#stage;
    const { e } = this.#context;
    const em = this.#em;
    const shader = this.#shader;
    const first = shader.let("first", `${tile} * ${perGroup * repeats} + i32(thread)`);
    this.#withPointLanes(() => {
      const done: { readonly position: string; readonly stores: readonly Store[] }[] = [];
      for (let k = 0; k < repeats; k++) {
        const position = k === 0 ? first : shader.let("point", `${first} + ${k * perGroup}`);
        const axis: Axis = { id: -3 - k, length: points.steps };
        em.bindAxis(axis, isExact ? position : shader.let("at", `min(${position}, ${points.steps - 1})`));
        const replacement = new Map([[points.step.id, e.axis(axis)]]);
        const spelled = new Map([...points.axes].map(([id, expr]) => [id, e.substitute(expr, replacement)]));
        const memo = new Map<Expr, Expr>();
        const spelledStores = stores.map(({ slot, index, value }) => ({
          slot,
          index: e.substitute(index, spelled, memo),
          value: e.substitute(value, spelled, memo),
        }));
        for (const { value } of spelledStores) em.value(value);
        done.push({ position, stores: spelledStores });
      }
      for (const { position, stores: some } of done) {
        const store = (): void => {
          for (const { slot, index, value } of some) em.store(slot, index, value);
        };
        if (isExact) store();
        else em.block(`if (${position} < ${points.steps})`, store);
      }
    });
  }

  /** The points of a workgroup round by round, with reductions over all of them. */
  #rounds(tiles: number, tile: string, local: string, member: string, isExact: boolean): void {
    const { points, perGroup, groups, reduces, published } = this.#stage;
    const shader = this.#shader;
    const lanes = this.#lanes;
    const reducers = reduces.map((reduce) => new Reducer(shader, reduce));
    const totals = reducers.map((reducer) => reducer.variables(lanes));
    this.#em.block(`for (var tile = ${tile}; tile < ${tiles}; tile += ${groups})`, () => {
      const position = shader.let("point", `tile * ${perGroup} + ${local}`);
      const inside = isExact ? null : shader.let("inside", `${position} < ${points.steps}`);
      const point = isExact ? position : shader.let("point", `min(${position}, ${points.steps - 1})`);
      this.#point(point, member, "0", inside);
      this.#em.block(this.#byOne(member, inside), () => {
        this.#withPointLanes(() => {
          reducers.forEach((reducer, k) => {
            const change = this.#atPoint(reducer.reduce);
            const operand = this.#em.text(argOf(change, 0), lanes);
            const position = (): string => this.#em.text(this.#flatPoint(), lanes);
            const taken = reducer.take(operand, position, lanes).map((text) => shader.let("s", text));
            const total = totals[k] ?? [];
            reducer.assign(total, reducer.combine(total, taken, lanes));
          });
        });
      });
    });
    const states = reducers.map((reducer, k) => {
      const names = (totals[k] ?? []).map((name) => shader.let("s", name));
      return lanes === 4 ? reducer.joinLanes(names) : names;
    });
    const joined = joinTeam(shader, this.#everyone, reducers, states, 1, this.#threads);
    this.#em.block("if (thread == 0u)", () => {
      reducers.forEach((reducer, k) => {
        if (!published.has(reducer.reduce)) return;
        this.#partials.publish(reducer, joined[k] ?? [], 1, tile, "0", { slices: groups, points: 1 });
      });
    });
  }

  /** Everything at one point; `inside` says whether this thread may store. */
  #point(position: string, member: string, slice: string, inside: string | null): void {
    const { points, bodies, stores, needs, team, slices } = this.#stage;
    const { tuning, e } = this.#context;
    const em = this.#em;
    const shader = this.#shader;
    em.bindAxis(points.step, position);
    const own = needs.filter((reduce) => !this.#isShared(reduce));
    this.#joinNeeds(own, position, this.#team(member), this.#lanes);
    const stride = team * slices;
    const first = slices === 1 ? member : shader.let("first", `${slice} * ${team} + ${member}`);
    const share = { first, stride, outer: points.axes, lane: points.lane, inside };
    const isWritten = slices === 1 && areWrittenOut(bodies, stride, tuning.unrolled);
    if (!isWritten) this.#withPointLanes(() => em.hoist(bodies.flatMap(({ loop }) => this.#changed(loop))));
    for (const body of bodies) {
      const found = isWritten ? this.#bodies.writtenOut(body, share) : this.#bodies.counted(body, share);
      this.#conclude(found, position, member, slice, inside);
    }
    if (stores.length === 0) return;
    const byOne = this.#byOne(member, inside, slice);
    const store = (): void => {
      this.#withPointLanes(() => {
        for (const { slot, index, value } of stores)
          em.store(slot, e.substitute(index, points.axes), e.substitute(value, points.axes));
      });
    };
    if (byOne === "") store();
    else em.block(byOne, store);
  }

  /** The head of a block for one thread of a team (in one of the slices, if they are given) that may store; empty if all do. */
  #byOne(member: string, inside: string | null, slice = "0"): string {
    // Without slices, `slice` is "0".
    const conditions = [inside, this.#stage.team > 1 && `${member} == 0`, slice !== "0" && `${slice} == 0`];
    const text = conditions.filter((condition) => condition).join(" && ");
    return text === "" ? "" : `if (${text})`;
  }

  /** Gives the reductions of a loop their values if no other workgroup has found parts too; leaves in scratch memory what later stages need. */
  #conclude(found: readonly Found[], position: string, member: string, slice: string, inside: string | null): void {
    if (found.length === 0) return;
    const { points, slices, published } = this.#stage;
    const shader = this.#shader;
    const lanes = this.#lanes;
    const states = joinTeam(
      shader,
      this.#team(member),
      found.map(({ reducer }) => reducer),
      found.map(({ state }) => state),
      lanes,
      this.#threads,
    );
    if (slices === 1) {
      found.forEach(({ reducer }, k) => {
        const text = shader.let("r", reducer.finish(states[k] ?? [], lanes));
        this.#em.bindValue(this.#atPoint(reducer.reduce), { text, lanes });
      });
    }
    if (!found.some(({ reducer }) => published.has(reducer.reduce))) return;
    this.#em.block(this.#byOne(member, inside), () => {
      found.forEach(({ reducer }, k) => {
        const size = { slices, points: points.steps * lanes };
        if (published.has(reducer.reduce))
          this.#partials.publish(reducer, states[k] ?? [], lanes, slice, position, size);
      });
    });
  }

  /** Joins what workgroups of earlier stages have found: for this point, or for all of them. */
  #joinNeeds(reduces: readonly Expr[], position: string, team: Team, lanes: Lanes): void {
    for (const { reduce, text } of this.#partials.join(reduces, position, team, lanes, this.#threads))
      this.#em.bindValue(this.#atPoint(reduce), { text, lanes });
  }

  /** Whether what earlier stages have found of a reduction is the same for all points. */
  #isShared(reduce: Expr): boolean {
    return this.#stage.points.points > 1 && this.#context.scratch.placeOf(reduce)?.points === 1;
  }

  #changed(loop: Parameters<typeof expressionsIn>[0]): Expr[] {
    return expressionsIn(loop).map((expr) => this.#context.e.substitute(expr, this.#stage.points.axes));
  }

  /** `reduce` as later expressions at this point spell it. */
  #atPoint(reduce: Expr): Expr {
    return this.#context.e.substitute(reduce, this.#stage.points.axes);
  }

  /** The flat position of the point. */
  #flatPoint(): Expr {
    const { e } = this.#context;
    const { step, lane, lanes } = this.#stage.points;
    return lane ? e.add(e.scale(e.axis(step), lanes), e.axis(lane)) : e.axis(step);
  }

  #withPointLanes(body: () => void): void {
    this.#em.withLanes(this.#stage.points.lane, body);
  }
}
