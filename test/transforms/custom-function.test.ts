/** customFunction: rules of one's own, alone and nested in other transforms. */
import { describe, expect, it } from "vitest";
import { ArgumentError } from "../../src/base/errors.ts";
import type { MLXArray } from "../../src/graph/mlx-array.ts";
import { add, multiply, square } from "../../src/primitives/arithmetic.ts";
import { castTo } from "../../src/primitives/cast.ts";
import { sum } from "../../src/primitives/reductions.ts";
import { view as bits } from "../../src/primitives/reinterpretation.ts";
import { sin } from "../../src/primitives/trigonometry.ts";
import { customFunction } from "../../src/transforms/custom-function.ts";
import { grad, jvp, vjp } from "../../src/transforms/grad.ts";
import { vmap } from "../../src/transforms/vectorize.ts";
import { Bench } from "../laws/bench.ts";

const bench = new Bench();
const scalar = (value: number): MLXArray => bench.array([value], []);
const vector = (...values: number[]): MLXArray => bench.array(values, [values.length]);
const read = (x: MLXArray | undefined): Promise<number[]> => (x ? bench.readOne(x) : Promise.resolve([]));

describe("customFunction", () => {
  it("without rules is the function itself", async () => {
    const f = customFunction((x: MLXArray) => multiply(x, x), {});
    expect(await read(f(scalar(3)))).toEqual([9]);
    expect(await read(grad(f)(scalar(3)))).toEqual([6]);
    expect(await read(vmap(f)(vector(1, 2)))).toEqual([1, 4]);
  });

  it("uses its own vjp, in gradients of gradients too", async () => {
    const f = customFunction((x: MLXArray) => multiply(x, x), {
      vjp: ([x], cotangent) => [multiply(cotangent, multiply(x, 10))],
    });
    expect(await read(f(scalar(3)))).toEqual([9]);
    expect(await read(grad(f)(scalar(3)))).toEqual([30]);
    expect(await read(grad(grad(f))(scalar(3)))).toEqual([10]);
  });

  it("gives its vjp the outputs, which carry the same rule", async () => {
    const f = customFunction((x: MLXArray) => multiply(x, 2), {
      vjp: (_, cotangent, output) => [multiply(cotangent, output)],
    });
    expect(await read(grad(f)(scalar(3)))).toEqual([6]);
    expect(await read(grad(grad(f))(scalar(3)))).toEqual([6]);
  });

  it("uses its own jvp, even around what has no derivative", async () => {
    const same = (x: MLXArray): MLXArray => bits(bits(x, "int64"), "float64");
    const f = customFunction(same, {
      jvp: (_, [tangent]) => multiply(tangent, 7),
      vjp: (_, cotangent) => [multiply(cotangent, 7)],
    });
    expect(await read(jvp(f, [scalar(3)], [scalar(1)])[1][0])).toEqual([7]);
    expect(await read(grad(f)(scalar(3)))).toEqual([7]);
  });

  it("takes and gives trees of arrays, and several results", async () => {
    const f = customFunction(
      ({ a, b }: { a: MLXArray; b: [MLXArray] }, scale: number) => ({
        sum: add(a, b[0]),
        products: [multiply(multiply(a, b[0]), scale)],
      }),
      {
        vjp: ([{ a, b }, scale], cotangents) => [
          {
            a: add(cotangents.sum, multiply(multiply(cotangents.products[0] ?? 0, b[0]), scale)),
            b: [add(cotangents.sum, multiply(multiply(cotangents.products[0] ?? 0, a), scale))],
          },
          null,
        ],
      },
    );
    const loss = (a: MLXArray, b: MLXArray): MLXArray => {
      const { sum: total, products } = f({ a, b: [b] }, 10);
      return add(total, products[0] ?? 0);
    };
    const [a, b] = grad(loss, [0, 1])(scalar(2), scalar(3));
    expect([await read(a), await read(b)]).toEqual([[31], [21]]);
  });

  it("keeps its vjp under vmap, and sums the cotangents of what examples share", async () => {
    const f = customFunction((x: MLXArray, w: MLXArray) => multiply(sum(x), w), {
      vjp: ([x, w], cotangent) => [multiply(add(multiply(x, 0), w), multiply(cotangent, 100)), cotangent],
    });
    const batch = bench.array([1, 2, 3, 4], [2, 2]);
    const each = vmap(grad(f, [0, 1]), { inAxes: [0, null], outAxes: 0 })(batch, scalar(5));
    expect(await read(each[0])).toEqual([500, 500, 500, 500]);
    expect(await read(each[1])).toEqual([1, 1]);
    const all = grad((x: MLXArray, w: MLXArray) => sum(vmap(f, { inAxes: [0, null] })(x, w)), [0, 1]);
    const [toBatch, toShared] = all(batch, scalar(5));
    expect(await read(toBatch)).toEqual([500, 500, 500, 500]);
    expect(await read(toShared)).toEqual([2]);
  });

  it("uses its own vmap", async () => {
    const f = customFunction((x: MLXArray) => sin(x), {
      vmap: ([x], axes) => [multiply(x, 3), axes[0] ?? 0],
    });
    expect(await read(vmap(f)(vector(1, 2)))).toEqual([3, 6]);
  });

  it("keeps no gradient for an argument given null", async () => {
    const f = customFunction((x: MLXArray, y: MLXArray) => multiply(x, y), {
      vjp: (_, cotangent) => [cotangent, null],
    });
    const [, cotangents] = vjp(f, [scalar(2), scalar(3)], [scalar(1)]);
    expect(await bench.read(cotangents)).toEqual([[1], [0]]);
  });

  it("refuses a cotangent of another shape", () => {
    const f = customFunction((x: MLXArray) => sum(square(x)), { vjp: (_, cotangent) => [cotangent] });
    expect(() => grad(f)(vector(1, 2))).toThrow(ArgumentError);
  });

  it("refuses a tangent of another shape", () => {
    const f = customFunction((x: MLXArray) => square(x), { jvp: (_, [tangent]) => sum(tangent) });
    expect(() => jvp(f, [vector(1, 2)], [vector(1, 1)])).toThrow("jvp gave tangent 0 shape []; its result has [2]");
  });

  it("brings what rules give to the dtype of the array that it belongs to", async () => {
    const wide = customFunction((x: MLXArray) => square(x), {
      vjp: ([x], cotangent) => [castTo(multiply(cotangent, x), "float64")],
      jvp: ([x], [tangent]) => castTo(multiply(tangent, x), "float64"),
      vmap: ([x], axes) => [castTo(square(x), "float64"), axes[0] ?? 0],
    });
    const f = (x: MLXArray): MLXArray => multiply(wide(multiply(x, 2)), x);
    const x = bench.array([1, 2], [2], "float32");
    const one = bench.array([1, 1], [2], "float32");
    const results = [vjp(f, [x], [one])[1][0] ?? x, jvp(f, [x], [one])[1][0] ?? x, vmap(f)(x)];
    expect(results.map(({ dtype }) => dtype)).toEqual(["float32", "float32", "float32"]);
    expect(await bench.read(results)).toEqual([
      [8, 32],
      [8, 32],
      [4, 32],
    ]);
  });
});
