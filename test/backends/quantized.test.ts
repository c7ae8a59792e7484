/** Products of a few rows with packed weights equal their definition, whatever the packing, the rows and the threads. */
import * as mx from "mlx-ts";
import { afterAll, describe, expect, it } from "vitest";
import { numbers } from "../setup/numbers.ts";
import { threadedRuntimes } from "../setup/wasm-runtimes.ts";

const { under, close } = threadedRuntimes(2 ** 27);
afterAll(close);

interface Case {
  readonly bits: number;
  readonly groupSize: number;
  readonly shape: readonly number[];
  readonly outputs: number;
}

const cases: readonly Case[] = [2, 4, 8].flatMap((bits) =>
  [32, 64, 128]
    .filter((groupSize) => groupSize * bits >= 256)
    .flatMap((groupSize) =>
      [[1, 384], [2, 128], [7, 256], [2, 3, 128], [384]].map((shape, k) => ({
        bits,
        groupSize,
        shape,
        outputs: [1, 33, 70][k % 3] ?? 1,
      })),
    ),
);

describe("quantizedMatmul as one kernel", () => {
  it.each(cases)(
    "of $bits bits, groups of $groupSize, $shape to $outputs is the product with unpacked weights",
    async ({ bits, groupSize, shape, outputs }) => {
      const compute = async (): Promise<{ readonly result: Float32Array; readonly exact: Float32Array }> => {
        const x = numbers(shape, 1);
        const weights = mx.quantize(numbers([outputs, shape.at(-1) ?? 0], 2), { bits, groupSize });
        await mx.evaluate(weights);
        const product = mx.quantizedMatmul(x, ...weights, { bits, groupSize });
        expect(mx.explain(product).kernels.map(({ kind }) => kind)).toContain("composite");
        const [wide, matrix] = [x.asType("float64"), mx.dequantize(...weights, { bits, groupSize }).asType("float64")];
        return {
          result: Float32Array.from(await product.data(), Number),
          exact: Float32Array.from(await wide.matmul(matrix.T).data(), Number),
        };
      };
      const { result, exact } = await under("one", compute);
      expect(result.length).toBe(exact.length);
      const greatest = Math.max(...result.map((value, k) => Math.abs(value - (exact[k] ?? 0))));
      // Sums of at most 384 products of at most 1, rounded once each in eight lanes.
      expect(greatest).toBeLessThan(2e-5);
      expect((await under("two", compute)).result).toEqual(result);
    },
  );

  it("splits a large matrix over threads and changes no bit", async () => {
    const compute = async (): Promise<Float32Array> => {
      const weights = mx.quantize(numbers([2050, 2048], 3));
      await mx.evaluate(weights);
      return Float32Array.from(await mx.quantizedMatmul(numbers([1, 2048], 4), ...weights).data(), Number);
    };
    expect(await under("two", compute)).toEqual(await under("one", compute));
  });

  it("has the gradient of its definition", async () => {
    await under("one", async () => {
      const [packed, scales, biases] = mx.quantize(numbers([16, 64], 5));
      const x = numbers([2, 64], 6);
      const slope = mx.grad((a: mx.MLXArray) => mx.quantizedMatmul(a, packed, scales, biases).sum())(x);
      const expected = mx.dequantize(packed, scales, biases).sum(0);
      expect(await mx.abs(slope.sub(expected)).max().item()).toBeLessThan(1e-5);
    });
  });
});

describe("quantize", () => {
  it("refuses what it cannot pack", () => {
    expect(() => mx.quantize(mx.ones([2, 48]))).toThrow(mx.ShapeError);
    expect(() => mx.quantize(mx.ones([2, 64], "int32"))).toThrow(mx.DtypeError);
    expect(() => mx.quantize(mx.ones([2, 64]), { bits: 7 })).toThrow(mx.ArgumentError);
    const [packed, scales, biases] = mx.quantize(mx.ones([2, 64]));
    expect(() => mx.quantizedMatmul(mx.ones([1, 32]), packed, scales, biases)).toThrow(mx.ShapeError);
    expect(() => mx.dequantize(packed, scales.at(0).get(), biases)).toThrow(mx.ShapeError);
  });
});
