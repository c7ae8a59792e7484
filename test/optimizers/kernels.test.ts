/** How many kernels a training step takes: updates ride on the gradients that feed them. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { beforeAll, describe, expect, it } from "vitest";

const model = new nn.Sequential(new nn.Linear(12, 16), nn.relu, new nn.Linear(16, 8), nn.relu, new nn.Linear(8, 4));
const x = mx.random.normal([32, 12]);
const labels = mx.remainder(mx.arange(32), 4);
const lossOf = (m: typeof model, a: mx.MLXArray, b: mx.MLXArray): mx.MLXArray =>
  nn.losses.crossEntropy(m(a), b, { reduction: "mean" });

beforeAll(() => mx.evaluate(model, x, labels));

describe("a perceptron of three layers", () => {
  it.each([false, true])(
    "makes a compiled step of Adam in at most 14 (bias correction: %s)",
    async (biasCorrection) => {
      const optimizer = new optim.Adam({ learningRate: 1e-3, biasCorrection }).init(model.trainableParameters());
      await mx.evaluate(model, optimizer);
      const state = [model, optimizer];
      const step = mx.compile(
        (a: mx.MLXArray, b: mx.MLXArray): mx.MLXArray => {
          const [loss, gradients] = nn.valueAndGrad(model, lossOf)(model, a, b);
          optimizer.update(model, gradients);
          return loss;
        },
        { inputs: state, outputs: state },
      );
      const loss = step(x, labels);
      const { kernels } = mx.explain(loss, model, optimizer);
      expect(kernels.length).toBeLessThanOrEqual(14);
      expect(kernels.filter(({ kind }) => kind === "contraction")).toHaveLength(8);
      await mx.evaluate(loss, model, optimizer);
      await mx.evaluate(step(x, labels), model, optimizer);
      expect(await optimizer.step.item()).toBe(2);
    },
  );
});
