/** Loops that are long enough to be compiled for wide vectors, where the engine has them, give the bits of short ones. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";

const [rows, columns] = [64, 4096];

function numbers(): mx.MLXArray {
  const data = Float32Array.from({ length: rows * columns }, (_, k) => Math.sin(k * k * 0.61) * 2 ** ((k % 11) - 5));
  return mx.fromTypedArray(data, [rows, columns]);
}

const functions: Readonly<Record<string, (x: mx.MLXArray) => mx.MLXArray>> = {
  softmax: (x) => mx.softmax(mx.tanh(mx.exp(mx.sin(x))), -1),
  "a chain of functions": (x) => mx.sqrt(mx.sin(mx.log(mx.exp(mx.tanh(x)).add(1))).add(2)),
  "functions chosen by comparisons": (x) => mx.where(mx.greater(mx.cos(x), mx.sin(x)), mx.erf(mx.exp(x)), mx.tanh(x)),
  "a layer normalization of functions": (x) => mx.fast.layerNorm(mx.tanh(mx.exp(mx.sin(mx.cos(x))))),
};

describe("a long loop", () => {
  it.each(Object.keys(functions))("over %s gives the bits of short loops over its rows", async (name) => {
    const compute = functions[name] ?? ((x: mx.MLXArray) => x);
    const x = numbers();
    await mx.evaluate(x);
    const whole = new Uint32Array((await compute(x).data()).slice().buffer);
    for (const row of [0, rows - 8]) {
      const part = await compute(x.get(`${row}:${row + 8}`)).data();
      expect(new Uint32Array(part.slice().buffer)).toEqual(whole.slice(row * columns, (row + 8) * columns));
    }
  });

  it("behind a product gives the bits of short products of its rows", async () => {
    const [x, weights] = [numbers().reshape([512, 512]), numbers().reshape([512, 512])];
    const compute = (part: mx.MLXArray): mx.MLXArray => {
      const y = part.matmul(weights).mul(0.01);
      return mx.tanh(y.add(y.square().mul(0.1))).add(mx.erf(y));
    };
    await mx.evaluate(x, weights);
    const whole = new Uint32Array((await compute(x).data()).slice().buffer);
    for (const row of [0, 416]) {
      const part = await compute(x.get(`${row}:${row + 96}`)).data();
      expect(new Uint32Array(part.slice().buffer)).toEqual(whole.slice(row * 512, (row + 96) * 512));
    }
  });
});

describe("a chain of sums and products", () => {
  const factors = Float32Array.from({ length: 40 }, (_, k) => Math.sin(k * 7));
  const lengths = [1, 3, 4, 7, 15, 16, 17, 31, 64, 65, 79, 128, 135, 143, 144, 255, 256];

  it.each(lengths)("over %i elements gives the bits of its steps", async (length) => {
    const start = Float32Array.from({ length }, (_, k) => Math.cos(k * k));
    const x = mx.fromTypedArray(start);
    let y = x;
    const expected = start.slice();
    for (const factor of factors) {
      y = y.mul(factor).add(x).add(factor);
      start.forEach((first, at) => {
        const product = Math.fround((expected[at] ?? 0) * factor);
        expected[at] = Math.fround(Math.fround(product + first) + factor);
      });
    }
    expect(await y.data()).toEqual(expected);
  });
});
