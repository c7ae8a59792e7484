/** Functions that kernels import are there on every thread. */
import * as mx from "mlx-ts";
import { afterAll, describe, expect, it } from "vitest";
import { Runtime } from "../../src/array/runtime.ts";
import { WasmBackend } from "../../src/backends/wasm/wasm-backend.ts";
import { testUnder } from "../setup/wasm-runtimes.ts";

const count = 400_000;

describe("float64 functions on two threads", () => {
  const backend = new WasmBackend({ threads: 2 });
  testUnder(() => new Runtime(backend, { fusion: true }));
  afterAll(() => backend.pool.close());

  it.each([
    ["erf", mx.erf, 0.5204998778130465],
    ["erfinv", mx.erfinv, 0.4769362762044699],
    ["sigmoid", mx.sigmoid, 0.6224593312018546],
    ["sin", mx.sin, 0.479425538604203],
    ["power", (x: mx.MLXArray) => x.pow(0.3), 0.8122523963562356],
    ["remainder", (x: mx.MLXArray) => x.remainder(-0.3), -0.1],
  ] as const)("%s", async (_, apply, expected) => {
    const x = mx.array(new Float64Array(count).fill(0.5));
    // Workers join in as soon as they run; until then the calling thread would do all the work.
    for (let round = 0; round < 5; round++) {
      const values = await apply(x).data();
      for (const value of [values[0], values[count - 1]]) expect(Number(value)).toBeCloseTo(expected, 14);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
});
