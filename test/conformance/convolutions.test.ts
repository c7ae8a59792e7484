/** Convolutions and both of their gradients are the sums that define them, at sizes that the packed products take. */
import * as mx from "mlx-ts";
import { afterAll, describe, expect, it } from "vitest";
import { threadedRuntimes } from "../setup/wasm-runtimes.ts";

const { under, close } = threadedRuntimes(2 ** 29);

interface Case {
  readonly name: string;
  /** [batch, height, width, channels] */
  readonly input: readonly [number, number, number, number];
  /** [outputs, height, width, channels / groups] */
  readonly weights: readonly [number, number, number, number];
  readonly stride?: number;
  readonly padding?: readonly [readonly number[], readonly number[]];
  readonly kernelDilation?: number;
  readonly inputDilation?: number;
  readonly groups?: number;
  readonly flip?: boolean;
}

const around = (count: number): readonly [readonly number[], readonly number[]] => [
  [count, count],
  [count, count],
];

const cases: readonly Case[] = [
  { name: "3 × 3", input: [2, 9, 11, 16], weights: [12, 3, 3, 16] },
  { name: "3 × 3, padded", input: [2, 9, 11, 16], weights: [12, 3, 3, 16], padding: around(1) },
  {
    name: "padded on one side",
    input: [1, 7, 10, 12],
    weights: [9, 2, 3, 12],
    padding: [
      [0, 3],
      [2, 0],
    ],
  },
  { name: "stride 2, padded", input: [2, 12, 9, 8], weights: [10, 3, 3, 8], padding: around(1), stride: 2 },
  { name: "stride 3", input: [1, 17, 14, 8], weights: [16, 4, 4, 8], stride: 3, padding: around(2) },
  { name: "1 × 1", input: [2, 13, 7, 24], weights: [17, 1, 1, 24] },
  { name: "1 × 1, stride 2", input: [2, 14, 7, 24], weights: [17, 1, 1, 24], stride: 2 },
  { name: "5 × 5 on one channel", input: [3, 14, 14, 1], weights: [8, 5, 5, 1], padding: around(2) },
  { name: "7 × 7 on three channels", input: [2, 22, 20, 3], weights: [16, 7, 7, 3], padding: around(3), stride: 2 },
  { name: "dilated", input: [1, 15, 15, 8], weights: [8, 3, 3, 8], padding: around(2), kernelDilation: 2 },
  { name: "transposed", input: [2, 6, 5, 16], weights: [12, 4, 4, 16], padding: around(2), inputDilation: 2 },
  { name: "transposed by 3", input: [1, 6, 5, 16], weights: [12, 3, 3, 16], padding: around(2), inputDilation: 3 },
  {
    name: "transposed in groups",
    input: [2, 6, 5, 12],
    weights: [8, 3, 4, 6],
    padding: around(2),
    inputDilation: 2,
    groups: 2,
  },
  {
    name: "transposed, dilated",
    input: [1, 7, 6, 8],
    weights: [9, 3, 3, 8],
    padding: [
      [3, 5],
      [2, 4],
    ],
    inputDilation: 3,
    kernelDilation: 2,
    flip: true,
  },
  {
    name: "transposed depthwise",
    input: [2, 6, 5, 8],
    weights: [16, 3, 3, 1],
    padding: around(1),
    inputDilation: 2,
    groups: 8,
  },
  { name: "flipped", input: [1, 9, 9, 8], weights: [8, 3, 3, 8], padding: around(1), flip: true },
  { name: "in groups", input: [2, 9, 8, 24], weights: [16, 3, 3, 12], padding: around(1), groups: 2 },
  { name: "depthwise", input: [2, 11, 9, 20], weights: [20, 3, 3, 1], padding: around(1), groups: 20 },
  { name: "depthwise, two outputs each", input: [1, 9, 9, 12], weights: [24, 3, 3, 1], padding: around(1), groups: 12 },
  { name: "few places", input: [1, 4, 4, 72], weights: [40, 3, 3, 72], padding: around(1) },
];

/** Small whole numbers, so that every float32 sum is exact. */
function numbers(shape: readonly number[], seed: number): Float32Array {
  const count = shape.reduce((product, length) => product * length, 1);
  return Float32Array.from({ length: count }, (_, k) => ((Math.imul(k + seed, 2654435761) >>> 20) % 9) - 4);
}

