/** compile: a function recorded once per form of its arguments, then run from its finished plan. */

import { requireFunction, requireSynchronous } from "../base/describe.ts";
import type { Dtype } from "../base/dtype.ts";
import { scalarText } from "../base/elements.ts";
import type { Rule } from "../base/rules.ts";
import { flag, listOf, optionsOf } from "../base/rules.ts";
import type { Shape } from "../base/shape.ts";
import { sameShape } from "../base/shape.ts";
import { assignChild, childrenOf, isPlainObject, isTreeNode, remember, treeMode, typedTree } from "../base/tree.ts";
import { identityOf } from "../compiler/program.ts";
import { MLXArray, unrecorded } from "../graph/mlx-array.ts";
import type { Device } from "../graph/placement.ts";
import { defaultDevice } from "../graph/placement.ts";
import { isTracing, tracing } from "../graph/tracing.ts";
import { placeholder, placeholderRow } from "../primitives/leaf.ts";
import { callTrace, Trace } from "./trace.ts";

/** What a compiled function reads and changes besides its arguments and result. */
export interface CompileOptions {
  /** Trees (modules, optimizers, `random.state`, plain objects and lists) whose arrays the function reads. */
  readonly inputs?: readonly unknown[] | undefined;
  /** Trees whose arrays the function replaces; each call leaves its new arrays in them. */
  readonly outputs?: readonly unknown[] | undefined;
  /**
   * Arguments of many lengths are expected: more recordings are kept; false unless given. The function runs once for each set of shapes, so
   * that what it makes of lengths (`x.shape[0]`, a mean) is right for all of them; MLX records once and keeps the lengths
   * of the first call.
   */
  readonly shapeless?: boolean | undefined;
  /**
   * Whether a call takes over the arrays that it replaces in `inputs`: their memory is used again as soon as the call has read
   * them, without waiting for the collector, and reading them afterwards is a `DisposedError`. Arrays that stay in use are kept:
   * arguments, what is still in one of the trees, what a typed array from `view()` looks at. For steps whose state nobody else
   * holds; false unless given.
   */
  readonly donate?: boolean | undefined;
}

const trees: Rule = /* @__PURE__ */ listOf(null, {
  is: "a module, an optimizer, a list or a plain object, which holds arrays",
  admits: (value) => childrenOf(value) !== null,
});

/** Recordings kept per function; the least recently used one goes first. */
const traceLimit = 128;
const shapelessTraceLimit = 512;

interface Recording {
  readonly trace: Trace;
  /** The result with outputs of the trace in it. */
  readonly result: unknown;
  readonly resultCount: number;
  /** Whether the places of `outputs` are those of `inputs`, one by one. */
  readonly replacesInputs: boolean;
}

interface Place {
  readonly branch: unknown;
  readonly key: string;
  readonly array: MLXArray;
}

/** What a recording depends on of an array, which it does not hold. */
interface Form {
  readonly dtype: Dtype;
  readonly shape: Shape;
}

/** What a state holds now. */
interface State {
  readonly places: readonly Place[];
  /** The modes of its modules: whether they train, and what of them is frozen. */
  readonly mode: string;
}

/** The form of all places of a state, its mode, and a text that is another one for every other form or mode. */
interface StateForm {
  readonly forms: readonly (Form & { readonly key: string })[];
  readonly mode: string;
  readonly text: string;
}

/** A call all of whose arguments were arrays. */
interface LastCall {
  readonly device: Device;
  readonly state: StateForm;
  readonly forms: readonly Form[];
  readonly recording: Recording;
}

/**
 * A function with the results of `fn` that is recorded at its first call and from then on runs as one plan: a call costs
 * a lookup and the launches. It is recorded again when the number, form, shapes or dtypes of its arguments change, or an
 * argument that is no array, or a module among them or in `inputs` is switched to evaluation or frozen. Arrays that `fn` reads from outside are fixed when it is recorded, unless `inputs` names the
 * trees that hold them; arrays it replaces outside must be named in `outputs`. Called by a function that is itself being
 * differentiated, batched or recorded, it runs `fn` for that.
 *
 * A training step holds half as much memory, and leaves nothing to the collector, with `donate`: what it replaces is used again.
 *
 * @param fn takes and returns trees of arrays; it must not read values, and runs only while it is recorded
 * @example
 * const step = compile((x: mx.MLXArray) => x.mul(2).add(1));
 * await step(array([1, 2])).tolist(); // [3, 5]
 *
 * const state = { total: array([0]) };
 * const count = compile((x: mx.MLXArray) => { state.total = state.total.add(x); }, { inputs: [state], outputs: [state], donate: true });
 * const before = state.total;
 * count(array([2]));
 * await state.total.item(); // 2
 * await before.item(); // throws DisposedError
 */
