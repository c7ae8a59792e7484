/** Rewrites loops so that an expensive value that two passes over a row need is computed once and kept in memory of the thread. */
import { byteLengthOf, isHalf } from "../../base/dtype.ts";
import { mapLoop, ownExpressions } from "../../compiler/loop-nest.ts";
import { Dependencies } from "../../compiler/structure.ts";
import { countWork } from "../../compiler/weight.ts";
import type { Expr, Expressions } from "../../ir/expr.ts";
import { pointsOf } from "../../ir/expr.ts";
import type { Loop, Store } from "../../ir/kernel.ts";
import { chooseVectorAxis } from "./loop-shaping.ts";
import type { ScratchSlots } from "./scratch-slots.ts";

/** Instructions from which a value is kept. */
const keptWork = 12;
/** Bytes of a row that may be kept: half of a usual second-level cache. */
const rowLimit = 1 << 19;

/** The nest in which later passes load what earlier ones computed and stored, bit for bit. */
export function keepRows(e: Expressions, root: Loop, slots: ScratchSlots): Loop {
  return new RowKeeper(e, slots).rewrite(root);
}

class RowKeeper {
  readonly #e: Expressions;
  readonly #slots: ScratchSlots;
  readonly #dependencies = new Dependencies();
  /** Reductions of finished loops, and what they have become: their operands may load kept values. */
  readonly #changed = new Map<Expr, Expr>();

  constructor(e: Expressions, slots: ScratchSlots) {
    this.#e = e;
    this.#slots = slots;
  }

  rewrite(original: Loop): Loop {
    // Loops without axes run one after the other, on any thread; one with vectors of its own has no rows inside.
    const isSequence = original.axes.length === 0;
    if (!isSequence && (original.children.length === 0 || chooseVectorAxis(this.#e, original))) {
      return this.#replace(original, this.#changed);
    }
    const children: Loop[] = [];
    for (const child of original.children) {
      let later = this.rewrite(child);
      for (const [k, earlier] of isSequence ? [] : children.entries()) {
        if (sameLengths(earlier, later)) [children[k], later] = this.#share(earlier, later);
      }
      for (const [k, reduce] of child.reduces.entries()) this.#changed.set(reduce, later.reduces[k] ?? reduce);
      children.push(later);
    }
    return { ...this.#replace({ ...original, children: [] }, this.#changed), children };
  }

  #replace(loop: Loop, replacements: ReadonlyMap<Expr, Expr>): Loop {
    const memo = new Map(replacements);
    return mapLoop(loop, (expr) => this.#e.substitute(expr, new Map(), memo));
  }

  /** The two loops, the second of which loads expensive values that the first computes too. */
  #share(earlier: Loop, later: Loop): [Loop, Loop] {
    const e = this.#e;
    const names = new Map(later.axes.map((axis, k) => [axis.id, e.axis(earlier.axes[k] ?? axis)]));
    const lengths = later.axes.map(({ length }) => length);
    const size = pointsOf(later.axes);
    const position = e.ravel(
      later.axes.map((axis) => e.axis(axis)),
      lengths,
    );
    const made = reachable(ownExpressions(earlier), () => false);
    const loads = new Map<Expr, Expr>();
    const stores: Store[] = [];
    reachable(ownExpressions(later), (expr) => {
      if (expr.dtype === "index" || isHalf(expr.dtype) || size * byteLengthOf(expr.dtype) > rowLimit) return false;
      const free = this.#dependencies.freeAxes(expr);
      if (!later.axes.every(({ id }) => free.has(id))) return false;
      if (countWork(expr, this.#dependencies.reducesIn(expr)) < keptWork) return false;
      const twin = e.substitute(expr, names);
      if (!made.has(twin)) return false;
      const slot = this.#slots.add(size, expr.dtype, "each");
      loads.set(expr, e.load(slot, expr.dtype, position));
      stores.push({ slot, index: e.substitute(position, names), value: twin });
      return true;
    });
    if (stores.length === 0) return [earlier, later];
    return [{ ...earlier, stores: [...earlier.stores, ...stores] }, this.#replace(later, loads)];
  }
}

function sameLengths(a: Loop, b: Loop): boolean {
  if (a.children.length > 0 || b.children.length > 0 || a.axes.length !== b.axes.length) return false;
  return a.axes.every(({ length }, k) => length === b.axes[k]?.length);
}

/** Expressions in `roots`, without what lies inside reductions or inside one that `stopsAt` takes. */
function reachable(roots: readonly Expr[], stopsAt: (expr: Expr) => boolean): ReadonlySet<Expr> {
  const found = new Set<Expr>(roots);
  for (const expr of found) {
    if (expr.op === "reduce" || stopsAt(expr)) continue;
    for (const arg of expr.args) found.add(arg);
  }
  return found;
}
