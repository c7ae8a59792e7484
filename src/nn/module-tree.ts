/** Walking what modules hold: modules, lists and plain objects, with arrays at the leaves. */
import { requireSynchronous } from "../base/describe.ts";
import { ArgumentError } from "../base/errors.ts";
import { assignChild, childrenOf, isPlainObject, treeFlatten } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { Callable } from "./callable.ts";
import type { Module } from "./module.ts";

/** A tree of plain objects and lists. */
export interface NestedTree {
  readonly [key: string]: unknown;
}

/** Whether a value in a module is admitted; `path` is the field, or `field.0` and the like within lists and plain objects. */
export type ModuleFilter = (module: Module, path: string, value: unknown) => boolean;

/** Whether a value in a module is not descended into. */
export type ModuleLeafTest = (module: Module, path: string, value: unknown) => boolean;

/** What a tree of a module's fields holds for a leaf. */
export type ModuleMap = (value: unknown) => unknown;

/** Whether a field's value can be descended into: a module, a list or a plain object. */
export function isBranch(value: unknown): boolean {
  return value instanceof Callable || Array.isArray(value) || isPlainObject(value);
}

/** A tree of the fields of `module` that `filter` admits, with `map` of the leaves. */
export function filterAndMapModule(
  module: Module,
  filter: ModuleFilter,
  map: ModuleMap,
  isLeaf: ModuleLeafTest,
): NestedTree {
  const admits = (owner: Module, path: string, value: unknown): boolean => {
    const isAdmitted: unknown = filter(owner, path, value);
    requireSynchronous("filterAndMap", isAdmitted);
    return Boolean(isAdmitted);
  };
  const visit = (owner: Module, path: string, value: unknown): unknown => {
    if (isLeaf(owner, path, value)) return map(value);
    if (isModule(value)) return fieldsOf(value);
    const within = (key: string, item: unknown): unknown =>
      admits(owner, `${path}.${key}`, item) ? visit(owner, `${path}.${key}`, item) : {};
    if (Array.isArray(value)) return value.map((item: unknown, position) => within(String(position), item));
    const entries = childrenOf(value) ?? [];
    return Object.fromEntries(entries.map(([key, item]) => [key, within(key, item)]));
  };
  const fieldsOf = (owner: Module): NestedTree =>
    Object.fromEntries(
      Object.entries(owner).flatMap(([key, value]: [string, unknown]) =>
        admits(owner, key, refuseHidden(owner, key, value)) ? [[key, visit(owner, key, value)]] : [],
      ),
    );
  return fieldsOf(module);
}

/** A field's value, unless it hides modules: they would be neither trained nor saved, and nothing would tell. */
function refuseHidden(owner: Module, key: string, value: unknown): unknown {
  const isCollection = (value instanceof Map || value instanceof Set) && !key.startsWith("_");
  if (isCollection && [...value.values()].some(isModule)) {
    const what = `"${key}" is a ${value.constructor.name} of modules, which are looked for in lists and plain objects alone`;
    throw new ArgumentError(owner.constructor.name, `${what}; one that is not meant to be found is named "_${key}"`);
  }
  return value;
}

/** Whether a value is a module. */
function isModule(value: unknown): value is Module {
  return value instanceof Callable;
}

/** The modules in a tree with their dotted paths; those inside them are not looked for. */
export function modulesIn(tree: unknown, path = ""): [string, Module][] {
  if (isModule(tree)) return [[path, tree]];
  return (childrenOf(tree) ?? []).flatMap(([key, child]) => modulesIn(child, path === "" ? key : `${path}.${key}`));
}

/** The paths of the arrays that belong to `module` itself and not to a module inside, names beginning with `_` left out. */
export function localArrayPaths(module: Module): string[] {
  const paths: string[] = [];
  const visit = (path: string, value: unknown): void => {
    if (value instanceof MLXArray) paths.push(path);
    else if (!isModule(value) && isBranch(value)) {
      for (const [key, item] of childrenOf(value) ?? []) visit(`${path}.${key}`, item);
    }
  };
  for (const [key, value] of Object.entries(module)) if (!key.startsWith("_")) visit(key, value);
  return paths;
}

/**
 * Replaces in `target` (a module, list or plain object) what `replacement`, a tree of the same form or a part of it, names.
 *
 * @throws {ArgumentError} where the target has no such place, if `strict`
 */
export function updateBranch(target: object, replacement: unknown, strict: boolean, path: string): void {
  const replacements = childrenOf(replacement);
  if (replacements === null) {
    if (strict) throw new ArgumentError("update", `${path} holds a branch, and its replacement is a leaf`);
    return;
  }
  for (const [key, value] of replacements) {
    const place = path === "" ? key : `${path}.${key}`;
    const current: unknown = Object.hasOwn(target, key) ? Reflect.get(target, key) : undefined;
    if (current instanceof MLXArray || (isModule(current) && isModule(value))) {
      if (!strict || value instanceof MLXArray || isModule(value)) assignChild(target, key, value);
      else throw new ArgumentError("update", `"${place}" is an array, and its replacement is none`);
    } else if (isObject(current) && isBranch(current)) {
      updateBranch(current, value, strict, place);
    } else if (strict && !isEmptyBranch(value)) {
      throw new ArgumentError("update", `the module has no parameter "${place}"; pass { strict: false } to skip it`);
    }
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" || typeof value === "function") && value !== null;
}

function isEmptyBranch(value: unknown): boolean {
  return isBranch(value) && treeFlatten(value).length === 0;
}
