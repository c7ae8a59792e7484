/** Layers, activations, losses and initializers refuse options and sizes that they cannot use, by name. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import { describe, expect, it } from "vitest";
import type { OptionCase, OptionsTaker } from "../setup/wrong-options.ts";
import { called, describeOptions, expectRefusal, made, noFlags, noNumbers, noSizes } from "../setup/wrong-options.ts";

const classes: Readonly<Record<string, unknown>> = { ...nn };
const flag: OptionCase = [true, ...noFlags];
const size: OptionCase = [4, ...noSizes];
const positive: OptionCase = [0.5, ...noNumbers, 0, -1, Number.POSITIVE_INFINITY];
const finite: OptionCase = [-0.5, ...noNumbers, Number.POSITIVE_INFINITY];
const part: OptionCase = [0.1, ...noNumbers, -0.1, 1.1];
const bias = { bias: flag };
const norm = { eps: positive };
const perAxis = (right: number, ...wrong: readonly unknown[]): OptionCase => [
  right,
  ...noNumbers,
  -1,
  0.5,
  [right, right, right, right],
  [],
  ...wrong,
];
const places = { stride: perAxis(1, 0), padding: perAxis(1), dilation: perAxis(1, 0) };
const attention = ["queryInputSize", "keyInputSize", "valueInputSize", "valueSize", "valueOutputSize"];
const layer = { hiddenSize: size, dropout: part, activation: [nn.relu, "relu", null] as const, normFirst: flag };
const count: OptionCase = [1, ...noNumbers, -1, 1.5];

/** The arguments before the options, and the options, of every class that has any. */
const layers: Readonly<Record<string, readonly [args: readonly unknown[], options: OptionsTaker["options"]]>> = {
  Linear: [[2, 3], bias],
  Bilinear: [[2, 3, 4], bias],
  RNN: [[2, 3], { ...bias, nonlinearity: [nn.relu, "relu", null] }],
  GRU: [[2, 3], bias],
  LSTM: [[2, 3], bias],
  Conv1d: [[4, 4, 1], { ...places, groups: [2, ...noSizes, 3], ...bias }],
  Conv2d: [[4, 4, 1], { ...places, groups: [2, ...noSizes, 3], ...bias }],
  Conv3d: [[4, 4, [1, 1, 1]], { ...places, groups: [2, ...noSizes, 3], ...bias }],
  ConvTransposed1d: [[4, 4, 1], { ...places, ...bias, outputPadding: perAxis(0) }],
  ConvTransposed2d: [[4, 4, 1], { ...places, ...bias, outputPadding: perAxis(0) }],
  ConvTransposed3d: [[4, 4, 1], { ...places, ...bias, outputPadding: perAxis(0) }],
  ...Object.fromEntries(
    ["MaxPool1d", "MaxPool2d", "MaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d"].map((name) => [
      name,
      [[2], { stride: perAxis(1, 0), padding: perAxis(1) }],
    ]),
  ),
  Upsample: [[2], { mode: ["linear", "bilinear", 1, null], alignCorners: flag, antialias: [false, ...noFlags] }],
  LayerNorm: [[2], { ...norm, affine: flag, bias: flag }],
  RMSNorm: [[2], norm],
  InstanceNorm: [[2], { ...norm, affine: flag }],
  GroupNorm: [[2, 4], { ...norm, affine: flag, pytorchCompatible: flag }],
  BatchNorm: [[2], { ...norm, momentum: part, affine: flag, trackRunningStats: flag }],
  MultiHeadAttention: [[8, 2], { ...bias, ...Object.fromEntries(attention.map((name) => [name, size])) }],
  TransformerEncoderLayer: [[8, 2], layer],
  TransformerDecoderLayer: [[8, 2], layer],
  TransformerEncoder: [[1, 8, 2], layer],
  TransformerDecoder: [[1, 8, 2], layer],
  Transformer: [[8, 2], { ...layer, numEncoderLayers: count, numDecoderLayers: count }],
  RoPE: [[4], { traditional: flag, base: positive, scale: finite }],
  SinusoidalPositionalEncoding: [
    [4],
    { minFreq: positive, maxFreq: positive, scale: finite, cosFirst: flag, fullTurns: flag },
  ],
  LeakyReLU: [[], { negativeSlope: finite }],
  ELU: [[], { alpha: finite }],
  CELU: [[], { alpha: positive }],
  Softshrink: [[], { lambd: [0.5, ...noNumbers, -1] }],
  HardShrink: [[], { lambd: [0.5, ...noNumbers, -1] }],
  Step: [[], { threshold: finite }],
  GLU: [[], { axis: [0, ...noNumbers, 0.5] }],
  GELU: [[], { approx: ["tanh", "erf", null] }],
  PReLU: [[], { numParameters: size, init: finite }],
};

