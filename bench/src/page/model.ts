/** What the benchmark of the main thread trains: large enough that a step takes milliseconds. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import type { TrainOptions } from "mlx-ts/train";

/** Three layers, 330,000 parameters. */
export class Network extends nn.Module {
  readonly first: nn.Linear = new nn.Linear(128, 512);
  readonly second: nn.Linear = new nn.Linear(512, 512);
  readonly third: nn.Linear = new nn.Linear(512, 1);

  forward(x: mx.MLXArray): mx.MLXArray {
    return this.third(nn.relu(this.second(nn.relu(this.first(x)))));
  }
}

interface Data {
  readonly x: mx.MLXArray;
  readonly y: mx.MLXArray;
}

/** Its training, on 256 rows at a time. */
export function training(data: Data, settings: { readonly steps: number }): TrainOptions<Network, Data> {
  mx.random.seed(5);
  return {
    model: new Network(),
    optimizer: new optim.AdamW({ learningRate: 1e-3 }),
    loss: (model, { x, y }) => nn.losses.mseLoss(model(x), y),
    *batches() {
      for (let row = 0; row < 4096; row += 256)
        yield { x: data.x.get(`${row}:${row + 256}`), y: data.y.get(`${row}:${row + 256}`) };
    },
    steps: settings.steps,
    checkpoint: { everySteps: 50 },
  };
}
