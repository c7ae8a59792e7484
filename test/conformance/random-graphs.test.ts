/**
 * Random graphs give the same elements fused, kernel by kernel, compiled, on one thread, on two and by the interpreter.
 * A failure prints its seed; `VITE_RANDOM_GRAPHS=first:count` in the environment runs others.
 */
/// <reference types="vite/client" />
import * as mx from "mlx-ts";
import { afterAll, describe, expect, it } from "vitest";
import { replaceRuntime } from "../../src/array/device.ts";
import { Runtime } from "../../src/array/runtime.ts";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.ts";
import { Arena } from "../../src/backends/wasm/arena.ts";
import { WasmBackend } from "../../src/backends/wasm/wasm-backend.ts";
import { type RandomGraph, randomGraph } from "./random-graph.ts";

/** Ulps of the largest element of an array by which its elements may differ: sums are taken in another order. */
const tolerance = 64;

const wasm = (threads: number): WasmBackend =>
  new WasmBackend({ threads, arena: new Arena({ maximumByteLength: 2 ** 29 }) });
const [one, two] = [wasm(1), wasm(2)];

interface Way {
  readonly name: string;
  readonly runtime: Runtime;
  readonly isCompiled?: boolean;
}

const ways: readonly Way[] = [
  { name: "reference", runtime: new Runtime(new ReferenceBackend(), { fusion: true }) },
  { name: "wasm, kernel by kernel", runtime: new Runtime(one, { fusion: false }) },
  { name: "wasm, fused", runtime: new Runtime(one, { fusion: true }) },
  { name: "wasm, fused, two threads", runtime: new Runtime(two, { fusion: true }) },
  { name: "wasm, compiled", runtime: new Runtime(one, { fusion: true }), isCompiled: true },
];

const [first = 0, count = 84] = (import.meta.env.VITE_RANDOM_GRAPHS ?? "").split(":").filter(Boolean).map(Number);

async function resultsOf({ leaves, build }: RandomGraph, { runtime, isCompiled }: Way): Promise<readonly Result[]> {
  const before = replaceRuntime(runtime);
  try {
    const arrays = leaves.map(({ data, shape }) => mx.fromTypedArray(data, shape));
    const compute = isCompiled ? mx.compile((...given: mx.MLXArray[]) => build(given)) : undefined;
    const results = compute ? compute(...arrays) : build(arrays);
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

describe("a random graph is the same however it runs", () => {
  afterAll(() => Promise.all([one.pool.close(), two.pool.close()]));

  it.each(Array.from({ length: count }, (_, k) => first + k))("seed %i", async (seed) => {
    const graph = randomGraph(seed);
    const [reference, ...others] = ways;
    if (!reference) throw new Error("there is nothing to compare with");
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
});