/** Classes whose constructors take no options. */
const withoutOptions: ReadonlySet<string> = new Set([
  ...["Module", "Identity", "Sequential", "Embedding", "Dropout", "Dropout2d", "Dropout3d", "ALiBi", "Sigmoid", "Tanh"],
  ...["ReLU", "ReLU2", "ReLUSquared", "ReLU6", "SELU", "SiLU", "Softplus", "LogSigmoid", "Mish", "Softsign"],
  ...["Hardswish", "HardSwish", "HardTanh", "Softmax", "Softmin", "LogSoftmax"],
]);

describeOptions(
  "a layer with options:",
  Object.fromEntries(
    Object.entries(layers).map(([name, [args, options]]) => [
      name,
      { call: (given) => made(classes[name], ...args, given), operation: name, options },
    ]),
  ),
);

describe("options of layers", () => {
  it("are tested for every class that has any", () => {
    const isClass = (value: unknown): boolean => typeof value === "function" && value.prototype instanceof nn.Module;
    const known = Object.entries(classes).flatMap(([name, value]) => (isClass(value) ? [name] : []));
    expect(known.filter((name) => !withoutOptions.has(name)).sort()).toEqual(Object.keys(layers).sort());
  });

  it.each(Object.entries(layers))("are refused by %s, whatever a minifier calls its class", async (name, [args]) => {
    const layer = classes[name];
    Object.defineProperty(layer, "name", { value: "e", configurable: true });
    try {
      await expectRefusal(() => made(layer, ...args, { biass: 1 }), name, '"biass"', name);
    } finally {
      Object.defineProperty(layer, "name", { value: name, configurable: true });
    }
  });

  it("may be more in a subclass, which passes all of them on", () => {
    class Noisy extends nn.Linear {
      readonly noise: number;
      constructor(inputSize: number, outputSize: number, options: { readonly bias?: boolean; readonly noise: number }) {
        super(inputSize, outputSize, options);
        this.noise = options.noise;
      }
    }
    const layer = new Noisy(2, 3, { bias: false, noise: 0.1 });
    expect([layer.bias, layer.noise]).toEqual([undefined, 0.1]);
    class Deep extends nn.Transformer {
      constructor(options: nn.TransformerOptions & { readonly name: string }) {
        super(8, 2, options);
      }
    }
    expect(new Deep({ numEncoderLayers: 1, numDecoderLayers: 1, name: "deep" }).encoder.layers).toHaveLength(1);
  });

  it("are what the types say, too", async () => {
    // @ts-expect-error a misspelt option
    expect(() => new nn.Linear(2, 3, { biass: false })).toThrow(mx.ArgumentError);
    // @ts-expect-error a layer has no device of its own
    expect(() => new nn.Conv2d(1, 1, 3, { device: "cpu" })).toThrow(mx.ArgumentError);
    // @ts-expect-error an option by its place
    expect(() => new nn.Linear(2, 3, false)).toThrow(/Linear: takes options by name, { bias }; got false/);
  });
});

