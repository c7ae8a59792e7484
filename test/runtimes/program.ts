/** What every runtime has to compute alike: kernels, threads, files, training, and a class in a worker. */
import { type Actor, actor } from "@mlx-ts/actor";
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import * as train from "mlx-ts/train";
import type { Counter } from "./counter.worker.ts";

mx.random.seed(7);
const a = mx.random.normal([300, 300]);
const many = mx.random.uniform([3_000_000]);
const report: Record<string, unknown> = {
  product: await mx.tanh(a.matmul(a)).mean().item(),
  sum: await many.sum().item(),
  middle: await mx.sort(many).get(1_500_000).item(),
  half: await mx.array([0.1, 65504], "float16").mul(1).tolist(),
  text: String(mx.array([1, 2, 3])),
};

const model = new nn.Sequential(new nn.Linear(1, 16), nn.tanh, new nn.Linear(16, 1));
const x = mx.linspace(-1, 1, 64).reshape([64, 1]);
const batches = [{ x, y: x.square() }];
const loss = (m: typeof model, batch: (typeof batches)[0]): mx.MLXArray => nn.losses.mseLoss(m(batch.x), batch.y);
const optimizer = new optim.Adam({ learningRate: 0.01 });
for await (const event of train.train({ model, optimizer, loss, batches, epochs: 100 })) {
  if (event.kind === "step") report.loss = event.loss;
}
const path = process.argv[2] ?? "";
await model.saveWeights(path);
const other = new nn.Sequential(new nn.Linear(1, 16), nn.tanh, new nn.Linear(16, 1));
await other.loadWeights(path);
report.restored = await mx.arrayEqual(model(x), other(x)).item();

const counter: Actor<typeof Counter> = await actor<typeof Counter>(async () => {
  const url = new URL("./counter.worker.mjs", import.meta.url);
  if (typeof Worker === "function") return new Worker(url, { type: "module" });
  const threads = await import("node:worker_threads");
  return new threads.Worker(url);
});
await counter.add(mx.full([1000], 2));
report.counted = await (await counter.add(mx.full([1000], 3))).sum().item();
report.refused = await counter.add(mx.zeros([7])).catch((error: unknown) => error instanceof mx.ShapeError);
await counter.dispose();

console.log(JSON.stringify(report));
