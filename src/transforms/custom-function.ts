/** customFunction: a function with derivative and batching rules of its own. */
import { describeValue, requireFunction, requireSynchronous } from "../base/describe.ts";
import { ArgumentError } from "../base/errors.ts";
import { callable, optionsOf } from "../base/rules.ts";
import { formatShape, normalizeAxis, sameShape } from "../base/shape.ts";
import { treeFlatten, typedTree } from "../base/tree.ts";
import { treeMap } from "../base/tree-map.ts";
import type { Aval } from "../graph/mlx-array.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { castTo } from "../primitives/cast.ts";
import { zerosLike } from "../primitives/creation.ts";
import { batchLength, batchToFront, only } from "../primitives/families.ts";
import { sum } from "../primitives/reductions.ts";
import { stopGradient } from "../primitives/selection.ts";
import { broadcastTo, moveAxis } from "../primitives/views.ts";
import { arraysIn } from "./grad.ts";
import type { BatchAxes } from "./vectorize.ts";
import { vmap } from "./vectorize.ts";

/** The rules that replace those following from the function itself. A rule left out follows from the function. */
export interface CustomRules<A extends readonly unknown[], R> {
  /**
   * The cotangents of the arguments: a list with a tree for each, null where there is none. Called once for each array in the
   * result, with zeros for the others.
   */
  vjp?(primals: A, cotangents: R, outputs: R): readonly unknown[];
  /** The tangents of the result. */
  jvp?(primals: A, tangents: A): R;
  /**
   * The result for arguments with one more axis, at the place that `axes` says (null: none), and where the result has it.
   */
  vmap?(primals: A, axes: readonly BatchAxes[]): readonly [R, BatchAxes];
}

/** What `customFunction` was given, with the types put aside. */
interface Definition {
  readonly fn: (...args: readonly unknown[]) => unknown;
  readonly vjp: ((primals: readonly unknown[], cotangents: unknown, outputs: unknown) => readonly unknown[]) | null;
  readonly jvp: ((primals: readonly unknown[], tangents: readonly unknown[]) => unknown) | null;
  readonly vmap: ((primals: readonly unknown[], axes: readonly unknown[]) => readonly unknown[]) | null;
}

/** Forms of arguments that a custom function remembers. */
const formLimit = 32;

/** Stands for array `index` in a tree; one object per index, so that equal forms compare equal. */
class Place {
  readonly index: number;
  constructor(index: number) {
    this.index = index;
  }
}
const places: Place[] = [];
function placeAt(index: number): Place {
  places[index] ??= new Place(index);
  return places[index];
}

/** A tree with its arrays taken out, to be filled with others. */
interface Form {
  readonly tree: unknown;
  readonly count: number;
}

function formOf(tree: unknown): Form {
  let count = 0;
  return { tree: treeMap((leaf) => (leaf instanceof MLXArray ? placeAt(count++) : leaf), tree), count };
}

function filled(form: Form, arrays: readonly unknown[]): unknown {
  return treeMap((leaf) => (leaf instanceof Place ? arrays[leaf.index] : leaf), form.tree);
}

function filledList(form: Form, arrays: readonly unknown[]): readonly unknown[] {
  const list = filled(form, arrays);
  return Array.isArray(list) ? list : [list];
}

/** A custom function for one form of arguments and result. Kept and compared by identity, so that plans are found again. */
class Rules {
  readonly definition: Definition;
  readonly args: Form;
  readonly result: Form;
  readonly #batched = new Map<string, Rules>();

  constructor(definition: Definition, args: Form, result: Form) {
    this.definition = definition;
    this.args = args;
    this.result = result;
  }

  /** The rules of the function mapped over a batch, with results along axis 0. */
  batched(axes: readonly (number | null)[]): Rules {
    const key = axes.join();
    let rules = this.#batched.get(key);
    if (!rules) {
      rules = new Rules(this.#batchedDefinition(axes), this.args, this.result);
      this.#batched.set(key, rules);
    }
    return rules;
  }

  #batchedDefinition(axes: readonly (number | null)[]): Definition {
    const { fn, vjp, jvp } = this.definition;
    const inAxes = axesOf(filled(this.args, axes));
    return {
      fn: vmap(fn, { inAxes }),
      vjp:
        vjp &&
        ((primals, cotangents, outputs) => {
          const each = vmap((p: readonly unknown[], c: unknown, o: unknown) => vjp(p, c, o), {
            inAxes: [inAxes, 0, 0],
          });
          // What the examples share has the sum of their cotangents.
          return each(primals, cotangents, outputs).map((tree, k) => this.#settled(tree, k, axes));
        }),
      jvp: jvp && vmap((p: readonly unknown[], t: readonly unknown[]) => jvp(p, t), { inAxes: [inAxes, inAxes] }),
      vmap: null,
    };
  }

  #settled(tree: unknown, argument: number, axes: readonly (number | null)[]): unknown {
    const form = filledList(
      this.args,
      axes.map((_, k) => placeAt(k)),
    )[argument];
    return treeMap(
      (leaf, place) => {
        if (!(leaf instanceof MLXArray) || !(place instanceof Place)) return leaf;
        const axis = axes[place.index] ?? null;
        return axis === null ? sum(leaf, 0) : moveAxis(leaf, 0, axis);
      },
      tree,
      form,
    );
  }
}

