/** vmap: axes, trees, and what is refused. */
import { describe, expect, it } from "vitest";
import { ArgumentError, ShapeError } from "../../src/base/errors.ts";
import type { MLXArray } from "../../src/graph/mlx-array.ts";
import { topologicalOrder } from "../../src/graph/primitive.ts";
import { add, multiply } from "../../src/primitives/arithmetic.ts";
import { matmul } from "../../src/primitives/contraction.ts";
import { exp } from "../../src/primitives/exponential.ts";
import { sum } from "../../src/primitives/reductions.ts";
import { flip } from "../../src/primitives/slicing.ts";
import { deferred } from "../../src/transforms/deferred.ts";
import { vjp } from "../../src/transforms/grad.ts";
import { vmap } from "../../src/transforms/vectorize.ts";
import { Bench } from "../laws/bench.ts";

const bench = new Bench();
const vector = (...values: number[]): MLXArray => bench.array(values, [values.length]);
const matrix = bench.array([1, 2, 3, 4, 5, 6], [2, 3]);

describe("vmap", () => {
  it("maps over the axis that inAxes names, and puts it where outAxes says", async () => {
    const columns = vmap((x: MLXArray) => sum(x), { inAxes: 1 })(matrix);
    expect(await bench.readOne(columns)).toEqual([5, 7, 9]);
    const doubled = vmap((x: MLXArray) => multiply(x, 2), { inAxes: -1, outAxes: 1 })(matrix);
    expect(doubled.shape).toEqual([2, 3]);
    expect(await bench.readOne(doubled)).toEqual([2, 4, 6, 8, 10, 12]);
  });

  it("repeats a gradient that no example changes, of an operation whose definition is loaded later too", async () => {
    const turned = (x: MLXArray): MLXArray => deferred("turned", x, [x], ([y = x]) => flip(y, 0));
    const pulled = (x: MLXArray): MLXArray => vjp(turned, [x], [vector(1, 10, 100)])[1][0] ?? x;
    const gradients = vmap(pulled)(matrix);
    expect(gradients.shape).toEqual([2, 3]);
    expect(await bench.readOne(sum(gradients, 0))).toEqual([200, 20, 2]);
  });

  it("shares an argument whose axis is null, and repeats a result that no argument reaches", async () => {
    const [sums, fixed] = vmap((x: MLXArray, y: MLXArray) => [add(x, y), exp(y)] as const, { inAxes: [0, null] })(
      vector(1, 2),
      vector(0),
    );
    expect(await bench.readOne(sums)).toEqual([1, 2]);
    expect(fixed.shape).toEqual([2, 1]);
    expect(await bench.readOne(fixed)).toEqual([1, 1]);
  });

  it("leaves what depends on no example as it is", () => {
    const w = vector(1, 2, 3);
    const result = vmap((x: MLXArray) => multiply(x, exp(w)))(matrix);
    const shapes = topologicalOrder([result]).filter(({ primitive }) => primitive.name === "exp");
    expect(shapes.map(({ shape }) => shape)).toEqual([[3]]);
  });

  it("takes trees, with axes for all of a tree or for each leaf", async () => {
    const f = ({ a, b }: { a: MLXArray; b: MLXArray }): MLXArray => sum(multiply(a, b));
    const tree = { a: matrix, b: vector(1, 1, 1) };
    const result = vmap(f, { inAxes: [{ a: 0, b: null }] })(tree);
    expect(await bench.readOne(result)).toEqual([6, 15]);
  });

  it("makes a matrix product of vectors of products", async () => {
    const product = vmap(
      vmap((x: MLXArray, y: MLXArray) => sum(multiply(x, y)), { inAxes: [null, 1] }),
      {
        inAxes: [0, null],
      },
    );
    const other = bench.array([1, 0, 0, 1, 1, 1], [3, 2]);
    expect(await bench.readOne(product(matrix, other))).toEqual(await bench.readOne(matmul(matrix, other)));
  });

  it("refuses arguments with different numbers of examples, and no batched argument at all", () => {
    expect(() => vmap(add)(vector(1, 2), vector(1, 2, 3))).toThrow(ShapeError);
    expect(() => vmap((x: MLXArray) => x, { inAxes: null })(matrix)).toThrow(ArgumentError);
    expect(() => vmap((x: MLXArray) => x, { inAxes: 2 })(matrix)).toThrow(ShapeError);
    expect(() => vmap(add, { inAxes: [0] })(matrix, matrix)).toThrow(/2 are given/);
  });
});
