/**
 * Random graphs give the same elements fused, kernel by kernel, compiled, on one thread, on two and by the interpreter.
 * A failure prints its seed; `VITE_RANDOM_GRAPHS=first:count` in the environment runs others.
 */
import { afterAll, describe } from "vitest";
import { Runtime } from "../../src/array/runtime.ts";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.ts";
import { Arena } from "../../src/backends/wasm/arena.ts";
import { WasmBackend } from "../../src/backends/wasm/wasm-backend.ts";
import { itComputesAlike, type Way } from "./compare-graphs.ts";

const wasm = (threads: number): WasmBackend =>
  new WasmBackend({ threads, arena: new Arena({ maximumByteLength: 2 ** 29 }) });
const [one, two] = [wasm(1), wasm(2)];

const reference: Way = { name: "reference", runtime: new Runtime(new ReferenceBackend(), { fusion: true }) };

const ways: readonly Way[] = [
  { name: "wasm, kernel by kernel", runtime: new Runtime(one, { fusion: false }) },
  { name: "wasm, fused", runtime: new Runtime(one, { fusion: true }) },
  { name: "wasm, fused, two threads", runtime: new Runtime(two, { fusion: true }) },
  { name: "wasm, compiled", runtime: new Runtime(one, { fusion: true }), isCompiled: true },
];

describe("a random graph is the same however it runs", () => {
  afterAll(() => Promise.all([one.pool.close(), two.pool.close()]));
  itComputesAlike(reference, ways, 84);
});
