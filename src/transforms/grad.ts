/** Gradients of functions over arrays and trees of arrays: vjp, jvp, grad, valueAndGrad. */
import { describeValue, requireFunction, requireSynchronous } from "../base/describe.ts";
import { ArgumentError, GradientError } from "../base/errors.ts";
import { requireOptions } from "../base/options.ts";
import { formatShape } from "../base/shape.ts";
import { isPlainObject, mapLeaves, replaceLeaves, treeFlatten, typedTree } from "../base/tree.ts";
import type { ArrayForEach, ResultList } from "../graph/array-lists.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { tracing } from "../graph/tracing.ts";
import { filledLike } from "../primitives/elementwise.ts";
import type { ArrayLike } from "../primitives/operands.ts";
import { fitSeed, markPrimals, pullBack, pushForward, requireDifferentiable } from "./differentiate.ts";
import { one } from "./seeds.ts";

/** A tree with the form of `T` in which every array is a gradient; what is no array is kept. */
export type GradientOf<T> = T extends MLXArray
  ? MLXArray
  : T extends readonly unknown[]
    ? { [K in keyof T]: GradientOf<T[K]> }
    : T extends (...args: never[]) => unknown
      ? T
      : T extends object
        ? { [K in keyof T]: GradientOf<T[K]> }
        : T;

/** What a function that is differentiated returns: a scalar, or a list that begins with one. */
export type Differentiable = MLXArray | readonly [MLXArray, ...unknown[]] | readonly MLXArray[];

/** Which arguments to differentiate. */
export interface GradOptions<N extends number | readonly number[] = number | readonly number[]> {
  /** Positions of the arguments, 0 unless given. */
  readonly argnums?: N | undefined;
  /** Keys of the last argument, an object of named arguments. */
  readonly argnames?: string | readonly string[] | undefined;
}

/** The gradients for the arguments that `N` names. An argument that may be an array or a number must be an array. */
type ArgumentGradient<A extends readonly unknown[], N> = N extends readonly number[]
  ? { [K in keyof N]: N[K] extends keyof A ? GradientOfOne<A[N[K]]> : unknown }
  : N extends number
    ? GradientOfOne<A[N]>
    : GradientOfOne<A[0]>;

/** The names that the last argument of a function has: an array has none; any where its type does not say. */
type NameIn<A extends readonly unknown[]> = [LastOf<A>] extends [ArrayLike]
  ? never
  : [keyof LastOf<A>] extends [never]
    ? string
    : string & keyof LastOf<A>;

type LastOf<A extends readonly unknown[]> = Required<A> extends readonly [...unknown[], infer L] ? L : unknown;

/** The gradients for the position that `N` names, if any, and for the names `S` of the last argument. */
type NamedGradients<A extends readonly unknown[], N, S> = [
  [N] extends [undefined] ? null : ArgumentGradient<A, N>,
  {
    readonly [K in S extends readonly unknown[] ? S[number] & string : S & string]: K extends keyof LastOf<A>
      ? GradientOfOne<LastOf<A>[K]>
      : unknown;
  },
];

/** Which arguments to differentiate where some are named. */
interface NamedGradOptions<N, S> {
  readonly argnums?: N | undefined;
  readonly argnames: S;
}

type GradientOfOne<T> = [T] extends [ArrayLike] ? MLXArray : GradientOf<T>;

/**
 * A function that returns the value of `fn` and its gradient with respect to its first argument, or those that
 * `options` names. Arguments are arrays, or trees of arrays (plain objects, lists, modules); the gradient has the form of
 * the argument, or is a list of such if several positions are given. With `argnames`, it is the pair of the gradient by
 * position (null if no position is given) and an object of gradients by name.
 *
 * `fn` returns a scalar array, or a list whose first element is one; the others are passed through.
 *
 * @throws {GradientError} if `fn` does not return a scalar, or an argument is not floating
 * @example
 * const [value, slope] = valueAndGrad((x: mx.MLXArray) => x.mul(x).sum())(array([1, 2, 3]));
 * await value.item(); // 14
 * await slope.tolist(); // [2, 4, 6]
 */
