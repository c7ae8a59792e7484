/** One training for both of the example's networks: shuffled batches, Adam, a learning rate that falls to nothing. */
import * as mx from "mlx-ts";
import type * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import * as training from "mlx-ts/train";

/** What to fit, and how long. */
export interface TrainingPlan<M extends nn.Module> {
  readonly model: M;
  /** The loss of one batch, a scalar. */
  readonly lossOf: (model: M, inputs: mx.MLXArray, targets: mx.MLXArray) => mx.MLXArray;
  /** [samples, …] */
  readonly inputs: mx.MLXArray;
  /** [samples, …] */
  readonly targets: mx.MLXArray;
  readonly batchSize: number;
  readonly epochs: number;
  /** At the start; it falls along half a cosine to nothing. */
  readonly learningRate: number;
}

/** One pass over the samples, done. */
export interface EpochEnd {
  /** From 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** The mean over the batches of the pass. */
  readonly loss: number;
  /** Samples trained on in the pass. */
  readonly samples: number;
}

/** Trains the plan's model as its events are asked for: not asking pauses it, `break` ends it. */
export async function* train<M extends nn.Module>(plan: TrainingPlan<M>): AsyncGenerator<EpochEnd, void, undefined> {
  for await (const event of training.train(trainOptions(plan))) {
    if (event.kind === "epoch") {
      yield { epoch: event.epoch, epochs: plan.epochs, loss: event.loss, samples: samplesPerEpoch(plan) };
    }
  }
}

/** Samples that a pass of the plan's training sees: those that do not fill a batch sit out. */
function samplesPerEpoch<M extends nn.Module>({ inputs, batchSize }: TrainingPlan<M>): number {
  const sampleCount = inputs.shape[0] ?? 0;
  return sampleCount - (sampleCount % Math.min(batchSize, sampleCount));
}

/** The plan as `mlx-ts/train` takes it. A batch is the places of its samples. */
export function trainOptions<M extends nn.Module>(plan: TrainingPlan<M>): training.TrainOptions<M, mx.MLXArray> {
  const { model, inputs, targets, epochs } = plan;
  const sampleCount = inputs.shape[0] ?? 0;
  const batchSize = Math.min(plan.batchSize, sampleCount);
  const batches = samplesPerEpoch(plan) / batchSize;
  /** The samples that sit out are others in each pass. */
  async function* shuffled(): AsyncGenerator<mx.MLXArray> {
    // JavaScript reads the order: the CPU draws it, wherever the training runs.
    const drawn = mx.withDevice("cpu", () => mx.random.permutation(sampleCount));
    const order = await drawn.data("int32");
    for (let batch = 0; batch < batches; batch++) {
      yield mx.array(order.subarray(batch * batchSize, (batch + 1) * batchSize));
    }
  }
  return {
    model,
    optimizer: new optim.Adam({ learningRate: optim.cosineDecay(plan.learningRate, epochs * batches) }),
    loss: (m: M, rows: mx.MLXArray) => plan.lossOf(m, mx.take(inputs, rows, 0), mx.take(targets, rows, 0)),
    batches: shuffled,
    epochs,
  };
}