/** Calls `visit` with the positions in input, weights and output of each product that a convolution sums. */
function eachProduct(test: Case, visit: (input: number, weight: number, output: number) => void): void {
  const { input, weights, stride = 1, padding = around(0), kernelDilation = 1, inputDilation = 1, groups = 1 } = test;
  const [batch, height, width, channels] = input;
  const [outputs, sizeY, sizeX, inner] = weights;
  const [lowY = 0, lowX = 0] = padding[0];
  const { countY, countX } = counts(test);
  for (let b = 0; b < batch; b++)
    for (let y = 0; y < countY; y++)
      for (let x = 0; x < countX; x++)
        for (let ky = 0; ky < sizeY; ky++)
          for (let kx = 0; kx < sizeX; kx++) {
            const fromY = y * stride + ky * kernelDilation - lowY;
            const fromX = x * stride + kx * kernelDilation - lowX;
            const [placeY, placeX] = [fromY / inputDilation, fromX / inputDilation];
            const isInside = placeY >= 0 && placeX >= 0 && placeY < height && placeX < width;
            if (!isInside || !Number.isInteger(placeY) || !Number.isInteger(placeX)) continue;
            const [weightY, weightX] = test.flip ? [sizeY - 1 - ky, sizeX - 1 - kx] : [ky, kx];
            for (let o = 0; o < outputs; o++) {
              const first = Math.floor(o / (outputs / groups)) * inner;
              for (let c = 0; c < inner; c++)
                visit(
                  ((b * height + placeY) * width + placeX) * channels + first + c,
                  ((o * sizeY + weightY) * sizeX + weightX) * inner + c,
                  ((b * countY + y) * countX + x) * outputs + o,
                );
            }
          }
}

function counts({ input, weights, stride = 1, padding, kernelDilation = 1, inputDilation = 1 }: Case): {
  readonly countY: number;
  readonly countX: number;
} {
  const count = (axis: number): number => {
    const span = ((weights[axis + 1] ?? 1) - 1) * kernelDilation + 1;
    const around = (padding?.[0][axis] ?? 0) + (padding?.[1][axis] ?? 0);
    return Math.floor((((input[axis + 1] ?? 1) - 1) * inputDilation + 1 + around - span) / stride) + 1;
  };
  return { countY: count(0), countX: count(1) };
}

describe("a convolution and its gradients", () => {
  afterAll(close);

  it.each(cases.map((test) => [test.name, test] as const))("%s", async (_, test) => {
    const [x, w] = [numbers(test.input, 1), numbers(test.weights, 7)];
    const { name: _name, input: inputShape, weights: weightsShape, ...options } = test;
    const { countY, countX } = counts(test);
    const shape = [test.input[0], countY, countX, test.weights[0]];
    const c = numbers(shape, 3);
    const [y, dx, dw] = [new Float64Array(c.length), new Float64Array(x.length), new Float64Array(w.length)];
    eachProduct(test, (input, weight, output) => {
      y[output] = (y[output] ?? 0) + (x[input] ?? 0) * (w[weight] ?? 0);
      dx[input] = (dx[input] ?? 0) + (c[output] ?? 0) * (w[weight] ?? 0);
      dw[weight] = (dw[weight] ?? 0) + (c[output] ?? 0) * (x[input] ?? 0);
    });
    for (const threads of ["one", "two"] as const) {
      await under(threads, async () => {
        const [input, weights] = [mx.fromTypedArray(x, inputShape), mx.fromTypedArray(w, weightsShape)];
        const cotangent = mx.fromTypedArray(c, shape);
        const convolve = (a: mx.MLXArray, b: mx.MLXArray): mx.MLXArray => mx.convGeneral(a, b, options);
        const [[value], cotangents] = mx.vjp(convolve, [input, weights], [cotangent]);
        const results = [value, ...cotangents];
        await mx.evaluate(results);
        for (const [k, wanted] of [y, dx, dw].entries()) {
          const found = await results[k]?.data();
          expect(found?.length).toBe(wanted.length);
          const wrong = wanted.findIndex((element, i) => Number(found?.[i]) !== element);
          if (wrong >= 0) expect.fail(`result ${k}, element ${wrong} is ${found?.[wrong]}, not ${wanted[wrong]}`);
        }
      });
    }
  });
});
