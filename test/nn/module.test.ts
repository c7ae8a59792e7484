/** Modules: calls, parameters found in fields, freezing, updating, printing, and the types of all that. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import { describe, expect, expectTypeOf, it } from "vitest";
import { thrownError } from "../setup/thrown-error.ts";

class Scaler extends nn.Module {
  scale: mx.MLXArray;
  readonly _cache = mx.array([9]);
  readonly label: string;

  constructor(initial: number, label = "scaler") {
    super();
    this.scale = mx.array(initial);
    this.label = label;
  }

  forward(x: mx.MLXArray): mx.MLXArray {
    return mx.multiply(x, this.scale);
  }
}

class Model extends nn.Module {
  layers = [new Scaler(2), new Scaler(3)];
  named = { first: mx.array([1, 2]), inner: { second: mx.array([3]) } };
  activation = nn.relu;
  head?: nn.Linear;

  forward(x: mx.MLXArray, options: { readonly offset: number }): { readonly y: mx.MLXArray } {
    const y = this.layers.reduce((value, layer) => layer(value), x);
    return { y: mx.add(y, options.offset) };
  }
}

describe("a module", () => {
  it("is called like a function, with the types of its forward", async () => {
    const scaler = new Scaler(1.5);
    expect(await scaler(mx.array([70, 72, 75, 80, 68])).tolist()).toEqual([105, 108, 112.5, 120, 102]);
    const model = new Model();
    expect(await model(mx.array(1), { offset: 4 }).y.item()).toBe(10);
    expectTypeOf(scaler).toBeCallableWith(mx.array(1));
    expectTypeOf(scaler).returns.toEqualTypeOf<mx.MLXArray>();
    expectTypeOf(model).parameters.toEqualTypeOf<[x: mx.MLXArray, options: { readonly offset: number }]>();
    expectTypeOf(model).returns.toEqualTypeOf<{ readonly y: mx.MLXArray }>();
  });

  it("is an instance of its class and of Module", () => {
    const scaler = new Scaler(1);
    expect(scaler).toBeInstanceOf(Scaler);
    expect(scaler).toBeInstanceOf(nn.Module);
    expect(typeof scaler).toBe("function");
    expect(scaler.label).toBe("scaler");
  });

  it("finds arrays in fields, lists, plain objects and modules, but not behind an underscore", () => {
    const model = new Model();
    expect(mx.treeFlatten(model.parameters()).map(([path]) => path)).toEqual([
      "layers.0.scale",
      "layers.1.scale",
      "named.first",
      "named.inner.second",
    ]);
  });

  it("refuses modules in a map or a set, where they would be neither trained nor saved", () => {
    class Experts extends nn.Module {
      readonly byName = new Map([["first", new nn.Linear(1, 1)]]);
      readonly counts = new Map([["first", 1]]);
      forward(x: mx.MLXArray): mx.MLXArray {
        return this.byName.get("first")?.(x) ?? x;
      }
    }
    expect(() => new Experts().parameters()).toThrow(
      /Experts: "byName" is a Map of modules.*lists and plain.*"_byName"/,
    );
    class Hidden extends nn.Module {
      readonly _teachers = new Set([new nn.Linear(1, 1)]);
      readonly own = new nn.Linear(1, 1);
      forward(x: mx.MLXArray): mx.MLXArray {
        return this.own(x);
      }
    }
    expect(mx.treeFlatten(new Hidden().parameters()).map(([path]) => path)).toEqual(["own.weight", "own.bias"]);
  });

  it("gives parameters the types of its fields", () => {
    const parameters = new Model().parameters();
    expectTypeOf(parameters.layers[0]).toEqualTypeOf<{ readonly scale: mx.MLXArray } | undefined>();
    expectTypeOf(parameters.named.inner.second).toEqualTypeOf<mx.MLXArray>();
    expectTypeOf(parameters.head?.weight).toEqualTypeOf<mx.MLXArray | undefined>();
    expectTypeOf(parameters).not.toHaveProperty("activation");
    expectTypeOf(parameters).not.toHaveProperty("forward");
    expectTypeOf(parameters).not.toHaveProperty("training");
    expectTypeOf(new Scaler(1).parameters()).not.toHaveProperty("_cache");
    expectTypeOf(new Scaler(1).parameters()).not.toHaveProperty("label");
  });

  it("names its modules, outer before inner", () => {
    const model = new Model();
    expect(model.namedModules().map(([path]) => path)).toEqual(["", "layers.0", "layers.1"]);
    expect(model.modules()).toHaveLength(3);
    expect(Object.keys(model.leafModules())).toEqual(["layers", "named"]);
    expect(new nn.Sequential(new nn.ReLU(), nn.tanh).modules()).toHaveLength(2);
  });

  it("reaches modules behind an underscore for train and eval", () => {
    class Hidden extends nn.Module {
      readonly _inner = new nn.Dropout(0.5);
      forward(x: mx.MLXArray): mx.MLXArray {
        return this._inner(x);
      }
    }
    const model = new Hidden().eval();
    expect(model._inner.training).toBe(false);
    expect(model.train()._inner.training).toBe(true);
  });

  it("replaces what a tree names and refuses what it does not have", async () => {
    const model = new Model();
    model.update({ layers: [{ scale: mx.array(5) }], named: { inner: { second: mx.array([7]) } } });
    expect(await model.layers[0]?.scale.item()).toBe(5);
    expect(await model.layers[1]?.scale.item()).toBe(3);
    expect(await model.named.inner.second.tolist()).toEqual([7]);
    expect(() => model.update({ layer: mx.array(1) })).toThrow(/no parameter "layer"/);
    expect(() => model.update({ layers: [{ scala: mx.array(1) }] })).toThrow(/layers\.0\.scala/);
    expect(() => model.update({ layers: [{ scale: 5 }] })).toThrow(/layers\.0\.scale/);
    model.update({ layer: mx.array(1) }, { strict: false });
    model.apply((parameter) => mx.multiply(parameter, 10));
    expect(await model.named.first.tolist()).toEqual([10, 20]);
  });

  it("names what its methods cannot work with", () => {
    const model = new Model();
    for (const wrong of [undefined, 3, mx.array(1)]) {
      expect(() => Reflect.apply(model.update, model, [wrong])).toThrow(
        /update: parameters is a tree of a module's fields/,
      );
      expect(() => Reflect.apply(model.updateModules, model, [wrong])).toThrow(/updateModules: modules is a tree of/);
      expect(() => Reflect.apply(model.apply, model, [wrong])).toThrow(/apply: map is a function/);
      expect(() => Reflect.apply(model.filterAndMap, model, [wrong])).toThrow(/filterAndMap: filter is a function/);
    }
  });

  it("refuses functions that are asynchronous, and hears of it if they reject", () => {
    const model = new Model();
    const failing = (): Promise<never> => Promise.reject(new Error("mine"));
    expect(() => Reflect.apply(model.apply, model, [failing])).toThrow(/apply: .* must not be asynchronous/);
    expect(() => Reflect.apply(model.filterAndMap, model, [failing])).toThrow(/must not be asynchronous/);
  });

  it("freezes and unfreezes, everywhere or here, by key, strictly", () => {
    const model = new Model();
    const trainable = (): string[] => mx.treeFlatten(model.trainableParameters()).map(([path]) => path);
    model.freeze();
    expect(trainable()).toEqual([]);
    model.unfreeze({ keys: "scale" });
    expect(trainable()).toEqual(["layers.0.scale", "layers.1.scale"]);
    model.freeze({ recurse: false });
    model.layers[0]?.freeze();
    expect(trainable()).toEqual(["layers.1.scale"]);
    model.unfreeze();
    expect(trainable()).toHaveLength(4);
    model.freeze({ keys: ["named"], recurse: false });
    expect(trainable()).toEqual(["layers.0.scale", "layers.1.scale"]);
    expect(() => model.freeze({ keys: "nothing", strict: true })).toThrow(/no field "nothing"/);
    expect(mx.treeFlatten(model.parameters())).toHaveLength(4);
  });

  it("keeps running statistics frozen when the whole is unfrozen", () => {
    const model = new nn.Sequential(new nn.Linear(2, 2), new nn.BatchNorm(2));
    model.freeze().unfreeze();
    const paths = mx.treeFlatten(model.trainableParameters()).map(([path]) => path);
    expect(paths).toEqual(["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]);
  });

  it("converts floating parameters", () => {
    const model = new nn.Linear(2, 3).setDtype("float16");
    expect(model.weight.dtype).toBe("float16");
    expect(model(mx.zeros([1, 2], "float16")).dtype).toBe("float16");
  });

  it("does not cut weights off to integers unless it is told which", () => {
    const model = new nn.Linear(2, 3);
    expect(() => model.setDtype("int32")).toThrow("setDtype: weights would lose their fractions in int32");
    // @ts-expect-error a name in place of a function
    expect(() => model.setDtype("float16", "weight")).toThrow('setDtype: predicate is a function, got "weight"');
    expect(model.weight.dtype).toBe("float32");
    model.bias = mx.arange(3);
    model.setDtype("int8", (dtype) => dtype === "int32");
    expect([model.weight.dtype, model.bias.dtype]).toEqual(["float32", "int8"]);
  });

  it("prints as a tree with shapes and counts", () => {
    const model = new nn.Sequential(new nn.Linear(2, 300), nn.relu, new nn.Linear(300, 1, { bias: false }));
    model.layers[0].freeze();
    expect(`${model}`).toBe(
      [
        "Sequential(): 1,200 parameters, 300 trainable",
        "  layers.0: Linear(2 → 300) weight [300, 2] frozen, bias [300] frozen: 900 parameters, 0 trainable",
        "  layers.2: Linear(300 → 1) weight [1, 300]: 300 parameters",
      ].join("\n"),
    );
  });

  it("is evaluated as a tree", async () => {
    const model = new Model();
    model.apply((parameter) => mx.add(parameter, 1));
    await mx.evaluate(model);
    expect(model.named.first.isEvaluated).toBe(true);
  });

  it("does not mind fields called like what functions have", () => {
    class Named extends nn.Module {
      override name = "n";
      override length = 3;
      forward(x: mx.MLXArray): mx.MLXArray {
        return x;
      }
    }
    expect([new Named().name, new Named().length]).toEqual(["n", 3]);
  });
});

describe("an error inside a module", () => {
  it("says which modules were called, from the innermost out", () => {
    const model = new nn.Sequential(new nn.Linear(2, 3), nn.relu, new nn.Linear(4, 1));
    const error = thrownError(() => model(mx.zeros([5, 2])));
    expect(error).toBeInstanceOf(mx.ShapeError);
    expect(error.message).toBe(
      "matmul: inner lengths differ: [5, 3] has 3, [4, 1] has 4\n  in Linear(4 → 1)\n  in Sequential()",
    );
    // Only V8 writes the message into the stack, and prints that.
    if (error.stack?.includes("inner lengths")) expect(error.stack).toContain("in Linear(4 → 1)");
  });

  it("names the size that a layer cannot have", () => {
    expect(() => new nn.Linear(-1, 3)).toThrow("Linear: inputSize is a whole number from 1, got -1");
    // @ts-expect-error the second size is missing
    expect(() => new nn.Linear(3)).toThrow("Linear: outputSize is a whole number from 1, got undefined");
    expect(() => new nn.Conv2d(3, 8, 0)).toThrow(
      "Conv2d: kernelSize is a whole number from 1, or a list of 2 such, got 0",
    );
    expect(() => new nn.LSTM(3, 2.5)).toThrow("LSTM: hiddenSize is a whole number from 1, got 2.5");
    expect(() => new nn.Embedding(0, 8)).toThrow("Embedding: count is a whole number from 1, got 0");
  });
});

describe("a norm in half precision", () => {
  it.each(["float16", "bfloat16"] as const)("of one element has a gradient of 0: GroupNorm in %s", async (dtype) => {
    const layer = new nn.GroupNorm(4, 4).setDtype(dtype);
    const [, [gradient]] = mx.vjp(
      (x) => layer(x),
      [mx.full([3, 4], 300).asType(dtype)],
      [mx.linspace(-2, 3, 12).reshape([3, 4]).asType(dtype)],
    );
    expect(await gradient?.abs().max().item()).toBe(0);
  });

  it.each([
    ["BatchNorm", () => new nn.BatchNorm(4)],
    ["GroupNorm", () => new nn.GroupNorm(2, 4)],
  ])("is that of float32, rounded, though the mean is far from 0: %s", async (_, make) => {
    const x = mx.random
      .normal([8, 16, 4], { key: mx.random.key(5) })
      .add(100)
      .asType("float16");
    const ofDtype = (dtype: "float16" | "float32"): mx.MLXArray => make().setDtype(dtype)(x.asType(dtype));
    const [half, whole] = [ofDtype("float16"), ofDtype("float32")];
    expect(half.dtype).toBe("float16");
    expect(await half.asType("float32").subtract(whole).abs().max().item()).toBeLessThan(2e-3);
  });

  it("keeps running statistics in it", async () => {
    const layer = new nn.BatchNorm(4).setDtype("float16");
    layer(mx.ones([3, 4], "float16"));
    expect([layer.runningMean?.dtype, layer.runningVar?.dtype]).toEqual(["float16", "float16"]);
  });
});

describe("a batch without examples", () => {
  it.each([
    ["MultiHeadAttention", new nn.MultiHeadAttention(4, 2), [0, 5, 4]],
    ["MultiHeadAttention without rows", new nn.MultiHeadAttention(4, 2), [2, 0, 4]],
    ["TransformerEncoder", new nn.TransformerEncoder(1, 4, 2), [0, 5, 4]],
    ["InstanceNorm", new nn.InstanceNorm(4), [0, 5, 4]],
    ["GroupNorm", new nn.GroupNorm(2, 4), [0, 5, 4]],
    ["GroupNorm as in PyTorch", new nn.GroupNorm(2, 4, { pytorchCompatible: true }), [0, 5, 4]],
  ] as const)("goes through %s, and so does its gradient", async (_, layer, shape) => {
    const forward = (x: mx.MLXArray): mx.MLXArray =>
      layer instanceof nn.MultiHeadAttention ? layer(x, x, x) : layer(x);
    const [[result], [gradient]] = mx.vjp(forward, [mx.zeros(shape)], [mx.array(1)]);
    await mx.evaluate(result, gradient);
    expect(result?.shape).toEqual(shape);
    expect(gradient?.shape).toEqual(shape);
  });
});
