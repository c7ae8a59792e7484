/** Loop nests as data: walking them, joining axes that are walked as one, and how their accesses lie in memory. */
import { longestAxis } from "../base/shape.ts";
import type { Axis, Expr, Expressions } from "../ir/expr.ts";
import { argOf, pointsOf } from "../ir/expr.ts";
import { affineOf } from "../ir/index-range.ts";
import type { Loop } from "../ir/kernel.ts";
import { countWork } from "./weight.ts";

/** A loop with every expression in it replaced by `change`, and its axes by `axes`. */
export function mapLoop(
  loop: Loop,
  change: (expr: Expr) => Expr,
  axes: (axes: readonly Axis[]) => readonly Axis[] = (same) => same,
): Loop {
  return {
    axes: axes(loop.axes),
    children: loop.children.map((child) => mapLoop(child, change, axes)),
    reduces: loop.reduces.map(change),
    stores: loop.stores.map(({ slot, index, value }) => ({ slot, index: change(index), value: change(value) })),
  };
}

/** Every expression of a loop and the loops inside it. */
export function expressionsIn(loop: Loop): Expr[] {
  return [...ownExpressions(loop), ...loop.children.flatMap(expressionsIn)];
}

/** The expressions evaluated for each point of a loop itself. */
export function ownExpressions(loop: Loop): Expr[] {
  return [
    ...loop.reduces.map((reduce) => argOf(reduce, 0)),
    ...loop.stores.flatMap(({ index, value }) => [index, value]),
  ];
}

/** The nest with neighbouring axes of each loop joined wherever nothing tells them apart; `nextId` numbers joined axes. */
export function joinAxes(e: Expressions, root: Loop, nextId: () => number): Loop {
  let result = root;
  for (let pair = nextPair(result, 0); pair; pair = nextPair(result, pair.place)) {
    const joined = joinPair(e, result, pair.outer, pair.inner, nextId);
    if (joined) result = joined;
    else pair.place++;
  }
  return result;
}

interface AxisPair {
  readonly outer: Axis;
  readonly inner: Axis;
  place: number;
}

/** The neighbouring axes at `place`, counting all such pairs of the nest. */
function nextPair(root: Loop, place: number): AxisPair | null {
  const pairs: AxisPair[] = [];
  const walk = (loop: Loop): void => {
    for (let k = loop.axes.length - 2; k >= 0; k--) {
      const [outer, inner] = [loop.axes[k], loop.axes[k + 1]];
      if (outer && inner) pairs.push({ outer, inner, place: pairs.length });
    }
    for (const child of loop.children) walk(child);
  };
  walk(root);
  return pairs[place] ?? null;
}

function joinPair(e: Expressions, root: Loop, outer: Axis, inner: Axis, nextId: () => number): Loop | null {
  // Positions are 32-bit integers.
  if (outer.length * inner.length > longestAxis || walksOneOf(root, outer, inner)) return null;
  const axis: Axis = { id: nextId(), length: outer.length * inner.length };
  const whole = e.axis(axis);
  const replacements = new Map([
    [outer.id, e.floorDivide(whole, inner.length)],
    [inner.id, e.floorModulo(whole, inner.length)],
  ]);
  const memo = new Map<Expr, Expr>();
  const joined = mapLoop(
    root,
    (expr) => e.substitute(expr, replacements, memo),
    (axes) =>
      axes.includes(outer)
        ? axes.filter((other) => other !== outer).map((other) => (other === inner ? axis : other))
        : axes,
  );
  const seen = new Map<Expr, boolean>();
  return expressionsIn(joined).some((expr) => isSplit(expr, axis.id, seen)) ? null : joined;
}

/** Whether some loop has one of the two axes without the other. */
function walksOneOf({ axes, children }: Loop, a: Axis, b: Axis): boolean {
  return axes.includes(a) !== axes.includes(b) || children.some((child) => walksOneOf(child, a, b));
}

/** Whether `expr` divides by parts of the axis. */
function isSplit(expr: Expr, id: number, memo: Map<Expr, boolean>): boolean {
  const known = memo.get(expr);
  if (known !== undefined) return known;
  const isDivision = expr.dtype === "index" && (expr.op === "quotient" || expr.op === "remainder");
  const result = (isDivision && contains(expr, id)) || expr.args.some((arg) => isSplit(arg, id, memo));
  memo.set(expr, result);
  return result;
}

function contains(expr: Expr, id: number): boolean {
  return expr.op === "axis" ? expr.axis.id === id : expr.args.some((arg) => contains(arg, id));
}

/** 2 for consecutive elements, 1 for one and the same, -4 for scattered ones. */
export function accessScore(e: Expressions, index: Expr, axis: Axis): number {
  if (!contains(index, axis.id)) return 1;
  const { terms } = affineOf(index);
  for (const [atom, coefficient] of terms) {
    if (atom.op === "axis" && atom.axis.id === axis.id) {
      const others = [...terms.keys()].some((other) => other !== atom && contains(other, axis.id));
      if (coefficient === 1 && !others) return 2;
    }
  }
  const step: Axis = { id: -1, length: Math.max(1, Math.floor(axis.length / 4)) };
  const lane: Axis = { id: -2, length: 4 };
  const spread = e.substitute(index, new Map([[axis.id, e.add(e.scale(e.axis(step), 4), e.axis(lane))]]));
  const unit = [...affineOf(spread).terms].filter(([atom]) => contains(atom, -2));
  return unit.length === 1 && unit[0]?.[0].op === "axis" && unit[0][1] === 1 ? 2 : unit.length === 0 ? 1 : -4;
}

/** Appends the flat positions that `expr` loads from, outside of reductions inside it. */
export function collectLoads(expr: Expr, found: Set<Expr>, seen: Set<Expr>): void {
  if (seen.has(expr)) return;
  seen.add(expr);
  if (expr.op === "load") found.add(argOf(expr, 0));
  if (expr.op === "reduce") return;
  for (const arg of expr.args) collectLoads(arg, found, seen);
}

/** Flat positions of all loads and stores. */
export function accessesIn(loop: Loop): Expr[] {
  const found = new Set<Expr>();
  const seen = new Set<Expr>();
  const walk = (inner: Loop): void => {
    for (const expr of ownExpressions(inner)) collectLoads(expr, found, seen);
    for (const { index } of inner.stores) found.add(index);
    for (const child of inner.children) walk(child);
  };
  walk(loop);
  return [...found];
}

/** Points of `loop` times the work at each, children included: an estimate in instructions. */
export function workOf(loop: Loop): number {
  let each = 2;
  for (const expr of ownExpressions(loop)) each += countWork(expr);
  for (const child of loop.children) each += workOf(child);
  return pointsOf(loop.axes) * each;
}
