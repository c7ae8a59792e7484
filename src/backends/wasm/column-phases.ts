/**
 * Rewrites reductions down the columns of a large matrix. Vectors along the columns would fetch a line of memory from each
 * row, each on another page. Instead, groups of rows are read line after line into running results of their own,
 *
 *     for each group of rows: for each row of it: for each column: running[group, column] ∘= value
 *     for each column: result[column] = running[0, column] ∘ running[1, column] ∘ …
 *
 * so that memory is read in order, and threads share the groups. The groups are a matter of the shape alone.
 */
import { isFloating } from "../../base/dtype.ts";
import { mapLoop } from "../../compiler/loop-nest.ts";
import type { Axis, Expr, Expressions } from "../../ir/expr.ts";
import { argOf, elementType, pointsOf } from "../../ir/expr.ts";
import type { ReduceOp } from "../../ir/instruction.ts";
import type { Loop, Store } from "../../ir/kernel.ts";
import { accumulatorType, identityOf } from "./accumulator.ts";
import { chooseVectorAxis } from "./loop-shaping.ts";
import type { ScratchSlots } from "./scratch-slots.ts";

/** Elements from which a matrix leaves the second-level cache, and columns from which its rows lie far apart. */
const largeMatrix = 1 << 20;
const fewestColumns = 256;
/** Columns whose running results stay in the first-level cache. */
const widestBlock = 4096;
/** Rows of a group, at least, and groups, at most. */
const fewestRows = 32;
const mostGroups = 64;

/** The nest with such reductions as phases of their own. */
export function columnPhases(e: Expressions, root: Loop, slots: ScratchSlots, nextAxis: () => number): Loop {
  const finished = new Map<Expr, Expr>();
  const rewriter = new ColumnRewriter(e, slots, nextAxis, finished);
  const isSequence = root.axes.length === 0;
  const phases = (isSequence ? root.children : [root]).flatMap((loop) => rewriter.phasesOf(loop));
  if (finished.size === 0) return root;
  return {
    axes: [],
    children: phases,
    reduces: [],
    stores: isSequence ? root.stores.map((store) => rewriter.store(store)) : [],
  };
}

class ColumnRewriter {
  readonly #e: Expressions;
  readonly #slots: ScratchSlots;
  readonly #nextAxis: () => number;
  /** Reductions that earlier phases have finished, and what loads their results. */
  readonly #finished: Map<Expr, Expr>;

  constructor(e: Expressions, slots: ScratchSlots, nextAxis: () => number, finished: Map<Expr, Expr>) {
    this.#e = e;
    this.#slots = slots;
    this.#nextAxis = nextAxis;
    this.#finished = finished;
  }

