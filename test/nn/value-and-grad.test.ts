/** Gradients with respect to modules: values, types, frozen parameters, failures. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import { describe, expect, expectTypeOf, it } from "vitest";

class Scaler extends nn.Module {
  scale: mx.MLXArray;
  constructor(initial: number) {
    super();
    this.scale = mx.array(initial);
  }
  forward(x: mx.MLXArray): mx.MLXArray {
    return mx.multiply(x, this.scale);
  }
}

const lossOf = (s: Scaler, x: mx.MLXArray, target: mx.MLXArray): mx.MLXArray =>
  mx.square(mx.subtract(mx.mean(s(x)), target));

describe("nn.valueAndGrad", () => {
  it("gives the founding article's numbers", async () => {
    const scaler = new Scaler(1.5);
    const [loss, gradients] = nn.valueAndGrad(scaler, lossOf)(scaler, mx.array([70, 72, 75, 80, 68]), mx.array(1));
    expect(await loss.item()).toBe(11772.25);
    expect(await gradients.scale.item()).toBe(15841);
  });

  it("types gradients by the model", async () => {
    const model = new nn.Sequential(new nn.Linear(2, 3), nn.relu, new nn.Linear(3, 1));
    const sumOf = (m: typeof model, x: mx.MLXArray): mx.MLXArray => mx.sum(m(x));
    const [loss, gradients] = nn.valueAndGrad(model, sumOf)(model, mx.array([[1, 2]]));
    expect(gradients.layers[0].weight.shape).toEqual([3, 2]);
    expect(gradients.layers[2].bias?.shape).toEqual([1]);
    expect(await gradients.layers[2].bias?.tolist()).toEqual([1]);
    expectTypeOf(loss).toEqualTypeOf<mx.MLXArray>();
    expectTypeOf(gradients.layers[0].weight).toEqualTypeOf<mx.MLXArray>();
    expectTypeOf(gradients.layers[0]).not.toHaveProperty("weigth");
    expectTypeOf(gradients).not.toHaveProperty("layer");
    expectTypeOf(gradients.layers[0]).not.toHaveProperty("describeExtra");
  });

  it("leaves frozen parameters out", async () => {
    const model = new nn.Sequential(new nn.Linear(2, 3), new nn.Linear(3, 1));
    model.layers[0].freeze();
    const sumOf = (m: typeof model, x: mx.MLXArray): mx.MLXArray => mx.sum(m(x));
    const [, gradients] = nn.valueAndGrad(model, sumOf)(model, mx.array([[1, 2]]));
    expect(mx.treeFlatten(gradients).map(([path]) => path)).toEqual(["layers.1.weight", "layers.1.bias"]);
    model.freeze();
    expect(() => nn.valueAndGrad(model, sumOf)(model, mx.array([[1, 2]]))).toThrow(mx.GradientError);
  });

  it("leaves the parameters as they were, even if the function throws", () => {
    const scaler = new Scaler(2);
    const before = scaler.scale;
    nn.valueAndGrad(scaler, lossOf)(scaler, mx.array([1]), mx.array(1));
    expect(scaler.scale).toBe(before);
    const failing = (): mx.MLXArray => {
      throw new RangeError("no");
    };
    expect(() => nn.valueAndGrad(scaler, failing)(scaler)).toThrow(RangeError);
    expect(scaler.scale).toBe(before);
  });

  it("passes further results through", async () => {
    const scaler = new Scaler(2);
    const withOutput = (s: Scaler, x: mx.MLXArray): [mx.MLXArray, mx.MLXArray] => [mx.sum(s(x)), s(x)];
    const [[loss, output], gradients] = nn.valueAndGrad(scaler, withOutput)(scaler, mx.array([1, 2]));
    expect(await loss.item()).toBe(6);
    expect(await output.tolist()).toEqual([2, 4]);
    expect(await gradients.scale.item()).toBe(3);
  });

  it("keeps running statistics that the forward pass has collected", async () => {
    const norm = new nn.BatchNorm(2);
    const sumOf = (m: nn.BatchNorm, x: mx.MLXArray): mx.MLXArray => mx.sum(m(x));
    nn.valueAndGrad(norm, sumOf)(
      norm,
      mx.array([
        [1, 10],
        [3, 30],
      ]),
    );
    expect(await norm.runningMean?.tolist()).toEqual([expect.closeTo(0.2, 6), expect.closeTo(2, 6)]);
  });

  it("differentiates through gradients", async () => {
    const scaler = new Scaler(2);
    const cubed = (s: Scaler): mx.MLXArray => mx.multiply(mx.multiply(s.scale, s.scale), s.scale);
    const slope = (x: mx.MLXArray): mx.MLXArray => {
      scaler.update({ scale: x });
      return nn.valueAndGrad(scaler, cubed)(scaler)[1].scale;
    };
    expect(await mx.grad(slope)(mx.array(2)).item()).toBe(12);
  });
});

describe("the transforms of functions", () => {
  const model = new nn.Linear(2, 1);
  const sumOf = (m: nn.Linear, x: mx.MLXArray): mx.MLXArray => mx.sum(m(x));

  it("differentiate with respect to a module that is an argument, and leave it as it was", async () => {
    const { weight } = model;
    const gradient = mx.grad(sumOf)(model, mx.array([[1, 2]]));
    expect(await gradient.weight.tolist()).toEqual([[1, 2]]);
    expect(model.weight).toBe(weight);
    const [byModel, byInput] = mx.grad(sumOf, [0, 1])(model, mx.array([[1, 2]]));
    expect(await byModel.weight.tolist()).toEqual([[1, 2]]);
    expect(await byInput.tolist()).toEqual(await weight.tolist());
    const failing = (_: nn.Linear): mx.MLXArray => {
      throw new RangeError("no");
    };
    expect(() => mx.grad(failing)(model)).toThrow(RangeError);
    expect(model.weight).toBe(weight);
  });

  it("batch over inputs with a shared module, and over the modules of an ensemble", async () => {
    const rows = mx.array([
      [1, 2],
      [3, 4],
    ]);
    const each = mx.vmap(sumOf, { inAxes: [null, 0] })(model, rows);
    expect(await each.tolist()).toEqual(await mx.squeeze(model(rows), -1).tolist());
    const ensemble = new nn.Linear(2, 1, { bias: false });
    ensemble.weight = mx.array([[[1, 0]], [[0, 1]]]);
    expect(await mx.vmap(sumOf)(ensemble, rows).tolist()).toEqual([1, 4]);
    expect(ensemble.weight.shape).toEqual([2, 1, 2]);
  });

  it("compile with a module as argument", async () => {
    const compiled = mx.compile(sumOf);
    const x = mx.array([[1, 2]]);
    expect(await compiled(model, x).item()).toBeCloseTo(Number(await sumOf(model, x).item()), 6);
  });
});
