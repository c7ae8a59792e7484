/** What may travel between threads, as types. */
import type { MLXArray } from "../graph/mlx-array.ts";

/** What travels as it is: arrays by handle, the rest by structured clone. */
type SendableLeaf =
  | undefined
  | null
  | boolean
  | number
  | bigint
  | string
  | MLXArray
  | AbortSignal
  | Date
  | RegExp
  | Error
  | ArrayBuffer
  | SharedArrayBuffer
  | ArrayBufferView
  | Blob;

/**
 * Whether values of a type can be sent to another thread: arrays, structured-clonable data, and lists and objects of them.
 * Functions cannot, and so neither can anything with methods: modules, optimizers, iterators, promises, class instances.
 */
export type IsSendable<T> = unknown extends T
  ? false
  : [T] extends [SendableLeaf]
    ? true
    : [T] extends [(...parameters: never[]) => unknown]
      ? false
      : T extends SendableLeaf
        ? true
        : T extends ReadonlyMap<infer K, infer V>
          ? false extends IsSendable<K> | IsSendable<V>
            ? false
            : true
          : T extends ReadonlySet<infer V>
            ? IsSendable<V>
            : T extends readonly (infer Item)[]
              ? IsSendable<Item>
              : T extends object
                ? AreSendable<T>
                : false;

/** Whether all properties are. */
type AreSendable<T extends object> = symbol extends keyof T
  ? false
  : [Extract<keyof T, symbol>] extends [never]
    ? false extends { [K in keyof T]-?: IsSendable<T[K]> }[keyof T]
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
export type Sendable<T> =
  IsSendable<T> extends true
    ? T
    : NotSendable<"functions, modules, optimizers and objects with methods do not travel between threads">;
