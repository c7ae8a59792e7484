/** A loop of many steps with varying shapes holds a plateau of buffers, bytes and pipelines. */
import * as mx from "mlx-ts";
import { afterEach, expect, it } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import { openDevice } from "../../src/backends/webgpu/adapter.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { onceCollected } from "../setup/collected.ts";

const steps = 10_000;
const shapes = 50;
/** What a hundredth of the steps makes, each a value and a weight of 256 bytes: far less than what grew with every step. */
const spare = (steps / 100) * 2 * 256;

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
  const before = backend.memory().active;
  const pipelines: number[] = [];
  for (let k = 1; k <= steps; k++) {
    const x = inputs[k % shapes];
    if (!x) throw new Error("an input is missing");
    await mx.evaluate(step(x), state);
    if (k % 1000 === 0) pipelines.push(backend.pipelines.size);
  }
  const held = await onceCollected(() => backend.memory().active, before + spare);
  expect(held).toBeLessThanOrEqual(before + spare);
  expect(new Set(pipelines.slice(1)).size).toBe(1);
});
