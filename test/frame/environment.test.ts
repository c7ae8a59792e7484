/** What the tests stand on: an engine with threads, in Node and in a cross-origin isolated browser alike. */
import { expect, it } from "vitest";

it("memory can be shared between threads", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  expect(memory.buffer).toBeInstanceOf(SharedArrayBuffer);
});

it("a browser's page is cross-origin isolated", () => {
  const isBrowser = typeof document !== "undefined";
  expect(Reflect.get(globalThis, "crossOriginIsolated")).toBe(isBrowser ? true : undefined);
});
