/** vmap: a function on single examples becomes one on batches, by a walk over its graph with each row's batch rule. */
import { requireFunction, requireSynchronous } from "../base/describe.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import type { Rule } from "../base/rules.ts";
import { optionsOf, place } from "../base/rules.ts";
import { formatShape, normalizeAxis } from "../base/shape.ts";
import { childrenOf, replaceLeaves, typedTree } from "../base/tree.ts";
import { treeMap } from "../base/tree-map.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { placedOn } from "../graph/placement.ts";
import { tracing } from "../graph/tracing.ts";
import { placeholder } from "../primitives/leaf.ts";
import { broadcastTo, moveAxis } from "../primitives/views.ts";
import { dependents } from "./differentiate.ts";

/** For each argument the axis along which its examples lie, null for one that all share; or a tree of such. */
export type BatchAxes = number | null | readonly BatchAxes[] | { readonly [key: string]: BatchAxes };

/** Where the examples lie in arguments and results. */
export interface VmapOptions {
  /** One for all arguments, or a list with one for each; 0 unless given. */
  readonly inAxes?: BatchAxes | undefined;
  /** The same for the result; 0 unless given. */
  readonly outAxes?: BatchAxes | undefined;
}

const axesRule: Rule = {
  is: "an axis, null, or a list or an object of such",
  admits: isBatchAxes,
};

/**
 * A function that applies `fn` to every example of a batch at once. Arguments and results are arrays or trees of them.
 *
 * @throws {ShapeError} if the arguments have different numbers of examples
 * @throws {ArgumentError} if no argument is batched
 * @example
 * const dot = (x: mx.MLXArray, y: mx.MLXArray) => x.mul(y).sum();
 * await vmap(dot)(array([[1, 2], [3, 4]]), array([[1, 1], [2, 2]])).tolist(); // [3, 14]
 */
export function vmap<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  options: VmapOptions = {},
): (...args: A) => R {
  requireFunction("vmap", fn);
  const { inAxes = 0, outAxes = 0 } = optionsOf("vmap", options, { inAxes: axesRule, outAxes: axesRule });
  return (...args: A): R => {
    const axesOfArguments = Array.isArray(inAxes) ? inAxes : args.map(() => inAxes);
    if (axesOfArguments.length !== args.length) {
      throw new ArgumentError("vmap", `inAxes names ${axesOfArguments.length} arguments, but ${args.length} are given`);
    }
    const batched = new Map<MLXArray, readonly [MLXArray, number]>();
    let length: number | null = null;
    const stand = (leaf: unknown, axis: number | null): unknown => {
      if (!(leaf instanceof MLXArray) || axis === null) return leaf;
      const at = normalizeAxis("vmap", axis, leaf.shape.length);
      const examples = leaf.shape[at] ?? 0;
      if (length !== null && length !== examples) {
        throw new ShapeError(
          "vmap",
          `the arguments have ${length} and ${examples} examples (shape ${formatShape(leaf.shape)}, axis ${axis})`,
        );
      }
      length = examples;
      const single = placeholder({ shape: leaf.shape.filter((_, k) => k !== at), dtype: leaf.dtype });
      batched.set(single, [leaf, at]);
      return single;
    };
    const undo: (() => void)[] = [];
    let result: unknown;
    try {
      const singles = args.map((arg, k) => mapWithAxes(stand, arg, axesOfArguments[k] ?? null, undo));
      result = tracing(() => Reflect.apply(fn, undefined, singles));
      requireSynchronous("vmap", result);
    } finally {
      for (const step of undo.reverse()) step();
    }
    if (length === null)
      throw new ArgumentError("vmap", "no argument is batched; inAxes must name an axis of at least one array");
    const outputs: MLXArray[] = [];
    treeMap((leaf) => leaf instanceof MLXArray && outputs.push(leaf), result);
    batchGraph(outputs, batched);
    const examples: number = length;
    const finish = (leaf: unknown, axis: number | null): unknown => {
      if (!(leaf instanceof MLXArray)) return leaf;
      const found = batched.get(leaf);
      if (axis === null) {
        if (!found) return leaf;
        throw new ArgumentError("vmap", "outAxes names no axis for a result that every example has its own of");
      }
      if (!found) return moveAxis(broadcastTo(leaf, [examples, ...leaf.shape]), 0, axis);
      return moveAxis(found[0], found[1], axis);
    };
    return typedTree<R>(mapWithAxes(finish, result, outAxes));
  };
}

/** Fills in the batched form of every vertex between the keys of `batched` and `outputs`. */
export function batchGraph(outputs: readonly MLXArray[], batched: Map<MLXArray, readonly [MLXArray, number]>): void {
  for (const vertex of dependents(outputs, [...batched.keys()])) {
    if (batched.has(vertex)) continue;
    const inputs = vertex.inputs.map((input) => batched.get(input)?.[0] ?? input);
    const axes = vertex.inputs.map((input) => batched.get(input)?.[1] ?? null);
    batched.set(
      vertex,
      placedOn(vertex.device, () => vertex.primitive.batch(inputs, axes, vertex.params)),
    );
  }
}

/** The tree with `change` of each leaf; modules are changed in place, until `undo` is called. */
function mapWithAxes(
  change: (leaf: unknown, axis: number | null) => unknown,
  tree: unknown,
  axes: BatchAxes,
  undo: (() => void)[] = [],
): unknown {
  if (typeof axes === "number" || axes === null) return replaceLeaves(tree, (leaf) => change(leaf, axes), undo);
  const children = childrenOf(tree);
  if (children === null) throw new ArgumentError("vmap", "the axes are a tree where the argument is an array");
  const inner = new Map(childrenOf(axes) ?? []);
  const keys = children.map(([key]) => key);
  for (const key of inner.keys())
    if (!keys.includes(key)) throw new ArgumentError("vmap", `the axes name "${key}", but there is ${keys.join(", ")}`);
  const mapped = children.map(([key, child]): [string, unknown] => {
    const axis = inner.get(key);
    return [key, mapWithAxes(change, child, isBatchAxes(axis) ? axis : null, undo)];
  });
  return Array.isArray(tree) ? mapped.map(([, value]) => value) : Object.fromEntries(mapped);
}

function isBatchAxes(value: unknown): value is BatchAxes {
  if (value === null || place.admits(value)) return true;
  return childrenOf(value)?.every(([, axis]) => isBatchAxes(axis)) ?? false;
}
