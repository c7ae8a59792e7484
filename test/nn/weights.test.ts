/** Weights and optimizer states to and from bytes. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { describe, expect, it } from "vitest";

const make = () => new nn.Sequential(new nn.Linear(3, 4), nn.relu, new nn.BatchNorm(4), new nn.Linear(4, 2));
const input = mx.array([
  [1, -2, 3],
  [0.5, 1, -1],
]);

describe("weights", () => {
  it.each(["safetensors", "npz"] as const)("come back from %s bit for bit", async (format) => {
    const model = make();
    const restored = make();
    const bytes = await model.saveWeights(undefined, { format });
    expect(await restored.loadWeights(bytes)).toBe(restored);
    model.eval();
    restored.eval();
    expect(await restored(input).tolist()).toEqual(await model(input).tolist());
  });

  it("are refused where they do not fit, by name", async () => {
    const bytes = await make().saveWeights();
    await expect(new nn.Linear(3, 4).loadWeights(bytes)).rejects.toThrow(/layers\.0\.bias/);
    await expect(make().loadWeights({ "layers.0.weight": mx.zeros([4, 3]) })).rejects.toThrow(
      /no weights for layers\.0\.bias/,
    );
    const wrong = { weight: mx.zeros([3, 4]), bias: mx.zeros([4]) };
    await expect(new nn.Linear(3, 4).loadWeights(wrong)).rejects.toThrow(
      /weight is \[4, 3\], the weights are \[3, 4\]/,
    );
    expect(() => make().saveWeights("weights.txt")).toThrow(/safetensors or \.npz/);
  });

  it("are found by the names that MLX gives them in Python", async () => {
    const model = make();
    const named = Object.entries(await mx.loadArrays(await model.saveWeights()));
    const python = named.map(
      ([name, x]) => [name.replace("runningMean", "running_mean").replace("Var", "_var"), x] as const,
    );
    const restored = await make().loadWeights(python);
    model.eval();
    restored.eval();
    expect(await restored(input).tolist()).toEqual(await model(input).tolist());
    const attention = new nn.MultiHeadAttention(4, 2);
    await attention.loadWeights([["query_proj.weight", mx.ones([4, 4])]], { strict: false });
    expect(await attention.queryProj.weight.sum().item()).toBe(16);
  });

  it("have the shapes of the parameters, even where they are taken in part", async () => {
    const model = new nn.Linear(2, 3);
    const before = model.weight;
    for (const weight of [mx.ones([5]), mx.ones([2, 3])])
      await expect(model.loadWeights({ weight }, { strict: false })).rejects.toThrow(
        /weight is \[3, 2\], the weights are/,
      );
    // @ts-expect-error a number in place of an array
    await expect(model.loadWeights({ weight: 3 }, { strict: false })).rejects.toThrow(
      /weight are an array, got a number/,
    );
    expect(model.weight).toBe(before);
    await model.loadWeights({ toString: mx.ones([5]) }, { strict: false });
  });

  it("are taken in part when asked to", async () => {
    const model = make();
    await model.loadWeights({ "layers.3.bias": mx.array([7, 8]), other: mx.array([1]) }, { strict: false });
    expect(await model.layers[3].bias?.tolist()).toEqual([7, 8]);
  });
});

describe("the state of an optimizer", () => {
  it("comes back, and the next update is the same", async () => {
    const options = { learningRate: optim.exponentialDecay(0.1, 0.9), biasCorrection: true };
    const optimizer = new optim.Adam(options);
    const gradients = { layers: [{ weight: mx.array([0.5, -1]) }] };
    let parameters = { layers: [{ weight: mx.array([1, 2]) }] };
    for (let step = 0; step < 3; step++) parameters = optimizer.applyGradients(gradients, parameters);
    const restored = await new optim.Adam(options).loadState(await optimizer.saveState());
    expect(await restored.step.item()).toBe(3);
    const [next] = optimizer.applyGradients(gradients, parameters).layers;
    const [same] = restored.applyGradients(gradients, parameters).layers;
    expect(await same?.weight.tolist()).toEqual(await next?.weight.tolist());
  });

  it.each([
    new optim.SGD({ learningRate: 1, momentum: 0.9 }),
    new optim.RMSprop({ learningRate: 1 }),
    new optim.Adagrad({ learningRate: 1 }),
    new optim.AdaDelta({ learningRate: 1 }),
    new optim.Adam({ learningRate: 1 }),
    new optim.AdamW({ learningRate: 1 }),
    new optim.Adamax({ learningRate: 1 }),
    new optim.Lion({ learningRate: 1 }),
    new optim.Adafactor({ beta1: 0.9 }),
    new optim.Muon({ learningRate: 1 }),
  ])("fits whom it was saved of: %s", async (optimizer) => {
    const tree = { matrix: mx.ones([2, 3]), vector: mx.ones([3]) };
    optimizer.applyGradients(tree, tree);
    await optimizer.loadState(await optimizer.saveState());
    expect(optimizer.applyGradients(tree, tree).matrix.shape).toEqual([2, 3]);
  });

  it("of another optimizer is refused", async () => {
    const bytes = await new optim.SGD({ learningRate: 1, momentum: 0.5 }).init({ w: mx.array([1]) }).saveState();
    const adam = await new optim.Adam({ learningRate: 1 }).loadState(bytes);
    expect(() => adam.applyGradients({ w: mx.array([1]) }, { w: mx.array([1]) })).toThrow(/lacks "m"/);
    await expect(adam.loadState(await new nn.Linear(1, 1).saveWeights())).rejects.toThrow(mx.FormatError);
    const tree = { w: mx.array([[1, 2]]) };
    const saved = new optim.Adam({ learningRate: 1 }).init(tree).flatState();
    for (const other of [new optim.SGD({ learningRate: 1 }), new optim.RMSprop({ learningRate: 1 })])
      expect(() => other.loadFlatState(saved).applyGradients(tree, tree)).toThrow(/does not use m.* another optimizer/);
  });
});
