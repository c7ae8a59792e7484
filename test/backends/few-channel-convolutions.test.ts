/** Convolutions to few outputs, or in groups of few channels, equal their definition, whatever the lengths and the threads. */
import * as mx from "mlx-ts";
import { afterAll, describe, expect, it } from "vitest";
import { numbers } from "../setup/numbers.ts";
import { threadedRuntimes } from "../setup/wasm-runtimes.ts";

const { under, close } = threadedRuntimes(2 ** 29);
afterAll(close);

interface Case {
  readonly name: string;
  readonly input: readonly number[];
  readonly weights: readonly number[];
  readonly options?: mx.GeneralConvolutionOptions;
}

const cases: readonly Case[] = [
  { name: "3 × 3 to three", input: [3, 31, 29, 12], weights: [3, 3, 3, 12], options: { padding: 1 } },
  {
    name: "the gradient of a stem",
    input: [2, 40, 39, 16],
    weights: [3, 7, 7, 16],
    options: { padding: 3, inputDilation: 2 },
  },
  { name: "a row of many places", input: [2, 1900, 5], weights: [4, 9, 5], options: { padding: 4 } },
  {
    name: "many rows of many places",
    input: [1, 70, 300, 6],
    weights: [7, 5, 3, 6],
    options: {
      padding: [
        [0, 3],
        [1, 2],
      ],
    },
  },
  {
    name: "three axes",
    input: [2, 9, 8, 10, 8],
    weights: [5, 3, 2, 3, 8],
    options: { padding: 1, inputDilation: [1, 2, 3] },
  },
  {
    name: "weights apart",
    input: [2, 30, 31, 8],
    weights: [3, 3, 3, 8],
    options: { kernelDilation: [2, 3], padding: 4 },
  },
  {
    name: "weights and places apart",
    input: [3, 20, 21, 8],
    weights: [2, 3, 4, 8],
    options: { kernelDilation: 3, inputDilation: 2, padding: 5, flip: true },
  },
  { name: "many small pictures", input: [100, 7, 7, 16], weights: [1, 3, 3, 16], options: { padding: 1 } },
  {
    name: "outputs that see nothing",
    input: [2, 40, 50, 8],
    weights: [4, 3, 2, 8],
    options: {
      padding: [
        [9, 9],
        [12, 9],
      ],
    },
  },
  { name: "depthwise", input: [3, 21, 23, 20], weights: [20, 3, 3, 1], options: { padding: 1, groups: 20 } },
  {
    name: "depthwise, stride 2",
    input: [2, 34, 41, 24],
    weights: [24, 5, 3, 1],
    options: { padding: [2, 1], stride: 2, groups: 24 },
  },
  {
    name: "depthwise, stride 3 and windows apart",
    input: [2, 40, 37, 12],
    weights: [12, 3, 2, 1],
    options: { padding: 2, stride: [1, 3], kernelDilation: [3, 2], groups: 12 },
  },
  {
    name: "three outputs of each channel",
    input: [2, 17, 19, 8],
    weights: [24, 3, 3, 1],
    options: { padding: 1, groups: 8 },
  },
  {
    name: "four outputs of each channel",
    input: [2, 17, 19, 7],
    weights: [28, 3, 3, 1],
    options: { padding: 1, groups: 7 },
  },
  {
    name: "one output of three channels",
    input: [2, 17, 19, 36],
    weights: [12, 3, 3, 3],
    options: { padding: 1, groups: 12 },
  },
  {
    name: "groups of two, transposed",
    input: [2, 13, 14, 12],
    weights: [12, 4, 4, 2],
    options: { padding: 2, inputDilation: 2, groups: 6 },
  },
  {
    name: "six outputs of two channels, backwards",
    input: [2, 13, 14, 8],
    weights: [24, 2, 5, 2],
    options: {
      padding: [
        [0, 3],
        [1, 4],
      ],
      flip: true,
      inputDilation: [3, 1],
      groups: 4,
    },
  },
  { name: "one axis, many places", input: [1, 5000, 16], weights: [16, 7, 1], options: { padding: 3, groups: 16 } },
  {
    name: "many channels in groups",
    input: [1, 12, 40, 512],
    weights: [512, 3, 3, 2],
    options: { padding: 1, groups: 256 },
  },
  {
    name: "groups of which most see padding",
    input: [2, 9, 8, 16],
    weights: [16, 3, 3, 1],
    options: {
      padding: [
        [9, 12],
        [11, 8],
      ],
      groups: 16,
    },
  },
];

