/** Iterating over batches that may be late, and stopping in time. */

import { describeValue } from "../base/describe.ts";
import { ArgumentError } from "../base/errors.ts";

/** Batches, at once or as they come. */
export type Batches<B> = Iterable<B> | AsyncIterable<B>;

/** Batches for any number of epochs: what can be iterated anew, or a function that is asked for each epoch, from 0. */
export type BatchSource<B> = Batches<B> | ((epoch: number) => Batches<B>);

/** The batches of one epoch. */
export function batchesOf<B>(source: BatchSource<B>, epoch: number): Batches<B> {
  if (typeof source !== "function") return source;
  const batches = source(epoch);
  if (Symbol.asyncIterator in Object(batches) || Symbol.iterator in Object(batches)) return batches;
  throw new ArgumentError("train", `batches(${epoch}) cannot be iterated: it is ${describeValue(batches)}`);
}

/**
 * The items of `source` until `signal` is aborted: a batch that is waited for then is given up. The source is closed when
 * iteration ends early.
 */
export async function* untilAborted<B>(
  source: Batches<B>,
  signal: AbortSignal | undefined,
): AsyncGenerator<B, void, void> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  let isDone = false;
  try {
    while (!signal?.aborted) {
      const next = await orAborted(iterator.next(), signal);
      if (next === null) return;
      if (next.done) {
        isDone = true;
        return;
      }
      yield next.value;
    }
  } finally {
    // A source that never answers is not waited for.
    if (!isDone) void Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

/** What is waited for, or null as soon as `signal` is aborted. Leaves nothing behind that would grow with every wait. */
function orAborted<T>(awaited: T | Promise<T>, signal: AbortSignal | undefined): T | Promise<T | null> {
  if (!(awaited instanceof Promise) || !signal) return awaited;
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(null);
    signal.addEventListener("abort", stop, { once: true });
    awaited.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
