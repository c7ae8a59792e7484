/** Picks the axis of a loop whose points become lanes. */
import { byteLengthOf } from "../../base/dtype.ts";
import { accessesIn, accessScore, expressionsIn } from "../../compiler/loop-nest.ts";
import { countWork } from "../../compiler/weight.ts";
import type { Axis, Expr, Expressions } from "../../ir/expr.ts";
import type { Loop } from "../../ir/kernel.ts";

/** Which axis of a loop is vectorized, and by how many lanes. */
export interface VectorChoice {
  readonly axis: Axis;
  readonly lanes: number;
}

/** Points along an axis below which lanes are not worth it. */
const shortest = 4;

/** The axis of `loop` to vectorize here; null to leave it to the loops inside, or to none. */
export function chooseVectorAxis(e: Expressions, loop: Loop): VectorChoice | null {
  const accesses = accessesIn(loop);
  let best: { readonly axis: Axis; readonly score: number } | null = null;
  for (const axis of loop.axes) {
    if (axis.length < shortest) continue;
    const score = scoreOf(e, accesses, axis) + (axis === loop.axes.at(-1) ? 0.1 : 0);
    if (!best || score > best.score) best = { axis, score };
  }
  if (!best) return null;
  if (loop.children.length > 0 && innerScore(e, loop) >= best.score) return null;
  return { axis: best.axis, lanes: lanesFor(loop, best.axis) };
}

/** What vectorizing each innermost loop along its own best axis is worth. */
function innerScore(e: Expressions, loop: Loop): number {
  let total = 0;
  for (const child of loop.children) {
    const accesses = accessesIn(child);
    const scores = child.axes.map((axis) =>
      axis.length < shortest ? -5 * accesses.length : scoreOf(e, accesses, axis),
    );
    total += Math.max(...scores, child.children.length > 0 ? innerScore(e, child) : Number.NEGATIVE_INFINITY);
  }
  return total;
}

function scoreOf(e: Expressions, accesses: readonly Expr[], axis: Axis): number {
  let score = 0;
  for (const index of accesses) score += accessScore(e, index, axis);
  return score;
}

/** More lanes hide latency in light loops, and where instructions wait for one another; heavy ones would spill, unless they run in passes. */
function lanesFor(loop: Loop, axis: Axis): number {
  const exprs = expressionsIn(loop);
  const expensive = expensiveIn(exprs, () => true).length;
  const passCount = loop.children.length > 0 ? 1 : Math.max(1, expensive);
  const work = exprs.reduce((sum, expr) => sum + countWork(expr), 0) / passCount;
  const depths = new Map<Expr, number>();
  const depth = Math.max(...exprs.map((expr) => depthOf(expr, depths)));
  const isWide = [...depths.keys()].some(({ dtype }) => dtype !== "index" && byteLengthOf(dtype) === 8);
  const most = isWide ? 8 : 16;
  let lanes = Math.min(most, work > 40 ? 4 : work > 14 ? 8 : 16);
  if (exprs.length > 24) lanes = 4;
  // Points behind the last whole vector are computed one by one.
  else if (expensive === 0 && exprs.length === 2 * loop.stores.length)
    while (lanes < most && lanes * work < inFlight * depth && axis.length % (lanes * 2) <= axis.length / 8) lanes *= 2;
  while (lanes > 4 && lanes > axis.length) lanes /= 2;
  return lanes;
}

/** Lanes that an engine's instructions should be at work on at once. */
const inFlight = 12;

/** Instructions on the longest way from what is loaded to `expr`. */
function depthOf(expr: Expr, known: Map<Expr, number>): number {
  const before = known.get(expr);
  if (before !== undefined) return before;
  const depth = Math.max(0, ...expr.args.map((arg) => depthOf(arg, known))) + countWork(expr, expr.args);
  known.set(expr, depth);
  return depth;
}

/** Instructions from which a function is expensive: those with constants of their own. */
const expensiveWork = 12;

/** Functions in `roots` that are expensive, operands first; `varies` tells what is computed for each element. */
export function expensiveIn(roots: readonly Expr[], varies: (expr: Expr) => boolean): readonly Expr[] {
  const found: Expr[] = [];
  const seen = new Set<Expr>();
  const visit = (expr: Expr): void => {
    if (seen.has(expr) || expr.op === "reduce") return;
    seen.add(expr);
    for (const arg of expr.args) visit(arg);
    if (isSingle(expr) && countWork(expr, expr.args) >= expensiveWork && varies(expr)) found.push(expr);
  };
  for (const expr of roots) visit(expr);
  return found;
}

/** Whether a value is a float32 in registers. */
export function isSingle({ dtype }: Expr): boolean {
  return dtype === "float32" || dtype === "float16" || dtype === "bfloat16";
}
