/** A training that is aborted, or loses its device, at whatever it waits for: it ends, with typed errors, and nothing stays behind. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { train } from "mlx-ts/train";
import { afterEach, expect, it } from "vitest";
import { setGpu } from "../../src/array/device.ts";
import { openDevice } from "../../src/backends/webgpu/adapter.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";
import { type Waits, watchedDevice } from "./watched-device.ts";

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");

afterEach(() => {
  mx.setDefaultDevice("cpu");
  mx.gpu.close();
  setGpu(null);
});

class Net extends nn.Module {
  first: nn.Linear = new nn.Linear(32, 64);
  second: nn.Linear = new nn.Linear(64, 4);
  forward(x: mx.MLXArray): mx.MLXArray {
    return this.second(nn.relu(this.first(x)));
  }
}

/** Lets go of what nobody holds. */
async function settle(): Promise<void> {
  for (let k = 0; k < 4; k++) {
    if (typeof collect === "function") collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A training of two steps; how it ended, and how many steps it made. */
async function training(signal: AbortSignal): Promise<{ readonly reason: string; readonly steps: number }> {
  mx.random.seed(3); // The state of the numbers drawn so far may have been lost with a device.
  const model = new Net();
  const optimizer = new optim.Adam({ learningRate: 0.01 });
  const batches = [1, 2].map((seed) => mx.random.normal([8, 32], { key: mx.random.key(seed) }));
  const loss = (net: Net, x: mx.MLXArray): mx.MLXArray => net(x).square().mean();
  let steps = 0;
  for await (const event of train({ model, optimizer, loss, batches, signal })) {
    if (event.kind === "step") steps++;
    if (event.kind === "end") return { reason: event.reason, steps };
  }
  throw new Error("a training ends with an event");
}

/** A new device that is watched; it is the GPU from now on. */
async function useWatched(): Promise<{ readonly backend: WebGpuBackend; readonly waits: Waits }> {
  const waits: Waits = { count: 0, at: Number.POSITIVE_INFINITY, act: () => undefined };
  const backend = new WebGpuBackend(watchedDevice(await openDevice(), waits));
  setGpu(backend);
  mx.setDefaultDevice("gpu");
  return { backend, waits };
}

it("aborted at any of its waits, a training ends and leaves no memory in use", { timeout: 240_000 }, async () => {
  const { backend, waits } = await useWatched();
  expect(await training(new AbortController().signal)).toEqual({ reason: "finished", steps: 2 });
  const expected = waits.count;
  expect(expected).toBeGreaterThan(4);
  await settle();
  const { active } = backend.memory();
  for (let at = 0; at < expected; at++) {
    const controller = new AbortController();
    // A text, for an error keeps the calls that it is made under, and those hold the training.
    Object.assign(waits, { count: 0, at, act: () => controller.abort("enough") });
    const { reason, steps } = await training(controller.signal);
    expect(controller.signal.aborted ? reason : "aborted").toBe("aborted");
    expect(steps).toBeLessThanOrEqual(2);
    // On a busy machine the collector's word comes late.
    for (let k = 0; k < 50 && backend.memory().active > active; k++) await settle();
    expect(backend.memory().active).toBeLessThanOrEqual(active);
  }
});

it("a device lost at any of the waits is a DeviceError, and the next training works", {
  timeout: 240_000,
}, async () => {
  const { waits } = await useWatched();
  await training(new AbortController().signal);
  const expected = waits.count;
  mx.gpu.close();
  for (let at = 0; at < expected; at += 2) {
    const { backend, waits: next } = await useWatched();
    Object.assign(next, { at, act: () => backend.device.destroy() });
    const outcome: unknown = await training(new AbortController().signal).catch((error: unknown) => error);
    // The last wait may be for values that had arrived.
    if (outcome instanceof Error) expect(outcome).toBeInstanceOf(mx.DeviceError);
    else expect(outcome).toEqual({ reason: "finished", steps: 2 });
    setGpu(null);
  }
  await useWatched();
  expect(await training(new AbortController().signal)).toEqual({ reason: "finished", steps: 2 });
});