function axesOf(tree: unknown): readonly BatchAxes[] {
  return Array.isArray(tree) ? tree.map(axesOfTree) : [];
}

function axesOfTree(tree: unknown): BatchAxes {
  if (tree === null || typeof tree === "number") return tree;
  if (Array.isArray(tree)) return tree.map(axesOfTree);
  if (typeof tree !== "object") return null;
  return Object.fromEntries(Object.entries(tree).map(([key, child]) => [key, axesOfTree(child)]));
}

interface CustomParams {
  readonly rules: Rules;
  /** Which array of the result this is. */
  readonly index: number;
}

/** Inputs: the value, the arrays in the arguments, and all those that the function made of them, the value among these. */
export const customRow: Primitive<CustomParams> = {
  name: "customFunction",
  aval([value]) {
    const { shape, dtype } = only("customFunction", value);
    return { shape, dtype };
  },
  lowering: { kind: "map", element: ({ index, read }) => read(0, index), sameElements: true },
  derivative: {
    kind: "custom",
    jvp([tangent = null, ...tangents], [, ...inputs], output, { rules, index }) {
      const { args, definition } = rules;
      if (!definition.jvp) return tangent;
      const primals = inputs.slice(0, args.count);
      const given = primals.map((primal, k) => tangents[k] ?? zerosLike(primal));
      const result = definition.jvp(filledList(args, primals), filledList(args, given));
      requireSynchronous("customFunction", result);
      const pushed = arraysIn(result);
      if (pushed.length !== rules.result.count) {
        const counts = `${rules.result.count} arrays, jvp gave ${pushed.length}`;
        throw new ArgumentError("customFunction", `the tangents of the result are ${counts}`);
      }
      return fitting(only("customFunction", pushed[index]), output, `jvp gave tangent ${index}`, "its result");
    },
    vjp(cotangent, [, ...inputs], output, { rules, index }) {
      const { args, result, definition } = rules;
      if (!definition.vjp) return [cotangent];
      const primals = inputs.slice(0, args.count);
      const made = inputs.slice(args.count);
      const outputs = made.map((_, k) => (k === index ? output : applyCustom(primals, made, rules, k)));
      const cotangents = outputs.map((other, k) => (k === index ? cotangent : zerosLike(other)));
      const pulled = definition.vjp(filledList(args, primals), filled(result, cotangents), filled(result, outputs));
      return [null, ...cotangentsOf(pulled, args, primals)];
    },
  },
  batch([value, ...inputs], [valueAxis, ...axes], { rules, index }) {
    const { args, definition } = rules;
    const length = batchLength(inputs, axes);
    const primals = inputs.slice(0, args.count);
    const primalAxes = axes.slice(0, args.count);
    if (definition.vmap) {
      const { shape, dtype } = only("customFunction", value);
      const one = shape.filter((_, axis) => axis !== valueAxis);
      const given: unknown = definition.vmap(filledList(args, primals), axesOf(filled(args, primalAxes)));
      return batchedResult(given, index, { shape: one, dtype }, length);
    }
    const made = inputs.slice(args.count).map((array, k) => {
      const axis = axes[args.count + k] ?? null;
      return axis === null ? broadcastTo(array, [length, ...array.shape]) : batchToFront(array, axis);
    });
    return [applyCustom(primals, made, rules.batched(primalAxes), index), 0];
  },
};

/** Array `index` of those that the function made of `primals`, under its rules. */
function applyCustom(primals: readonly MLXArray[], made: readonly MLXArray[], rules: Rules, index: number): MLXArray {
  return apply(customRow, [only("customFunction", made[index]), ...primals, ...made], { rules, index });
}

/** The cotangent of each array in the arguments. @throws {ArgumentError} if the rule returned trees of another form */
function cotangentsOf(pulled: readonly unknown[], args: Form, primals: readonly MLXArray[]): (MLXArray | null)[] {
  requireSynchronous("customFunction", pulled);
  if (!Array.isArray(pulled)) {
    const rule = "vjp returns a list: for each argument its cotangent, or null";
    throw new ArgumentError("customFunction", `${rule}; got ${describeValue(pulled)}`);
  }
  if (Array.isArray(args.tree) && pulled.length !== args.tree.length) {
    const counts = `${args.tree.length} arguments, got ${pulled.length} cotangents`;
    throw new ArgumentError("customFunction", `vjp returns a cotangent, or null, for each of ${counts}`);
  }
  const found = new Map(treeFlatten([...pulled]));
  const result = primals.map((): MLXArray | null => null);
  for (const [path, place] of treeFlatten(args.tree)) {
    if (!(place instanceof Place)) continue;
    const cotangent = found.get(path);
    const primal = only("customFunction", primals[place.index]);
    if (cotangent === null || cotangent === undefined) continue;
    if (!(cotangent instanceof MLXArray)) {
      const got = `an array, or null, got ${describeValue(cotangent)}`;
      throw new ArgumentError("customFunction", `the cotangent that vjp gives at ${path} is ${got}`);
    }
    result[place.index] = fitting(cotangent, primal, `vjp gave the cotangent at ${path}`, "its argument");
  }
  return result;
}

