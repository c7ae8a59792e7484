/** Two copies of the library in one process, whose engine keeps compiled code by its bytes: neither misleads the other. */
import { expect, it, vi } from "vitest";
import { engineFeatures } from "../../src/backends/wasm/engine-features.ts";

it("another copy of the library in the same process finds the same", async () => {
  const mine = engineFeatures();
  vi.resetModules();
  const other = await import("../../src/backends/wasm/engine-features.ts");
  expect(other.engineFeatures).not.toBe(engineFeatures);
  expect(other.engineFeatures()).toEqual(mine);
});
