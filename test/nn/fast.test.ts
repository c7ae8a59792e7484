/** The functions of `fast` under vmap, with masks and offsets, and what they refuse. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";

const { layerNorm, rmsNorm, rope, scaledDotProductAttention } = mx.fast;

function numbers(shape: readonly number[], seed: number): mx.MLXArray {
  return mx.random.normal(shape, { key: mx.random.key(seed) });
}

/** Largest distance between the elements of two arrays of one shape. */
async function distance(a: mx.MLXArray, b: mx.MLXArray): Promise<number> {
  expect(a.shape).toEqual(b.shape);
  return Number(await mx.max(mx.abs(mx.subtract(a, b))).item());
}

/** `f` of each example, stacked. */
function loop(f: (...args: mx.MLXArray[]) => mx.MLXArray, ...batches: readonly mx.MLXArray[]): mx.MLXArray {
  const count = batches[0]?.shape[0] ?? 0;
  const results = Array.from({ length: count }, (_, k) => f(...batches.map((batch) => mx.take(batch, k, 0))));
  return mx.stack(results);
}

describe("normalizations", () => {
  it("batch over inputs, weights and biases", async () => {
    const [x, w, b] = [numbers([3, 2, 4, 8], 1), numbers([3, 8], 2), numbers([3, 8], 3)];
    const both = (a: mx.MLXArray, c: mx.MLXArray, d: mx.MLXArray): mx.MLXArray => layerNorm(a, c, d);
    expect(await distance(mx.vmap(both)(x, w, b), loop(both, x, w, b))).toBeLessThan(1e-6);
    const shared = (a: mx.MLXArray): mx.MLXArray => rmsNorm(a, mx.take(w, 0, 0));
    expect(await distance(mx.vmap(shared, { inAxes: 0 })(x), loop(shared, x))).toBeLessThan(1e-6);
    const moved = mx.vmap(shared, { inAxes: 2, outAxes: 2 })(x);
    expect(await distance(moved, shared(x))).toBeLessThan(1e-6);
  });

  it("take one kernel", () => {
    const x = mx.add(numbers([16, 32], 1), 0);
    expect(mx.explain(layerNorm(x, mx.ones([32]), mx.zeros([32]))).kernels).toHaveLength(1);
    expect(mx.explain(rmsNorm(x, mx.ones([32]))).kernels).toHaveLength(1);
  });

  it("refuse weights of another size and integers", () => {
    expect(() => layerNorm(mx.zeros([2, 4]), mx.ones([3]))).toThrow(mx.ShapeError);
    expect(() => rmsNorm(mx.zeros([2, 4], "int32"))).toThrow(mx.DtypeError);
    expect(() => rmsNorm(mx.array(1))).toThrow(mx.ShapeError);
  });
});

describe("rope", () => {
  it("gives each first axis its own offset", async () => {
    const x = numbers([3, 2, 5, 8], 4);
    const offsets = mx.array([0, 3, 7], "int32");
    const each = [0, 3, 7].map((offset, k) => rope(mx.take(x, k, 0), 8, { offset }));
    expect(await distance(rope(x, 8, { offset: offsets }), mx.stack(each))).toBeLessThan(1e-6);
  });

  it.each([
    [[4, 2, 5, 8], []],
    [[4, 3, 2, 5, 8], [3]],
    [[4, 5, 8], []],
  ])("batches inputs %j over offsets of shape %j", async (shape, offsetShape) => {
    const x = numbers(shape, 5);
    const offsets = mx.reshape(mx.arange(4 * Math.max(offsetShape[0] ?? 1, 1)), [4, ...offsetShape]);
    const turned = (a: mx.MLXArray, offset: mx.MLXArray): mx.MLXArray => rope(a, 4, { offset, traditional: true });
    expect(await distance(mx.vmap(turned)(x, offsets), loop(turned, x, offsets))).toBeLessThan(1e-6);
  });

  it.each([
    [[4, 2, 5, 8], 0, []],
    [[4, 5, 8], 0, [4]],
    [[2, 5, 8], null, [4]],
    [[4, 3, 2, 5, 8], 0, [4, 3]],
  ] as const)("batches inputs %j along %j over periods, with offsets of shape %j", async (shape, axis, offsetShape) => {
    const x = numbers([...shape], 5);
    const freqs = numbers([4, 2], 6).abs().add(1);
    const offset = mx.ones([...offsetShape]).multiply(3);
    const inAxes = [axis, 0, offsetShape.length > 0 ? 0 : null];
    const turned = (a: mx.MLXArray, periods: mx.MLXArray, start: mx.MLXArray): mx.MLXArray =>
      rope(a, 4, { freqs: periods, offset: start });
    const each = [0, 1, 2, 3].map((k) => {
      const pick = (a: mx.MLXArray, along: number | null): mx.MLXArray => (along === null ? a : mx.take(a, k, 0));
      return turned(pick(x, axis), pick(freqs, 0), pick(offset, inAxes[2] ?? null));
    });
    expect(await distance(mx.vmap(turned, { inAxes })(x, freqs, offset), mx.stack(each))).toBeLessThan(1e-6);
  });

  it("refuses odd sizes, and a base beside periods", () => {
    expect(() => rope(mx.zeros([2, 8]), 3)).toThrow(mx.ArgumentError);
    expect(() => rope(mx.zeros([2, 8]), 10)).toThrow(mx.ShapeError);
    expect(() => rope(mx.zeros([2, 8]), 8, { base: 100, freqs: mx.ones([4]) })).toThrow(mx.ArgumentError);
  });
});

