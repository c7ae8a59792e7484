/** Iterating over batches that may be late, and stopping in time. */

/** Batches, at once or as they come. */
export type Batches<B> = Iterable<B> | AsyncIterable<B>;

/** Batches for any number of epochs: what can be iterated anew, or a function that is asked for each epoch, from 0. */
export type BatchSource<B> = Batches<B> | ((epoch: number) => Batches<B>);

/** The batches of one epoch. */
export function batchesOf<B>(source: BatchSource<B>, epoch: number): Batches<B> {
  return typeof source === "function" ? source(epoch) : source;
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
  const { promise: aborted, stop } = abortOf(signal);
  let isDone = false;
  try {
    while (!signal?.aborted) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (next === null) return;
      if (next.done) {
        isDone = true;
        return;
      }
      yield next.value;
    }
  } finally {
    stop();
    // A source that never answers is not waited for.
    if (!isDone) void Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

/** A promise of null at the abort of `signal`, and how to stop listening. */
function abortOf(signal: AbortSignal | undefined): { readonly promise: Promise<null>; readonly stop: () => void } {
  let listener = (): void => {};
  const promise = new Promise<null>((resolve) => {
    listener = () => resolve(null);
    signal?.addEventListener("abort", listener, { once: true });
  });
  return { promise, stop: () => signal?.removeEventListener("abort", listener) };
}
