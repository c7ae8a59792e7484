/** A loop over positions compiles a kernel or two, not one for each, and computes what the interpreter computes for each. */
import { afterAll, afterEach, beforeEach, describe, vi } from "vitest";
import { replaceRuntime } from "../../src/array/device.ts";
import { Runtime } from "../../src/array/runtime.ts";
import { Arena } from "../../src/backends/wasm/arena.ts";
import { WasmBackend } from "../../src/backends/wasm/wasm-backend.ts";
import { itCompilesOnce, itReadsAndUpdatesAnywhere } from "./moving-positions.ts";

const arena = new Arena({ maximumByteLength: 2 ** 29 });
const backends = [new WasmBackend({ threads: 1, arena }), new WasmBackend({ threads: 2, arena })];

afterAll(() => Promise.all(backends.map(({ pool }) => pool.close())));

describe("a loop that", () => {
  const modules = vi.spyOn(WebAssembly, "Module");
  afterAll(() => modules.mockRestore());
  // The most are those of a product: packing and inner loops.
  itCompilesOnce(() => modules.mock.calls.length, 8);
});

describe.each([
  { name: "fused", fusion: true, backend: backends[0] },
  { name: "kernel by kernel", fusion: false, backend: backends[0] },
  { name: "on two threads", fusion: true, backend: backends[1] },
])("a program that reads and updates anywhere, $name", ({ backend, fusion }) => {
  let before: Runtime | null = null;
  beforeEach(() => {
    if (backend) before = replaceRuntime(new Runtime(backend, { fusion }));
  });
  afterEach(() => {
    if (before) replaceRuntime(before);
  });
  itReadsAndUpdatesAnywhere(60);
});
