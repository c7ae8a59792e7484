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

describe("dtypes", () => {
  const families: readonly (readonly [name: string, make: () => optim.Optimizer])[] = [
    ["SGD", () => new optim.SGD({ learningRate: 1e-2, momentum: 0.9 })],
    ["Lion", () => new optim.Lion({ learningRate: 1e-2 })],
    ["Adam", () => new optim.Adam({ learningRate: 1e-2 })],
    ["Adam with correction", () => new optim.Adam({ learningRate: 1e-2, biasCorrection: true })],
    ["AdamW", () => new optim.AdamW({ learningRate: 1e-2, weightDecay: 0 })],
    ["Adamax", () => new optim.Adamax({ learningRate: 1e-2 })],
    ["RMSprop", () => new optim.RMSprop({ learningRate: 1e-2 })],
    ["Adagrad", () => new optim.Adagrad({ learningRate: 1e-2 })],
    ["AdaDelta", () => new optim.AdaDelta({ learningRate: 1 })],
    ["Adafactor", () => new optim.Adafactor()],
    ["Muon", () => new optim.Muon({ learningRate: 1e-2, weightDecay: 0 })],
  ];

  it.each(families)("of 16 bits: %s does nothing where all gradients are 0", async (_, make) => {
    for (const dtype of ["float16", "bfloat16"] as const) {
      const optimizer = make();
      let parameters = { w: mx.array([[1, -2]]).asType(dtype), b: mx.array([0.5]).asType(dtype) };
      const zeros = { w: mx.zeros([1, 2], dtype), b: mx.zeros([1], dtype) };
      for (let step = 0; step < 3; step++) {
        parameters = optimizer.applyGradients(zeros, parameters);
        await mx.evaluate(parameters, optimizer);
      }
      expect(await parameters.w.tolist(), dtype).toEqual([[1, -2]]);
      expect(await parameters.b.tolist(), dtype).toEqual([0.5]);
      expect([parameters.w.dtype, parameters.b.dtype]).toEqual([dtype, dtype]);
    }
  });

  it.each(families)(
    "float16: %s goes where it goes in float32, for gradients whose squares it cannot hold",
    async (_, make) => {
      const changedIn = async (dtype: "float16" | "float32"): Promise<readonly number[]> => {
        const [w, gradient] = [mx.array([[1, -2]]), mx.array([[300, 400]])].map((x) => x.asType(dtype));
        const { w: changed } = make().applyGradients({ w: gradient ?? mx.array(0) }, { w: w ?? mx.array(0) });
        return [...(await changed.data("float32"))];
      };
      const [half, whole] = [await changedIn("float16"), await changedIn("float32")];
      for (const [k, value] of whole.entries()) expect(half[k]).toBeCloseTo(value, 2);
    },
  );

  it.each(families)(
    "float16: %s goes on as in float32 after the only gradient, whose square it cannot hold",
    async (_, make) => {
      const changedIn = async (dtype: "float16" | "float32"): Promise<readonly number[]> => {
        const optimizer = make();
        let parameters = { w: mx.array([[1, -2]]).asType(dtype) };
        for (const value of [1e-3, 0, 0, 0]) {
          parameters = optimizer.applyGradients({ w: mx.full([1, 2], value).asType(dtype) }, parameters);
          await mx.evaluate(parameters, optimizer);
        }
        return [...(await parameters.w.data("float32"))];
      };
      const [half, whole] = [await changedIn("float16"), await changedIn("float32")];
      for (const [k, value] of whole.entries()) expect(half[k]).toBeCloseTo(value, 2);
    },
  );

  it("of parameters stay, whatever those of gradients are", () => {
    for (const [name, make] of families) {
      const parameters = { w: mx.ones([1, 2], "float16"), b: mx.ones([2], "float32") };
      const gradients = { w: mx.ones([1, 2], "float32"), b: mx.ones([2], "bfloat16") };
      const { w, b } = make().applyGradients(gradients, parameters);
      expect([w.dtype, b.dtype], name).toEqual(["float16", "float32"]);
    }
  });

  it("of whole numbers are refused: every step would be 0", () => {
    const whole = { w: mx.array([1, 2], "int32") };
    expect(() => sgd().applyGradients(whole, whole)).toThrow(/"w" is int32, its gradient int32/);
    expect(() => sgd().applyGradients(whole, { w: mx.ones([2]) })).toThrow(mx.DtypeError);
  });
});