  /** The phases that do what `loop` does. */
  phasesOf(loop: Loop): readonly Loop[] {
    const e = this.#e;
    const [column] = loop.axes;
    if (!column || !isColumnwise(e, loop)) return [mapLoop(loop, (expr) => this.#change(expr))];
    const phases: Loop[] = [];
    for (const child of loop.children) {
      if (child.reduces.length > 0) phases.push(...this.#reductions(child, column));
      else
        phases.push({
          ...child,
          axes: [...child.axes, column],
          stores: child.stores.map((store) => this.store(store)),
        });
    }
    const end = mapLoop({ ...loop, children: [] }, (expr) => this.#change(expr));
    return end.stores.length + end.reduces.length > 0 ? [...phases, end] : phases;
  }

  store({ slot, index, value }: Store): Store {
    return { slot, index: this.#change(index), value: this.#change(value) };
  }

  #change(expr: Expr): Expr {
    return this.#e.substitute(expr, new Map(), this.#finished);
  }

  #axis(length: number): Axis {
    return { id: this.#nextAxis(), length };
  }

  /** The reductions of `child`, group by group, and what joins the groups. */
  #reductions(child: Loop, column: Axis): readonly Loop[] {
    const e = this.#e;
    const [row, ...inside] = child.axes;
    if (!row) return [];
    const each = Math.max(fewestRows, Math.ceil(row.length / mostGroups));
    const whole = Math.floor(row.length / each);
    const count = Math.ceil(row.length / each);
    const pointsEach = each * pointsOf(inside);
    const partials = child.reduces.map((reduce) => {
      const type = accumulatorType(reduce, pointsEach);
      return { reduce, type, slot: this.#slots.add(count * column.length, type.wide, "all") };
    });
    const group = (axes: readonly Axis[], place: Expr, rows: Axis): Loop => {
      const block = this.#axis(column.length / blockWidth(column.length));
      const inner = this.#axis(blockWidth(column.length));
      const at = e.add(e.scale(e.axis(block), inner.length), e.axis(inner));
      const spelled = new Map([
        [column.id, at],
        [row.id, e.add(e.scale(place, each), e.axis(rows))],
      ]);
      const memo = new Map<Expr, Expr>();
      const respell = (expr: Expr): Expr => e.substitute(this.#change(expr), spelled, memo);
      const index = e.add(e.scale(place, column.length), at);
      const starts: Store[] = partials.map(({ type, slot }) => ({
        slot,
        index,
        value: e.constant(identityOf(type.op, type.wide), type.wide),
      }));
      const steps = child.stores.map((store) => ({
        slot: store.slot,
        index: respell(store.index),
        value: respell(store.value),
      }));
      for (const { reduce, type, slot } of partials) {
        const value = e.cast(respell(argOf(reduce, 0)), type.wide);
        steps.push({ slot, index, value: combine(e, type.op, e.load(slot, type.wide, index), value) });
      }
      return {
        axes: [...axes, block],
        children: [innermost([inner], starts), innermost([rows, ...inside, inner], steps)],
        reduces: [],
        stores: [],
      };
    };
    const groups = this.#axis(whole);
    const phases: Loop[] = [];
    if (whole > 0) phases.push(group([groups], e.axis(groups), this.#axis(each)));
    if (count > whole) phases.push(group([], e.index(whole), this.#axis(row.length - whole * each)));
    const part = this.#axis(count);
    const results: Store[] = [];
    const joins = partials.map(({ reduce, type, slot }) => {
      const partial = e.load(slot, type.wide, e.add(e.scale(e.axis(part), column.length), e.axis(column)));
      const join = e.reduce(type.op, type.wide, [part], partial);
      const result = this.#slots.add(column.length, type.wide, "all");
      results.push({ slot: result, index: e.axis(column), value: join });
      this.#finished.set(reduce, e.cast(e.load(result, type.wide, e.axis(column)), type.result));
      return join;
    });
    const joining = { axes: [part], children: [], reduces: joins, stores: [] };
    return [...phases, { axes: [column], children: [joining], reduces: [], stores: results }];
  }
}

/** Whether vectors of a loop over the columns of a large matrix would run down its rows. */
function isColumnwise(e: Expressions, loop: Loop): boolean {
  const [column, ...others] = loop.axes;
  if (!column || others.length > 0 || blockWidth(column.length) === 0) return false;
  const isPlain = ({ axes, children, reduces }: Loop): boolean => {
    const points = pointsOf(axes);
    const isLarge = (axes[0]?.length ?? 0) >= fewestRows && points * column.length >= largeMatrix;
    const hasPosition = reduces.some((reduce) => reduce.op === "reduce" && reduce.reduceOp.startsWith("arg"));
    return isLarge && !hasPosition && children.length === 0;
  };
  const hasReductions = loop.children.some(({ reduces }) => reduces.length > 0);
  return hasReductions && loop.children.every(isPlain) && chooseVectorAxis(e, loop) !== null;
}

function innermost(axes: readonly Axis[], stores: readonly Store[]): Loop {
  return { axes, children: [], reduces: [], stores };
}

/** The widest block that divides a row of `length` columns; 0 if there are too few columns, or only narrow blocks. */
function blockWidth(length: number): number {
  if (length < fewestColumns) return 0;
  let count = Math.ceil(length / widestBlock);
  while (length % count !== 0) count++;
  return length / count >= fewestColumns ? length / count : 0;
}

/** `running ∘ value`, where NaN stays. */
function combine(e: Expressions, op: ReduceOp, running: Expr, value: Expr): Expr {
  if (op === "sum") return e.add(running, value);
  if (op === "prod") return e.mul(running, value);
  if (!isFloating(elementType(value))) return e.binary(op === "max" ? "max" : "min", running, value);
  // In fewer instructions than max and min of operands that may be NaN: a NaN value is not better, but moves in.
  const stays = op === "max" ? e.lt(value, running) : e.lt(running, value);
  return e.select(e.binary("or", stays, e.ne(running, running)), running, value);
}