export function compile<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  options: CompileOptions = {},
): (...args: A) => R {
  requireFunction("compile", fn);
  const {
    inputs: inputTrees = [],
    outputs: outputTrees = [],
    shapeless = false,
    donate = false,
  } = optionsOf("compile", options, { inputs: trees, outputs: trees, shapeless: flag, donate: flag });
  const recordings = new Map<string, Recording>();
  const lastingTrees = inputTrees.filter((tree) => !outputTrees.includes(tree));
  const limit = shapeless ? shapelessTraceLimit : traceLimit;
  /** The state of the last call, and that call: the next one is mostly of the same form. */
  let state: StateForm = { forms: [], mode: "", text: "" };
  let last: LastCall | null = null;
  const recordingFor = (args: A, argumentArrays: MLXArray[], places: readonly Place[]): Recording => {
    let key = `${defaultDevice()};`;
    for (const arg of args) key += describe(arg, argumentArrays);
    key += state.text;
    let recording = recordings.get(key);
    if (recording) recordings.delete(key);
    else recording = unrecorded(() => record(fn, args, argumentArrays, places, [inputTrees, outputTrees]));
    recordings.set(key, recording);
    if (recordings.size > limit) {
      const [oldest] = recordings.keys();
      if (oldest !== undefined) recordings.delete(oldest);
    }
    const isPlain = argumentArrays.length === args.length && args.every((arg) => arg instanceof MLXArray);
    last = isPlain ? { device: defaultDevice(), state, forms: argumentArrays.map(formOf), recording } : null;
    return recording;
  };
  return (...args: A): R => {
    // What is around differentiates or batches what `fn` reads from outside, too, which a recording would keep as it was.
    if (isTracing()) return fn(...args);
    const argumentArrays: MLXArray[] = [];
    const given = stateOf(inputTrees);
    const { places } = given;
    if (!isSameState(given, state)) state = stateFormOf(given);
    const recording =
      last?.state === state && last.device === defaultDevice() && takeArguments(args, last.forms, argumentArrays)
        ? last.recording
        : recordingFor(args, argumentArrays, places);
    const inputs = places.length === 0 ? argumentArrays : [...argumentArrays, ...places.map(({ array }) => array)];
    const outputs = callTrace(recording.trace, inputs);
    const replaced = recording.replacesInputs ? places : placesOf(outputTrees);
    let next = recording.resultCount;
    for (const { branch, key: name } of replaced) {
      const output = outputs[next++];
      if (output) assignChild(branch, name, output);
    }
    if (donate) {
      const lasting = placesOf(lastingTrees).map(({ array }) => array);
      const kept = new Set([...argumentArrays, ...outputs, ...lasting, ...recording.trace.captures]);
      for (const { array } of places) if (!kept.has(array) && array.primitive !== placeholderRow) array.donate();
    }
    return typedTree<R>(withOutputs(recording.result, recording.trace.outputs, outputs));
  };
}

function record<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  args: A,
  argumentArrays: readonly MLXArray[],
  places: readonly Place[],
  [inputTrees, outputTrees]: readonly [inputs: readonly unknown[], outputs: readonly unknown[]],
): Recording {
  const stands = argumentArrays.map(placeholder);
  const stateStands = places.map(({ array }) => placeholder(array));
  const undo: (() => void)[] = [];
  const restore: (() => void)[] = [];
  for (const tree of [...inputTrees, ...outputTrees]) remember(tree, restore);
  places.forEach(({ branch, key, array }, k) => {
    assignChild(branch, key, stateStands[k]);
    undo.push(() => assignChild(branch, key, array));
  });
  try {
    let next = 0;
    const traced: unknown[] = args.map((arg) => replaceArrays(arg, () => stands[next++], undo));
    const result: unknown = tracing(() => Reflect.apply(fn, undefined, traced));
    requireSynchronous("compile", result);
    const outputs: MLXArray[] = [];
    replaceArrays(
      result,
      (array) => {
        outputs.push(array);
        return array;
      },
      undo,
    );
    const resultCount = outputs.length;
    const replaced = placesOf(outputTrees);
    outputs.push(...replaced.map(({ array }) => array));
    const replacesInputs =
      replaced.length === places.length &&
      replaced.every(({ branch, key }, k) => branch === places[k]?.branch && key === places[k]?.key);
    return { trace: new Trace([...stands, ...stateStands], outputs), result, resultCount, replacesInputs };
  } catch (error) {
    undo.push(...restore);
    throw error;
  } finally {
    for (const step of undo.reverse()) step();
  }
}