describe("a state that is taken over", () => {
  const parameters = { w: mx.ones([2]) };
  const fresh = (): optim.SGD => new optim.SGD({ learningRate: 0.1, momentum: 0.9 });

  it("must be of a parameter of this shape, before anything changes", async () => {
    for (const v of [mx.ones([1]), mx.ones([3]), mx.ones([2, 1])]) {
      for (const optimizer of [
        fresh().loadFlatState({ "parameters.w.v": v }),
        Object.assign(fresh(), { state: { parameters: { w: { v } } } }),
      ]) {
        expect(() => optimizer.applyGradients(parameters, parameters)).toThrow(
          /SGD: "v" of "w" is .* would be \[2\] for the parameter/,
        );
        expect(() => optimizer.init(parameters)).toThrow(mx.ShapeError);
        expect(await optimizer.step.item()).toBe(0);
      }
    }
    const fitting = fresh().loadFlatState({ "parameters.w.v": mx.ones([2]) });
    expect(await fitting.applyGradients(parameters, parameters).w.tolist()).toEqual([
      expect.closeTo(0.81, 6),
      expect.closeTo(0.81, 6),
    ]);
  });

  it("must be of the optimizer, before anything changes", async () => {
    const optimizer = new optim.Adam({ learningRate: 0.1 }).loadFlatState({ "parameters.w.v": mx.ones([2]) });
    expect(() => optimizer.applyGradients(parameters, parameters)).toThrow(
      /its state lacks "m"; was it saved by another/,
    );
    expect(await optimizer.step.item()).toBe(0);
    expect(() => several().loadFlatState({ step: mx.array(3) })).toThrow(
      /"step" is no part of the state of 2 optimizers/,
    );
    expect(() => several().loadFlatState({ "optimizers.2.step": mx.array(3) })).toThrow(mx.FormatError);
  });

  it("has a scalar step and a learning rate that is one", () => {
    expect(() => fresh().loadFlatState({ step: mx.ones([3]) })).toThrow(/step is a scalar, got shape \[3\]/);
    expect(() => fresh().loadFlatState({ learningRate: mx.array(-1) })).toThrow(/a number from 0/);
    expect(() => Object.assign(fresh(), { state: { learningRate: mx.ones([3]) } })).toThrow(/got shape \[3\]/);
  });
});

describe("a schedule", () => {
  it("may count down from the step, below zero too", async () => {
    const optimizer = new optim.SGD({ learningRate: (step) => mx.subtract(1, step).multiply(0.1) });
    const parameters = { w: mx.ones([1]) };
    const rates: unknown[] = [];
    for (let step = 0; step < 3; step++) {
      optimizer.applyGradients(parameters, parameters);
      rates.push(await optimizer.learningRate.item());
    }
    expect(rates).toEqual([expect.closeTo(0.1, 6), 0, expect.closeTo(-0.1, 6)]);
  });
});

describe("Muon", () => {
  it("leaves a parameter without elements alone", async () => {
    const { w } = new optim.Muon({ learningRate: 1 }).applyGradients({ w: mx.zeros([0, 2]) }, { w: mx.ones([0, 2]) });
    expect(await w.tolist()).toEqual([]);
  });
});

describe("clipGradNorm", () => {
  it("refuses what has no gradients", () => {
    for (const wrong of [undefined, null, 3, {}, { w: 3 }, []])
      expect(() => called(optim.clipGradNorm, wrong, 1), String(wrong)).toThrow(
        /clipGradNorm: (gradients are|there is no)/,
      );
  });

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

describe("clipGradNorm of numbers whose squares float32 does not have", () => {
  it.each([1e30, 1e19, 1e16, 1e-9, 1e-19, 1e-30])("such as %d", async (size) => {
    const gradients = { w: mx.full([300], size), b: mx.array([-size, 0, size * 1e-3]) };
    const [clipped, norm] = optim.clipGradNorm(gradients, 1);
    const expected = size * Math.sqrt(301 + 1e-6);
    expect(Number(await norm.item()) / expected).toBeCloseTo(1, 5);
    const factor = Math.min(1 / (expected + 1e-6), 1);
    expect(Number(await clipped.b.get(0).item()) / (-size * factor)).toBeCloseTo(1, 5);
  });

  it("is Infinity or NaN where one of them is", async () => {
    for (const size of [Number.POSITIVE_INFINITY, Number.NaN])
      expect(await optim.clipGradNorm({ w: mx.array([1, size]) }, 1)[1].item()).toBe(size);
    expect(await optim.clipGradNorm({ w: mx.zeros([3]) }, 1)[1].item()).toBe(0);
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