export function valueAndGrad<
  A extends readonly unknown[],
  const R extends Differentiable,
  const N extends number | readonly number[] = 0,
>(
  fn: (...args: A) => R,
  options?: N | (GradOptions<N> & { readonly argnames?: undefined }),
): (...args: A) => [R, ArgumentGradient<A, N>];
export function valueAndGrad<
  A extends readonly unknown[],
  const R extends Differentiable,
  const S extends NameIn<A> | readonly NameIn<A>[],
  const N extends number | readonly number[] | undefined = undefined,
>(fn: (...args: A) => R, options: NamedGradOptions<N, S>): (...args: A) => [R, NamedGradients<A, N, S>];
export function valueAndGrad<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  options: number | readonly number[] | GradOptions = 0,
): (...args: A) => unknown {
  const selection = selectionOf("valueAndGrad", fn, options);
  return (...args: A) => differentiateCall("valueAndGrad", fn, args, selection);
}

/**
 * A function that returns the gradient of `fn`; see `valueAndGrad`.
 *
 * @throws {GradientError} if `fn` does not return a scalar, or an argument is not floating
 * @example
 * const slope = grad((x: mx.MLXArray) => x.mul(x).mul(x));
 * await slope(array(2)).item(); // 12
 * await grad(slope)(array(2)).item(); // 12
 */
export function grad<
  A extends readonly unknown[],
  R extends Differentiable,
  const N extends number | readonly number[] = 0,
>(
  fn: (...args: A) => R,
  options?: N | (GradOptions<N> & { readonly argnames?: undefined }),
): (...args: A) => ArgumentGradient<A, N>;
export function grad<
  A extends readonly unknown[],
  R extends Differentiable,
  const S extends NameIn<A> | readonly NameIn<A>[],
  const N extends number | readonly number[] | undefined = undefined,
>(fn: (...args: A) => R, options: NamedGradOptions<N, S>): (...args: A) => NamedGradients<A, N, S>;
export function grad<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  options: number | readonly number[] | GradOptions = 0,
): (...args: A) => unknown {
  const selection = selectionOf("grad", fn, options);
  return (...args: A) => differentiateCall("grad", fn, args, selection)[1];
}

interface Selection {
  readonly positions: readonly number[];
  readonly isList: boolean;
  readonly names: readonly string[] | null;
}

function selectionOf(operation: string, fn: unknown, options: number | readonly number[] | GradOptions): Selection {
  requireFunction(operation, fn);
  const isNamed = typeof options === "object" && options !== null && !isList(options);
  const given: GradOptions = isNamed ? options : { argnums: options };
  requireOptions(operation, given, ["argnums", "argnames"]);
  const { argnums, argnames } = given;
  const names = argnames === undefined ? null : [argnames].flat();
  const chosen = argnums === undefined ? (names ? [] : 0) : argnums;
  const positions = [chosen].flat();
  const keys = [...positions, ...(names ?? [])];
  keys.forEach((key, k) => {
    const fits = k < positions.length ? Number.isInteger(key) && Number(key) >= 0 : typeof key === "string";
    if (!fits || keys.indexOf(key) < k)
      throw new ArgumentError(
        operation,
        `${key} is no position of an argument (or name, in { argnames }), or is given twice`,
      );
  });
  if (keys.length === 0) throw new ArgumentError(operation, "give argnums or argnames: no argument is named");
  return { positions, isList: typeof chosen !== "number", names };
}

function isList(value: unknown): value is readonly number[] {
  return Array.isArray(value);
}

