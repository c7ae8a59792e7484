/** vmap of reductions and products against a loop over the batch axis. */
import type { MLXArray } from "mlx-ts";
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";
import { vmap } from "../../src/transforms/vectorize.ts";

const cube = mx.reshape(mx.sin(mx.arange(24, "float32")), [2, 3, 4]);
const matrix = mx.reshape(mx.cos(mx.arange(8, "float32")), [4, 2]);

const functions: readonly (readonly [string, (x: MLXArray) => MLXArray])[] = [
  ["sum", (x) => mx.sum(x, 0)],
  ["prod", (x) => mx.prod(x, 1, { keepAxes: true })],
  ["max", (x) => mx.max(x)],
  ["argMin", (x) => mx.argMin(x, 1)],
  ["any", (x) => mx.any(mx.greater(x, 0.5), 0)],
  ["variance", (x) => mx.variance(x, 1)],
  ["softmax", (x) => mx.softmax(x, -1)],
  ["median", (x) => mx.median(x, 0)],
  ["where", (x) => mx.where(mx.greater(x, 0), x, mx.exp(x))],
  ["view", (x) => mx.view(x, "int32")],
  ["view in other sizes", (x) => mx.view(x, "uint8")],
  ["a product with a shared matrix", (x) => mx.matmul(x, matrix)],
  ["a product of a shared matrix", (x) => mx.matmul(mx.transpose(matrix), mx.transpose(x))],
  ["a product of two batches", (x) => mx.matmul(x, mx.transpose(x))],
  ["a product with a vector", (x) => mx.matmul(x, mx.ones([4]))],
  ["einsum", (x) => mx.einsum("ij,jk,ij->k", x, matrix, x)],
];

describe("vmap", () => {
  for (const [name, f] of functions) {
    it(`of ${name} is the function of each part`, async () => {
      const expected = mx.stack([0, 1].map((k) => f(mx.take(cube, k, 0))));
      const batched = vmap(f)(cube);
      expect([batched.dtype, batched.shape]).toEqual([expected.dtype, expected.shape]);
      expect(await mx.allClose(batched, expected, { atol: 1e-6 }).item()).toBe(true);
    });
  }
});
