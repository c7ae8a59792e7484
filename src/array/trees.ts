/** Trees as users see them: the functions of `base` with types that know arrays. */
import { ArgumentError } from "../base/errors.ts";
import * as base from "../base/tree.ts";
import * as mapping from "../base/tree-map.ts";
import type { MLXArray } from "../graph/mlx-array.ts";

/** A tree with arrays at its leaves, such as `model.parameters()` and gradients: lists and plain objects. */
export type ArrayTree = MLXArray | readonly ArrayTree[] | { readonly [key: string]: ArrayTree | undefined };

/** `T` where all of its leaves are arrays, and `never` in place of others. Unlike an `ArrayTree` it may be an interface. */
export type ArraysIn<T> = T extends MLXArray | undefined
  ? T
  : T extends (...args: never[]) => unknown
    ? never
    : T extends object
      ? { readonly [K in keyof T]: ArraysIn<T[K]> }
      : never;

/** A leaf, or lists and plain objects with such leaves. */
export type TreeOf<L> = L | readonly TreeOf<L>[] | { readonly [key: string]: TreeOf<L> };

/** A tree of the form of `T` in which `R` stands for every array. */
export type MappedTree<T, R> = T extends MLXArray
  ? R
  : T extends readonly unknown[]
    ? { [K in keyof T]: MappedTree<T[K], R> }
    : T extends object
      ? { [K in keyof T]: MappedTree<T[K], R> }
      : T;

/**
 * The leaves of a tree with their dotted paths, in order. What is undefined is no leaf.
 *
 * @example
 * treeFlatten({ a: 1, b: [2, { c: 3 }] }); // [["a", 1], ["b.0", 2], ["b.1.c", 3]]
 * const named = Object.fromEntries(treeFlatten(new nn.Linear(2, 1).parameters()));
 * const bytes = await mx.saveSafetensors(named);
 */
export function treeFlatten<T>(tree: T & ArraysIn<T>): [string, MLXArray][];
export function treeFlatten(tree: unknown): [string, unknown][];
export function treeFlatten(tree: unknown): [string, unknown][] {
  return base.treeFlatten(tree).filter(([, leaf]) => leaf !== undefined);
}

/**
 * The tree that `treeFlatten` took apart; a branch whose keys are 0, 1, 2 … becomes a list.
 *
 * @throws {ArgumentError} if one path leads through a leaf of another
 * @example
 * treeUnflatten([["a", 1], ["b.0", 2]]); // {"a": 1, "b": [2]}
 */
export function treeUnflatten<L>(leaves: readonly (readonly [string, L])[]): TreeOf<L> {
  return base.typedTree<TreeOf<L>>(base.treeUnflatten(leaves));
}

/**
 * A tree of the same form with `change` applied to each leaf, and to the leaves of `others` at the same paths. Modules
 * become plain objects; what is undefined stays so.
 *
 * @example
 * treeMap((x) => Number(x) * 2, { a: 1, b: [2, 3] }); // {"a": 2, "b": [4, 6]}
 * const half = treeMap((x) => x.mul(0.5), { weight: array([2, 4]) });
 * await half.weight.tolist(); // [1, 2]
 */
export function treeMap<T, R>(
  change: (leaf: MLXArray, ...others: MLXArray[]) => R,
  tree: T & ArraysIn<T>,
  ...others: readonly NoInfer<T>[]
): MappedTree<T, R>;
export function treeMap(
  change: (leaf: unknown, ...others: unknown[]) => unknown,
  tree: unknown,
  ...others: readonly unknown[]
): unknown;
export function treeMap(
  change: (leaf: never, ...others: never[]) => unknown,
  tree: unknown,
  ...others: readonly unknown[]
): unknown {
  return mapped((_, ...leaves) => Reflect.apply(change, undefined, leaves), tree, others);
}

/**
 * As `treeMap`; `change` receives the dotted path of each leaf first.
 *
 * @example
 * treeMapWithPath((path) => path, { a: 1, b: [2] }); // {"a": "a", "b": ["b.0"]}
 */
export function treeMapWithPath<T, R>(
  change: (path: string, leaf: MLXArray, ...others: MLXArray[]) => R,
  tree: T & ArraysIn<T>,
  ...others: readonly NoInfer<T>[]
): MappedTree<T, R>;
export function treeMapWithPath(
  change: (path: string, leaf: unknown, ...others: unknown[]) => unknown,
  tree: unknown,
  ...others: readonly unknown[]
): unknown;
export function treeMapWithPath(
  change: (path: string, leaf: never, ...others: never[]) => unknown,
  tree: unknown,
  ...others: readonly unknown[]
): unknown {
  return mapped((path, ...leaves) => Reflect.apply(change, undefined, [path, ...leaves]), tree, others);
}

function mapped(
  change: (path: string, ...leaves: unknown[]) => unknown,
  tree: unknown,
  others: readonly unknown[],
): unknown {
  const changeGiven = (path: string, leaf: unknown, ...rest: unknown[]): unknown =>
    leaf === undefined ? undefined : change(path, leaf, ...rest);
  return mapping.treeMapWithPath(changeGiven, tree, ...others);
}

/**
 * The leaves combined from first to last, beginning with `initial`.
 *
 * @example
 * treeReduce((sum, leaf) => sum + Number(leaf), { a: 1, b: [2, 3] }, 0); // 6
 * treeReduce((bytes, leaf) => bytes + leaf.nbytes, { a: array([1, 2]), b: [array(3)] }, 0); // 12
 */
export function treeReduce<T, Q>(combine: (sofar: T, leaf: MLXArray) => T, tree: Q & ArraysIn<Q>, initial: T): T;
export function treeReduce<T>(combine: (sofar: T, leaf: unknown) => T, tree: unknown, initial: T): T;
export function treeReduce<T>(combine: (sofar: T, leaf: never) => T, tree: unknown, initial: T): T {
  return treeFlatten(tree).reduce<T>((sofar, [, leaf]) => Reflect.apply(combine, undefined, [sofar, leaf]), initial);
}

/**
 * A tree with the leaves of both.
 *
 * @throws {ArgumentError} if both have a leaf at one path and `merge` is not given
 * @example
 * treeMerge({ a: 1 }, { b: 2 }); // {"a": 1, "b": 2}
 */
export function treeMerge<A, B>(
  a: A & ArraysIn<A>,
  b: B & ArraysIn<B>,
  merge?: (a: MLXArray, b: MLXArray) => MLXArray,
): ArrayTree;
export function treeMerge(a: unknown, b: unknown, merge?: (a: unknown, b: unknown) => unknown): unknown;
export function treeMerge(a: unknown, b: unknown, merge?: (a: never, b: never) => unknown): unknown {
  const merged = new Map(treeFlatten(a));
  for (const [path, leaf] of treeFlatten(b)) {
    if (merged.has(path)) {
      if (!merge) throw new ArgumentError("treeMerge", `both trees have a leaf at "${path}"; say how to merge them`);
      merged.set(path, Reflect.apply(merge, undefined, [merged.get(path), leaf]));
    } else merged.set(path, leaf);
  }
  return base.treeUnflatten([...merged]);
}
