/** The types of an actor: what a class looks like from another thread. */
import type { Sendable, SendableLeaf } from "mlx-ts/worker";

/** A class that can be exposed. */
export type ExposableClass = new (...parameters: never) => object;

/** The objects of a class; `InstanceType` does not see through a class with unknown parameters. */
type ObjectOf<C> = C extends new (...parameters: never) => infer T ? T : never;

/** What the constructor of a class takes, if it can be sent. */
export type SendableConstructorParameters<C> = C extends new (
  ...parameters: infer P
) => object
  ? SendableParameters<P>
  : never;

/** The events of a stream: ask for the next, or leave early; the worker goes on only when asked. */
export interface RemoteStream<E> extends AsyncIterableIterator<E> {
  next(): Promise<IteratorResult<E, undefined>>;
  return(): Promise<IteratorResult<E, undefined>>;
  [Symbol.asyncIterator](): RemoteStream<E>;
}

/** Each of the parameters, if it can be sent; signals can, in this direction. */
export type SendableParameters<P extends readonly unknown[]> = {
  [I in keyof P]: Sendable<P[I], SendableLeaf | AbortSignal>;
};

/** A method as seen from another thread. Parameters or results that cannot be sent do not type-check. */
export type RemoteMethod<F> = F extends (...parameters: infer P) => infer R
  ? R extends AsyncIterable<infer E> | Generator<infer E>
    ? (...parameters: SendableParameters<P>) => RemoteStream<Sendable<E>>
    : (...parameters: SendableParameters<P>) => Promise<Sendable<Awaited<R>>>
  : never;

/** The methods of `T`, each called in the worker. */
export type RemoteMethods<T> = {
  readonly [K in keyof T as K extends string
    ? T[K] extends (...parameters: never[]) => unknown
      ? K
      : never
    : never]: RemoteMethod<T[K]>;
};

/** How an actor ends, and whether it has. */
export interface ActorLife {
  /** Ends the actor after the calls under way, and gives back all that it held. Later calls are refused. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  /** Resolves when the actor has ended: with the reason if it failed, with null if it was disposed. */
  readonly ended: Promise<Error | null>;
}

/** An object in a worker, as seen from another thread. */
export type Actor<C extends ExposableClass> = RemoteMethods<ObjectOf<C>> & ActorLife;
