/** Trains the model on windows of a text, and judges it on windows that it has not seen. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import * as train from "mlx-ts/train";
import type { CharacterModel } from "./model.ts";

/** How to train. */
export interface TrainingOptions {
  readonly steps: number;
  /** Windows of an update. */
  readonly batchSize: number;
}

/** The highest learning rate, and the share of the training in which it is risen to. */
const learningRate = 3e-3;
const warmupShare = 0.1;

/** Windows that are judged at a time. */
const judgedWindows = 32;

interface Batch {
  /** Where windows begin: int32 [batch]. */
  readonly starts: mx.MLXArray;
}

/** Trains `model` on windows of `text` from random places. */
export function trainModel(
  model: CharacterModel,
  text: Int32Array,
  { steps, batchSize }: TrainingOptions,
): AsyncGenerator<train.TrainEvent, void, void> {
  const { context } = model;
  const characters = mx.array(text);
  const lossOf = (trained: CharacterModel, { starts }: Batch): mx.MLXArray =>
    windowLoss(trained, mx.take(characters, starts.expandDims(1).add(mx.arange(context + 1, { dtype: "int32" }))));
  function* batches(): Generator<Batch> {
    while (true) yield { starts: mx.random.randint(0, text.length - context, [batchSize]) };
  }
  const warmup = Math.ceil(warmupShare * steps);
  const optimizer = new optim.AdamW({
    learningRate: optim.joinSchedules(
      [
        optim.linearSchedule(learningRate / warmup, learningRate, warmup),
        optim.cosineDecay(learningRate, Math.max(steps - warmup, 1), learningRate / 20),
      ],
      [warmup],
    ),
    betas: [0.9, 0.95],
    weightDecay: 0.1,
    biasCorrection: true,
  });
  return train.train({ model, optimizer, loss: lossOf, batches, steps, clipNorm: 1 });
}

/** The mean loss, in nats, of what follows each character of `windows`, [batch, context + 1]. */
function windowLoss(model: CharacterModel, windows: mx.MLXArray): mx.MLXArray {
  return nn.losses.crossEntropy(model(windows.get(":, :-1")), windows.get(":, 1:"), { reduction: "mean" });
}

/** A loss in nats as bits. */
export function bitsOf(nats: number): number {
  return nats / Math.LN2;
}

/** A function that judges `model` on `text`: bits per character, over as many whole windows as there are, or `limit` of them. */
export function validator(model: CharacterModel, text: Int32Array): (limit?: number) => Promise<number> {
  const length = model.context + 1;
  const lossOf = mx.compile((windows: mx.MLXArray) => windowLoss(model, windows), { inputs: [model] });
  return async (limit = Number.POSITIVE_INFINITY) => {
    model.eval();
    // The last character of a window is the first of the next one.
    const whole = Math.floor((text.length - 1) / model.context);
    const count = Math.min(whole, limit);
    let total = 0;
    for (let first = 0; first < count; first += judgedWindows) {
      const windows = Array.from({ length: Math.min(judgedWindows, count - first) }, (_, k) => {
        const start = Math.floor(((first + k) * whole) / count) * model.context;
        return text.subarray(start, start + length);
      });
      const loss = lossOf(mx.stack(windows.map((window) => mx.array(window))));
      total += windows.length * Number(await loss.item());
    }
    return bitsOf(total / count);
  };
}
