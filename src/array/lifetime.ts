/** Memory: what is in use, its limits, and letting go of arrays before the collector does. */
import { ArgumentError } from "../base/errors.ts";
import { printedAs } from "../base/printing.ts";
import { recordCreations } from "../graph/mlx-array.ts";
import type { Backend, MemoryReport } from "../ir/backend.ts";
import { currentRuntime, openedGpu, pendingState } from "./device.ts";
import { leavesOf } from "./evaluate.ts";
import { memoryLimits } from "./memory-limits.ts";
import type { Moves } from "./residence.ts";
import { movesInto } from "./residence.ts";

/**
 * Runs `body` and disposes every array made in it that is not in its result (an array, or a tree of arrays). Arrays that
 * the result is still to be computed from are kept until it is; the random state stays, and so does what `compile` recorded.
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
    // It may reject as well, and nobody is there to hear of it.
    result.catch(() => {});
    throw new ArgumentError(
      "tidy",
      "the function is asynchronous; dispose its arrays one by one with `using`, or tidy its synchronous parts",
    );
  }
  const kept = new Set(leavesOf([result, pendingState()]));
  for (const array of created) if (!kept.has(array)) array.dispose();
  return result;
}

/** How often elements moved from one device to the other, and how many bytes. */
interface DeviceMoves {
  readonly toGpu: Moves;
  readonly toCpu: Moves;
}

/**
 * The memory of arrays, in bytes, the CPU's and the GPU's together. Limits apply at once, to each device by itself, to those
 * opened later too.
 *
 * @example
 * memory.resetPeak();
 * await zeros([1024]).add(array(1)).sum().item(); // 1024
 * memory.peak >= memory.active; // true
 */
export const memory: {
  /** Bytes held by arrays now. */
  readonly active: number;
  /** The most that was held at once, since the start or `resetPeak()`. */
  readonly peak: number;
  /** Bytes given back and kept for the next arrays of the same size. */
  readonly cache: number;
  /** The share of the GPU. */
  readonly gpu: MemoryReport;
  /** What moved between CPU and GPU, each array at most once in each direction; on the present GPU device. */
  readonly moves: DeviceMoves;
  /** Lets `peak` start anew. */
  resetPeak(): void;
  /** Gives the kept bytes up. */
  clearCache(): void;
  /** Sets the most bytes that arrays may hold; beyond it operations throw `OutOfMemoryError`. @throws {ArgumentError} below 0 */
  setMemoryLimit(byteLength: number): void;
  /** Sets the most bytes that are kept for reuse. @throws {ArgumentError} below 0 */
  setCacheLimit(byteLength: number): void;
} = /* @__PURE__ */ printedAs(
  {
    get active() {
      return total("active");
    },
    get peak() {
      return total("peak");
    },
    get cache() {
      return total("cache");
    },
    get gpu() {
      return openedGpu()?.backend.memory() ?? { active: 0, peak: 0, cache: 0 };
    },
    get moves() {
      const device = openedGpu()?.backend;
      return { toGpu: device ? movesInto(device) : noMoves, toCpu: movesInto(currentRuntime().backend) };
    },
    resetPeak: () => each((backend) => backend.resetPeak()),
    clearCache: () => each((backend) => backend.clearCache()),
    setMemoryLimit(byteLength) {
      requireLimit("setMemoryLimit", byteLength);
      limit({ memory: byteLength });
    },
    setCacheLimit(byteLength) {
      requireLimit("setCacheLimit", byteLength);
      limit({ cache: byteLength });
    },
  },
  ({ active, peak, cache, gpu, moves }) => ({ active, peak, cache, gpu, moves }),
);

function requireLimit(operation: string, byteLength: number): void {
  if (!(byteLength >= 0)) throw new ArgumentError(operation, `a limit is a number of bytes from 0, got ${byteLength}`);
}

function limit(limits: { readonly memory?: number; readonly cache?: number }): void {
  Object.assign(memoryLimits, limits);
  each((backend) => backend.setLimits(limits));
}

const noMoves: Moves = { count: 0, bytes: 0 };

function each(visit: (backend: Backend) => void): void {
  visit(currentRuntime().backend);
  const device = openedGpu()?.backend;
  if (device) visit(device);
}

function total(key: keyof MemoryReport): number {
  let sum = 0;
  each((backend) => {
    sum += backend.memory()[key];
  });
  return sum;
}