function differentiateCall<A extends readonly unknown[], R>(
  operation: string,
  fn: (...args: A) => R,
  args: A,
  { positions, isList: isSeveral, names }: Selection,
): [R, unknown] {
  const primals: MLXArray[] = [];
  const marked: MLXArray[] = [];
  // Modules are changed in place: the function calls them, and finds the marked arrays in them.
  const undo: (() => void)[] = [];
  const mark = (tree: unknown, what: string): unknown =>
    replaceLeaves(
      tree,
      (leaf) => {
        if (!(leaf instanceof MLXArray)) return leaf;
        requireDifferentiable(operation, leaf, what);
        const [vertex] = markPrimals([leaf]);
        if (!vertex) return leaf;
        primals.push(leaf);
        marked.push(vertex);
        return vertex;
      },
      undo,
    );
  const copy = (tree: unknown): unknown => mapLeaves(tree, (leaf) => leaf);
  const replaced: unknown[] = [...args];
  const trees: unknown[] = [];
  const named: Record<string, unknown> = {};
  const call = (): unknown => {
    for (const position of positions) {
      if (position >= args.length)
        throw new ArgumentError(operation, `there is no argument ${position}, only ${args.length} are given`);
      replaced[position] = mark(args[position], `argument ${position}`);
      trees.push(copy(replaced[position]));
    }
    if (names) {
      const last = args.at(-1);
      if (!isPlainObject(last) || positions.includes(args.length - 1))
        throw new ArgumentError(operation, "argnames needs an object as last argument, without its position");
      const changed = { ...last };
      for (const name of names) {
        if (!Object.hasOwn(last, name))
          throw new ArgumentError(
            operation,
            `there is no argument named "${name}"; the last argument has ${Object.keys(last).join(", ")}`,
          );
        changed[name] = mark(last[name], `argument "${name}"`);
        named[name] = copy(changed[name]);
      }
      replaced[args.length - 1] = changed;
    }
    if (primals.length === 0) throw new GradientError(operation, "the arguments to differentiate contain no arrays");
    return tracing(() => Reflect.apply(fn, undefined, replaced));
  };
  let result: unknown;
  try {
    result = call();
  } finally {
    for (const step of undo.reverse()) step();
  }
  const loss = lossOf(operation, result);
  const cotangents = pullBack([loss], [one(loss)], marked);
  const gradientOf = new Map(marked.map((vertex, k) => [vertex, cotangents[k] ?? filledLike(vertex, 0)]));
  const pick = (tree: unknown): unknown =>
    mapLeaves(tree, (leaf) => (leaf instanceof MLXArray ? (gradientOf.get(leaf) ?? leaf) : leaf));
  const byPosition = isSeveral ? trees.map(pick) : pick(trees[0]);
  const gradient = names ? [trees.length === 0 ? null : byPosition, pick(named)] : byPosition;
  return [typedTree<R>(result), gradient];
}

function lossOf(operation: string, result: unknown): MLXArray {
  const loss: unknown = Array.isArray(result) ? result[0] : result;
  requireSynchronous(operation, result, GradientError);
  if (!(loss instanceof MLXArray)) {
    throw new GradientError(
      operation,
      `the function must return a scalar, or a list that begins with one; it returned ${describeValue(loss)}`,
    );
  }
  if (loss.ndim > 0) {
    throw new GradientError(
      operation,
      `the function must return a scalar, it returned shape ${formatShape(loss.shape)}; reduce it with sum() or mean()`,
    );
  }
  requireDifferentiable(operation, loss, "the result");
  return loss;
}

/**
 * The outputs of `fn` at `primals`, and the cotangent of each primal for the given cotangents of the outputs: reverse-mode
 * differentiation.
 *
 * @param fn takes arrays, returns an array or a list of arrays
 * @throws {GradientError} if a primal is not floating; {ShapeError} if a cotangent does not fit its output
 * @example
 * const [[output], [slope]] = vjp((x: mx.MLXArray) => x.mul(x), [array(3)], [array(1)]);
 * await output.item(); // 9
 * await slope.item(); // 6
 */
