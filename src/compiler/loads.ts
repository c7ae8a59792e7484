/** What an expression loads. */
import type { Expr } from "../ir/expr.ts";
import { collectLoads } from "./loop-nest.ts";

/** Flat positions that `root` loads from. */
export function loadsIn(root: Expr): Expr[] {
  const found = new Set<Expr>();
  collectLoads(root, found, new Set());
  return [...found];
}
