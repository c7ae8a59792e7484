/** Two copies of the library in one process, whose engine keeps compiled code by its bytes: neither misleads the other. */
import { expect, it, vi } from "vitest";
import { relaxedSimd } from "../../src/backends/wasm/relaxed-simd.ts";

it("another copy of the library in the same process finds the same", async () => {
  const mine = relaxedSimd();
  vi.resetModules();
  const other = await import("../../src/backends/wasm/relaxed-simd.ts");
  expect(other.relaxedSimd).not.toBe(relaxedSimd);
  expect(other.relaxedSimd()).toEqual(mine);
});
