/** Turns a group of graph vertices into one kernel. */
import type { Dtype } from "../base/dtype.ts";
import { MLXError } from "../base/errors.ts";
import { remembered } from "../base/remembered.ts";
import { sameShape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Axis, Expr } from "../ir/expr.ts";
import { Expressions, pointsOf } from "../ir/expr.ts";
import type { LoopKernel, Slot } from "../ir/kernel.ts";
import { only } from "../primitives/families.ts";
import type { Program } from "./program.ts";
import { isStructural } from "./program.ts";
import type { StoreTask } from "./structure.ts";
import { Dependencies, structure } from "./structure.ts";

/** A kernel with the vertices its slots and the constants its arguments stand for. */
export interface Lowered<K> {
  readonly kernel: K;
  readonly slots: readonly MLXArray[];
  readonly constants: readonly MLXArray[];
}

/** What is computed together: `outputs` are stored, everything else they need and `isStored` denies is computed on the way. */
export interface GroupSpec {
  readonly outputs: readonly MLXArray[];
  readonly core: MLXArray | null;
}

/** The loop kernel of a group, or null if its loops do not nest or would compute a reduction more than once. */
export function lowerLoops(
  program: Program,
  group: GroupSpec,
  isStored: (vertex: MLXArray) => boolean,
): Lowered<LoopKernel> | null {
  const lowering = new VertexLowering(program, group, isStored);
  const tasks: StoreTask[] = [];
  /** Outputs of one size share their loop. */
  const domains = new Map<number, { readonly axes: readonly Axis[]; readonly shape: readonly number[] }>();
  for (const output of group.outputs) {
    const domain = domains.get(output.size) ?? {
      axes: output.shape.map((length) => lowering.newAxis(length)),
      shape: output.shape,
    };
    domains.set(output.size, domain);
    const { axes, shape } = domain;
    const position = axes.map((axis) => lowering.e.axis(axis));
    const flat = lowering.e.ravel(position, shape);
    const index = sameShape(shape, output.shape) ? position : lowering.e.unravel(flat, output.shape);
    tasks.push({
      axes,
      store: { slot: lowering.slotOf(output, true), index: flat, value: lowering.compute(output, index) },
    });
  }
  const unified = lowering.unifyReductions(tasks);
  if (!unified) return null;
  const root = structure(unified);
  if (!root) return null;
  return lowering.finish({ kind: "loop", root: hoistRoot(root) });
}

/** A root whose only content is one loop is that loop: its axes are then split between threads without partial results. */
function hoistRoot(root: LoopKernel["root"]): LoopKernel["root"] {
  const [loop] = root.children;
  const isWrapper = root.children.length === 1 && root.stores.length === 0 && loop && loop.reduces.length === 0;
  return isWrapper ? loop : root;
}

/** Computes expressions for vertices of one group. */
export class VertexLowering {
  readonly e: Expressions = new Expressions();
  misreadCore = false;
  readonly #program: Program;
  readonly #outputs: ReadonlySet<MLXArray>;
  readonly #isStored: (vertex: MLXArray) => boolean;
  readonly #memo = new Map<string, Expr>();
  readonly #slots = new Map<MLXArray, number>();
  readonly #slotList: Slot[] = [];
  readonly #constants = new Map<MLXArray, number>();
  readonly #boundAxes = new Map<MLXArray, Axis[]>();
  /** The positions at which each reduction is read. */
  readonly #instances = new Map<MLXArray, (readonly Expr[])[]>();
  readonly #names = new Set<string>();
  #core: { readonly vertex: MLXArray; readonly key: string; readonly value: Expr } | null = null;
  #nextAxis = 0;

  constructor(program: Program, group: GroupSpec, isStored: (vertex: MLXArray) => boolean) {
    this.#program = program;
    this.#outputs = new Set(group.outputs);
    this.#isStored = isStored;
  }

  get hasReductions(): boolean {
    return this.#instances.size > 0;
  }

