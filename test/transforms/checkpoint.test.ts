/** checkpoint: the same derivatives, with a second computation in place of kept results. */
import { describe, expect, it } from "vitest";
import type { MLXArray } from "../../src/graph/mlx-array.ts";
import { topologicalOrder } from "../../src/graph/primitive.ts";
import { add, multiply, square } from "../../src/primitives/arithmetic.ts";
import { sum } from "../../src/primitives/reductions.ts";
import { sin, tanh } from "../../src/primitives/trigonometry.ts";
import { checkpoint } from "../../src/transforms/checkpoint.ts";
import { grad, jvp } from "../../src/transforms/grad.ts";
import { vmap } from "../../src/transforms/vectorize.ts";
import { Bench } from "../laws/bench.ts";

const bench = new Bench();
const vector = (...values: number[]): MLXArray => bench.array(values, [values.length]);
const block = (x: MLXArray): MLXArray => sum(tanh(square(sin(x))));
const kept = checkpoint(block);
const x = vector(0.3, 0.7);
const countOf = (name: string, root: MLXArray): number =>
  topologicalOrder([root]).filter(({ primitive }) => primitive.name === name).length;

describe("checkpoint", () => {
  it("can be given to the map of a list of functions", async () => {
    const [first = block] = [block, sin].map(checkpoint);
    expect(await bench.readOne(first(x))).toEqual(await bench.readOne(block(x)));
  });

  it("keeps values and derivatives", async () => {
    const pairs: [MLXArray, MLXArray][] = [
      [kept(x), block(x)],
      [grad(kept)(x), grad(block)(x)],
      [jvp(kept, [x], [vector(1, 2)])[1][0] ?? x, jvp(block, [x], [vector(1, 2)])[1][0] ?? x],
    ];
    for (const [a, b] of pairs) expect(await bench.readOne(a)).toEqual(await bench.readOne(b));
    const twice = (f: (y: MLXArray) => MLXArray): MLXArray => grad((y: MLXArray) => sum(grad(f)(y)))(x);
    const [a = [], b = []] = await bench.read([twice(kept), twice(block)]);
    a.forEach((value, k) => {
      expect(value).toBeCloseTo(b[k] ?? 0, 12);
    });
  });

  it("computes the inside a second time in the gradient", () => {
    expect(countOf("tanh", grad(block)(x))).toBe(1);
    const slope = grad((y: MLXArray) => multiply(kept(y), 2))(x);
    expect(countOf("barrier", slope)).toBe(1);
    expect(topologicalOrder([slope]).some(({ primitive }) => primitive.name === "checkpoint")).toBe(false);
  });

  it("lets gradients through to what the function captures", async () => {
    const w = vector(2, 3);
    const f = (weights: MLXArray): MLXArray =>
      checkpoint((y: MLXArray) => sum(multiply(square(y), square(weights))))(vector(1, 2));
    expect(await bench.readOne(grad(f)(w))).toEqual([4, 24]);
  });

  it("maps over a batch", async () => {
    const batch = bench.array([0.1, 0.2, 0.3, 0.4], [2, 2]);
    const [a, b] = await bench.read([vmap(grad(kept))(batch), vmap(grad(block))(batch)]);
    expect(a).toEqual(b);
    const all = (f: (y: MLXArray) => MLXArray): MLXArray => grad((y: MLXArray) => sum(vmap(f)(y)))(batch);
    const [c, d] = await bench.read([all(kept), all(block)]);
    expect(c).toEqual(d);
  });

  it("takes and gives trees", async () => {
    const f = checkpoint(({ a, b }: { a: MLXArray; b: MLXArray[] }) => ({ sum: sum(add(a, b[0] ?? 0)), same: a }));
    const slope = grad((tree: { a: MLXArray; b: MLXArray[] }) => f(tree).sum)({ a: x, b: [x] });
    expect(await bench.readOne(slope.a)).toEqual([1, 1]);
    expect(await bench.readOne(slope.b[0] ?? x)).toEqual([1, 1]);
  });
});
