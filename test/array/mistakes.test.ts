/** Mistakes that the types refuse, made all the same (in JavaScript, or through `unknown`): each is a typed error that says what to do. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import * as worker from "mlx-ts/worker";
import { describe, expect, it } from "vitest";
import { zip } from "../../src/array/zip.ts";

/** A call that the types of `fn` may refuse. */
function call(fn: unknown, ...args: readonly unknown[]): unknown {
  if (typeof fn !== "function") throw new Error("not a function");
  return Reflect.apply(fn, undefined, args);
}

function make(of: unknown, ...args: readonly unknown[]): unknown {
  if (typeof of !== "function") throw new Error("not a class");
  return Reflect.construct(of, args);
}

/** A call of the method `name` of `target`. */
function method(target: object, name: string, ...args: readonly unknown[]): unknown {
  const found: unknown = Reflect.get(target, name);
  if (typeof found !== "function") throw new Error(`no method ${name}`);
  return Reflect.apply(found, target, args);
}

/** One number in lists in lists. */
function nestedList(depth: number): unknown {
  let list: unknown = 1;
  for (let k = 0; k < depth; k++) list = [list];
  return list;
}

const v = (): mx.MLXArray => mx.array([1, 2, 3]);
const grid = (): mx.MLXArray => mx.ones([2, 3]);
const pending = (): Promise<unknown> => v().tolist();
const headless = (): object => {
  const module = new nn.Identity();
  Object.defineProperty(module, "forward", { value: undefined });
  return module;
};

/** An operator of JavaScript, which has none for arrays. */
// @ts-expect-error: the types refuse it
const adding = (a: unknown, b: unknown): unknown => a + b;

type Mistake = readonly [title: string, run: () => unknown, name: string, message: RegExp];

const operands: readonly Mistake[] = [
  ["a list as an operand", () => call(mx.add, v(), [1, 2, 3]), "DtypeError", /add: .*got a list.*array\(…\)/],
  ["text as an operand", () => call(mx.add, v(), "1"), "DtypeError", /add: .*got a string/],
  ["nothing as an operand", () => call(mx.add, v()), "DtypeError", /add: .*got undefined/],
  ["a forgotten await as an operand", () => call(mx.add, v(), pending()), "DtypeError", /add: .*got a Promise.*await/],
  ["a forgotten await as data", () => call(mx.array, pending()), "DtypeError", /array: .*got a Promise.*await/],
  ["text as data", () => call(mx.array, ["1", "2"]), "DtypeError", /elements are numbers.*got a string/],
  ["a hole in data", () => call(mx.array, [1, null]), "DtypeError", /got null/],
  ["ragged lists", () => mx.array([[1, 2], [3]]), "ShapeError", /one has 2 and one 1/],
  ["lists of two depths", () => mx.array([[1, 2], 3]), "ShapeError", /equal depth: a number at axis 1/],
  ["lists nested for ever", () => call(mx.array, nestedList(20_000)), "ShapeError", /more than 64 deep/],
  ["a number", () => Number(v()), "ArgumentError", /operators.*mx\.expr/],
  ["an operator", () => adding(v(), 1), "ArgumentError", /operators.*mx\.expr/],
  ["text by an operator", () => adding("loss: ", v()), "ArgumentError", /operators.*String\(x\)/],
  ["an element in brackets", () => Reflect.get(v(), 0), "ArgumentError", /\[0\].*get\(0\)/],
  ["a loop", () => [...Object(v())], "TypeError", /iterable/],
  ["a length", () => Reflect.get(v(), "length"), "ArgumentError", /length.*shape/],
  ["a list of it", () => call(Array.from, v()), "ArgumentError", /length.*await tolist\(\)/],
  ["a typed array of it", () => make(Float32Array, v()), "ArgumentError", /length.*await tolist\(\)/],
  ["JSON of it", () => JSON.stringify({ loss: v() }), "ArgumentError", /JSON.*await tolist\(\)/],
  ["JSON of a model", () => JSON.stringify({ model: new nn.Linear(1, 1) }), "ArgumentError", /JSON.*saveWeights\(\)/],
];

