/** What optimizers make of gradients: those that do not fit are refused before anything changes, parts of a tree are not. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { describe, expect, it } from "vitest";
import { called, expectRefusal } from "../setup/wrong-options.ts";

const sgd = (): optim.SGD => new optim.SGD({ learningRate: 1 });
const several = (): optim.MultiOptimizer =>
  new optim.MultiOptimizer([sgd(), new optim.Adam({ learningRate: 1 })], [(path) => path.endsWith("bias")]);

describe.each([
  ["SGD", sgd],
  ["MultiOptimizer", several],
])("gradients for %s", (_, make) => {
  it.each<readonly [title: string, gradients: unknown, message: string]>([
    ["of nothing", {}, "there is no gradient in the tree"],
    ["of an empty branch", { layers: [{}, {}] }, "there is no gradient in the tree"],
    ["of something else", { weight: mx.ones([3, 2]) }, 'no parameter at "weight"'],
    ["of a layer too many", { layers: [{}, {}, { weight: mx.ones([1]) }] }, 'no parameter at "layers.2.weight"'],
    ["below a parameter", { layers: [{ weight: { inner: mx.ones([1]) } }] }, "layers.0.weight.inner"],
    ["of another shape", { layers: [{ weight: mx.ones([3]) }] }, '"layers.0.weight" is [3, 2], its gradient [3]'],
    [
      "that are numbers",
      { layers: [{ weight: 1, bias: mx.ones([3]) }] },
      '"layers.0.weight" is an array, or null, got 1',
    ],
    ["left out by mistake", { layers: [{ weight: undefined, bias: mx.ones([3]) }] }, "or null, got undefined"],
    ["without tree", mx.ones([3]), "a tree like the parameters, got an array"],
  ])("%s are refused, and nothing has changed", async (title, gradients, message) => {
    const model = new nn.Sequential(new nn.Linear(2, 3), new nn.Linear(3, 1));
    const before = model.parameters();
    const optimizer = make();
    await expectRefusal(
      () => called(optimizer.update.bind(optimizer), model, gradients),
      "applyGradients",
      message,
      title,
    );
    expect(await optimizer.step.item()).toBe(0);
    expect(Object.keys(optimizer.state.parameters)).toEqual([]);
    expect(model.layers[0].weight).toBe(before.layers[0].weight);
  });

  it("may be a part of the tree, or null for what stays", async () => {
    const model = new nn.Sequential(new nn.Linear(2, 3), new nn.Linear(3, 1));
    const [first, second] = [model.layers[0].weight, model.layers[1].weight];
    const lower = await model.layers[0].bias?.subtract(1).tolist();
    const optimizer = make();
    optimizer.update(model, { layers: [{ weight: null, bias: mx.ones([3]) }] });
    expect(model.layers[0].weight).toBe(first);
    expect(model.layers[1].weight).toBe(second);
    expect(await model.layers[0].bias?.tolist()).toEqual(lower);
    optimizer.update(model, { layers: [{ weight: null }] });
    expect(await optimizer.step.item()).toBe(2);
  });
});

describe("a learning rate that is none", () => {
  it.each([-0.1, Number.NaN, Number.POSITIVE_INFINITY])(
    "is refused in an array that can be seen: %s",
    async (value) => {
      const refused = [mx.array(value), () => mx.array(value)];
      for (const learningRate of refused)
        await expectRefusal(() => new optim.SGD({ learningRate }), "SGD", "got array(", String(value));
      const optimizer = sgd();
      await expectRefusal(() => (optimizer.learningRate = mx.array(value)), "SGD", "a number from 0", String(value));
    },
  );

  it("is refused before the update that it is for changes anything", async () => {
    let rate = mx.array(0.5);
    const optimizer = new optim.SGD({ learningRate: () => rate, momentum: 0.5 });
    const parameters = { w: mx.array([1]) };
    optimizer.applyGradients(parameters, parameters);
    const velocity = optimizer.state.parameters.w?.v;
    rate = mx.array(-1);
    expect(() => optimizer.applyGradients(parameters, parameters)).toThrow(
      /a number from 0 or a scalar array, got array\(-1/,
    );
    expect(optimizer.state.parameters.w?.v).toBe(velocity);
    expect([await optimizer.step.item(), await optimizer.learningRate.item()]).toEqual([1, 0.5]);
  });
});

describe("clipGradNorm", () => {
  it.each(["float16", "bfloat16", "int8"] as const)("adds up squares of %s in float32", async (dtype) => {
    const gradients = { w: mx.full([1000], 100).asType(dtype) };
    const [, norm] = optim.clipGradNorm(gradients, 1);
    expect(norm.dtype).toBe("float32");
    expect(await norm.item()).toBeCloseTo(100 * Math.sqrt(1000), 2);
  });

  it("has the norm of many bfloat16 numbers to float32's digits", async () => {
    const w = mx.random.normal([4096]).asType("bfloat16");
    const [, norm] = optim.clipGradNorm({ w }, 1);
    const expected = Math.hypot(...(await w.data("float32")));
    expect(Math.abs(Number(await norm.item()) / expected - 1)).toBeLessThan(1e-6);
  });
});

describe("JSON of an optimizer", () => {
  it("has the learning rate and the updates made, beside its settings", () => {
    const optimizer = new optim.SGD({ learningRate: 0.25, momentum: 0.5 });
    optimizer.applyGradients({ w: mx.array([1]) }, { w: mx.array([1]) });
    const settings = { momentum: 0.5, weightDecay: 0, dampening: 0, nesterov: false };
    expect(JSON.parse(JSON.stringify(optimizer))).toEqual({ learningRate: 0.25, step: 1, ...settings });
    const pending = new optim.SGD({ learningRate: mx.array(0.25).mul(2) });
    expect(JSON.parse(JSON.stringify(pending))).toMatchObject({ learningRate: "not yet computed", step: 0 });
    expect(JSON.parse(JSON.stringify(several()))).toMatchObject({
      learningRate: 1,
      optimizers: [{ learningRate: 1 }, {}],
    });
  });
});

describe("a gradient of float16 that is 0 from the beginning", () => {
  const rate = { learningRate: 0.01 };
  it.each<readonly [name: string, make: () => optim.Optimizer]>([
    ["Adam", () => new optim.Adam(rate)],
    ["Adam with bias correction", () => new optim.Adam({ ...rate, biasCorrection: true })],
    ["AdamW", () => new optim.AdamW({ ...rate, weightDecay: 0 })],
    ["Adamax", () => new optim.Adamax(rate)],
    ["RMSprop", () => new optim.RMSprop(rate)],
    ["Adagrad", () => new optim.Adagrad(rate)],
    ["AdaDelta", () => new optim.AdaDelta({ ...rate, eps: 1e-10 })],
    ["Adafactor", () => new optim.Adafactor({ ...rate, relativeStep: false, scaleParameter: false })],
  ])("leaves its parameter as it is in %s, and others move", async (_, make) => {
    const optimizer = make();
    let parameters = { table: mx.ones([2, 2], "float16") };
    const gradients = {
      table: mx.array(
        [
          [0, 0],
          [0.5, -0.25],
        ],
        "float16",
      ),
    };
    for (let step = 0; step < 3; step++) parameters = optimizer.applyGradients(gradients, parameters);
    const [a, b, c = 0, d = 0] = await parameters.table.data("float32");
    expect([a, b]).toEqual([1, 1]);
    expect(c).toBeLessThanOrEqual(1);
    expect(d).toBeGreaterThanOrEqual(1);
    expect([c, d].every(Number.isFinite)).toBe(true);
  });
});
