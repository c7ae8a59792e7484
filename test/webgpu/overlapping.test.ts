/** Evaluations that overlap: what one lets go of, another that waits for its shaders still has to read. */
import * as mx from "mlx-ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import { openDevice } from "../../src/backends/webgpu/adapter.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";

beforeEach(async () => {
  setGpu(new WebGpuBackend(await openDevice()));
});
afterEach(() => setGpu(null));

const onGpu = <T>(body: () => T): T => mx.withDevice("gpu", body);
const filled = (value: number): mx.MLXArray => mx.array(new Float32Array(1000).fill(value));

it.each([
  ["the GPU", () => onGpu(() => filled(0.5).add(0.5))],
  ["the CPU", () => filled(1)],
])("an input on %s that another evaluation lets go of keeps its memory until this one has read it", async (_, make) => {
  const x = make();
  await mx.evaluate(x);
  await mx.evaluate(onGpu(() => x.add(1)));
  const y = onGpu(() => x.add(1));
  const z = onGpu(() => mx.tanh(y.mul(0.25))); // Its shader is to be compiled, that of y is there.
  const waiting = mx.evaluate(z);
  await mx.evaluate(y);
  x.dispose();
  await mx.evaluate([-7, 7].map((value) => onGpu(() => filled(value).add(1))));
  await waiting;
  const found = new Set(Array.from(await z.data(), Number));
  expect(found.size).toBe(1);
  for (const value of found) expect(value).toBeCloseTo(Math.tanh(0.5), 5);
});
