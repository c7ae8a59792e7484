/** Modules as text: a line per module with its own parameters and how many elements they have. */
import { formatShape } from "../base/shape.ts";
import { treeFlatten } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { Module } from "./module.ts";
import { localArrayPaths, modulesIn } from "./module-tree.ts";

/**
 * The tree of a module: name, what it says of itself, its own parameters with their shapes, the number of parameters in it.
 *
 * For example `Linear(2 → 3) weight [3, 2], bias [3]: 9 parameters`.
 */
export function describeModule(module: Module): string {
  const lines: string[] = [];
  const visit = (prefix: string, indent: string, inner: Module): void => {
    lines.push(`${indent}${prefix}${describeLine(inner)}`);
    for (const [path, child] of modulesIn(inner.children())) visit(`${path}: `, `${indent}  `, child);
  };
  visit("", "", module);
  return lines.join("\n");
}

function describeLine(module: Module): string {
  const extra = module.describeExtra();
  const own = localArrayPaths(module)
    .map((path) => `${path} ${formatShape(arrayAt(module, path).shape)}${isFrozen(module, path) ? " frozen" : ""}`)
    .join(", ");
  return [`${module.constructor.name}(${extra})`, own === "" ? "" : ` ${own}`, countText(module)].join("");
}

function countText(module: Module): string {
  const count = countElements(module.parameters());
  if (count === 0) return "";
  const trainable = countElements(module.trainableParameters());
  const noun = count === 1 ? "parameter" : "parameters";
  return `: ${grouped(count)} ${noun}${trainable === count ? "" : `, ${grouped(trainable)} trainable`}`;
}

function countElements(tree: unknown): number {
  return treeFlatten(tree).reduce((count, [, leaf]) => count + (leaf instanceof MLXArray ? leaf.size : 0), 0);
}

/** `count` with a comma between groups of three digits. */
function grouped(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

function isFrozen(module: Module, path: string): boolean {
  return module.isFrozen(path) || module.isFrozen(path.split(".")[0] ?? path);
}

function arrayAt(module: Module, path: string): MLXArray {
  let value: unknown = module;
  for (const key of path.split(".")) value = Reflect.get(Object(value), key);
  if (value instanceof MLXArray) return value;
  throw new Error(`${path} is no array`);
}
