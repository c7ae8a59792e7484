/** Trains the network, and judges it on images that it has not seen. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import * as train from "mlx-ts/train";
import { classNames, type LabelledImages, side } from "./dataset.ts";
import type { ClothingNetwork } from "./network.ts";

/** How to train. */
export interface TrainingOptions {
  readonly epochs: number;
  readonly batchSize: number;
  /** A directory that the training is written to, for the studio and TensorBoard. */
  readonly log?: string;
}

/** The highest learning rate, and the share of the training in which it is risen to. */
const learningRate = 4e-3;
const warmupShare = 0.2;

/** Images whose class is asked for at a time. */
const imagesPerPrediction = 500;

/** Images whose class is logged. */
const samplesLogged = 8;

interface Batch {
  /** Which images, [batch]. */
  readonly rows: mx.MLXArray;
}

/** The updates that a training of `count` images makes. */
export function stepsOf(count: number, { epochs, batchSize }: TrainingOptions): number {
  return epochs * Math.floor(count / Math.min(batchSize, count));
}

/** Trains `network` on `data`; its step events report the share of right answers as `metrics.accuracy`. */
export function trainNetwork(
  network: ClothingNetwork,
  data: LabelledImages,
  options: TrainingOptions,
): AsyncGenerator<train.TrainEvent, void, void> {
  const { count } = data;
  const batchSize = Math.min(options.batchSize, count);
  const images = mx.array(data.images).reshape([count, side, side]);
  const labels = mx.array(data.labels);
  const lossOf = (model: ClothingNetwork, { rows }: Batch): readonly [mx.MLXArray, { accuracy: mx.MLXArray }] => {
    const targets = mx.take(labels, rows, 0);
    const logits = model(mx.take(images, rows, 0));
    const loss = nn.losses.crossEntropy(logits, targets, { reduction: "mean" });
    return [loss, { accuracy: mx.equal(mx.argMax(logits, -1), targets).mean() }];
  };
  /** All images in random order; those that do not fill a batch sit out, and are others each time. */
  async function* batches(): AsyncGenerator<Batch> {
    // JavaScript reads the order: the CPU draws it, wherever the training runs.
    const shuffled = mx.withDevice("cpu", () => mx.random.permutation(count));
    const order = await shuffled.data("int32");
    for (let first = 0; first + batchSize <= count; first += batchSize) {
      yield { rows: mx.array(order.subarray(first, first + batchSize)) };
    }
  }
  const optimizer = new optim.AdamW({
    learningRate: schedule(stepsOf(count, options)),
    weightDecay: 0.02,
    biasCorrection: true,
  });
  const plan = { model: network, optimizer, loss: lossOf, batches, epochs: options.epochs };
  if (options.log === undefined) return train.train(plan);
  const take = (): Promise<readonly train.Sample[]> => sampleOf(network, data);
  const watch = {
    gradientNorm: true,
    histograms: { everySteps: 100 },
    samples: { everySteps: 100, take },
    kernels: true,
  };
  return train.train({ ...plan, log: options.log, watch });
}

/** What the network takes the first images for. */
async function sampleOf(network: ClothingNetwork, data: LabelledImages): Promise<readonly train.Sample[]> {
  const count = Math.min(samplesLogged, data.count);
  const { classes } = await judge(network, {
    count,
    images: data.images.subarray(0, count * side * side),
    labels: data.labels.subarray(0, count),
  });
  return Array.from(classes, (predicted, k) => ({
    prediction: classNames[predicted] ?? "",
    target: classNames[data.labels[k] ?? 0] ?? "",
  }));
}

/** From a tenth of the learning rate along a line up to it, then along half a cosine to nothing. */
function schedule(steps: number): optim.Schedule {
  const warmup = Math.ceil(warmupShare * steps);
  const rise = optim.linearSchedule(learningRate / 10, learningRate, warmup);
  return optim.joinSchedules([rise, optim.cosineDecay(learningRate, Math.max(steps - warmup, 1))], [warmup]);
}

/** What a network says about images. */
export interface Judgement {
  /** The class that it takes each image for. */
  readonly classes: Uint8Array;
  /** The probability that it gives to that class. */
  readonly confidences: Float32Array;
  /** The share of images that it is right about. */
  readonly accuracy: number;
  /** `confusion[label][class]`: how many images of a label it takes for a class. */
  readonly confusion: readonly (readonly number[])[];
}

/** Asks `network` about every image of `data`. */
export async function judge(network: ClothingNetwork, data: LabelledImages): Promise<Judgement> {
  const { count, labels } = data;
  network.eval();
  const answer = mx.compile(
    (images: mx.MLXArray): mx.MLXArray[] => {
      const probabilities = mx.softmax(network(images), -1);
      return [mx.argMax(probabilities, -1), mx.max(probabilities, -1)];
    },
    { inputs: [network] },
  );
  const classes = new Uint8Array(count);
  const confidences = new Float32Array(count);
  for (let first = 0; first < count; first += imagesPerPrediction) {
    const end = Math.min(first + imagesPerPrediction, count);
    const pixels = data.images.subarray(first * side * side, end * side * side);
    const [taken, sure] = answer(mx.array(pixels).reshape([end - first, side, side]));
    if (!taken || !sure) continue;
    await mx.evaluate(taken, sure);
    classes.set(await taken.data("uint32"), first);
    confidences.set(await sure.data("float32"), first);
  }
  const confusion = classNames.map(() => classNames.map(() => 0));
  let right = 0;
  labels.forEach((label, image) => {
    const row = confusion[label];
    const taken = classes[image] ?? 0;
    if (row) row[taken] = (row[taken] ?? 0) + 1;
    if (label === taken) right++;
  });
  return { classes, confidences, accuracy: right / count, confusion };
}
