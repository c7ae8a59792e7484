/**
 * Cuts a loop with several expensive functions into passes over short strips of it: in one loop the constants of them all
 * would overflow the vector registers. Knows expressions, nothing of code.
 */
import { countWork } from "../../compiler/weight.ts";
import type { Expr } from "../../ir/expr.ts";
import { expensiveIn, isSingle } from "./loop-shaping.ts";

/** A value between passes, and which of a thread's strips keeps it. */
export interface Kept {
  readonly expr: Expr;
  readonly strip: number;
}

/** What one pass reads of earlier passes, and leaves for later ones. The last leaves nothing. */
export interface Pass {
  readonly takes: readonly Kept[];
  readonly leaves: readonly Kept[];
}

/** A loop in passes. */
export interface Strips {
  readonly passes: readonly Pass[];
  /** Elements of a strip. */
  readonly length: number;
  /** Elements from a strip to the next: no power of two, or stores would seem to alias loads. */
  readonly stride: number;
}

/** Instructions from which a value is kept for later passes rather than computed again. */
const keptWork = 3;
/** With inputs and outputs, strips of this many elements stay in the first-level cache. */
const stripLength = 512;
const shortestStrip = 64;
const padding = 16;

/** Elements of strips that a thread has. */
export const stripMemory: number = 16 * (stripLength + padding);

/** How to compute `roots` for `length` elements in passes; null where one loop does as well. */
export function stripsFor(roots: readonly Expr[], varies: (expr: Expr) => boolean, length: number): Strips | null {
  const targets = [
    ...expensiveIn(roots, varies)
      .slice(0, -1)
      .map((expr) => [expr]),
    roots,
  ];
  if (targets.length === 1 || length < shortestStrip) return null;
  const passOf = new Map<Expr, number>();
  const lastUse = new Map<Expr, number>();
  const takes = targets.map((exprs, pass) => {
    const taken = new Set<Expr>();
    const visit = (expr: Expr): void => {
      const made = passOf.get(expr);
      if (made === pass || taken.has(expr) || expr.op === "reduce" || !varies(expr)) return;
      if (made !== undefined && isSingle(expr) && countWork(expr) >= keptWork) {
        taken.add(expr);
        lastUse.set(expr, pass);
        return;
      }
      passOf.set(expr, pass);
      for (const arg of expr.args) visit(arg);
    };
    for (const expr of exprs) visit(expr);
    return [...taken];
  });
  const stripOf = new Map<Expr, number>();
  const free: number[] = [];
  let count = 0;
  const kept = (expr: Expr): Kept => ({ expr, strip: stripOf.get(expr) ?? 0 });
  const passes = takes.map((taken, pass) => {
    // A pass reads its element before it writes one, so that a strip read for the last time may be written.
    for (const expr of taken) if (lastUse.get(expr) === pass) free.push(kept(expr).strip);
    const left = [...lastUse.keys()].filter((expr) => passOf.get(expr) === pass);
    for (const expr of left) stripOf.set(expr, free.pop() ?? count++);
    return { takes: taken.map(kept), leaves: left.map(kept) };
  });
  const room = Math.floor((stripMemory / count - padding) / shortestStrip) * shortestStrip;
  const fitting = Math.min(stripLength, room);
  return fitting === 0 ? null : { passes, length: fitting, stride: fitting + padding };
}