describe("scaledDotProductAttention", () => {
  const [q, k, v] = [numbers([2, 4, 5, 8], 6), numbers([2, 2, 7, 8], 7), numbers([2, 2, 7, 3], 8)];

  it("is what its formula says, heads sharing keys", async () => {
    const [keys, values] = [mx.repeat(k, 2, 1), mx.repeat(v, 2, 1)];
    const scores = mx.multiply(mx.matmul(q, mx.swapAxes(keys, -1, -2)), 0.3);
    const expected = mx.matmul(mx.softmax(scores, -1), values);
    expect(await distance(scaledDotProductAttention(q, k, v, { scale: 0.3 }), expected)).toBeLessThan(1e-5);
  });

  it("lets the last query see all keys, causally", async () => {
    const causal = scaledDotProductAttention(q, k, v, { scale: 0.3, mask: "causal" });
    const rows = mx.add(mx.reshape(mx.arange(5), [5, 1]), 2);
    const mask = mx.greaterEqual(rows, mx.arange(7));
    expect(await distance(causal, scaledDotProductAttention(q, k, v, { scale: 0.3, mask }))).toBeLessThan(1e-6);
  });

  it("batches queries, keys, values and masks", async () => {
    const [qs, ks, vs] = [numbers([3, 2, 4, 5, 8], 9), numbers([3, 2, 2, 7, 8], 10), numbers([3, 2, 2, 7, 3], 11)];
    const masks = numbers([3, 5, 7], 12);
    const attend = (a: mx.MLXArray, b: mx.MLXArray, c: mx.MLXArray, mask: mx.MLXArray): mx.MLXArray =>
      scaledDotProductAttention(a, b, c, { scale: 0.3, mask });
    expect(await distance(mx.vmap(attend)(qs, ks, vs, masks), loop(attend, qs, ks, vs, masks))).toBeLessThan(1e-5);
    const queries = (a: mx.MLXArray): mx.MLXArray => scaledDotProductAttention(a, k, v, { scale: 0.3, mask: "causal" });
    expect(await distance(mx.vmap(queries)(qs), loop(queries, qs))).toBeLessThan(1e-5);
  });

  it("has the gradient of its formula", async () => {
    const direct = (a: mx.MLXArray): mx.MLXArray =>
      mx.sum(mx.square(scaledDotProductAttention(a, k, v, { scale: 0.3 })));
    const written = (a: mx.MLXArray): mx.MLXArray => {
      const scores = mx.multiply(mx.matmul(a, mx.swapAxes(mx.repeat(k, 2, 1), -1, -2)), 0.3);
      return mx.sum(mx.square(mx.matmul(mx.softmax(scores, -1), mx.repeat(v, 2, 1))));
    };
    expect(await distance(mx.grad(direct)(q), mx.grad(written)(q))).toBeLessThan(1e-4);
  });

  it("gives nothing and gradients of zero where there are no examples, queries or keys", async () => {
    for (const [batch, rows, columns] of [
      [0, 2, 3],
      [1, 0, 3],
      [1, 2, 0],
      [1, 0, 0],
    ] as const) {
      const given = [mx.ones([batch, 2, rows, 4]), mx.ones([batch, 2, columns, 4]), mx.ones([batch, 2, columns, 4])];
      for (const mask of [null, "causal", mx.ones([rows, columns]).asType("bool")] as const) {
        const attend = (a: mx.MLXArray, b: mx.MLXArray, c: mx.MLXArray) =>
          scaledDotProductAttention(a, b, c, { scale: 1, mask });
        const [[result], gradients] = mx.vjp(attend, given, [mx.array(1)]);
        expect(await result?.data()).toEqual(new Float32Array(batch * 2 * rows * 4));
        for (const [position, gradient] of gradients.entries()) {
          expect(gradient.shape).toEqual(given[position]?.shape);
          expect(await gradient.data()).toEqual(new Float32Array(gradient.size));
        }
      }
    }
  });

  it("refuses shapes that do not fit, naming them", () => {
    const attend =
      (...parts: readonly [mx.MLXArray, mx.MLXArray, mx.MLXArray]) =>
      () =>
        scaledDotProductAttention(...parts, { scale: 1 });
    expect(attend(q, mx.zeros([2, 3, 7, 8]), mx.zeros([2, 3, 7, 3]))).toThrow(/multiple/);
    expect(attend(q, k, mx.zeros([2, 2, 6, 3]))).toThrow(/keys and values/);
    expect(attend(q, mx.zeros([2, 2, 7, 9]), v)).toThrow(/features/);
    expect(() => scaledDotProductAttention(q, k, v, { scale: 1, mask: mx.zeros([3, 3]) })).toThrow(mx.ShapeError);
  });
});
