/** Memory: what is in use, its limits, and letting go of arrays before the collector does. */
import { ArgumentError } from "../base/errors.ts";
import { recordCreations } from "../graph/mlx-array.ts";
import { currentRuntime } from "./device.ts";
import { leavesOf } from "./evaluate.ts";

/**
 * Runs `body` and disposes every array made in it that is not in its result (an array, or a tree of arrays). Arrays that
 * the result is still to be computed from are kept until it is.
 *
 * @throws {ArgumentError} if `body` is asynchronous: other code could run meanwhile, and its arrays be disposed
 * @example
 * const y = tidy(() => {
 *   const x = array([1, 2, 3]);
 *   return x.mul(x).sum();
 * });
 * await y.item(); // 14
 */
export function tidy<T>(body: () => T): T {
  const { result, created } = recordCreations(body);
  if (result instanceof Promise) {
    throw new ArgumentError(
      "tidy",
      "the function is asynchronous; dispose its arrays one by one with `using`, or tidy its synchronous parts",
    );
  }
  const kept = new Set(leavesOf(result));
  for (const array of created) if (!kept.has(array)) array.dispose();
  return result;
}

/** The memory of arrays, in bytes. Limits apply at once. */
export const memory: {
  /** Bytes held by arrays now. */
  readonly active: number;
  /** The most that was held at once, since the start or `resetPeak()`. */
  readonly peak: number;
  /** Bytes given back and kept for the next arrays of the same size. */
  readonly cache: number;
  /** Lets `peak` start anew. */
  resetPeak(): void;
  /** Gives the kept bytes up. */
  clearCache(): void;
  /** Sets the most bytes that arrays may hold; beyond it operations throw `OutOfMemoryError`. */
  setMemoryLimit(byteLength: number): void;
  /** Sets the most bytes that are kept for reuse. */
  setCacheLimit(byteLength: number): void;
} = {
  get active() {
    return currentRuntime().backend.memory().active;
  },
  get peak() {
    return currentRuntime().backend.memory().peak;
  },
  get cache() {
    return currentRuntime().backend.memory().cache;
  },
  resetPeak: () => currentRuntime().backend.resetPeak(),
  clearCache: () => currentRuntime().backend.clearCache(),
  setMemoryLimit: (byteLength) => currentRuntime().backend.setLimits({ memory: byteLength }),
  setCacheLimit: (byteLength) => currentRuntime().backend.setLimits({ cache: byteLength }),
};