const dtypes: readonly Mistake[] = [
  ["array", () => call(mx.array, [1], "float"), "DtypeError", /array: float is no dtype.*float32/],
  ["zeros", () => call(mx.zeros, [1], "f4"), "DtypeError", /zeros: f4 is no dtype.*float32/],
  ["asType", () => call(mx.asType, v(), "f32"), "DtypeError", /asType: f32 is no dtype/],
  ["the method asType", () => method(v(), "asType", "f32"), "DtypeError", /asType: f32 is no dtype/],
  ["the method asType without one", () => method(v(), "asType"), "DtypeError", /asType: undefined is no dtype/],
  ["setDtype", () => method(new nn.Linear(1, 1), "setDtype", "half"), "DtypeError", /setDtype: half is no dtype/],
];

const shapes: readonly Mistake[] = [
  ["text as a shape", () => call(mx.zeros, "3"), "ShapeError", /zeros: 3 is no shape.*list/],
  ["a number as the shape of samples", () => call(mx.random.normal, 3), "ShapeError", /3 is no shape.*list/],
  ["bounds in the place of a shape", () => call(mx.random.uniform, 0, 1, [2]), "ShapeError", /0 is no shape.*list/],
  ["a number as the shape of draws", () => call(mx.random.bernoulli, 0.5, 3), "ShapeError", /3 is no shape/],
  [
    "lengths one by one",
    () => call(mx.reshape, v(), 3, 1),
    "ShapeError",
    /reshape: 3 is no shape: give a list of lengths/,
  ],
  ["axes one by one", () => call(mx.transpose, grid(), 1, 0), "ShapeError", /transpose: .*list of axes.*got 1/],
  ["arrays one by one", () => call(mx.concatenate, v(), v()), "ArgumentError", /concatenate: .*a list of arrays/],
  ["text as the pieces of an axis", () => call(mx.split, v(), "a"), "ShapeError", /does not divide into a equal parts/],
  [
    "a mode of padding of another name",
    () => call(mx.pad, v(), 1, { mode: "wrap" }),
    "ArgumentError",
    /"symmetric", got wrap/,
  ],
  ["fewer keys than none", () => mx.random.split(mx.random.key(0), -1), "ShapeError", /split: \[-1\] is no shape/],
  ["text in another order", () => call(mx.random.permutation, "abc"), "DtypeError", /permutation: .*got a string/],
  ["arrays one by one, stacked", () => call(mx.stack, v(), v()), "ArgumentError", /stack: .*a list of arrays/],
  ["null for all axes", () => call(mx.sum, grid(), null), "ShapeError", /sum: an axis is a whole number, got null/],
  ["null for an axis", () => call(mx.expandDims, grid(), null), "ShapeError", /expandDims: an axis .*got null/],
  ["text as an axis to roll along", () => call(mx.roll, grid(), 1, "0"), "ShapeError", /roll: an axis .*"0"/],
  ["no counts", () => call(mx.tile, grid(), null), "ArgumentError", /tile: counts are whole numbers from 0, got null/],
  ["no shape", () => call(mx.broadcastTo, grid(), null), "ShapeError", /broadcastTo: null is no shape/],
  ["text as an axis", () => call(mx.sum, grid(), "0"), "ShapeError", /sum: an axis is a whole number.*"0"/],
  [
    "a list to reshape",
    () => call(mx.reshape, [1, 2], [2, 1]),
    "DtypeError",
    /reshape: needs an array, got a list.*array\(…\)/,
  ],
  ["a list to sort", () => call(mx.sort, [3, 1]), "DtypeError", /sort: needs an array, got a list.*array\(…\)/],
  [
    "a forgotten await before an axis is added",
    () => call(mx.expandDims, pending(), 0),
    "DtypeError",
    /expandDims: needs an array, got a Promise; await it first/,
  ],
  ["lengths of samples one by one", () => call(mx.random.normal, 2, 3), "ShapeError", /normal: 2 is no shape/],
  ["null as an axis", () => call(mx.mean, grid(), null), "ShapeError", /mean: an axis is a whole number, got null/],
  ["half an axis", () => mx.sum(grid(), 0.5), "ShapeError", /sum: an axis is a whole number, got 0\.5/],
  ["no number as an axis", () => mx.sum(grid(), Number.NaN), "ShapeError", /an axis is a whole number, got NaN/],
  ["an axis too far", () => mx.sum(grid(), 2), "ShapeError", /axis 2 is out of range for an array of 2 axes/],
];