export function vjp<const P extends readonly MLXArray[], R extends MLXArray | readonly MLXArray[]>(
  fn: (...primals: ArrayForEach<P>) => R,
  primals: P,
  cotangents: readonly MLXArray[],
): [ResultList<R>, ArrayForEach<P>];
export function vjp(
  fn: (...primals: MLXArray[]) => MLXArray | readonly MLXArray[],
  primals: readonly MLXArray[],
  cotangents: readonly MLXArray[],
): [MLXArray[], MLXArray[]] {
  requireLists("vjp", fn, { primals, cotangents });
  const marked = markPrimals(primals);
  const outputs = outputsOf(
    "vjp",
    tracing(() => fn(...marked)),
  );
  if (outputs.length !== cotangents.length) {
    throw new ArgumentError(
      "vjp",
      `the function returns ${outputs.length} arrays, but ${cotangents.length} cotangents are given`,
    );
  }
  const fitted = cotangents.map((cotangent, k) => fitSeed("vjp", "cotangent", cotangent, outputs[k] ?? cotangent));
  const pulled = pullBack(outputs, fitted, marked);
  return [outputs, marked.map((primal, k) => pulled[k] ?? filledLike(primal, 0))];
}

/**
 * The outputs of `fn` at `primals`, and the tangent of each output for the given tangents of the primals: forward-mode
 * differentiation.
 *
 * @throws {GradientError} if a primal is not floating
 * @example
 * const [, [tangent]] = jvp((x: mx.MLXArray) => x.mul(x), [array(3)], [array(1)]);
 * await tangent.item(); // 6
 */
export function jvp<const P extends readonly MLXArray[], R extends MLXArray | readonly MLXArray[]>(
  fn: (...primals: ArrayForEach<P>) => R,
  primals: P,
  tangents: readonly MLXArray[],
): [ResultList<R>, ResultList<R>];
export function jvp(
  fn: (...primals: MLXArray[]) => MLXArray | readonly MLXArray[],
  primals: readonly MLXArray[],
  tangents: readonly MLXArray[],
): [MLXArray[], MLXArray[]] {
  requireLists("jvp", fn, { primals, tangents });
  if (primals.length !== tangents.length)
    throw new ArgumentError("jvp", `${primals.length} primals need as many tangents, got ${tangents.length}`);
  const marked = markPrimals(primals);
  const outputs = outputsOf(
    "jvp",
    tracing(() => fn(...marked)),
  );
  const fitted = tangents.map((tangent, k) => fitSeed("jvp", "tangent", tangent, marked[k] ?? tangent));
  const pushed = pushForward(outputs, marked, fitted);
  return [outputs, outputs.map((output, k) => pushed[k] ?? filledLike(output, 0))];
}

/** Throws unless every list is one of arrays, and the primals differentiable. */
function requireLists(operation: string, fn: unknown, lists: Readonly<Record<string, unknown>>): void {
  requireFunction(operation, fn);
  for (const [name, list] of Object.entries(lists)) {
    const wrong: unknown = Array.isArray(list) ? list.find((value) => !(value instanceof MLXArray)) : list;
    if (wrong !== undefined)
      throw new ArgumentError(operation, `${name} are a list of arrays, got ${describeValue(wrong)}`);
    if (name === "primals" && Array.isArray(list))
      for (const [k, primal] of list.entries()) requireDifferentiable(operation, primal, `primal ${k}`);
  }
}

function outputsOf(operation: string, result: unknown): MLXArray[] {
  requireSynchronous(operation, result);
  const outputs: readonly unknown[] = Array.isArray(result) ? result : [result];
  return outputs.map((output) => {
    if (output instanceof MLXArray) return output;
    throw new ArgumentError(
      operation,
      `the function returns an array or a list of arrays, got ${describeValue(output)}`,
    );
  });
}

/** The arrays in a tree. */
export function arraysIn(tree: unknown): MLXArray[] {
  return treeFlatten(tree).flatMap(([, leaf]) => (leaf instanceof MLXArray ? [leaf] : []));
}
