/** Mapping over trees, several at once and with paths. */
import { childrenOf } from "./tree.ts";

/**
 * A tree of the same form with `change` applied to each leaf, and to the leaves of `others` at the same paths. Modules
 * become plain objects.
 */
export function treeMap(
  change: (leaf: unknown, ...others: unknown[]) => unknown,
  tree: unknown,
  ...others: readonly unknown[]
): unknown {
  return treeMapWithPath((_, leaf, ...rest) => change(leaf, ...rest), tree, ...others);
}

/** As `treeMap`; `change` receives the dotted path of each leaf first. */
export function treeMapWithPath(
  change: (path: string, leaf: unknown, ...others: unknown[]) => unknown,
  tree: unknown,
  ...others: readonly unknown[]
): unknown {
  const walk = (path: string, node: unknown, rest: readonly unknown[]): unknown => {
    const children = childrenOf(node);
    if (children === null) return change(path, node, ...rest);
    const restChildren = rest.map((other) => new Map(childrenOf(other) ?? []));
    const mapped = children.map(([key, child]): [string, unknown] => [
      key,
      walk(
        path === "" ? key : `${path}.${key}`,
        child,
        restChildren.map((map) => map.get(key)),
      ),
    ]);
    return Array.isArray(node) ? mapped.map(([, value]) => value) : Object.fromEntries(mapped);
  };
  return walk("", tree, others);
}
