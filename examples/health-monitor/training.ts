/** One training loop for both of the example's networks: shuffled batches, Adam, a compiled step. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";

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
  const { model, inputs, targets, epochs } = plan;
  const sampleCount = inputs.shape[0] ?? 0;
  const batchSize = Math.min(plan.batchSize, sampleCount);
  const batches = Math.floor(sampleCount / batchSize);
  const optimizer = new optim.Adam({ learningRate: optim.cosineDecay(plan.learningRate, epochs * batches) });
  optimizer.init(model.trainableParameters());
  const valueAndGrad = nn.valueAndGrad(model, plan.lossOf);
  const step = mx.compile(
    (rows: mx.MLXArray): mx.MLXArray => {
      const [loss, gradients] = valueAndGrad(model, mx.take(inputs, rows, 0), mx.take(targets, rows, 0));
      optimizer.update(model, gradients);
      return loss;
    },
    { inputs: [model, optimizer], outputs: [model, optimizer] },
  );
  for (let epoch = 1; epoch <= epochs; epoch++) {
    // The samples that do not fill a batch sit out; they are others in each pass.
    const order = mx.random.permutation(sampleCount);
    let total = mx.array(0);
    for (let batch = 0; batch < batches; batch++) {
      const loss = step(order.get(`${batch * batchSize}:${(batch + 1) * batchSize}`));
      total = total.add(loss);
      await mx.evaluate(model, optimizer, total);
    }
    yield { epoch, epochs, loss: Number(await total.item()) / batches, samples: batches * batchSize };
  }
}
