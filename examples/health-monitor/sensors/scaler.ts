/** The scaler of the article, grown up: one learned scale a channel, so that a usual step from reading to reading is 1. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { hasLabelWithin, type Series } from "./series.ts";

const learningRate = 0.1;
/** Each multiplies what is left to learn by a fifth. */
const updates = 24;

/** Multiplies each channel by a scale, whose logarithm is the parameter: scales of all sizes are equally far apart. */
export class StepScaler extends nn.Module {
  logarithm: mx.MLXArray;

  constructor(channelCount: number) {
    super();
    this.logarithm = mx.zeros([channelCount]);
  }

  /** [steps, channels] → the same. */
  forward(steps: mx.MLXArray): mx.MLXArray {
    return steps.mul(mx.exp(this.logarithm));
  }
}

/**
 * The unit of each channel over some series, learned by gradient descent: the root mean square of the steps in the training
 * readings, labelled ones left out, in that unit is 1. A channel that never moves has the unit 1.
 */
export async function learnUnits(all: readonly Series[]): Promise<readonly number[]> {
  const channelCount = all[0]?.channels.length ?? 0;
  const steps = trainingSteps(all);
  const moves = steps.map((values) => values.some((value) => value !== 0));
  const flat = Float32Array.from({ length: (steps[0]?.length ?? 0) * channelCount }, (_, place) => {
    const c = place % channelCount;
    return moves[c] ? (steps[c]?.[Math.floor(place / channelCount)] ?? 0) : 1;
  });
  if (flat.length === 0) return moves.map(() => 1);
  const x = mx.fromTypedArray(flat, [flat.length / channelCount, channelCount]);
  const scaler = new StepScaler(channelCount);
  // The logarithm of the mean square is linear in that of the scale: the loss is the same bowl for every channel.
  const lossOf = (model: StepScaler): mx.MLXArray => mx.log(model(x).square().mean(0)).square().sum();
  const valueAndGrad = nn.valueAndGrad(scaler, lossOf);
  const optimizer = new optim.SGD({ learningRate });
  for (let update = 0; update < updates; update++) {
    const [, gradients] = valueAndGrad(scaler);
    optimizer.update(scaler, gradients);
    await mx.evaluate(scaler, optimizer);
  }
  const scales = await mx.exp(scaler.logarithm).data();
  return Array.from(scales, Number).map((scale) => 1 / scale);
}

/** The differences of neighbouring training readings, none of them labelled, for each channel. */
function trainingSteps(all: readonly Series[]): readonly number[][] {
  const steps = (all[0]?.channels ?? []).map((): number[] => []);
  for (const series of all) {
    for (let index = 1; index < series.trainingLength; index++) {
      if (hasLabelWithin(series, index - 1, index + 1)) continue;
      for (const [c, values] of series.channels.entries()) {
        steps[c]?.push((values[index] ?? 0) - (values[index - 1] ?? 0));
      }
    }
  }
  return steps;
}