/** What a rule gave, in the dtype of what it belongs to. @throws {ArgumentError} if it has another shape */
function fitting(given: MLXArray, { shape, dtype }: Aval, what: string, owner: string): MLXArray {
  if (sameShape(given.shape, shape)) return castTo(given, dtype);
  const [found, wanted] = [formatShape(given.shape), formatShape(shape)];
  throw new ArgumentError("customFunction", `${what} shape ${found}; ${owner} has ${wanted}`);
}

/** Array `index` of what a vmap rule gave, and its axis of examples. @throws {ArgumentError} if it gave something else */
function batchedResult(given: unknown, index: number, { shape, dtype }: Aval, length: number): [MLXArray, number] {
  requireSynchronous("customFunction", given);
  if (!Array.isArray(given) || given.length !== 2) {
    const rule = "vmap returns a list of two: the result, and where its examples lie";
    throw new ArgumentError("customFunction", `${rule}; got ${describeValue(given)}`);
  }
  const [result, axes]: readonly unknown[] = given;
  const array = arraysIn(result)[index];
  if (!array) throw new ArgumentError("customFunction", `vmap gave no array ${index} of the result`);
  const axis = normalizeAxis("customFunction", axisAt(result, axes, index), array.ndim);
  const batched = { shape: shape.toSpliced(axis, 0, length), dtype };
  return [fitting(array, batched, `vmap gave array ${index} of the result the`, "for these examples it"), axis];
}

function axisAt(result: unknown, axes: unknown, index: number): number {
  if (typeof axes === "number") return axes;
  const paths = treeFlatten(result).filter(([, leaf]) => leaf instanceof MLXArray);
  const axis = new Map(treeFlatten(axes)).get(paths[index]?.[0] ?? "");
  if (typeof axis === "number") return axis;
  throw new ArgumentError("customFunction", `vmap gave no axis for array ${index} of its result`);
}

/**
 * `fn` with rules of its own for some of vjp, jvp and vmap. Arguments and result are arrays, or plain objects and lists of
 * arrays.
 *
 * @throws {ArgumentError} if a rule gives what does not fit arguments, result or examples
 * @example
 * const clipped = customFunction((x: mx.MLXArray) => x.mul(x), {
 *   vjp: ([x], cotangent) => [clip(cotangent.mul(x).mul(2), -1, 1)],
 * });
 * await grad(clipped)(array(3)).item(); // 1
 */
export function customFunction<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  rules: CustomRules<A, R>,
): (...args: A) => R {
  requireFunction("customFunction", fn);
  optionsOf("customFunction", rules, { vjp: callable, jvp: callable, vmap: callable });
  const definition = asDefinition(fn, rules);
  const known: Rules[] = [];
  // With both derivatives given, no derivative is ever taken of what is inside `fn`.
  const isOpaque = Boolean(rules.vjp && rules.jvp);
  return (...args: A): R => {
    const primals = arraysIn(args);
    const argsForm = formOf(args);
    const inner = isOpaque
      ? filledList(
          argsForm,
          primals.map((primal) => stopGradient(primal)),
        )
      : args;
    const result = definition.fn(...inner);
    requireSynchronous("customFunction", result);
    const made = arraysIn(result);
    const resultForm = formOf(result);
    let shared = known.find((one) => sameForm(one.args, argsForm) && sameForm(one.result, resultForm));
    if (!shared) {
      shared = new Rules(definition, argsForm, resultForm);
      known.push(shared);
      if (known.length > formLimit) known.shift();
    }
    const own = shared;
    const outputs = made.map((_, index) => applyCustom(primals, made, own, index));
    return typedTree<R>(filled(resultForm, outputs));
  };
}

function sameForm(a: Form, b: Form): boolean {
  if (a.count !== b.count) return false;
  const [left, right] = [treeFlatten(a.tree), treeFlatten(b.tree)];
  return (
    left.length === right.length &&
    left.every(([path, leaf], k) => path === right[k]?.[0] && Object.is(leaf, right[k]?.[1]))
  );
}

/** The one place where the rules' types are put aside: arguments and results travel as trees. */
function asDefinition<A extends readonly unknown[], R>(fn: (...args: A) => R, rules: CustomRules<A, R>): Definition {
  const { vjp, jvp, vmap: batch } = rules;
  return {
    fn: (...args) => Reflect.apply(fn, undefined, args),
    vjp: vjp ? (...given) => Reflect.apply(vjp, rules, given) : null,
    jvp: jvp ? (...given) => Reflect.apply(jvp, rules, given) : null,
    vmap: batch ? (...given) => Reflect.apply(batch, rules, given) : null,
  };
}