  newAxis(length: number): Axis {
    return { id: this.#nextAxis++, length };
  }

  slotOf(vertex: MLXArray, isOutput = false): number {
    const { dtype, size } = vertex;
    return remembered(this.#slots, vertex, () => this.#slotList.push({ dtype, size, isOutput }) - 1);
  }

  bindCore(vertex: MLXArray, index: readonly Expr[], value: Expr): void {
    this.#core = { vertex, key: keyOf(vertex, index), value };
    this.#names.add(vertex.primitive.name);
  }

  /** The element of `vertex` at `index`: loaded if it is stored, computed otherwise. */
  value(vertex: MLXArray, index: readonly Expr[]): Expr {
    const actual = this.#program.resolve(vertex);
    const { lowering } = actual.primitive;
    if (lowering.kind === "constant") return this.#constant(actual, lowering.value(actual.params));
    if (!this.#outputs.has(actual) && this.#isStored(actual)) {
      return this.e.load(this.slotOf(actual), actual.dtype, this.e.ravel(index, actual.shape));
    }
    return this.compute(actual, index);
  }

  /** The element of `vertex` at `index`, computed from its inputs. */
  compute(vertex: MLXArray, index: readonly Expr[]): Expr {
    const key = keyOf(vertex, index);
    const known = this.#memo.get(key);
    if (known) return known;
    const result = this.#computeNew(vertex, index, key);
    this.#memo.set(key, result);
    return result;
  }

  #computeNew(vertex: MLXArray, index: readonly Expr[], key: string): Expr {
    const { lowering, name } = vertex.primitive;
    if (vertex === this.#core?.vertex) {
      if (key !== this.#core.key) this.misreadCore = true;
      return this.#core.value;
    }
    const inputs = this.#program.inputsOf(vertex);
    switch (lowering.kind) {
      case "map":
        this.#names.add(name);
        return lowering.element({
          e: this.e,
          index,
          params: vertex.params,
          inputs,
          output: vertex,
          read: (k, at) => this.value(only(name, inputs[k]), at),
          position: (k) => {
            const moved = this.#program.position(vertex, k);
            return moved && this.e.cast(this.#argument(moved), "index");
          },
        });
      case "reduce": {
        this.#names.add(name);
        const input = only(name, inputs[0]);
        const axes = lowering.axes(vertex.params);
        const bound = remembered(this.#boundAxes, vertex, () =>
          axes.map((axis) => this.newAxis(input.shape[axis] ?? 1)),
        );
        const at: Expr[] = [];
        let kept = 0;
        input.shape.forEach((_, axis) => {
          const position = axes.indexOf(axis);
          const boundAxis = bound[position];
          at.push(boundAxis ? this.e.axis(boundAxis) : (index[kept++] ?? this.e.index(0)));
        });
        const loops = bound.filter((axis) => axis.length !== 1);
        if (loops.length > 0) remembered(this.#instances, vertex, () => []).push(index);
        const operand = this.value(input, at);
        if (loops.length > 0) return this.e.reduce(lowering.op, vertex.dtype, loops, operand);
        return lowering.op === "argmax" || lowering.op === "argmin" ? this.e.constant(0, vertex.dtype) : operand;
      }
      default:
        throw new MLXError(name, "cannot be computed inside a kernel of another operation");
    }
  }

  /** Makes every reduction one expression by running the loops that read it over the same axes. Null if that fails. */
  unifyReductions(tasks: readonly StoreTask[]): StoreTask[] | null {
    const renames = new Map<number, Expr>();
    const boundIds = new Set([...this.#boundAxes.values()].flat().map((axis) => axis.id));
    const current = (expr: Expr): Expr => (expr.op === "axis" ? (renames.get(expr.axis.id) ?? expr) : expr);
    for (const [, [first, ...others]] of this.#instances) {
      if (!first) continue;
      for (const other of others) {
        for (let axis = 0; axis < first.length; axis++) {
          const a = current(first[axis] ?? this.e.index(0));
          const b = current(other[axis] ?? this.e.index(0));
          if (a === b) continue;
          if (a.op !== "axis" || b.op !== "axis" || a.axis.length !== b.axis.length) return null;
          const [from, to] = boundIds.has(a.axis.id) ? [b, a] : [a, b];
          if (boundIds.has(from.axis.id)) return null;
          for (const [id, target] of renames) if (target === from) renames.set(id, to);
          renames.set(from.axis.id, to);
        }
      }
    }
    if (!keepsAxesApart(tasks, renames)) return null;
    const memo = new Map<Expr, Expr>();
    const replaced = tasks.map(({ axes, store }) => ({
      axes: axes.map((axis) => {
        const target = renames.get(axis.id);
        return target?.op === "axis" ? target.axis : axis;
      }),
      store: {
        slot: store.slot,
        index: renames.size > 0 ? this.e.substitute(store.index, renames, memo) : store.index,
        value: renames.size > 0 ? this.e.substitute(store.value, renames, memo) : store.value,
      },
    }));
    return this.#computesOnce(replaced) ? replaced : null;
  }

  /** Whether each reduction vertex has become one expression, evaluated as often as it has elements. */
  #computesOnce(tasks: readonly StoreTask[]): boolean {
    const distinct = reductionsIn(tasks);
    if (distinct.length > this.#instances.size) return false;
    let needed = 0;
    for (const vertex of this.#instances.keys()) needed += vertex.size;
    let computed = 0;
    const dependencies = new Dependencies();
    for (const reduce of distinct) computed += pointsOf(dependencies.freeAxes(reduce).values());
    return computed <= needed;
  }

  finish<K extends object>(body: K): Lowered<K & { slots: Slot[]; arguments: Dtype[]; label: string }> {
    return {
      kernel: {
        ...body,
        slots: this.#slotList,
        arguments: [...this.#constants.keys()].map((constant) => constant.dtype),
        label: [...this.#names].join(" "),
      },
      slots: [...this.#slots.keys()],
      constants: [...this.#constants.keys()],
    };
  }

  #constant(vertex: MLXArray, value: number | bigint): Expr {
    return isStructural(value) ? this.e.constant(value, vertex.dtype) : this.#argument(vertex);
  }

  #argument(vertex: MLXArray): Expr {
    const slot = remembered(this.#constants, vertex, () => this.#constants.size);
    return this.e.argument(slot, vertex.dtype);
  }
}

/** Whether no loop, and no reduction, would have one axis in the place of two. */
function keepsAxesApart(tasks: readonly StoreTask[], renames: ReadonlyMap<number, Expr>): boolean {
  if (renames.size === 0) return true;
  const dependencies = new Dependencies();
  const areDistinct = (axes: Iterable<Axis>): boolean => {
    const ids = [...axes].flatMap(({ id, length }) => {
      const target = renames.get(id);
      return length === 1 ? [] : [target?.op === "axis" ? target.axis.id : id];
    });
    return new Set(ids).size === ids.length;
  };
  // A store within a loop that some reduction it reads has run over before would take that reduction for its own.
  return tasks.every(
    (task) =>
      areDistinct(task.axes) &&
      reductionsIn([task]).every((reduce) =>
        areDistinct(new Set([...task.axes, ...dependencies.freeAxes(reduce).values(), ...reduce.axes])),
      ),
  );
}

/** The reductions that some stores compute, each once. */
function reductionsIn(tasks: readonly StoreTask[]): Extract<Expr, { readonly op: "reduce" }>[] {
  const found: Extract<Expr, { readonly op: "reduce" }>[] = [];
  const seen = new Set<Expr>();
  const stack = tasks.map(({ store }) => store.value);
  for (let expr = stack.pop(); expr; expr = stack.pop()) {
    if (seen.has(expr)) continue;
    seen.add(expr);
    if (expr.op === "reduce") found.push(expr);
    stack.push(...expr.args);
  }
  return found;
}

function keyOf(vertex: MLXArray, index: readonly Expr[]): string {
  let key = `${vertex.id}`;
  for (const expr of index) key += `:${expr.id}`;
  return key;
}
