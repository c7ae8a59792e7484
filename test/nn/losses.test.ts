/** Losses where a formula's slope is infinite: one NaN among the gradients would spoil every parameter. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import { describe, expect, it } from "vitest";

describe("the gradient of binary cross entropy of probabilities", () => {
  it.each(["float32", "float16", "bfloat16", "float64"] as const)("is finite at 0 and 1, in %s", async (dtype) => {
    const targets = mx.array([0, 0, 1, 1, 0, 0.5], dtype);
    const loss = (p: mx.MLXArray): mx.MLXArray =>
      nn.losses.binaryCrossEntropy(p, targets, { withLogits: false, reduction: "sum" });
    const slopes = mx.grad(loss)(mx.array([0, 1, 0, 1, 0.5, 1e-40], dtype));
    expect(await mx.arrayEqual(slopes, mx.array([1, 0, 0, -1, 2, 0.5])).item()).toBe(true);
  });

  it("leaves the loss as it is: cut at 100, exact above", async () => {
    const targets = mx.array([1, 1, 0, 1]);
    const options = { withLogits: false, reduction: "none" } as const;
    const losses = await nn.losses.binaryCrossEntropy(mx.array([0, 1e-40, 1, 1e-30]), targets, options).data("float32");
    expect(losses[0]).toBe(100);
    expect(losses[1]).toBeCloseTo(-Math.log(1e-40), 3);
    expect(losses[2]).toBe(100);
    expect(losses[3]).toBeCloseTo(-Math.log(1e-30), 4);
  });

  it("is NaN for what is no probability, as the loss is", async () => {
    const options = { withLogits: false, reduction: "none" } as const;
    const losses = nn.losses.binaryCrossEntropy(mx.array([Number.NaN, 2]), mx.array([1, 0]), options);
    expect(await losses.tolist()).toEqual([Number.NaN, Number.NaN]);
  });
});

describe("the gradient of cosine similarity", () => {
  it("is finite at a vector of zeros, and that of the formula elsewhere", async () => {
    const others = mx.array([
      [1, 1],
      [3, 4],
      [0, 0],
    ]);
    const loss = (a: mx.MLXArray): mx.MLXArray => nn.losses.cosineSimilarityLoss(a, others, { eps: 0.5 }).sum();
    const slopes = mx.grad(loss)(
      mx.array([
        [0, 0],
        [1, 0],
        [1, 2],
      ]),
    );
    // Next to zeros, the product of norms is below eps; of [1, 0] and [3, 4], only the turn changes the cosine.
    const expected = [2, 2, 0, 0.8, 0, 0];
    for (const [k, slope] of (await slopes.data("float32")).entries()) expect(slope).toBeCloseTo(expected[k] ?? 0, 5);
  });

  it("and the similarity itself are finite there in float16, which rounds the usual eps to 0", async () => {
    const zeros = mx.zeros([1, 2], "float16");
    const loss = (a: mx.MLXArray): mx.MLXArray => nn.losses.cosineSimilarityLoss(a, zeros).sum();
    expect(await loss(zeros).item()).toBe(0);
    expect(await mx.grad(loss)(zeros).tolist()).toEqual([[0, 0]]);
  });

  it("has a second derivative there, too", async () => {
    const loss = (a: mx.MLXArray): mx.MLXArray => nn.losses.cosineSimilarityLoss(a, mx.ones([1, 2])).sum();
    const second = mx.grad((a: mx.MLXArray) => mx.grad(loss)(a).sum())(mx.zeros([1, 2]));
    expect(await second.tolist()).toEqual([[0, 0]]);
  });
});
