/** The founding article's own example: five readings, one scale, and a mean that shall become 1. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";

/** A model with one parameter, which its input is multiplied by. */
export class SimpleScaler extends nn.Module {
  scale: mx.MLXArray;

  constructor(initial: number) {
    super();
    this.scale = mx.array(initial);
  }

  forward(x: mx.MLXArray): mx.MLXArray {
    return x.mul(this.scale);
  }
}

/** Heart rates, in beats a minute. */
export const readings: readonly number[] = [70, 72, 75, 80, 68];

/** What the example computes. */
export interface ArticleResult {
  readonly scaled: readonly number[];
  readonly loss: number;
  readonly gradient: number;
  /** The scale before training and after each of its steps. */
  readonly scales: readonly number[];
}

const initialScale = 1.5;
const target = 1;
const steps = 40;

/** Computes the article's numbers, then trains the scale to 1 / 73, at which the scaled readings have the mean 1. */
export async function runArticle(): Promise<ArticleResult> {
  const x = mx.array([...readings]);
  const scaler = new SimpleScaler(initialScale);
  const lossOf = (model: SimpleScaler): mx.MLXArray => model(x).mean().sub(target).square();
  const valueAndGrad = nn.valueAndGrad(scaler, lossOf);

  const scaled = await scaler(x).data();
  const [loss, gradients] = valueAndGrad(scaler);
  const first = { loss: Number(await loss.item()), gradient: Number(await gradients.scale.item()) };

  const optimizer = new optim.SGD({ learningRate: 5e-5 });
  const scales = [initialScale];
  for (let step = 0; step < steps; step++) {
    const [, slopes] = valueAndGrad(scaler);
    optimizer.update(scaler, slopes);
    scales.push(Number(await scaler.scale.item()));
  }
  return { scaled: Array.from(scaled, Number), ...first, scales };
}
