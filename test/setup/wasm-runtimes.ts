/** Runtimes of their own on the CPU, on one thread and on two, for tests of what threads and kernels share. */
import { afterEach, beforeEach } from "vitest";
import { replaceRuntime } from "../../src/array/device.ts";
import { Runtime } from "../../src/array/runtime.ts";
import { Arena } from "../../src/backends/wasm/arena.ts";
import { WasmBackend } from "../../src/backends/wasm/wasm-backend.ts";

/** Runs `body` while `runtime` computes what it evaluates. */
export async function underRuntime<T>(runtime: Runtime, body: () => Promise<T>): Promise<T> {
  const before = replaceRuntime(runtime);
  try {
    return await body();
  } finally {
    replaceRuntime(before);
  }
}

/** Has a runtime of its own compute what each test of a block evaluates. */
export function testUnder(make: () => Runtime): void {
  let before: Runtime | null = null;
  beforeEach(() => {
    before = replaceRuntime(make());
  });
  afterEach(() => {
    replaceRuntime(before);
  });
}

/** One thread and two, each with a memory of `maximumByteLength`. */
export function threadedRuntimes(maximumByteLength: number): {
  readonly under: <T>(name: "one" | "two", body: () => Promise<T>) => Promise<T>;
  readonly close: () => Promise<unknown>;
} {
  const backendOn = (threads: number): WasmBackend =>
    new WasmBackend({ threads, arena: new Arena({ maximumByteLength }) });
  const backends = { one: backendOn(1), two: backendOn(2) };
  const runtimes = {
    one: new Runtime(backends.one, { fusion: true }),
    two: new Runtime(backends.two, { fusion: true }),
  };
  return {
    under: (name, body) => underRuntime(runtimes[name], body),
    close: () => Promise.all([backends.one.pool.close(), backends.two.pool.close()]),
  };
}
