/** MultiOptimizer: each parameter goes to its optimizer, and everything that takes an optimizer takes several. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { describe, expect, it } from "vitest";

const isBias = (path: string): boolean => path.endsWith("bias");
const both = (): optim.MultiOptimizer =>
  new optim.MultiOptimizer(
    [new optim.Adam({ learningRate: 0.1 }), new optim.SGD({ learningRate: 1, momentum: 0.5 })],
    [isBias],
  );

const parameters = { layers: [{ weight: mx.array([1, 2]), bias: mx.array([3]) }, { weight: mx.array([4]) }] };
const gradients = { layers: [{ weight: mx.array([1, 1]), bias: mx.array([2]) }, { weight: mx.array([3]) }] };

describe("MultiOptimizer", () => {
  it("does to each parameter what its optimizer alone does", async () => {
    const optimizer = both();
    const [adam, sgd] = [new optim.Adam({ learningRate: 0.1 }), new optim.SGD({ learningRate: 1, momentum: 0.5 })];
    let [together, biases, weights] = [parameters, parameters, parameters];
    for (let step = 0; step < 3; step++) {
      together = optimizer.applyGradients(gradients, together);
      biases = adam.applyGradients(gradients, biases);
      weights = sgd.applyGradients(gradients, weights);
    }
    expect(await together.layers[0]?.bias?.tolist()).toEqual(await biases.layers[0]?.bias?.tolist());
    expect(await together.layers[0]?.weight.tolist()).toEqual(await weights.layers[0]?.weight.tolist());
    expect(await together.layers[1]?.weight.tolist()).toEqual(await weights.layers[1]?.weight.tolist());
    expect(await optimizer.step.item()).toBe(3);
    expect(Object.keys(optimizer.state.parameters).sort()).toEqual([
      "layers.0.bias",
      "layers.0.weight",
      "layers.1.weight",
    ]);
  });

  it("saves and loads the states of all", async () => {
    const optimizer = both();
    const next = optimizer.applyGradients(gradients, parameters);
    const loaded = await both().loadState(await optimizer.saveState());
    const [expected, found] = [optimizer, loaded].map((one) => one.applyGradients(gradients, next));
    expect(await found?.layers[0]?.bias?.tolist()).toEqual(await expected?.layers[0]?.bias?.tolist());
    expect(await found?.layers[1]?.weight.tolist()).toEqual(await expected?.layers[1]?.weight.tolist());
  });

  it("trains a model inside a compiled step", async () => {
    const model = new nn.Linear(2, 1);
    const optimizer = new optim.MultiOptimizer(
      [new optim.SGD({ learningRate: 0.1 }), new optim.Muon({ learningRate: 0.05, weightDecay: 0 })],
      [isBias],
    ).init(model.trainableParameters());
    const [x, y] = [
      mx.array([
        [1, 2],
        [3, -1],
        [0, 1],
      ]),
      mx.array([[1], [2], [0]]),
    ];
    const lossOf = (m: nn.Linear): mx.MLXArray => nn.losses.mseLoss(m(x), y);
    const state = [model, optimizer];
    const step = mx.compile(
      (): mx.MLXArray => {
        const [loss, changes] = nn.valueAndGrad(model, lossOf)(model);
        optimizer.update(model, changes);
        return loss;
      },
      { inputs: state, outputs: state },
    );
    const losses: number[] = [];
    for (let k = 0; k < 40; k++) losses.push(Number(await step().item()));
    expect(losses.at(-1)).toBeLessThan(0.2 * (losses[0] ?? 0));
    expect(await optimizer.step.item()).toBe(40);
  });

  it("refuses filters that do not say whether they take a parameter", () => {
    const rates = [new optim.SGD({ learningRate: 1 }), new optim.Adam({ learningRate: 1 })];
    const silent: optim.ParameterFilter = () => Reflect.get({}, "answer");
    const optimizer = new optim.MultiOptimizer(rates, [silent]);
    expect(() => optimizer.applyGradients(gradients, parameters)).toThrow(
      'MultiOptimizer: what filter 0 says of "layers.0.weight" is true or false, got undefined',
    );
  });

  it("refuses a number of filters that does not fit", () => {
    expect(() => new optim.MultiOptimizer([new optim.SGD({ learningRate: 1 })], [isBias])).toThrow(
      /filter for each but the last/,
    );
    expect(() => (both().state = {})).toThrow(/set those of its optimizers/);
  });
});
