/** A small training, a sum and a sort on the device that TRY_DEVICE names, in whatever runtime this runs. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";

const device = process.env.TRY_DEVICE === "gpu" ? "gpu" : "cpu";
mx.random.seed(1);
const model = new nn.Linear(3, 1);
mx.setDefaultDevice(device);
const optimizer = new optim.SGD({ learningRate: 0.1 });
const x = mx.random.normal([64, 3]);
const y = x.matmul(mx.array([[1], [2], [3]]));
const lossAndGradients = nn.valueAndGrad(model, (m, a, b) => m(a).sub(b).square().mean());
const step = mx.compile(
  (a, b) => {
    const [loss, gradients] = lossAndGradients(model, a, b);
    optimizer.update(model, gradients);
    return loss;
  },
  { inputs: [model, optimizer], outputs: [model, optimizer], donate: true },
);
await mx.evaluate(model, x, y);
let loss = Number.NaN;
for (let k = 0; k < 100; k++) {
  const latest = step(x, y);
  await mx.evaluate(latest, model, optimizer);
  loss = Number(await latest.item());
}
const sum = await mx.ones([300_000]).sum().item();
const sorted = await mx.sort(mx.array([3, 1, 2])).tolist();
if (!(loss < 1e-3) || sum !== 300_000 || String(sorted) !== "1,2,3") throw new Error(`${loss}, ${sum}, ${sorted}`);
console.log("right", device === "gpu" ? (await mx.gpu.info()).description : "");
