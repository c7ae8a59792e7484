/** Sizes that break others: odd products, primes, 1, 0, 65,537, last axes of 1 and 3, operands that are views. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";

/** Small whole numbers, so that every float32 sum is exact. */
function whole(position: number): number {
  return ((position * 7919) % 17) - 8;
}

function matrix(rows: number, columns: number): { readonly data: Float32Array; readonly array: mx.MLXArray } {
  const data = Float32Array.from({ length: rows * columns }, (_, k) => whole(k));
  return { data, array: mx.fromTypedArray(data, [rows, columns]) };
}

/** Element [i, j] of a @ b. */
function entry(a: Float32Array, b: Float32Array, inner: number, columns: number, i: number, j: number): number {
  let sum = 0;
  for (let k = 0; k < inner; k++) sum += (a[i * inner + k] ?? 0) * (b[k * columns + j] ?? 0);
  return sum;
}

describe("matmul", () => {
  it.each([
    [1, 1, 1],
    [1, 7, 1],
    [3, 1, 5],
    [1, 513, 3],
    [3, 3, 1],
    [2, 65_537, 3],
    [65_537, 3, 1],
    [17, 31, 67],
    [127, 257, 63],
    [64, 1024, 64],
    [1001, 1001, 1001],
  ])("%i × %i × %i, and with transposed and strided operands", async (rows, inner, columns) => {
    const [a, b] = [matrix(rows, inner), matrix(inner, columns)];
    const strided = mx.get(mx.repeat(a.array, 2, 0), "::2");
    const products = [
      a.array.matmul(b.array),
      strided.matmul(b.array),
      a.array.transpose().add(0).transpose().matmul(b.array),
      b.array.transpose().matmul(a.array.transpose()).transpose(),
    ];
    const results = await Promise.all(products.map((product) => product.data()));
    const stride = Math.max(1, Math.floor((rows * columns) / 997));
    for (let place = 0; place < rows * columns; place += stride) {
      const wanted = entry(a.data, b.data, inner, columns, Math.floor(place / columns), place % columns);
      for (const [k, result] of results.entries()) expect(result[place], `product ${k}, element ${place}`).toBe(wanted);
    }
  });

  it("with nothing in it", async () => {
    expect(
      await mx
        .zeros([0, 3])
        .matmul(mx.ones([3, 2]))
        .tolist(),
    ).toEqual([]);
    expect(
      await mx
        .zeros([2, 0])
        .matmul(mx.ones([0, 3]))
        .tolist(),
    ).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(mx.zeros([2, 3]).matmul(mx.ones([3, 0])).shape).toEqual([2, 0]);
    expect(
      await mx
        .zeros([0, 2, 3])
        .matmul(mx.ones([3, 4]))
        .tolist(),
    ).toEqual([]);
  });
});

describe.each([1, 2, 3, 4, 5, 7, 13, 31, 97, 509, 1021, 65_537])("an axis of %i", (length) => {
  const values = Float32Array.from({ length }, (_, k) => whole(k));
  const total = values.reduce((sum, value) => sum + value, 0);

  it("is summed along the last axis, the first and both", async () => {
    const x = mx.array(values);
    expect(await x.sum().item()).toBe(total);
    expect(await x.reshape([length, 1]).sum(1).data()).toEqual(values);
    expect(await x.reshape([length, 1]).sum(0).tolist()).toEqual([total]);
    const three = mx.stack([x, x, x], 1);
    expect(three.shape).toEqual([length, 3]);
    expect(await three.sum(0).tolist()).toEqual([total, total, total]);
    expect(await three.sum(1).data()).toEqual(values.map((value) => 3 * value));
    expect(await three.transpose().sum(1).tolist()).toEqual([total, total, total]);
    expect(await three.sum().item()).toBe(3 * total);
  });

  it("goes through pointwise chains, reversal, strides and padding", async () => {
    const x = mx.array(values);
    expect(await x.mul(2).add(1).data()).toEqual(values.map((value) => 2 * value + 1));
    expect(await mx.flip(x).data()).toEqual(values.slice().reverse());
    expect(await mx.get(x, "::-2").data()).toEqual(values.filter((_, k) => (length - 1 - k) % 2 === 0).reverse());
    expect(await mx.pad(x, [2, 1]).data()).toEqual(Float32Array.from([0, 0, ...values, 0]));
    expect(await mx.concatenate([x, x.mul(2)]).data()).toEqual(
      Float32Array.from([...values, ...values.map((v) => 2 * v)]),
    );
  });

  it("is normalized to sum 1 with a last axis of 1, 3 and its own", async () => {
    const x = mx.array(values);
    expect((await mx.softmax(x.reshape([length, 1]), -1).data()).every((value) => value === 1)).toBe(true);
    const thirds = await mx.softmax(mx.stack([x, x, x], 1), -1).data();
    expect(thirds.every((value) => Math.abs(Number(value) - 1 / 3) < 1e-7)).toBe(true);
    expect(Number(await mx.softmax(x).sum().item())).toBeCloseTo(1, 5);
  });
});

describe("more elements than a 32-bit position counts", () => {
  it("are summed right where they need no memory", async () => {
    expect(
      await mx
        .ones([2 ** 20, 2049], "uint8")
        .sum()
        .item(),
    ).toBe(2 ** 20 * 2049);
  });

  it("are refused along one axis, as by MLX", () => {
    expect(() => mx.ones([2 ** 31])).toThrow(mx.ShapeError);
    expect(() => mx.ones([2 ** 20, 2 ** 12]).flatten()).toThrow(mx.ShapeError);
  });
});

describe("arrays with nothing in them", () => {
  it("have the sums and products of nothing", async () => {
    expect(await mx.zeros([0]).sum().item()).toBe(0);
    expect(await mx.zeros([0]).prod().item()).toBe(1);
    expect(await mx.zeros([0, 3]).sum(0).tolist()).toEqual([0, 0, 0]);
    expect(await mx.zeros([3, 0]).sum(1).tolist()).toEqual([0, 0, 0]);
    expect(await mx.zeros([3, 0]).sum(0).tolist()).toEqual([]);
    expect(await mx.zeros([0]).mean().item()).toBeNaN();
    expect(await mx.all(mx.zeros([0], "bool")).item()).toBe(true);
    expect(await mx.any(mx.zeros([0], "bool")).item()).toBe(false);
  });

  it("have no greatest element", () => {
    expect(() => mx.zeros([0]).max()).toThrow();
    expect(() => mx.zeros([2, 0]).min(1)).toThrow();
  });

  it("go through pointwise operations, views and joins", async () => {
    expect(
      await mx
        .zeros([0, 3])
        .add(1)
        .mul(mx.ones([3]))
        .tolist(),
    ).toEqual([]);
    expect(mx.zeros([0, 3]).transpose().reshape([3, 0, 5]).shape).toEqual([3, 0, 5]);
    expect(await mx.concatenate([mx.zeros([0]), mx.ones([2])]).tolist()).toEqual([1, 1]);
    expect(await mx.softmax(mx.zeros([2, 0]), -1).tolist()).toEqual([[], []]);
  });
});
