/** Arranges expressions with reductions in them into loop nests. Knows expressions and loops, not the graph. */
import { remembered } from "../base/remembered.ts";
import type { Axis, Expr } from "../ir/expr.ts";
import type { Loop, Store } from "../ir/kernel.ts";

/** A value to be written for every point of `axes`. */
export interface StoreTask {
  readonly axes: readonly Axis[];
  readonly store: Store;
}

type AxisSet = ReadonlyMap<number, Axis>;

interface Scope {
  readonly set: AxisSet;
  /** Reductions whose loop this scope is. */
  readonly reduces: Expr[];
  readonly stores: Store[];
  /** Keys of the scopes that must enclose this one. */
  readonly enclosing: Set<string>;
}

/**
 * The loop nest that computes all `tasks`, each reduction once per point of the axes it depends on.
 * Null if there is none: loops would have to cross, or a loop to wait for its own result.
 */
export function structure(tasks: readonly StoreTask[]): Loop | null {
  const analysis = new Dependencies();
  const scopes = new Map<string, Scope>();
  const scopeOf = (set: AxisSet): Scope => {
    const key = keyOf(set);
    return remembered(scopes, key, () => ({ set, reduces: [], stores: [], enclosing: new Set() }));
  };
  scopeOf(new Map());
  const placed = new Set<Expr>();
  const placeUses = (scope: Scope, exprs: readonly Expr[]): void => {
    for (const expr of exprs) {
      for (const reduce of analysis.reducesIn(expr)) {
        const free = analysis.freeAxes(reduce);
        if (keyOf(free) !== keyOf(scope.set)) scope.enclosing.add(keyOf(free));
        scopeOf(free);
        placeReduce(reduce, free);
      }
    }
  };
  const placeReduce = (reduce: Expr, free: AxisSet): void => {
    if (reduce.op !== "reduce" || placed.has(reduce)) return;
    placed.add(reduce);
    const inside = new Map(free);
    for (const axis of reduce.axes) inside.set(axis.id, axis);
    const scope = scopeOf(inside);
    scope.enclosing.add(keyOf(free));
    scope.reduces.push(reduce);
    placeUses(scope, reduce.args);
  };
  for (const { axes, store } of tasks) {
    const scope = scopeOf(new Map(axes.filter((axis) => axis.length !== 1).map((axis) => [axis.id, axis])));
    scope.stores.push(store);
    placeUses(scope, [store.index, store.value]);
  }
  return assemble(scopes, analysis);
}

function assemble(scopes: ReadonlyMap<string, Scope>, analysis: Dependencies): Loop | null {
  const chains = resolveChains(scopes);
  if (!chains) return null;
  const parentOf = new Map<string, string>();
  for (const [key, chain] of chains) {
    if (key !== "") parentOf.set(key, chain.at(-1) ?? "");
  }
  for (const [key, scope] of scopes) {
    for (const reduce of scope.reduces) {
      if (parentOf.get(key) !== keyOf(analysis.freeAxes(reduce))) return null;
    }
  }
  const childrenOf = new Map<string, string[]>();
  for (const [key, parent] of parentOf) remembered(childrenOf, parent, () => []).push(key);
  const build = (key: string): BuiltLoop | null => {
    const scope = scopes.get(key);
    if (!scope) return null;
    const children: BuiltLoop[] = [];
    for (const child of childrenOf.get(key) ?? []) {
      const built = build(child);
      if (!built) return null;
      children.push(built);
    }
    const ordered = orderLoops(children);
    if (!ordered) return null;
    const parent = scopes.get(parentOf.get(key) ?? "")?.set;
    const axes = [...scope.set.values()].filter((axis) => key === "" || !parent?.has(axis.id));
    const own = [
      ...scope.reduces.flatMap((reduce) => reduce.args),
      ...scope.stores.flatMap(({ index, value }) => [index, value]),
    ];
    const uses = new Set(own.flatMap((expr) => analysis.reducesIn(expr)));
    for (const child of children) for (const use of child.uses) uses.add(use);
    if (scope.reduces.some((reduce) => uses.has(reduce))) return null;
    const produces = new Set(scope.reduces);
    return {
      loop: { axes, children: ordered.map(({ loop }) => loop), reduces: scope.reduces, stores: scope.stores },
      uses,
      produces,
    };
  };
  return build("")?.loop ?? null;
}

