/** Trees of plain objects and lists. */

/** The leaves of a tree with their dotted paths. */
export function treeFlatten(tree: unknown, prefix = ""): [string, unknown][] {
  if (Array.isArray(tree)) return tree.flatMap((item: unknown, k) => treeFlatten(item, prefix ? `${prefix}.${k}` : String(k)));
  if (typeof tree === "object" && tree !== null && Object.getPrototypeOf(tree) === Object.prototype) {
    return Object.entries(tree).flatMap(([key, item]) => treeFlatten(item, prefix ? `${prefix}.${key}` : key));
  }
  return [[prefix, tree]];
}