/** Text for the form of an argument; its arrays are appended to `arrays`. */
function describe(value: unknown, arrays: MLXArray[]): string {
  if (value instanceof MLXArray) {
    arrays.push(value);
    return `@${value.dtype}${value.shape};`;
  }
  const children = childrenOf(value);
  if (children === null)
    return (typeof value === "object" && value !== null) || typeof value === "function"
      ? `#${identityOf(value)};`
      : `${typeof value}:${told(scalarText(value))};`;
  let text = isTreeNode(value) ? `#${identityOf(value)}${told(modeOf(value))}{` : Array.isArray(value) ? "[" : "{";
  for (const [key, child] of children) text += `${told(key)}=${describe(child, arrays)}`;
  return `${text}}`;
}

/** Text behind its length: whatever is in it, what stands behind it is not taken for a part of it. */
function told(text: string): string {
  return `${text.length} ${text}`;
}

/** Appends the places of all arrays in a tree of branches; returns the modes of its nodes. */
function findPlaces(tree: unknown, found: Place[]): string {
  let mode = modeOf(tree);
  for (const [key, child] of childrenOf(tree) ?? []) {
    if (child instanceof MLXArray) found.push({ branch: tree, key, array: child });
    else mode += findPlaces(child, found);
  }
  return mode;
}

function modeOf(tree: unknown): string {
  return isTreeNode(tree) ? `${tree[treeMode]?.() ?? ""}|` : "";
}

function stateOf(trees: readonly unknown[]): State {
  const places: Place[] = [];
  const mode = trees.reduce<string>((sofar, tree) => sofar + findPlaces(tree, places), "");
  return { places, mode };
}

function placesOf(trees: readonly unknown[]): readonly Place[] {
  return stateOf(trees).places;
}

function formOf({ dtype, shape }: MLXArray): Form {
  return { dtype, shape };
}

function hasForm({ dtype, shape }: MLXArray, form: Form | undefined): boolean {
  return form !== undefined && form.dtype === dtype && sameShape(form.shape, shape);
}

function stateFormOf({ places, mode }: State): StateForm {
  return {
    forms: places.map(({ key, array }) => ({ key, ...formOf(array) })),
    mode,
    text: `${mode}${places.map(({ key, array }) => `!${key}${array.dtype}${array.shape}`).join("")}`,
  };
}

/** Whether both have the same mode and names, and arrays of the same form: then one text stands for both. */
function isSameState({ places, mode }: State, { forms, mode: known }: StateForm): boolean {
  return (
    mode === known &&
    places.length === forms.length &&
    places.every(({ key, array }, k) => forms[k]?.key === key && hasForm(array, forms[k]))
  );
}

/** Whether `args` are arrays of these forms; they are appended to `arrays` then. */
function takeArguments(args: readonly unknown[], forms: readonly Form[], arrays: MLXArray[]): boolean {
  if (args.length !== forms.length) return false;
  for (const arg of args) {
    if (!(arg instanceof MLXArray && hasForm(arg, forms[arrays.length]))) {
      arrays.length = 0;
      return false;
    }
    arrays.push(arg);
  }
  return true;
}

/** The tree with its arrays replaced: plain objects and lists are copied, modules changed in place until undone. */
function replaceArrays(tree: unknown, replace: (array: MLXArray) => unknown, undo: (() => void)[]): unknown {
  if (tree instanceof MLXArray) return replace(tree);
  if (Array.isArray(tree)) return tree.map((item: unknown) => replaceArrays(item, replace, undo));
  if (isPlainObject(tree))
    return Object.fromEntries(Object.entries(tree).map(([key, item]) => [key, replaceArrays(item, replace, undo)]));
  if (isTreeNode(tree)) {
    for (const { branch, key, array } of placesOf([tree])) {
      assignChild(branch, key, replace(array));
      undo.push(() => assignChild(branch, key, array));
    }
  }
  return tree;
}

function withOutputs(result: unknown, traced: readonly MLXArray[], outputs: readonly MLXArray[]): unknown {
  let next = 0;
  return replaceArrays(result, () => outputs[next++] ?? traced[0], []);
}