const functions: readonly Mistake[] = [
  [
    "a number as a key",
    () => call(mx.random.normal, [2], { key: 3 }),
    "ArgumentError",
    /a key is an array, as random\.key\(3\) gives/,
  ],
  ["text as a seed", () => call(mx.random.seed, "a"), "ArgumentError", /a seed is a whole number .*, got a/],
  ["a seed below 0", () => mx.random.key(-1), "ArgumentError", /a seed is a whole number from 0 to 2⁶⁴ − 1, got -1/],
  ["a seed too large", () => mx.random.key(2n ** 64n), "ArgumentError", /a seed .*, got 18446744073709551616/],
  ["a number as logits", () => call(mx.random.categorical, 3), "ShapeError", /categorical: axis -1/],
  ["a device without operations", () => call(mx.withDevice, "cpu"), "ArgumentError", /withDevice: takes a function/],
  ["expr as a function", () => call(mx.expr, "x + 2"), "ArgumentError", /expr: .*template/],
  ["an array to differentiate", () => call(mx.grad, v()), "ArgumentError", /grad: takes a function, got a MLXArray/],
  ["a call to batch", () => call(mx.vmap, v()), "ArgumentError", /vmap: takes a function, got a MLXArray/],
  [
    "an array in place of a function with rules",
    () => call(mx.customFunction, v()),
    "ArgumentError",
    /takes a function/,
  ],
  [
    "a device without its name",
    () => call(mx.exp, v(), "gpu"),
    "ArgumentError",
    /^exp: "gpu" is no option of \{ device \}$/,
  ],
  ["a number to compile", () => call(mx.compile, 3), "ArgumentError", /compile: takes a function, got a number/],
  [
    "a number to recompute",
    () => call(mx.checkpoint, 3),
    "ArgumentError",
    /checkpoint: takes a function, got a number/,
  ],
  ["an asynchronous step", () => call(mx.compile(pending)), "ArgumentError", /compile: .*must not be asynchronous/],
  [
    "an asynchronous function of examples",
    () => mx.vmap(async (x: mx.MLXArray) => x.sum())(v()),
    "ArgumentError",
    /vmap: .*must not be asynchronous/,
  ],
  [
    "the same argument twice",
    () => mx.grad((x: mx.MLXArray) => x.sum(), [0, 0])(v()),
    "ArgumentError",
    /grad: 0 .*given twice/,
  ],
  [
    "a primal out of its list",
    () => call(mx.jvp, mx.square, v(), [v()]),
    "ArgumentError",
    /jvp: primals are a list.*got a/,
  ],
  [
    "a number as cotangent",
    () => call(mx.vjp, mx.square, [v()], [1]),
    "ArgumentError",
    /vjp: cotangents are.*a number/,
  ],
  [
    "a function without arrays",
    () => call(mx.vjp, () => 3, [v()], [v()]),
    "ArgumentError",
    /vjp: the function returns an array or a list of arrays, got a number/,
  ],
  ["arrays in a list", () => call(mx.meshgrid, [v(), v()]), "ArgumentError", /meshgrid: takes arrays one by one/],
  [
    "a rule that returns no list",
    () =>
      call(
        call(mx.grad, (x: mx.MLXArray) => call(mx.customFunction(mx.square, Object({ vjp: v })), x)),
        mx.array(1),
      ),
    "ArgumentError",
    /customFunction: vjp returns a list.*got a MLXArray/,
  ],
  ["a name for argnums", () => call(mx.grad, mx.sum, "w"), "ArgumentError", /grad: .*argnames/],
  [
    "a loss that awaits its value, which nobody may hear fail",
    () =>
      call(
        call(mx.grad, async (x: mx.MLXArray) => Number(await x.sum().item()) * 2),
        v(),
      ),
    "GradientError",
    /returned a Promise.*must not be asynchronous/,
  ],
  [
    "an asynchronous loss",
    () =>
      call(
        call(mx.grad, async (x: mx.MLXArray) => x.sum()),
        v(),
      ),
    "GradientError",
    /returned a Promise.*must not be asynchronous/,
  ],
];