interface BuiltLoop {
  readonly loop: Loop;
  readonly uses: ReadonlySet<Expr>;
  readonly produces: ReadonlySet<Expr>;
}

/** For each scope the scopes around it, outermost first; null if they do not nest. */
function resolveChains(scopes: ReadonlyMap<string, Scope>): Map<string, string[]> | null {
  for (let isStable = false; !isStable; ) {
    isStable = true;
    for (const [key, scope] of scopes) {
      for (const outer of scope.enclosing) {
        const enclosing = scopes.get(outer);
        if (!enclosing || !isSubset(enclosing.set, scope.set)) return null;
        for (const further of enclosing.enclosing) {
          if (!scope.enclosing.has(further) && further !== key) {
            scope.enclosing.add(further);
            isStable = false;
          }
        }
        for (const other of scope.enclosing) {
          const set = scopes.get(other)?.set;
          if (other !== outer && set && set.size < enclosing.set.size && !enclosing.enclosing.has(other)) {
            if (!isSubset(set, enclosing.set)) return null;
            enclosing.enclosing.add(other);
            isStable = false;
          }
        }
      }
    }
  }
  const chains = new Map<string, string[]>();
  for (const [key, scope] of scopes) {
    const chain = [...scope.enclosing]
      .filter((outer) => outer !== "")
      .sort((a, b) => size(scopes, a) - size(scopes, b));
    for (let i = 1; i < chain.length; i++) {
      const [inner, outer] = [scopes.get(chain[i] ?? "")?.set, scopes.get(chain[i - 1] ?? "")?.set];
      if (!inner || !outer || !isSubset(outer, inner) || inner.size === outer.size) return null;
    }
    chains.set(key, chain);
  }
  return chains;
}

/** Loops in an order in which each finds the reductions it uses complete; null if there is none. */
function orderLoops(loops: readonly BuiltLoop[]): BuiltLoop[] | null {
  const ordered: BuiltLoop[] = [];
  const waiting = new Set(loops);
  while (waiting.size > 0) {
    const ready = [...waiting].find((loop) =>
      [...waiting].every((other) => other === loop || [...other.produces].every((reduce) => !loop.uses.has(reduce))),
    );
    if (!ready) return null;
    waiting.delete(ready);
    ordered.push(ready);
  }
  return ordered;
}

/** Free axes and outermost reductions of expressions, each computed once. */
export class Dependencies {
  readonly #free = new Map<Expr, AxisSet>();
  readonly #reduces = new Map<Expr, readonly Expr[]>();

  /** The axes that the value of `expr` depends on. */
  freeAxes(expr: Expr): AxisSet {
    const known = this.#free.get(expr);
    if (known) return known;
    const free = new Map<number, Axis>();
    if (expr.op === "axis") free.set(expr.axis.id, expr.axis);
    for (const arg of expr.args) for (const [id, axis] of this.freeAxes(arg)) free.set(id, axis);
    if (expr.op === "reduce") for (const axis of expr.axes) free.delete(axis.id);
    this.#free.set(expr, free);
    return free;
  }

  /** The reductions in `expr` that are not inside another one. */
  reducesIn(expr: Expr): readonly Expr[] {
    if (expr.op === "reduce") return [expr];
    const known = this.#reduces.get(expr);
    if (known) return known;
    const found = expr.args.length === 0 ? [] : [...new Set(expr.args.flatMap((arg) => this.reducesIn(arg)))];
    this.#reduces.set(expr, found);
    return found;
  }
}

function keyOf(set: AxisSet): string {
  return [...set.keys()].sort((a, b) => a - b).join();
}

function isSubset(a: AxisSet, b: AxisSet): boolean {
  for (const id of a.keys()) if (!b.has(id)) return false;
  return true;
}

function size(scopes: ReadonlyMap<string, Scope>, key: string): number {
  return scopes.get(key)?.set.size ?? 0;
}
