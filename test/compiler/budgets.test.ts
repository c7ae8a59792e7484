/** Kernels and bytes that common computations may cost: numbers that a commit moves on purpose. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import { beforeAll, describe, expect, it } from "vitest";

const [rows, columns] = [256, 512];
const x = mx.random.normal([rows, columns]);
const scale = mx.random.normal([columns]);
const shift = mx.random.normal([columns]);
const weight = mx.random.normal([columns, 128]);
const bias = mx.random.normal([128]);
const [queries, keys, values] = [0, 1, 2].map(() => mx.random.normal([2, 4, 64, 32]));
const labels = mx.remainder(mx.arange(256), 10);
const images = mx.random.normal([256, 784]);

beforeAll(() => mx.evaluate(x, scale, shift, weight, bias, queries, keys, values, labels, images));

/** Bytes of float32 arrays of these sizes, each read or written once. */
function floats(...sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + size * 4, 0);
}

function cost(...trees: readonly unknown[]): { readonly kernels: number; readonly bytes: number } {
  const { kernels, bytes } = mx.explain(...trees);
  return { kernels: kernels.length, bytes };
}

const size = rows * columns;
const mean = (a: mx.MLXArray): mx.MLXArray => a.mean(-1, { keepAxes: true });

describe("one kernel that reads its inputs and writes its result", () => {
  it.each([
    ["softmax", () => mx.softmax(x, -1), floats(size, size)],
    ["softmax of the whole", () => mx.softmax(x), floats(size, size)],
    [
      "softmax by hand",
      () => {
        const powers = mx.exp(x.sub(mx.max(x, -1, { keepAxes: true })));
        return powers.div(powers.sum(-1, { keepAxes: true }));
      },
      floats(size, size),
    ],
    ["fast.layerNorm", () => mx.fast.layerNorm(x, scale, shift), floats(size, columns, columns, size)],
    [
      "layerNorm by hand",
      () =>
        x
          .sub(mean(x))
          .mul(mx.rsqrt(mx.variance(x, -1, { keepAxes: true }).add(1e-5)))
          .mul(scale)
          .add(shift),
      floats(size, columns, columns, size),
    ],
    ["fast.rmsNorm", () => mx.fast.rmsNorm(x, scale), floats(size, columns, size)],
    ["rmsNorm by hand", () => x.mul(mx.rsqrt(mean(x.square()).add(1e-5))).mul(scale), floats(size, columns, size)],
    ["logSumExp", () => mx.logSumExp(x, -1), floats(size, rows)],
    ["logSumExp of the whole", () => mx.logSumExp(x), floats(size, 1)],
    ["variance", () => mx.variance(x, -1), floats(size, rows)],
    ["variance of the whole", () => mx.variance(x), floats(size, 1)],
    ["std of columns", () => mx.std(x, 0), floats(size, columns)],
    ["sum of columns", () => x.sum(0), floats(size, columns)],
    ["gelu(x @ w + b)", () => nn.gelu(x.matmul(weight).add(bias)), floats(size, columns * 128, 128, rows * 128)],
    ["a chain of pointwise operations", () => mx.tanh(x.mul(2).add(1)).sqrt().sub(x).abs(), floats(size, size)],
    [
      "a result and another made from it",
      () => {
        const first = mx.exp(x);
        return [first, first.add(1)];
      },
      floats(size, size, size),
    ],
    [
      "a transposed, sliced and reversed view",
      () => mx.get(mx.flip(x.transpose(), 0), "::2").mul(3),
      floats(size, size / 2),
    ],
  ] as const)("%s", (_, build, bytes) => {
    expect(cost(build())).toEqual({ kernels: 1, bytes });
  });
});

