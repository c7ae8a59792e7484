/** Convolutions of 3 × 3 by transformed tiles equal their definition, whatever the lengths, the padding and the threads. */
import * as mx from "mlx-ts";
import { afterAll, describe, expect, it } from "vitest";
import { numbers } from "../setup/numbers.ts";
import { threadedRuntimes } from "../setup/wasm-runtimes.ts";

const { under, close } = threadedRuntimes(2 ** 29);
afterAll(close);

const cases = [
  { input: [2, 40, 40], channels: 32, outputs: 32, padding: 1 },
  { input: [1, 67, 55], channels: 16, outputs: 48, padding: 0 },
  { input: [3, 33, 30], channels: 32, outputs: 80, padding: 2 },
  { input: [1, 37, 64], channels: 48, outputs: 32, padding: [0, 1] },
  { input: [2, 80, 81], channels: 32, outputs: 32, padding: 1, stride: 2 },
  { input: [1, 74, 99], channels: 48, outputs: 64, padding: [0, 2], stride: 2 },
] as const;

type Convolve = (x: mx.MLXArray, weights: mx.MLXArray) => mx.MLXArray;

function convolutionOf({ padding, ...rest }: (typeof cases)[number]): Convolve {
  const stride = "stride" in rest ? rest.stride : 1;
  return (x, weights) =>
    mx.conv2d(x, weights, { stride, padding: typeof padding === "number" ? padding : [...padding] });
}

function operandsOf({ input, channels, outputs }: (typeof cases)[number]): [mx.MLXArray, mx.MLXArray] {
  return [numbers([...input, channels], 1), numbers([outputs, 3, 3, channels], 2)];
}

describe("a convolution of 3 × 3 weights", () => {
  it.each(cases)(
    "on $input, $channels to $outputs, padding $padding, is what float64 gives to 2⁻²⁰ of what it adds up",
    async (one) => {
      const convolve = convolutionOf(one);
      await under("one", async () => {
        const [x, weights] = operandsOf(one);
        await mx.evaluate(x, weights);
        const result = convolve(x, weights);
        expect(mx.explain(result).kernels.map(({ kind }) => kind)).toEqual(["composite"]);
        const exact = convolve(x.asType("float64"), weights.asType("float64"));
        // The most that a sum of this convolution can be.
        const bound = 9 * one.channels;
        const error = await mx.abs(result.asType("float64").sub(exact)).max().item();
        expect(Number(error) / bound).toBeLessThan(2 ** -20);
      });
    },
  );

  it.each([...cases.slice(0, 2), cases[4]])(
    "on $input has the same bits on two threads, forwards and backwards",
    async (one) => {
      const convolve = convolutionOf(one);
      const compute = async (): Promise<Float32Array[]> => {
        const [x, weights] = operandsOf(one);
        const [value, slopes] = mx.valueAndGrad((a: mx.MLXArray, b: mx.MLXArray) => convolve(a, b).square().sum(), {
          argnums: [0, 1],
        })(x, weights);
        const arrays = [convolve(x, weights), value, ...Object.values(slopes)];
        return Promise.all(arrays.map(async (array) => Float32Array.from(await array.data(), Number)));
      };
      expect(await under("two", compute)).toEqual(await under("one", compute));
    },
  );

  it("has the gradient that float64 gives", async () => {
    const [one] = cases;
    const convolve = convolutionOf(one);
    await under("one", async () => {
      const [x, weights] = operandsOf(one);
      const slope = (a: mx.MLXArray, b: mx.MLXArray): mx.MLXArray =>
        mx.grad((input: mx.MLXArray) => convolve(input, b).mul(mx.cos(input.mean())).sum())(a);
      const [own, exact] = [slope(x, weights), slope(x.asType("float64"), weights.asType("float64"))];
      expect(Number(await mx.abs(own.asType("float64").sub(exact)).max().item())).toBeLessThan(1e-4);
    });
  });

  it.each([cases[0], cases[4]])("on $input keeps infinities and NaN to the outputs that see them", async (one) => {
    const [, height, width] = one.input;
    const convolve = convolutionOf(one);
    await under("one", async () => {
      const [x, weights] = operandsOf(one);
      const factor = new Float32Array(x.size).fill(1);
      const place = (picture: number, y: number, column: number): number =>
        ((picture * height + y) * width + column) * 32;
      factor[place(0, 7, 8)] = Number.NaN;
      factor[place(1, 20, 21)] = Number.POSITIVE_INFINITY;
      factor[place(1, height - 1, width - 1)] = 3e38;
      const spoiled = x.mul(mx.fromTypedArray(factor, x.shape));
      const result = convolve(spoiled, weights);
      const exact = convolve(spoiled.asType("float64"), weights.asType("float64"));
      const [finite, shouldBe] = [mx.isFinite(result), mx.isFinite(exact.asType("float32"))];
      expect(await mx.isNaN(result).sum().item()).toBe(await mx.isNaN(exact).sum().item());
      expect(await finite.notEqual(shouldBe).sum().item()).toBe(0);
      // Most places around (20, 21) and all others are as they were.
      expect(await finite.sum().item()).toBeGreaterThan(result.size - 40 * 32);
    });
  });
});