function convolve({ options = {} }: Case, x: mx.MLXArray, weights: mx.MLXArray): mx.MLXArray {
  return mx.convGeneral(x, weights, options);
}

describe("a convolution of few channels", () => {
  it.each(cases)(
    "of $input by $weights, $name, is what float64 gives to 2⁻²⁰ of what it adds up, its gradients too",
    async (one) => {
      await under("one", async () => {
        const [x, weights] = [numbers(one.input, 1), numbers(one.weights, 2)];
        await mx.evaluate(x, weights);
        const result = convolve(one, x, weights);
        expect(mx.explain(result).kernels.map(({ kind }) => kind)).toEqual(["composite"]);
        const cotangent = numbers(result.shape, 3);
        const computed = (dtype: "float32" | "float64"): mx.MLXArray[] => {
          const primals = [x.asType(dtype), weights.asType(dtype)];
          const all = (a: mx.MLXArray, b: mx.MLXArray): mx.MLXArray => convolve(one, a, b);
          const [[value], slopes] = mx.vjp(all, primals, [cotangent.asType(dtype)]);
          return [value, ...slopes].flatMap((array) => (array ? [array.asType("float64")] : []));
        };
        const [values, exact] = [computed("float32"), computed("float64")];
        const [outputs = 1] = one.weights;
        const places = result.size / outputs;
        // How many products the value and the gradients of input and weights add up at most.
        for (const [k, count] of [weights.size / outputs, weights.size, places].entries()) {
          const error = await mx
            .abs(mx.subtract(values[k] ?? 0, exact[k] ?? 0))
            .max()
            .item();
          expect(Number(error) / count).toBeLessThan(2 ** -20);
        }
      });
    },
  );

  it.each(cases)(
    "of $input by $weights, $name, has the same bits on two threads, forwards and backwards",
    async (one) => {
      const compute = async (): Promise<Float32Array[]> => {
        const [x, weights] = [numbers(one.input, 1), numbers(one.weights, 2)];
        const [value, slopes] = mx.valueAndGrad(
          (a: mx.MLXArray, b: mx.MLXArray) => convolve(one, a, b).square().sum(),
          { argnums: [0, 1] },
        )(x, weights);
        const arrays = [convolve(one, x, weights), value, ...Object.values(slopes)];
        return Promise.all(arrays.map(async (array) => Float32Array.from(await array.data(), Number)));
      };
      expect(await under("two", compute)).toEqual(await under("one", compute));
    },
  );

  it("leaves places out that only padding sees", async () => {
    const [x, weights] = [numbers([2, 40, 50, 3], 1), numbers([8, 3, 2, 3], 2)];
    const slope = (a: mx.MLXArray, b: mx.MLXArray): mx.MLXArray => {
      const options = { padding: [9, 12] };
      return mx.grad((input: mx.MLXArray) => mx.conv2d(input, b, options).mul(mx.cos(input.mean())).sum())(a);
    };
    await under("one", async () => {
      const [own, exact] = [slope(x, weights), slope(x.asType("float64"), weights.asType("float64"))];
      expect(Number(await mx.abs(own.asType("float64").sub(exact)).max().item())).toBeLessThan(1e-4);
    });
  });

  it.each([1, 8])("in %d groups keeps infinities and NaN to the outputs that see them", async (groups) => {
    const [x, weights] = [numbers([1, 40, 40, 8], 1), numbers([8, 3, 3, 8 / groups], 2)];
    const factor = new Float32Array(x.size).fill(1);
    factor[(7 * 40 + 8) * 8] = Number.NaN;
    factor[(20 * 40 + 21) * 8] = Number.POSITIVE_INFINITY;
    await under("one", async () => {
      const spoiled = x.mul(mx.fromTypedArray(factor, x.shape));
      await mx.evaluate(spoiled);
      const result = mx.conv2d(spoiled, weights, { padding: 1, groups });
      const exact = mx.conv2d(spoiled.asType("float64"), weights.asType("float64"), { padding: 1, groups });
      expect(await mx.isFinite(result).notEqual(mx.isFinite(exact)).sum().item()).toBe(0);
      expect(await mx.isFinite(result).sum().item()).toBe(result.size - (2 * 9 * 8) / groups);
    });
  });
});
