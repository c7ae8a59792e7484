/** How much work one element of a vertex is, asked of its row. */
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import type { Expr } from "../ir/expr.ts";
import { Expressions } from "../ir/expr.ts";

const known = new WeakMap<Primitive, number>();

const cheapOps: ReadonlySet<string> = new Set([
  "add",
  "sub",
  "mul",
  "neg",
  "abs",
  "min",
  "max",
  "and",
  "or",
  "xor",
  "not",
  "shl",
  "shr",
  "eq",
  "ne",
  "lt",
  "le",
  "select",
  "cast",
  "bitcast",
  "floor",
  "ceil",
  "trunc",
  "round",
]);
const mediumOps: ReadonlySet<string> = new Set(["div", "sqrt", "rsqrt", "quotient", "remainder"]);
const transcendental = 12;
const medium = 3;

/** Instructions per element of the operation itself, transcendental ones counted twelvefold. */
export function weightOf(vertex: MLXArray, inputs: readonly MLXArray[]): number {
  const { primitive } = vertex;
  const cached = known.get(primitive);
  if (cached !== undefined) return cached;
  let weight = 0;
  const { lowering } = primitive;
  if (lowering.kind === "map") {
    const e = new Expressions();
    const index = vertex.shape.map((length, id) => e.axis({ id, length }));
    const result = lowering.element({
      e,
      index,
      params: vertex.params,
      inputs,
      output: vertex,
      read: (k) => e.argument(k, inputs[k]?.dtype ?? "float32"),
    });
    weight = countWork(result);
  }
  known.set(primitive, weight);
  return weight;
}

/**
 * Weighted number of distinct instructions on elements in `root`; index arithmetic is free, and so are expressions among
 * `ready`, whose values are there already.
 */
export function countWork(root: Expr, ready: Iterable<Expr> = []): number {
  const seen = new Set<Expr>(ready);
  const stack = [root];
  let work = 0;
  for (let expr = stack.pop(); expr; expr = stack.pop()) {
    if (seen.has(expr)) continue;
    seen.add(expr);
    stack.push(...expr.args);
    if (expr.dtype === "index" || expr.args.length === 0) continue;
    if (cheapOps.has(expr.op)) work += 1;
    else if (mediumOps.has(expr.op)) work += medium;
    else if (expr.op !== "load" && expr.op !== "affine" && expr.op !== "reduce") work += transcendental;
  }
  return work;
}