const models: readonly Mistake[] = [
  ["a module without forward", () => call(headless(), v()), "MLXError", /Identity: .*no forward/],
  ["a number as a layer", () => make(nn.Sequential, nn.relu, 3), "ArgumentError", /Sequential: layer 1 is .*number/],
  ["no module to differentiate", () => call(nn.valueAndGrad, {}, mx.sum), "ArgumentError", /valueAndGrad: .*module/],
  [
    "classes that are no integers",
    () => nn.losses.crossEntropy(grid(), mx.zeros([2])),
    "DtypeError",
    /crossEntropy: .*integer.*got float32/,
  ],
  [
    "a class that there is not",
    () => nn.losses.crossEntropy(grid(), mx.array([0, 3], "int32")),
    "ShapeError",
    /crossEntropy: index 3 is out of range for axis 1 of \[2, 3\]/,
  ],
  [
    "a mark for targets to leave out, which losses do not know",
    () => nn.losses.nllLoss(grid(), mx.array([-100, 0, 0], "int32"), { axis: 0 }),
    "ShapeError",
    /nllLoss: index -100 is out of range for axis 0 of \[2, 3\]/,
  ],
  [
    "classes that are no integers for nllLoss",
    () => nn.losses.nllLoss(grid(), mx.zeros([2])),
    "DtypeError",
    /nllLoss: .*integer.*got float32/,
  ],
  [
    "one step, alone",
    () => new nn.LSTM(3, 4)(mx.ones([3])),
    "ShapeError",
    /LSTM: takes \[\.\.\., time, .*got \[features\]/,
  ],
  [
    "no step of time",
    () => new nn.GRU(3, 4)(mx.ones([2, 0, 3])),
    "ShapeError",
    /GRU: .*one step.*got \[2,0,features\]/,
  ],
  ["three features to halve", () => nn.glu(grid()), "ShapeError", /glu: axis 1 of \[2, 3\] has length 3.*even length/],
  ["an axis that there is not", () => nn.logSoftmax(grid(), { axis: 2 }), "ShapeError", /logSoftmax: axis 2/],
  [
    "two inputs whose rows differ",
    () => new nn.Bilinear(2, 3, 4)(mx.ones([2, 1]), mx.ones([2, 3])),
    "ShapeError",
    /Bilinear: needs inputs \[\.\.\., 2\] and \[\.\.\., 3\].*got \[2, 1\] and \[2, 3\]/,
  ],
  [
    "one channel for four",
    () => new nn.BatchNorm(4)(mx.ones([2, 1])),
    "ShapeError",
    /BatchNorm: normalizes 4 channels, got \[2, 1\]/,
  ],
  [
    "images with the channels first",
    () => new nn.GroupNorm(2, 4)(mx.ones([1, 4, 8, 8])),
    "ShapeError",
    /GroupNorm: normalizes 4 channels, got \[1, 4, 8, 8\], whose last axis/,
  ],
  ["a rate that stands alone", () => make(optim.Adam, 0.1), "ArgumentError", /Adam: .*\{ learningRate: 0\.1 \}/],
  ["no rate", () => make(optim.SGD), "ArgumentError", /SGD: .*learningRate/],
  [
    "a rate of another name",
    () => make(optim.SGD, { lr: 0.1 }),
    "ArgumentError",
    /SGD: .*learningRate.*got options named lr/,
  ],
  ["a rate that is no number", () => make(optim.SGD, { learningRate: Number.NaN }), "ArgumentError", /got NaN/],
  [
    "an array as gradients",
    () => new optim.SGD({ learningRate: 1 }).applyGradients(v(), { v: v() }),
    "ArgumentError",
    /applyGradients: gradients are a tree like the parameters, got an array/,
  ],
  [
    "a gradient without parameter",
    () => new optim.SGD({ learningRate: 1 }).applyGradients({ a: [v()] }, { a: [] }),
    "ArgumentError",
    /there is no parameter at "a\.0"/,
  ],
  [
    "a gradient of another shape",
    () => new optim.SGD({ learningRate: 1 }).applyGradients({ a: v() }, { a: grid() }),
    "ShapeError",
    /the parameter at "a" is \[2, 3\], its gradient \[3\]/,
  ],
  [
    "a layer that is not made yet",
    () => make(nn.Sequential, nn.Linear),
    "ArgumentError",
    /class Linear; write new Linear/,
  ],
  [
    "gradients asked for without the model",
    () =>
      call(
        nn.valueAndGrad(new nn.Linear(3, 1), (model, x: mx.MLXArray) => model(x).sum()),
        v(),
      ),
    "ArgumentError",
    /valueAndGrad: the first argument is the model, got a MLXArray/,
  ],
  [
    "a field to freeze that no module has",
    () => new nn.Sequential(new nn.Linear(1, 1)).freeze({ keys: "weigth" }),
    "ArgumentError",
    /^freeze: Sequential has no field "weigth", nor has a module in it; pass \{ strict: false \}/,
  ],
  [
    "a field to freeze without options",
    () => method(new nn.Linear(1, 1), "freeze", "bias"),
    "ArgumentError",
    /keys: "bias"/,
  ],
  ["a momentum beyond 1", () => new nn.BatchNorm(2, { momentum: 7 }), "ArgumentError", /BatchNorm: momentum.*got 7/],
  [
    "channels that come first",
    () => new nn.Conv2d(3, 4, 2)(mx.ones([1, 3, 8, 8])),
    "ShapeError",
    /conv2d: input \[1, 3, 8, 8\] has 8 channels, which are its last axis, and weights \[4, 2, 2, 3\] in 1 groups take 3/,
  ],
  ["text as a rate", () => make(optim.SGD, { learningRate: "0.1" }), "ArgumentError", /got "0\.1"/],
];

describe.each([
  ["an operand", operands],
  ["a dtype", dtypes],
  ["a shape or an axis", shapes],
  ["an argument", functions],
  ["a model or an optimizer", models],
])("a mistake in %s is named", (_, mistakes) => {
  it.each(mistakes)("%s", (_, run, name, message) => {
    expect(run).toThrow(expect.objectContaining({ name, message: expect.stringMatching(message) }));
  });
});

describe("a mistake in saving and loading is named", () => {
  const late: readonly (readonly [string, () => unknown, string, RegExp])[] = [
    ["a path before the array", () => call(mx.save, "a.npy", v()), "ArgumentError", /save: .*save\(x, \{ path \}\)/],
    ["arrays by name, saved as one", () => call(mx.save, { a: v() }), "ArgumentError", /save: .*savez.*by name/],
    ["a handle that is none", () => call(worker.fromHandle, {}), "ArgumentError", /fromHandle: .*toHandle.*an object/],
    [
      "a ticket that is none",
      () => call(worker.joinMemory, {}),
      "ArgumentError",
      /joinMemory: .*ticket of admitWorker/,
    ],
    ["an array without a name", () => call(mx.savez, v()), "ArgumentError", /savez: .*by name/],
    ["numbers under a name", () => call(mx.savez, { a: [1] }), "DtypeError", /savez: .*got a list/],
    [
      "a file of PyTorch",
      async () => mx.load(await zip([["weights/data.pkl", new Uint8Array(3)]], false)),
      "FormatError",
      /PyTorch wrote this.*safetensors/,
    ],
    [
      "a file of llama.cpp",
      () => mx.load(new TextEncoder().encode("GGUF and more")),
      "FormatError",
      /load: .*GGUF.*save_safetensors/,
    ],
    [
      "weights in a file of llama.cpp",
      () => new nn.Linear(2, 2).loadWeights(new TextEncoder().encode("GGUF and more")),
      "FormatError",
      /GGUF.*save_safetensors/,
    ],
    [
      "a model that a compiled function changed without naming it",
      () => {
        const model = new nn.Linear(2, 1);
        mx.compile((x: mx.MLXArray) => model.update({ weight: x }).weight)(mx.ones([1, 2]));
        return model.weight.tolist();
      },
      "MLXError",
      /evaluate: .*float32 \[1, 2\].*no value.*compile.*inputs and outputs/,
    ],
    ["bytes of no format", () => mx.load(new Uint8Array([1, 2, 3])), "FormatError", /begins? like none of npy, npz/],
  ];
  it.each(late)("%s", async (_, run, name, message) => {
    await expect((async () => run())()).rejects.toThrow(
      expect.objectContaining({ name, message: expect.stringMatching(message) }),
    );
  });
});

describe("an array in the hands of JavaScript", () => {
  it("is text where text is wanted", () => {
    expect(`${v()}`).toBe("array([1, 2, 3], dtype=float32)");
    expect(`loss: ${[v(), v()]}`).toBe("loss: array([1, 2, 3], dtype=float32),array([1, 2, 3], dtype=float32)");
  });

  it("is compared by test runners without a word about operators: it equals itself alone", () => {
    const x = v();
    expect(x).toEqual(x);
    expect({ x, list: [x] }).toStrictEqual({ x, list: [x] });
    expect(x).not.toEqual(v());
    expect({ x }).not.toEqual({ x: v() });
  });
});

describe("loadWeights", () => {
  it("takes weights as MLX lists them, too: pairs of name and array", async () => {
    const model = new nn.Linear(2, 1);
    await model.loadWeights([
      ["weight", mx.array([[1, 2]])],
      ["bias", mx.array([3])],
    ]);
    expect(await model(mx.array([1, 1])).tolist()).toEqual([6]);
  });
});
