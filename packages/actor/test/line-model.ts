/** A small model with randomness in its training, for the tests: the same on every thread. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import type { TrainOptions } from "mlx-ts/train";

/** Two layers with dropout between them. */
export class LineModel extends nn.Module {
  readonly first: nn.Linear = new nn.Linear(8, 256);
  readonly dropout: nn.Dropout = new nn.Dropout(0.2);
  readonly second: nn.Linear = new nn.Linear(256, 1);

  forward(x: mx.MLXArray): mx.MLXArray {
    return this.second(this.dropout(nn.relu(this.first(x))));
  }
}

/** What the model learns from. */
export interface LineData {
  readonly x: mx.MLXArray;
  readonly y: mx.MLXArray;
}

/** How it learns. */
export interface LineSettings {
  readonly steps: number;
  /** The step before which the worker fails, once. */
  readonly crashAt?: number;
}

/** Made anew on every thread, from the same seed. */
export function lineTraining(data: LineData, settings: LineSettings): TrainOptions<LineModel, LineData> {
  mx.random.seed(7);
  const model = new LineModel();
  let asked = 0;
  async function* batches(): AsyncGenerator<LineData, void, void> {
    for (let first = 0; first < 256; first += 64) {
      asked++;
      if (asked === settings.crashAt) await crash();
      yield { x: data.x.get(`${first}:${first + 64}`), y: data.y.get(`${first}:${first + 64}`) };
    }
  }
  return {
    model,
    optimizer: new optim.AdamW({ learningRate: 1e-2 }),
    loss: (m, { x, y }) => nn.losses.mseLoss(m(x), y),
    batches,
    steps: settings.steps,
    checkpoint: { everySteps: 5 },
  };
}

/** Fails outside of everything that could catch it, and never comes back. */
function crash(): Promise<never> {
  setTimeout(() => {
    throw new Error("power cut");
  }, 0);
  return new Promise(() => undefined);
}

/** Points of a plane, with noise. */
export async function lineData(): Promise<LineData> {
  const x = mx.random.normal([256, 8], { key: mx.random.key(1) });
  const y = mx.sum(x, 1, { keepAxes: true }).mul(0.5).add(1);
  await mx.evaluate(x, y);
  return { x, y };
}
