/** Computing arrays. */

import { childrenOf } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { mayUseGpu } from "../graph/placement.ts";
import { ArrayReference } from "../primitives/operands.ts";
import { currentRuntime, openedGpu, pendingState } from "./device.ts";
import { severalDevices } from "./several-devices.ts";

/**
 * Computes every array in the arguments (arrays, modules, optimizers, and lists and plain objects of them) in one pass
 * over their common graph. Resolves when reading them needs no more than waiting: on the GPU, when the
 * work is on its way.
 *
 * @throws {OutOfMemoryError} if the results do not fit; the process goes on working
 * @throws {DisposedError} for an array that was disposed
 * @throws {DeviceError} for operations on the GPU where there is none
 * @example
 * const x = array([1, 2, 3]);
 * const [y, z] = [x.add(1), x.mul(2)];
 * await evaluate(y, z);
 * y.isEvaluated; // true
 */
export async function evaluate(...trees: readonly unknown[]): Promise<void> {
  const roots: MLXArray[] = [];
  for (const tree of trees) for (const leaf of leavesOf(tree)) addRoot(roots, leaf);
  if (roots.length === 0) return;
  for (const state of pendingState()) addRoot(roots, state);
  const pending = compute(roots.length === 1 ? roots : [...new Set(roots)]);
  if (pending) await pending;
}

/**
 * Waits until the devices have done all work so far. Only for measuring: `evaluate` resolves when work for the GPU is on
 * its way, and reading waits by itself.
 *
 * @throws {DeviceError} if the GPU refused work or was lost
 * @example
 * await evaluate(array([1, 2]).add(1));
 * await synchronize();
 */
export async function synchronize(): Promise<void> {
  await Promise.all([currentRuntime(), openedGpu()].map((runtime) => runtime?.backend.synchronize()));
}

/** Computes `roots`, none of which is evaluated, each operation on its device; now if that needs no waiting. */
function compute(roots: readonly MLXArray[]): Promise<void> | undefined {
  if (!mayUseGpu()) return currentRuntime().evaluate(roots);
  return severalDevices.load().then(({ computeInStages }) => computeInStages(roots));
}

function addRoot(roots: MLXArray[], array: MLXArray): void {
  array.requireKept("evaluate");
  if (!array.isEvaluated) roots.push(array);
}

/** The arrays in a tree, appended to `found`. */
export function leavesOf(tree: unknown, found: MLXArray[] = []): MLXArray[] {
  if (tree instanceof MLXArray) found.push(tree);
  else if (tree instanceof ArrayReference) found.push(tree.get());
  else for (const [, child] of childrenOf(tree) ?? []) leavesOf(child, found);
  return found;
}
