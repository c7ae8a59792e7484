/** Gradients where numbers are zero, infinite, or leave the range of float32 on the way to a result that does not. */
import type { MLXArray } from "mlx-ts";
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";

const { NEGATIVE_INFINITY: low, POSITIVE_INFINITY: high, NaN: none } = Number;
const slopes = async (f: (x: MLXArray) => MLXArray, values: readonly number[]): Promise<unknown> =>
  mx
    .grad((x: MLXArray) => f(x).sum())(mx.array(values))
    .tolist();

describe("the gradient of a product", () => {
  it.each<readonly [title: string, values: readonly number[], expected: readonly number[]]>([
    [
      "of large and small numbers in turns",
      [2 ** 100, 2 ** -100, 2 ** 100, 2 ** -100],
      [2 ** -100, 2 ** 100, 2 ** -100, 2 ** 100],
    ],
    ["of large numbers, a zero and 1", [2 ** 100, 0, 2 ** 100, 1], [0, high, 0, 0]],
    ["of a zero before large numbers", [0, 1, 2 ** 100, 2 ** 100], [high, 0, 0, 0]],
    ["of several zeros", [0, 2, 0, 2 ** 120], [0, 0, 0, 0]],
    ["of the least number and a great one", [2 ** -149, -2, 2 ** 127], [-high, 2 ** -22, -(2 ** -148)]],
    ["that overflows, with parts that do not", [2 ** 100, 2 ** 100, 2 ** -100, 2], [2, 2, high, 2 ** 100]],
    ["of an infinite number and others", [high, 2, 3], [6, high, high]],
    ["of an infinite number and zero", [high, 0, 3], [0, high, none]],
    ["of NaN and zero", [none, 0, 1], [0, none, none]],
  ])("%s", async (_, values, expected) => {
    expect(await slopes((x) => mx.prod(x), values)).toEqual(expected);
  });

  it("has a gradient itself, at zeros too, and is that of the product in half precision", async () => {
    const weighted = (x: MLXArray): MLXArray =>
      mx
        .grad((y: MLXArray) => mx.prod(y))(x)
        .multiply(mx.array([1, 2, 3, 5]));
    expect(await slopes(weighted, [2, 0, 0, 5])).toEqual([0, 30, 20, 0]);
    expect(await slopes(weighted, [2 ** 64, 0, 2 ** -64, 5])).toEqual([5 * 2 ** -63, 15 * 2 ** 64, 10 * 2 ** 64, 2]);
    const half = (x: MLXArray): MLXArray => mx.prod(x.asType("float16"));
    expect(await slopes(half, [300, 300, 2 ** -10, 2])).toEqual([300 / 512, 300 / 512, high, 87.875]);
  });
});

describe("the gradient of logCumsumExp", () => {
  const at = (place: number) => (x: MLXArray) => mx.logCumsumExp(x).get(place);

  it("is that of what comes after where the first numbers are -Infinity", async () => {
    expect(await slopes(at(2), [low, 1, 1])).toEqual([0, 0.5, 0.5]);
    expect(await slopes(at(2), [low, low, 1])).toEqual([0, 0, 1]);
    expect(await slopes((x) => mx.logCumsumExp(x, { reverse: true }).get(0), [1, 1, low])).toEqual([0.5, 0.5, 0]);
  });

  it("is all the latest infinite number's where the result is infinite", async () => {
    expect(await slopes(at(1), [1, 1, high, 3])).toEqual([0.5, 0.5, 0, 0]);
    expect(await slopes(at(3), [1, 2, high, 3])).toEqual([0, 0, 1, 0]);
    expect(await slopes(at(0), [low, 1])).toEqual([1, 0]);
    expect(await slopes(at(1), [low, low])).toEqual([0, 1]);
    const x = mx.array([1, high, low]);
    const [, [tangents]] = mx.jvp((y: MLXArray) => mx.logCumsumExp(y), [x], [mx.array([2, 3, 5])]);
    expect(await tangents?.tolist()).toEqual([2, 3, 3]);
  });

  it("is NaN from the first NaN on", async () => {
    expect(await slopes((x) => mx.logCumsumExp(x), [none, 1])).toEqual([none, none]);
  });
});
