/** The types of parameter trees: which fields of a module hold arrays, and the tree that they form. */
import type { MLXArray } from "../graph/mlx-array.ts";
import type { CallableInstance } from "./callable.ts";

/** Whether a value of type `T` is an array or a module, or a list or plain object with one in it. */
export type HoldsParameters<T> = T extends MLXArray | CallableInstance
  ? true
  : T extends (...args: never[]) => unknown
    ? false
    : T extends readonly (infer Item)[]
      ? HoldsParameters<Item>
      : T extends object
        ? true extends { [K in keyof T]-?: HoldsParameters<NonNullable<T[K]>> }[keyof T]
          ? true
          : false
        : false;

/** The name of a field, where that may hold parameters; `never` for others and for names that begin with `_`. */
export type ParameterKey<M, K extends keyof M> = K extends string
  ? K extends `_${string}`
    ? never
    : true extends HoldsParameters<NonNullable<M[K]>>
      ? K
      : never
  : never;

/**
 * The parameters of `M`: its array fields, and those of the modules, lists and plain objects it holds. Gradients have this
 * type, so a key that is no parameter does not compile.
 */
export type ParameterTree<M> = M extends MLXArray
  ? MLXArray
  : M extends CallableInstance
    ? ParametersOf<M>
    : M extends readonly unknown[]
      ? { readonly [K in keyof M]: ParameterTree<M[K]> }
      : M extends object
        ? ParametersOf<M>
        : M;

/** The parameters of the module (or plain object) type `M` by field name. */
export type ParametersOf<M> = {
  readonly [K in keyof M as ParameterKey<M, K>]: ParameterTree<M[K]>;
};
