/** What our memory does in long loops: held and kept bytes of arrays, and the process's resident memory. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";

const iterations = 10_000;
const reportEvery = 1_000;
/** Shapes vary over this many values. */
const shapeCount = 50;

/** Runs the loops and prints what is held every thousand iterations; nothing is disposed by hand. */
export async function measureMemory(): Promise<void> {
  await watch("eager loop on three numbers", async (k) => {
    const x = mx.array([k, 2, 3]);
    await x.mul(2).add(1).sum().item();
  });
  await watch(`eager loop over ${shapeCount} shapes`, async (k) => {
    const x = mx.ones([64, 16 + (k % shapeCount) * 8]).mul(k);
    await mx.evaluate(x);
    const y = mx.exp(x.mul(-0.1)).add(1);
    await y.sum().item();
  });
  const model = new nn.Sequential(new nn.Linear(64, 128), new nn.ReLU(), new nn.Linear(128, 10));
  const optimizer = new optim.Adam({ learningRate: 1e-3 });
  const lossAndGradients = nn.valueAndGrad(model, (m: typeof model, x: mx.MLXArray) => m(x).square().mean());
  await mx.evaluate(model);
  const step = mx.compile(
    (x: mx.MLXArray) => {
      const [loss, gradients] = lossAndGradients(model, x);
      optimizer.update(model, gradients);
      return loss;
    },
    { inputs: [model, optimizer], outputs: [model, optimizer] },
  );
  await watch(`compiled training step over ${shapeCount} shapes`, async (k) => {
    const loss = step(mx.random.normal([8 + (k % shapeCount) * 4, 64]));
    await mx.evaluate(loss, model, optimizer);
  });
}

async function watch(title: string, iteration: (k: number) => Promise<void>): Promise<void> {
  console.log(`\n${title}, ${iterations} iterations (MiB)`);
  console.log(["iterations", "active", "cache", "resident", "seconds"].map((text) => text.padStart(12)).join(""));
  const began = performance.now();
  for (let k = 1; k <= iterations; k++) {
    await iteration(k);
    if (k % reportEvery !== 0) continue;
    const bytes = [mx.memory.active, mx.memory.cache, process.memoryUsage.rss()];
    const mebibytes = bytes.map((count) => (count / 2 ** 20).toFixed(1).padStart(12)).join("");
    console.log(`${String(k).padStart(12)}${mebibytes}${((performance.now() - began) / 1000).toFixed(1).padStart(12)}`);
  }
}
