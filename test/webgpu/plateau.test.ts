/** A loop of many steps with varying shapes holds a plateau of buffers, bytes and pipelines. */
import * as mx from "mlx-ts";
import { afterEach, expect, it } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import { openDevice } from "../../src/backends/webgpu/adapter.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";

const steps = 10_000;
const shapes = 50;

afterEach(() => {
  mx.setDefaultDevice("cpu");
  mx.gpu.close();
  setGpu(null);
});

it(`of bytes and pipelines over ${steps} steps with ${shapes} shapes`, { timeout: 300_000 }, async () => {
  const backend = new WebGpuBackend(await openDevice());
  setGpu(backend);
  mx.setDefaultDevice("gpu");
  const state = { weight: mx.ones([16]) };
  const step = mx.compile(
    (x: mx.MLXArray) => {
      const value = mx.tanh(x.mul(state.weight)).mean();
      state.weight = state.weight.mul(0.999).add(value.mul(0.001));
      return value;
    },
    { inputs: [state], outputs: [state] },
  );
  const inputs = Array.from({ length: shapes }, (_, k) => mx.full([k + 1, 16], 0.5));
  await mx.evaluate(inputs);
  // The most bytes in each half: what is held rises until the collector comes, and falls then.
  const most: [number, number] = [0, 0];
  const pipelines: number[] = [];
  for (let k = 1; k <= steps; k++) {
    const x = inputs[k % shapes];
    if (!x) throw new Error("an input is missing");
    await mx.evaluate(step(x), state);
    const { active, cache } = backend.memory();
    const half = k <= steps / 2 ? 0 : 1;
    most[half] = Math.max(most[half], active + cache);
    if (k % 1000 === 0) pipelines.push(backend.pipelines.size);
  }
  const [first, second] = most;
  // What grew with every step would have doubled.
  expect(second).toBeLessThan(1.7 * first);
  expect(new Set(pipelines.slice(1)).size).toBe(1);
});