const x = mx.ones([2, 4]);
const y = mx.ones([2, 4]);
const classIndices = mx.array([0, 1], "int32");
const axis: OptionCase = [0, ...noNumbers, 0.5];
const reduction: OptionCase = ["sum", "avg", null, 1];
const losses: Readonly<Record<string, readonly [args: readonly unknown[], options: OptionsTaker["options"]]>> = {
  crossEntropy: [
    [x, classIndices],
    { reduction, weights: [mx.ones([2])], axis: [-1, ...noNumbers, 0.5], labelSmoothing: [0.1, ...noNumbers, 1] },
  ],
  binaryCrossEntropy: [[x, y], { reduction, weights: [y], withLogits: flag }],
  l1Loss: [[x, y], { reduction }],
  mseLoss: [[x, y], { reduction }],
  nllLoss: [[x, classIndices], { reduction, axis: [-1, ...noNumbers, 0.5] }],
  gaussianNllLoss: [[x, y, y], { reduction, full: flag, eps: positive }],
  klDivLoss: [[x, y], { reduction, axis }],
  smoothL1Loss: [[x, y], { reduction, beta: positive }],
  tripletLoss: [[x, y, y], { reduction, axis, p: positive, margin: finite, eps: [0.1, ...noNumbers, -1] }],
  hingeLoss: [[x, y], { reduction }],
  huberLoss: [[x, y], { reduction, delta: positive }],
  logCoshLoss: [[x, y], { reduction }],
  cosineSimilarityLoss: [[x, y], { reduction, axis, eps: [0.1, ...noNumbers, -1] }],
  marginRankingLoss: [[x, y, y], { reduction, margin: finite }],
};

const activations: Readonly<Record<string, OptionsTaker["options"]>> = {
  leakyRelu: { negativeSlope: finite },
  elu: { alpha: finite },
  celu: { alpha: positive },
  softshrink: { lambd: [0.5, ...noNumbers, -1] },
  hardShrink: { lambd: [0.5, ...noNumbers, -1] },
  hardTanh: { minVal: finite, maxVal: finite },
  step: { threshold: finite },
  softmax: { axis },
  softmin: { axis },
  logSoftmax: { axis },
  glu: { axis },
};

const dtype: OptionCase = ["float16", "f16", 7, null];
const initializers: Readonly<Record<string, OptionsTaker["options"]>> = {
  normal: { dtype, mean: finite, std: [0.5, ...noNumbers, -1] },
  uniform: { dtype, low: finite, high: [0.5, ...noNumbers] },
  identity: { dtype },
  glorotNormal: { dtype },
  glorotUniform: { dtype },
  heNormal: { dtype },
  heUniform: { dtype },
};

const gain = { gain: [0.5, ...noNumbers, -1] as const };
const gains: Readonly<Record<string, readonly [initializer: unknown, options: OptionsTaker["options"]]>> = {
  glorotNormal: [nn.init.glorotNormal(), gain],
  glorotUniform: [nn.init.glorotUniform(), gain],
  heNormal: [nn.init.heNormal(), { ...gain, mode: ["fanOut", "fan_out", null] }],
  heUniform: [nn.init.heUniform(), { ...gain, mode: ["fanOut", "fan_out", null] }],
};

const lossFunctions: Readonly<Record<string, unknown>> = { ...nn.losses };
const initFunctions: Readonly<Record<string, unknown>> = { ...nn.init };
const model = (): nn.Linear => new nn.Linear(2, 3);
const method = (name: string, ...args: readonly unknown[]): unknown => {
  const target = model();
  return Reflect.apply(Object(Reflect.get(target, name)), target, args);
};

