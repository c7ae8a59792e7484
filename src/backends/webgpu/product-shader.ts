/** One shader of a product while it is written: the expressions of the kernel, and the stores that follow the sums. */
import type { Axis, Expr } from "../../ir/expr.ts";
import { argOf, Expressions } from "../../ir/expr.ts";
import { affineOf } from "../../ir/index-range.ts";
import type { ContractionKernel, Store } from "../../ir/kernel.ts";
import type { GpuDispatch, GpuTarget } from "./kernel-code.ts";
import { WgslEmitter } from "./wgsl-expression.ts";
import { ShaderMemory } from "./wgsl-memory.ts";
import { Shader } from "./wgsl-shader.ts";
import type { Lanes } from "./wgsl-types.ts";

/** Where four neighbouring results stand: texts of i32. */
export interface ResultPlace {
  readonly row: string;
  /** The first column divided by four. */
  readonly quad: string;
  /** Whether row and column may lie beyond the last ones. */
  readonly mayLeaveRows: boolean;
  readonly mayLeaveColumns: boolean;
}

/** Stores in terms of an axis of rows and one of columns, or of fours of them with a lane axis. */
interface SpelledStores {
  readonly row: Axis;
  readonly column: Axis;
  readonly result: Expr;
  readonly stores: readonly Store[];
}

/** First number of the axes that shaders add to those of kernels. */
const firstAxis = 3_000_000;

/** What the emitters of products share. */
export class ProductShader {
  readonly kernel: ContractionKernel;
  readonly target: GpuTarget;
  readonly e: Expressions = new Expressions();
  readonly shader: Shader = new Shader();
  readonly memory: ShaderMemory;
  readonly em: WgslEmitter;
  /** The axis of the four lanes of a vector. */
  readonly lane: Axis;
  #nextAxis = firstAxis;
  #spelled: SpelledStores | null = null;

  constructor(kernel: ContractionKernel, target: GpuTarget) {
    this.kernel = kernel;
    this.target = target;
    this.memory = new ShaderMemory(this.shader, kernel, target);
    this.em = new WgslEmitter(this.shader, this.memory);
    this.lane = this.newAxis(4);
  }

  newAxis(length: number): Axis {
    return { id: this.#nextAxis++, length };
  }

  /** The text of `expr` as an operand of the sums. */
  operand(expr: Expr, lanes: Lanes): string {
    return this.em.text(this.e.cast(expr, "float32"), lanes);
  }

  /** The text of four elements of `expr`, which holds float16, as vec4<f16>. */
  halves(expr: Expr): string {
    const { em, e, memory, lane, shader } = this;
    const first = expr.op === "load" ? alignedFirst(e, argOf(expr, 0), lane, 4) : null;
    if (first !== null && expr.op === "load") return memory.loadHalves(expr.slot, em.text(first, 1));
    shader.enable("f16");
    return `vec4<f16>(${em.text(expr, 4)})`;
  }

  /** The text of the bits of eight elements as vec4u, if `expr` is a load of float16 whose four lanes begin an aligned eight; or null. */
  eight(expr: Expr): string | null {
    const { em, e, memory, lane } = this;
    const first = expr.op === "load" ? alignedFirst(e, argOf(expr, 0), lane, 8) : null;
    return first !== null && expr.op === "load" ? memory.loadEight(expr.slot, em.text(first, 1)) : null;
  }

  /** Makes `place`, an i32, the position over all batch axes. */
  bindBatch(place: string): void {
    let rest = place;
    for (const [k, axis] of [...this.kernel.batch.entries()].reverse()) {
      if (axis.length === 1) continue;
      this.em.bindAxis(axis, k === 0 ? rest : this.shader.let("batch", `${rest} % ${axis.length}`));
      if (k > 0) rest = this.shader.let("batch", `${rest} / ${axis.length}`);
    }
  }

  /** Writes what the kernel makes of four finished sums, the value of `sums`, a name. */
  storeFour({ row, quad, mayLeaveRows, mayLeaveColumns }: ResultPlace, sums: string): void {
    const { em, kernel, shader } = this;
    const isWhole = kernel.n.length % 4 === 0;
    const spelled = this.#spell(isWhole);
    const guards = [
      ...(mayLeaveRows ? [`${row} < ${kernel.m.length}`] : []),
      ...(mayLeaveColumns && isWhole ? [`${quad} < ${kernel.n.length / 4}`] : []),
    ];
    em.block(guards.length > 0 ? `if (${guards.join(" && ")})` : "", () => {
      em.bindAxis(spelled.row, row);
      if (isWhole) {
        em.bindAxis(spelled.column, quad);
        em.withLanes(this.lane, () => this.#store(spelled, sums, 4));
        return;
      }
      em.block("for (var lane = 0; lane < 4; lane++)", () => {
        const column = shader.let("column", `${quad} * 4 + lane`);
        em.block(`if (${column} < ${kernel.n.length})`, () => {
          em.bindAxis(spelled.column, column);
          this.#store(spelled, shader.let("sum", `${sums}[lane]`), 1);
        });
      });
    });
  }

  /** The finished dispatch. */
  dispatch(threads: number, workgroups: GpuDispatch["workgroups"]): GpuDispatch {
    const bindings = this.memory.bindings();
    return { wgsl: this.shader.build(threads), bindings, workgroups };
  }

  #store({ result, stores }: SpelledStores, sums: string, lanes: Lanes): void {
    this.em.bindValue(result, { text: sums, lanes });
    for (const { slot, index, value } of stores) this.em.store(slot, index, value);
  }

  #spell(isWhole: boolean): SpelledStores {
    if (this.#spelled) return this.#spelled;
    const { e, kernel } = this;
    const { m, n } = kernel;
    const row = this.newAxis(m.length);
    const column = this.newAxis(isWhole ? n.length / 4 : n.length);
    const at = isWhole ? e.add(e.scale(e.axis(column), 4), e.axis(this.lane)) : e.axis(column);
    const replacements = new Map([
      [m.id, e.axis(row)],
      [n.id, at],
    ]);
    const memo = new Map<Expr, Expr>();
    const change = (expr: Expr): Expr => e.substitute(expr, replacements, memo);
    this.#spelled = {
      row,
      column,
      result: change(kernel.result),
      stores: kernel.stores.map(({ slot, index, value }) => ({ slot, index: change(index), value: change(value) })),
    };
    return this.#spelled;
  }
}

/** The position of the first of four lanes, if the others follow it one by one and it is a multiple of `unit`; null if not. */
function alignedFirst(e: Expressions, index: Expr, lane: Axis, unit: 4 | 8): Expr | null {
  const { terms, offset } = affineOf(index);
  const own = e.axis(lane);
  const isAligned = [...terms].every(([atom, coefficient]) =>
    atom === own ? coefficient === 1 : coefficient % unit === 0 && !reads(atom, lane),
  );
  return isAligned && terms.has(own) && offset % unit === 0
    ? e.substitute(index, new Map([[lane.id, e.index(0)]]))
    : null;
}

function reads(expr: Expr, axis: Axis): boolean {
  return expr.op === "axis" ? expr.axis.id === axis.id : expr.args.some((arg) => reads(arg, axis));
}
