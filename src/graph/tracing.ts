/** Whether a function is being called for its graph: by a transform, or to be recorded. */

let depth = 0;

/** What `call` gives; `isTracing` holds meanwhile. */
export function tracing<R>(call: () => R): R {
  depth++;
  try {
    return call();
  } finally {
    depth--;
  }
}

/** Whether a graph is being made on arguments that stand for others: what is recorded now would be recorded on those. */
export function isTracing(): boolean {
  return depth > 0;
}