describe("attention", () => {
  const attend = (mask: (scores: mx.MLXArray) => mx.MLXArray): mx.MLXArray => {
    if (!queries || !keys || !values) throw new Error("attention needs three inputs");
    const scores = queries.matmul(keys.swapAxes(-1, -2)).mul(32 ** -0.5);
    return mx.softmax(mask(scores), -1).matmul(values);
  };
  const tensor = 2 * 4 * 64 * 32;
  const scores = 2 * 4 * 64 * 64;
  const bytes = floats(tensor, tensor, scores, scores, scores, scores, tensor, tensor);

  it("written out by hand takes at most 3", () => {
    expect(cost(attend((s) => s))).toEqual({ kernels: 3, bytes });
  });

  it("computes a causal mask along the way", () => {
    const causal = (s: mx.MLXArray): mx.MLXArray => mx.where(mx.tri(64).greater(0), s, Number.NEGATIVE_INFINITY);
    expect(cost(attend(causal))).toEqual({ kernels: 3, bytes });
  });
});

describe("a convolution with padding", () => {
  const [input, weights] = [mx.random.normal([2, 14, 14, 16]), mx.random.normal([32, 3, 3, 16])];
  const [inputSize, weightSize, outputSize] = [2 * 14 * 14 * 16, 32 * 3 * 3 * 16, 2 * 14 * 14 * 32];
  const convolve = (a: mx.MLXArray, b: mx.MLXArray): mx.MLXArray => mx.conv2d(a, b, { padding: 1 });

  beforeAll(() => mx.evaluate(input, weights));

  it("is one kernel: padding is not stored", () => {
    expect(cost(convolve(input, weights))).toEqual({ kernels: 1, bytes: floats(inputSize, weightSize, outputSize) });
  });

  it("takes a bias and an activation along", () => {
    expect(cost(nn.relu(convolve(input, weights).add(mx.ones([32])))).kernels).toBe(1);
  });

  it("has a gradient in 3: the value, and a product for each operand", () => {
    const loss = (a: mx.MLXArray, b: mx.MLXArray): mx.MLXArray => convolve(a, b).square().sum();
    const sizes = [
      inputSize,
      weightSize,
      outputSize,
      outputSize,
      weightSize,
      inputSize,
      outputSize,
      inputSize,
      weightSize,
    ];
    expect(cost(mx.grad(loss, [0, 1])(input, weights))).toEqual({ kernels: 3, bytes: floats(...sizes) });
  });
});

describe("a perceptron 784-512-256-10 on batches of 256", () => {
  const model = new nn.Sequential(
    new nn.Linear(784, 512),
    nn.relu,
    new nn.Linear(512, 256),
    nn.relu,
    new nn.Linear(256, 10),
  );
  const lossOf = (m: typeof model, a: mx.MLXArray, b: mx.MLXArray): mx.MLXArray =>
    nn.losses.crossEntropy(m(a), b, { reduction: "mean" });
  const parameterCount = 784 * 512 + 512 + 512 * 256 + 256 + 256 * 10 + 10;

  beforeAll(() => mx.evaluate(model));

  it("runs forward in 3", () => {
    const activations = 256 * (784 + 512 + 512 + 256 + 256 + 10);
    expect(cost(model(images))).toEqual({ kernels: 3, bytes: floats(activations, parameterCount) });
  });

  it("computes its loss in 4", () => {
    expect(cost(lossOf(model, images, labels)).kernels).toBeLessThanOrEqual(4);
  });

  it("computes loss and gradients in at most 12", () => {
    const { kernels, bytes } = cost(nn.valueAndGrad(model, lossOf)(model, images, labels));
    expect(kernels).toBeLessThanOrEqual(12);
    expect(bytes).toBeLessThanOrEqual(13_042_772);
  });

  it("makes a whole compiled step of Adam in 13, the updates riding on the gradients", async () => {
    const optimizer = new optim.Adam({ learningRate: 1e-3 }).init(model.trainableParameters());
    await mx.evaluate(optimizer);
    const state = [model, optimizer];
    const step = mx.compile(
      (a: mx.MLXArray, b: mx.MLXArray): mx.MLXArray => {
        const [loss, gradients] = nn.valueAndGrad(model, lossOf)(model, a, b);
        optimizer.update(model, gradients);
        return loss;
      },
      { inputs: state, outputs: state },
    );
    const loss = step(images, labels);
    const { kernels, bytes } = cost(loss, state);
    expect(kernels).toBeLessThanOrEqual(13);
    expect(bytes).toBeLessThanOrEqual(23_759_164);
    await mx.evaluate(loss, state);
  });
});