describeOptions("a function with options:", {
  ...Object.fromEntries(
    Object.entries(losses).map(([name, [args, options]]) => [
      `losses.${name}`,
      { call: (given) => called(lossFunctions[name], ...args, given), operation: name, options },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(activations).map(([name, options]) => [
      name,
      { call: (given) => called(classes[name], x, given), operation: name, options },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(initializers).map(([name, options]) => [
      `init.${name}`,
      { call: (given) => called(initFunctions[name], given), operation: `init.${name}`, options },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(gains).map(([name, [initializer, options]]) => [
      `init.${name}()`,
      { call: (given) => called(initializer, x, given), operation: `init.${name}`, options },
    ]),
  ),
  "init.constant": {
    call: (given) => called(nn.init.constant, 1, given),
    operation: "init.constant",
    options: { dtype },
  },
  createAlibiMatrix: {
    call: (given) => called(nn.ALiBi.createAlibiMatrix, 4, 4, 2, given),
    operation: "createAlibiMatrix",
    options: { offset: [0, ...noNumbers, -1, 0.5], dtype: ["float16"] },
  },
  freeze: {
    call: (given) => method("freeze", given),
    operation: "freeze",
    options: { recurse: flag, keys: ["bias", 7, [7], null], strict: flag },
  },
  unfreeze: {
    call: (given) => method("unfreeze", given),
    operation: "unfreeze",
    options: { recurse: flag, keys: [["bias"], 7, [7], null], strict: flag },
  },
  update: { call: (given) => method("update", {}, given), operation: "update", options: { strict: flag } },
  updateModules: {
    call: (given) => method("updateModules", {}, given),
    operation: "updateModules",
    options: { strict: flag },
  },
  saveWeights: {
    call: (given) => method("saveWeights", undefined, given),
    operation: "saveWeights",
    options: { format: ["npz", "gguf", null] },
  },
  loadWeights: {
    call: (given) => method("loadWeights", model().parameters(), given),
    operation: "loadWeights",
    options: { strict: flag },
  },
});

type Mistake = readonly [title: string, run: () => unknown, operation: string, message: string];

describe("what a layer cannot be made with is refused:", () => {
  it.each<Mistake>([
    ["heads that do not divide", () => new nn.MultiHeadAttention(8, 3), "MultiHeadAttention", "among 3 heads"],
    [
      "no heads",
      () => new nn.MultiHeadAttention(8, 0),
      "MultiHeadAttention",
      "numHeads is a whole number from 1, got 0",
    ],
    ["half a head", () => new nn.MultiHeadAttention(8, 0.5), "MultiHeadAttention", "numHeads"],
    ["heads as text", () => made(nn.MultiHeadAttention, 8, "2"), "MultiHeadAttention", 'got "2"'],
    [
      "values that heads do not divide",
      () => new nn.MultiHeadAttention(8, 2, { valueSize: 7 }),
      "MultiHeadAttention",
      "valueSize is a multiple of numHeads",
    ],
    [
      "half a layer",
      () => new nn.TransformerEncoder(1.5, 8, 2),
      "TransformerEncoder",
      "numLayers is a whole number from 0, got 1.5",
    ],
    ["no number of layers", () => new nn.TransformerDecoder(Number.NaN, 8, 2), "TransformerDecoder", "got NaN"],
    [
      "outputs that groups do not divide",
      () => new nn.Conv2d(4, 3, 3, { groups: 2 }),
      "Conv2d",
      "3 output channels cannot be split into 2 equal groups",
    ],
    ["inputs that groups do not divide", () => new nn.Conv2d(3, 4, 3, { groups: 2 }), "Conv2d", "3 input channels"],
    ["a kernel of other axes", () => made(nn.Conv2d, 4, 4, [3, 3, 3]), "Conv2d", "kernelSize"],
    ["a window as text", () => made(nn.MaxPool2d, "2"), "MaxPool2d", "kernelSize"],
    [
      "channels that groups do not divide",
      () => new nn.GroupNorm(3, 4),
      "GroupNorm",
      "4 channels cannot be split into 3",
    ],
    ["half a group", () => new nn.GroupNorm(0.5, 2), "GroupNorm", "groups is a whole number from 1, got 0.5"],
    ["features that make no pairs", () => new nn.RoPE(3), "RoPE", "dims is even, got 3"],
    ["no features", () => new nn.RoPE(0), "RoPE", "dims is a whole number from 1, got 0"],
    ["an odd encoding", () => new nn.SinusoidalPositionalEncoding(3), "SinusoidalPositionalEncoding", "dims is even"],
    ["a probability of one", () => new nn.Dropout(1), "Dropout", "p is a number in [0, 1), got 1"],
    ["a probability as text", () => made(nn.Dropout, "0.5"), "Dropout", 'got "0.5"'],
    ["a probability by name", () => made(nn.Dropout2d, { p: 0.5 }), "Dropout", "got an object"],
    ["no scale", () => new nn.Upsample(0), "Upsample", "scaleFactor is a positive number"],
    ["slopes of no heads", () => nn.ALiBi.createAlibiSlope(0), "createAlibiSlope", "heads"],
    ["slopes of NaN heads", () => nn.ALiBi.createAlibiSlope(Number.NaN), "createAlibiSlope", "heads"],
    ["a mode that is none", () => method("train", "eval"), "train", 'mode is true or false, got "eval"'],
    ["no weights", () => method("loadWeights", undefined), "loadWeights", "got undefined"],
    ["a number for weights", () => method("loadWeights", 7), "loadWeights", "got a number"],
    [
      "no function to differentiate",
      () => called(nn.valueAndGrad, model(), "loss"),
      "nn.valueAndGrad",
      "takes a function",
    ],
    ["a constant that is none", () => called(nn.init.constant, "1"), "init.constant", "value"],
    [
      "weights of a loss that are a list",
      () => called(nn.losses.crossEntropy, x, classIndices, { weights: [1, 2] }),
      "crossEntropy",
      "write array(…)",
    ],
  ])("%s", async (title, run, operation, message) => {
    await expectRefusal(run, operation, message, title);
  });
});

describe("what is no array is refused by", () => {
  const images = mx.ones([1, 4, 4, 2]);
  const calls: Readonly<Record<string, readonly [operation: string, fn: unknown, args: readonly unknown[]]>> = {
    ...Object.fromEntries(
      ["crossEntropy", "binaryCrossEntropy", "l1Loss", "mseLoss", "nllLoss", "gaussianNllLoss", "smoothL1Loss"].map(
        (name) => [`losses.${name}`, [name, lossFunctions[name], losses[name]?.[0] ?? []]],
      ),
    ),
    "losses.marginRankingLoss": ["marginRankingLoss", nn.losses.marginRankingLoss, [x, y, y]],
    glu: ["glu", nn.glu, [x]],
    Upsample: ["Upsample", new nn.Upsample(2), [images]],
    InstanceNorm: ["InstanceNorm", new nn.InstanceNorm(2), [images]],
    GroupNorm: ["GroupNorm", new nn.GroupNorm(1, 2), [images]],
    BatchNorm: ["BatchNorm", new nn.BatchNorm(2), [images]],
    ALiBi: ["ALiBi", new nn.ALiBi(), [mx.ones([1, 2, 3, 3])]],
    Dropout: ["Dropout", new nn.Dropout(0), [x]],
    Dropout2d: ["Dropout", new nn.Dropout2d(0.5), [images]],
    "init.constant": ["init.constant", nn.init.constant(1), [x]],
    ...Object.fromEntries(
      Object.keys(initializers).map((name) => [
        `init.${name}`,
        [`init.${name}`, called(initFunctions[name]), [mx.ones([3, 3])]],
      ]),
    ),
  };

  it.each(Object.entries(calls))("%s", async (name, [operation, fn, args]) => {
    called(fn, ...args);
    for (const place of args.keys())
      for (const wrong of [[3, 3], undefined, null, "1", Promise.resolve(x), {}, 3])
        await expectRefusal(
          () => called(fn, ...args.with(place, wrong)),
          operation,
          "needs an array",
          `${name} with ${String(wrong)} as argument ${place}`,
        );
  });
});
