/** How much work one element of a vertex is, asked of its row. */
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import type { Expr } from "../ir/expr.ts";
import { argOf, Expressions, isConstant } from "../ir/expr.ts";

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

/** Elements of a line below which asking of each line whether it is padding costs more than a padded copy. */
const leastLine = 8;

/**
 * Whether `vertex` sets lines of its input, the elements along the last axis, among zeros: what packs them line by line
 * need not have the result stored.
 */
export function padsLines(vertex: MLXArray, inputsOf: (vertex: MLXArray) => readonly MLXArray[]): boolean {
  const { lowering } = vertex.primitive;
  const inputs = inputsOf(vertex);
  if (lowering.kind !== "map" || inputs.length < 2 || (vertex.shape.at(-1) ?? 1) < leastLine) return false;
  const e = new Expressions();
  const index = vertex.shape.map((length, id) => e.axis({ id, length }));
  const line = e.load(0, vertex.dtype, index.at(-1) ?? e.index(0));
  const read = (k: number, at: readonly Expr[]): Expr => {
    const input = inputs[k];
    if (input && isZero(input, inputsOf)) return e.constant(0, vertex.dtype);
    return e.load(0, vertex.dtype, at.at(-1) ?? e.index(0));
  };
  const { op, args } = lowering.element({ e, index, params: vertex.params, inputs, output: vertex, read });
  const [condition, inside, outside] = args;
  const isPadding = op === "select" && inside === line && outside !== undefined && isConstant(outside, 0);
  return isPadding && condition !== undefined && !isPartOf(argOf(line, 0), condition);
}

function isZero(vertex: MLXArray, inputsOf: (vertex: MLXArray) => readonly MLXArray[]): boolean {
  const { lowering } = vertex.primitive;
  if (lowering.kind === "constant") return lowering.value(vertex.params) === 0;
  const [only, ...others] = vertex.allocation ? [] : inputsOf(vertex);
  return only !== undefined && others.length === 0 && weightOf(vertex, [only]) === 0 && isZero(only, inputsOf);
}

function isPartOf(part: Expr, whole: Expr): boolean {
  return part === whole || whole.args.some((arg) => isPartOf(part, arg));
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
