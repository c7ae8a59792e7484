/** Trees of plain objects, lists and modules: walking them, and building others of the same form. Knows nothing of arrays. */
import { ArgumentError } from "./errors.ts";

/** The key under which an object offers its children to tree functions: modules and optimizers implement it. */
export const treeChildren: unique symbol = Symbol.for("mlx-ts.treeChildren");

/** The key under which an object tells what it computes depends on besides its children; modules implement it. */
export const treeMode: unique symbol = /* @__PURE__ */ Symbol.for("mlx-ts.treeMode");

/** An object that takes part in trees by its own rule. */
export interface TreeNode {
  /** The children by key; assigning to a key replaces that child. */
  [treeChildren](): Record<string, unknown>;
  /** A text that is another one when the same children are computed with in another way. */
  [treeMode]?(): string;
}

/** The children of a branch of a tree, with their keys; null for a leaf. */
export function childrenOf(tree: unknown): [string, unknown][] | null {
  if (Array.isArray(tree)) return tree.map((item: unknown, position) => [String(position), item]);
  if (isTreeNode(tree)) return Object.entries(tree[treeChildren]());
  return isPlainObject(tree) ? Object.entries(tree) : null;
}

/** Whether `value` is an object that offers its children. */
export function isTreeNode(value: unknown): value is TreeNode {
  return (typeof value === "object" || typeof value === "function") && value !== null && treeChildren in value;
}

/** Whether `value` is an object made by `{}`. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The leaves of a tree with their dotted paths, in order. */
export function treeFlatten(tree: unknown): [string, unknown][] {
  const leaves: [string, unknown][] = [];
  const walk = (node: unknown, path: string): void => {
    const children = childrenOf(node);
    if (children === null) leaves.push([path, node]);
    else for (const [key, child] of children) walk(child, path === "" ? key : `${path}.${key}`);
  };
  walk(tree, "");
  return leaves;
}

/**
 * The tree that `treeFlatten` took apart; a branch whose keys are 0, 1, 2 … becomes a list.
 *
 * @throws {ArgumentError} if one path leads through a leaf of another
 */
export function treeUnflatten(leaves: readonly (readonly [string, unknown])[]): unknown {
  const [first] = leaves;
  if (leaves.length === 1 && first?.[0] === "") return first[1];
  const root = new Map<string, unknown>();
  for (const [path, leaf] of leaves) {
    const keys = path.split(".");
    const last = keys.pop() ?? "";
    let branch = root;
    for (const key of keys) {
      const next = branch.get(key) ?? new Map<string, unknown>();
      if (!(next instanceof Map))
        throw new ArgumentError("treeUnflatten", `path "${path}" leads through the leaf at "${key}"`);
      branch.set(key, next);
      branch = next;
    }
    branch.set(last, leaf);
  }
  return fromBranch(root);
}

function fromBranch(node: unknown): unknown {
  if (!(node instanceof Map)) return node;
  const entries = [...node].map(([key, value]): [string, unknown] => [String(key), fromBranch(value)]);
  const isList = entries.length > 0 && entries.every(([key], position) => key === String(position));
  return isList ? entries.map(([, value]) => value) : Object.fromEntries(entries);
}

/** A tree of the same form with `change` of each leaf. Modules become plain objects. */
export function mapLeaves(tree: unknown, change: (leaf: unknown) => unknown): unknown {
  const children = childrenOf(tree);
  if (children === null) return change(tree);
  const mapped = children.map(([key, child]): [string, unknown] => [key, mapLeaves(child, change)]);
  return Array.isArray(tree) ? mapped.map(([, value]) => value) : Object.fromEntries(mapped);
}

/** The child of a branch under `key` replaced in place. */
export function assignChild(branch: unknown, key: string, value: unknown): void {
  if (Array.isArray(branch)) branch[Number(key)] = value;
  else if (isTreeNode(branch)) branch[treeChildren]()[key] = value;
  else if (isPlainObject(branch)) branch[key] = value;
}

/** Appends to `restore` what brings the branches of a tree back to the children they have now, made or removed ones too. */
export function remember(tree: unknown, restore: (() => void)[]): void {
  const children = childrenOf(tree);
  if (children === null) return;
  const before = new Map(children);
  restore.push(() => {
    const now = childrenOf(tree) ?? [];
    for (const [key] of now.toReversed()) if (!before.has(key)) removeChild(tree, key);
    const left = new Map(now);
    for (const [key, child] of children) if (left.get(key) !== child) assignChild(tree, key, child);
  });
  for (const [, child] of children) remember(child, restore);
}

function removeChild(branch: unknown, key: string): void {
  if (Array.isArray(branch)) branch.splice(Number(key), 1);
  else if (isTreeNode(branch)) delete branch[treeChildren]()[key];
  else if (isPlainObject(branch)) delete branch[key];
}

/**
 * A tree with `change` of each leaf: lists and plain objects are copied, modules and the like stay what they are and are
 * changed in place, until the functions that are appended to `undo` are called.
 */
export function replaceLeaves(tree: unknown, change: (leaf: unknown) => unknown, undo: (() => void)[]): unknown {
  if (Array.isArray(tree)) return tree.map((item: unknown) => replaceLeaves(item, change, undo));
  if (!isTreeNode(tree)) {
    if (!isPlainObject(tree)) return change(tree);
    return Object.fromEntries(Object.entries(tree).map(([key, item]) => [key, replaceLeaves(item, change, undo)]));
  }
  for (const [key, child] of childrenOf(tree) ?? []) {
    const changed = replaceLeaves(child, change, undo);
    if (changed === child) continue;
    assignChild(tree, key, changed);
    undo.push(() => assignChild(tree, key, child));
  }
  return tree;
}

/** Gives a tree that was rebuilt leaf by leaf the type of the tree it was built from: the one place where that is asserted. */
export function typedTree<T>(tree: unknown): T {
  return tree as T;
}
