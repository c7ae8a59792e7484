/** Checkpoints and weights in files. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { loadCheckpoint, train } from "mlx-ts/train";
import { afterAll, beforeAll, expect, it } from "vitest";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mlx-ts-"));
});
afterAll(() => rm(folder, { recursive: true }));

it("writes each checkpoint to its path, whole", async () => {
  const path = join(folder, "run.safetensors");
  const model = new nn.Linear(1, 1);
  const optimizer = new optim.SGD({ learningRate: 0.1 });
  const loss = (m: nn.Linear, x: mx.MLXArray): mx.MLXArray => mx.sum(mx.square(m(x)));
  const batches = [mx.array([[1]]), mx.array([[2]])];
  for await (const _ of train({ model, optimizer, loss, batches, epochs: 2, checkpoint: { everySteps: 3, path } }));
  expect((await loadCheckpoint(path)).position).toEqual({ step: 3, epoch: 1, batch: 1 });
  expect(await readdir(folder)).toEqual(["run.safetensors"]);
  await expect(loadCheckpoint(await model.saveWeights())).rejects.toThrow(/loadWeights/);
});

it("writes and reads weights by path and by file address", async () => {
  const model = new nn.Linear(2, 3);
  for (const name of ["w.safetensors", "w.npz"]) {
    await model.saveWeights(join(folder, name));
    const restored = await new nn.Linear(2, 3).loadWeights(pathToFileURL(join(folder, name)));
    expect(await restored.weight.tolist()).toEqual(await model.weight.tolist());
  }
});
