/** Random graphs, computed in several ways whose results must agree. */
/// <reference types="vite/client" />
import * as mx from "mlx-ts";
import { expect, it } from "vitest";
import { replaceRuntime } from "../../src/array/device.ts";
import type { Runtime } from "../../src/array/runtime.ts";
import { type RandomGraph, randomGraph } from "./random-graph.ts";

/** Ulps of the largest element of an array by which its elements may differ: sums are taken in another order. */
const tolerance = 64;

/** A way to compute. */
export interface Way {
  readonly name: string;
  /** The runtime that takes the place of the CPU's. */
  readonly runtime: Runtime;
  readonly device?: mx.Device;
  readonly isCompiled?: boolean;
}

const [first = 0, requested] = (import.meta.env.VITE_RANDOM_GRAPHS ?? "").split(":").filter(Boolean).map(Number);

async function resultsOf(
  { leaves, build }: RandomGraph,
  { runtime, isCompiled, device = "cpu" }: Way,
): Promise<readonly Result[]> {
  const before = replaceRuntime(runtime);
  try {
    const arrays = leaves.map(({ data, shape }) => mx.fromTypedArray(data, shape));
    const compute = isCompiled ? mx.compile((...given: mx.MLXArray[]) => build(given)) : undefined;
    const results = mx.withDevice(device, () => (compute ? compute(...arrays) : build(arrays)));
    await mx.evaluate(results);
    const read: Result[] = [];
    for (const result of results) {
      read.push({ dtype: result.dtype, shape: `${result.shape}`, elements: Array.from(await result.data(), Number) });
    }
    return read;
  } finally {
    replaceRuntime(before);
  }
}

interface Result {
  readonly dtype: string;
  readonly shape: string;
  readonly elements: readonly number[];
}

/** What is wrong with `found`, or null. */
function difference(found: Result, wanted: Result): string | null {
  if (found.dtype !== wanted.dtype || found.shape !== wanted.shape) {
    return `${found.dtype} [${found.shape}] for ${wanted.dtype} [${wanted.shape}]`;
  }
  const isFloat = found.dtype.startsWith("float");
  let largest = 1;
  for (const value of wanted.elements) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  const allowed = isFloat ? tolerance * largest * 2 ** -23 : 0;
  for (let k = 0; k < wanted.elements.length; k++) {
    const [value, expected] = [found.elements[k] ?? Number.NaN, wanted.elements[k] ?? Number.NaN];
    if (value === expected || Object.is(value, expected) || Math.abs(value - expected) <= allowed) continue;
    return `element ${k} of [${found.shape}] is ${value}, not ${expected}`;
  }
  return null;
}

/** Declares a test for each of `count` graphs (or those that the environment names): each way gives what `reference` gives. */
export function itComputesAlike(reference: Way, others: readonly Way[], count: number): void {
  it.each(Array.from({ length: requested ?? count }, (_, k) => first + k))("seed %i", async (seed) => {
    const graph = randomGraph(seed);
    const expected = await resultsOf(graph, reference);
    for (const way of others) {
      const found = await resultsOf(graph, way);
      found.forEach((result, k) => {
        const wanted = expected[k];
        const problem = wanted ? difference(result, wanted) : "an extra result";
        expect(problem, `seed ${seed}, ${way.name}, result ${k}`).toBeNull();
      });
    }
  });
}
