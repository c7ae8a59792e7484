/** What may travel between threads, as types. */
import type { MLXArray } from "../graph/mlx-array.ts";

/** What structured clone takes as it is. */
type ClonableLeaf =
  | undefined
  | null
  | boolean
  | number
  | bigint
  | string
  | Date
  | RegExp
  | Error
  | ArrayBuffer
  | SharedArrayBuffer
  | ArrayBufferView
  | Blob;

/** What travels in one piece: arrays by handle, the rest by structured clone. */
export type SendableLeaf = ClonableLeaf | MLXArray;

/**
 * Whether values of a type can be sent to another thread: arrays, structured-clonable data, and lists and objects of them.
 * Functions cannot, and so neither can anything with methods: modules, optimizers, iterators, promises, class instances. Maps and
 * sets are cloned whole: they hold no arrays. `Leaf` is what travels in one piece.
 */
export type IsSendable<T, Leaf = SendableLeaf> = unknown extends T
  ? false
  : [T] extends [Leaf]
    ? true
    : [T] extends [(...parameters: never[]) => unknown]
      ? false
      : T extends Leaf
        ? true
        : T extends ReadonlyMap<infer K, infer V>
          ? false extends IsSendable<K, ClonableLeaf> | IsSendable<V, ClonableLeaf>
            ? false
            : true
          : T extends ReadonlySet<infer V>
            ? IsSendable<V, ClonableLeaf>
            : T extends readonly (infer Item)[]
              ? IsSendable<Item, Leaf>
              : T extends object
                ? AreSendable<T, Leaf>
                : false;

/** Whether all properties are. */
type AreSendable<T extends object, Leaf> = symbol extends keyof T
  ? false
  : [Extract<keyof T, symbol>] extends [never]
    ? false extends { [K in keyof T]-?: IsSendable<T[K], Leaf> }[keyof T]
      ? false
      : true
    : false;

/** In place of what cannot be sent: nothing but itself is assignable to it, so that a call does not type-check. */
export interface NotSendable<What extends string> {
  readonly notSendable: What;
}

/**
 * `T` if its values can be sent to another thread; otherwise a type that fits nothing.
 *
 * @example
 * const reading: worker.Sendable<{ x: MLXArray; name: string }> = { x: array([1, 2]), name: "sensor" };
 * reading.name; // "sensor"
 */
export type Sendable<T, Leaf = SendableLeaf> =
  IsSendable<T, Leaf> extends true
    ? T
    : NotSendable<"functions, modules, optimizers and objects with methods do not travel between threads">;
