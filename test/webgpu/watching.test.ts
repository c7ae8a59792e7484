/** A training on the GPU that is watched: its kernels are measured there, and it computes the same. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { type TrainEvent, train, type WatchOptions } from "mlx-ts/train";
import { afterEach, expect, it } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import { openDevice } from "../../src/backends/webgpu/adapter.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";

afterEach(() => {
  mx.setDefaultDevice("cpu");
  mx.gpu.close();
  setGpu(null);
});

async function eventsOf(watch: WatchOptions<nn.Linear>): Promise<TrainEvent[]> {
  mx.random.seed(5);
  const model = new nn.Linear(4, 2);
  const batches = Array.from({ length: 3 }, () => mx.random.normal([8, 4]));
  const loss = (m: nn.Linear, x: mx.MLXArray): mx.MLXArray => mx.tanh(m(x)).sub(0.5).square().mean();
  const events: TrainEvent[] = [];
  const optimizer = new optim.Adam({ learningRate: 0.1 });
  for await (const event of train({ model, optimizer, loss, batches, watch })) events.push(event);
  return events;
}

it("measures kernels and counts values there, and computes what it computes unwatched", async () => {
  setGpu(new WebGpuBackend(await openDevice()));
  mx.setDefaultDevice("gpu");
  const lossesOf = (events: readonly TrainEvent[]): number[] =>
    events.flatMap((event) => (event.kind === "step" ? [event.loss] : []));
  const plain = await eventsOf({});
  const watched = await eventsOf({ kernels: true, gradientNorm: true, histograms: { everySteps: 3 } });
  for (const [k, loss] of lossesOf(watched).entries()) expect(loss).toBeCloseTo(lossesOf(plain)[k] ?? Number.NaN, 5);
  const kernels = watched.flatMap((event) => (event.kind === "kernels" ? event.kernels : []));
  expect(kernels.length).toBeGreaterThan(0);
  for (const { milliseconds, heldBytes } of kernels) {
    expect(milliseconds).toBeGreaterThan(0);
    expect(heldBytes).toBeGreaterThan(0);
  }
  const [histograms] = watched.filter((event) => event.kind === "histograms");
  expect(histograms?.gradients.weight?.counts.reduce((sum, count) => sum + count, 0)).toBe(8);
});

it("a profile opens the GPU where it is not open yet", async () => {
  const sum = mx.withDevice("gpu", () => mx.array([1, 2, 3]).add(mx.array([4, 5, 6])));
  const [kernel] = await mx.profile(sum);
  expect(kernel?.heldBytes).toBe(36);
  expect(await sum.tolist()).toEqual([5, 7, 9]);
});
