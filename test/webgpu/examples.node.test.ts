/** The examples' networks train on the GPU as on the CPU: the same seed gives the same losses, step by step. */
import * as mx from "mlx-ts";
import type { TrainEvent } from "mlx-ts/train";
import { train } from "mlx-ts/train";
import { afterEach, expect, it } from "vitest";
import { CharacterModel } from "../../examples/char-gpt/model.ts";
import { corpusOf } from "../../examples/char-gpt/text.ts";
import { trainModel } from "../../examples/char-gpt/training.ts";
import { ClothingNetwork } from "../../examples/fashion-mnist/network.ts";
import { bars } from "../../examples/fashion-mnist/test/clothing.ts";
import { trainNetwork } from "../../examples/fashion-mnist/training.ts";
import { autoencoderPlan, BeatAutoencoder } from "../../examples/health-monitor/ecg/autoencoder.ts";
import { beatLength } from "../../examples/health-monitor/ecg/beats.ts";
import { Forecaster, forecasterPlan, windowLength } from "../../examples/health-monitor/sensors/forecaster.ts";
import { trainOptions } from "../../examples/health-monitor/training.ts";
import { setGpu } from "../../src/array/device.ts";
import { openDevice } from "../../src/backends/webgpu/adapter.ts";
import { WebGpuBackend } from "../../src/backends/webgpu/webgpu-backend.ts";

/** By how much a loss may differ, relative to it: sums are taken in another order, and each step builds on the one before. */
const tolerance = 1e-3;

afterEach(() => {
  mx.setDefaultDevice("cpu");
  setGpu(null);
});

/** The losses of a training that begins at the same seed, on a device. */
async function lossesOn(device: mx.Device, begin: () => AsyncIterable<TrainEvent>): Promise<readonly number[]> {
  mx.random.seed(11);
  const events = begin();
  mx.setDefaultDevice(device);
  const losses: number[] = [];
  for await (const event of events) if (event.kind === "step") losses.push(event.loss);
  mx.setDefaultDevice("cpu");
  return losses;
}

const trainings: readonly {
  readonly name: string;
  readonly steps: number;
  begin(): AsyncIterable<TrainEvent>;
}[] = [
  {
    name: "the health monitor's forecaster",
    steps: 8,
    begin() {
      const count = 512;
      const wave = (length: number): Float32Array => Float32Array.from({ length }, (_, k) => Math.sin(k * k));
      const windows = { count, inputs: wave(count * 2 * windowLength), targets: wave(count * 2) };
      return train({ ...trainOptions(forecasterPlan(new Forecaster(), windows)), epochs: 4 });
    },
  },
  {
    name: "the health monitor's autoencoder of heartbeats",
    steps: 4,
    begin() {
      const beats = Array.from({ length: 64 }, (_, beat) => ({
        peak: 0,
        widthMilliseconds: 40,
        values: Float32Array.from({ length: beatLength }, (_, k) => Math.exp(-(((k - 60 - beat / 8) / 4) ** 2))),
      }));
      return train({ ...trainOptions(autoencoderPlan(new BeatAutoencoder(), beats)), epochs: 2 });
    },
  },
  {
    name: "the network of Fashion-MNIST",
    steps: 3,
    begin: () => trainNetwork(new ClothingNetwork(), bars(12), { epochs: 1, batchSize: 4 }),
  },
  {
    name: "the character GPT",
    steps: 6,
    begin() {
      const { alphabet, training } = corpusOf("call me ishmael. ".repeat(50), 16);
      const model = new CharacterModel(alphabet.size, { layers: 1, width: 32, context: 16 });
      return trainModel(model, training, { steps: 6, batchSize: 4 });
    },
  },
];

for (const { name, steps, begin } of trainings) {
  it(name, { timeout: 300_000 }, async () => {
    const expected = await lossesOn("cpu", begin);
    setGpu(new WebGpuBackend(await openDevice()));
    const actual = await lossesOn("gpu", begin);
    expect(actual).toHaveLength(steps);
    actual.forEach((loss, step) => {
      const wanted = expected[step] ?? Number.NaN;
      expect(Math.abs(loss - wanted), `step ${step}: ${loss}, not ${wanted}`).toBeLessThanOrEqual(tolerance * wanted);
    });
  });
}
