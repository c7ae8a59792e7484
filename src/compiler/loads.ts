/** What an expression loads. Apart from `loop-nest.ts`, which every page loads: only products ask. */
import type { Expr } from "../ir/expr.ts";
import { collectLoads } from "./loop-nest.ts";

/** Flat positions that `root` loads from. */
export function loadsIn(root: Expr): Expr[] {
  const found = new Set<Expr>();
  collectLoads(root, found, new Set());
  return [...found];
}
