/** The gradient of attention by blocks of queries or examples gives on the GPU what it gives on the CPU. */
import * as mx from "mlx-ts";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { attentionGradients } from "../../src/primitives/attention-gradient.ts";
import { testDevice } from "../setup/gpu-device.ts";

// Software drivers compile slowly, and more so on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

beforeAll(async () => {
  setGpu(new WebGpuBackend(await testDevice()));
});

afterAll(() => {
  setGpu(null);
});

it.each([
  ["of queries, in time", 1, true],
  ["of queries", 1, false],
  ["of examples, the last of fewer", 5, true],
])("by blocks %s", async (_, examples, isCausal) => {
  const [queries, keys] = [29, 34];
  const shapes = [
    [examples, 4, queries, 8],
    [examples, 2, keys, 8],
    [examples, 2, keys, 8],
    [examples, 4, queries, 8],
    [examples, 4, queries, 8],
    [examples, 4, queries, 2],
  ];
  const gradientsOn = async (device: "cpu" | "gpu"): Promise<readonly mx.TypedArray[]> => {
    const gradients = mx.withDevice(device, () => {
      const inputs = shapes.map((shape, k) => {
        const key = mx.random.key(k);
        // Sums of exponentials are positive.
        return k === 5 ? mx.random.uniform(shape, { low: 1, high: 2, key }) : mx.random.normal(shape, { key });
      });
      const most = (examples * 4 * queries * keys) / 3;
      return attentionGradients(inputs, { scale: 0.4, isCausal }, most);
    });
    await mx.evaluate(gradients);
    return Promise.all(gradients.map((gradient) => gradient.data()));
  };
  const [found, wanted] = [await gradientsOn("gpu"), await gradientsOn("cpu")];
  for (const [k, gradient] of found.entries()) {
    let greatest = 0;
    let difference = 0;
    gradient.forEach((x, i) => {
      greatest = Math.max(greatest, Math.abs(Number(wanted[k]?.[i])));
      difference = Math.max(difference, Math.abs(Number(x) - Number(wanted[k]?.[i])));
    });
    expect(greatest).toBeGreaterThan(0.1);
    // Sums of 68 terms and fewer, in different orders.
    expect(difference).toBeLessThan(3 * Math.sqrt(68) * greatest * 2 ** -23);
  }
});
