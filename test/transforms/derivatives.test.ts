/** Gradients of functions: what they are, what they cost, and what is refused. */
import { describe, expect, it } from "vitest";
import { GradientError, ShapeError } from "../../src/base/errors.ts";
import { treeChildren } from "../../src/base/tree.ts";
import type { MLXArray } from "../../src/graph/mlx-array.ts";
import { topologicalOrder } from "../../src/graph/primitive.ts";
import { add, multiply, square, subtract } from "../../src/primitives/arithmetic.ts";
import { castTo } from "../../src/primitives/cast.ts";
import { matmul } from "../../src/primitives/contraction.ts";
import { exp, power } from "../../src/primitives/exponential.ts";
import { argMax, max } from "../../src/primitives/extrema.ts";
import { take } from "../../src/primitives/gather.ts";
import { constant, constantRow } from "../../src/primitives/leaf.ts";
import { sum } from "../../src/primitives/reductions.ts";
import { view as bits } from "../../src/primitives/reinterpretation.ts";
import { cummax, cummin, cumprod, cumsum, logCumsumExp } from "../../src/primitives/scanning.ts";
import { stopGradient } from "../../src/primitives/selection.ts";
import { mean, std } from "../../src/primitives/statistics.ts";
import { sin, tanh } from "../../src/primitives/trigonometry.ts";
import { grad, jvp, valueAndGrad, vjp } from "../../src/transforms/grad.ts";
import { vmap } from "../../src/transforms/vectorize.ts";
import { Bench } from "../laws/bench.ts";

const bench = new Bench();
const scalar = (value: number): MLXArray => bench.array([value], []);
const vector = (...values: number[]): MLXArray => bench.array(values, [values.length]);
const numbers = (x: MLXArray): Promise<number[]> => bench.readOne(x);
const countVertices = (roots: readonly MLXArray[]): number =>
  topologicalOrder(roots).filter(({ primitive }) => primitive !== constantRow).length;

describe("grad", () => {
  it("of a polynomial is its derivative, to any order", async () => {
    const cube = (x: MLXArray): MLXArray => multiply(multiply(x, x), x);
    expect(await numbers(grad(cube)(scalar(2)))).toEqual([12]);
    expect(await numbers(grad(grad(cube))(scalar(2)))).toEqual([12]);
    expect(await numbers(grad(grad(grad(cube)))(scalar(2)))).toEqual([6]);
    expect(await numbers(grad(grad(grad(grad(cube))))(scalar(2)))).toEqual([0]);
  });

  it("calls the function once", () => {
    let calls = 0;
    grad((x: MLXArray) => {
      calls++;
      return sum(square(x));
    })(vector(1, 2));
    expect(calls).toBe(1);
  });

  it("is the zero array for an argument that the result does not depend on", async () => {
    const [a, b] = grad((x: MLXArray, _: MLXArray) => sum(x), [0, 1])(vector(1, 2), vector(3, 4, 5));
    expect(await numbers(a)).toEqual([1, 1]);
    expect(await numbers(b)).toEqual([0, 0, 0]);
  });

  it("accumulates over all uses of an argument", async () => {
    const f = (x: MLXArray): MLXArray => sum(add(multiply(x, x), multiply(3, x)));
    expect(await numbers(grad(f)(vector(1, 2)))).toEqual([5, 7]);
  });

  it("does not flow through stopGradient", async () => {
    expect(await numbers(grad((x: MLXArray) => multiply(x, stopGradient(x)))(scalar(3)))).toEqual([3]);
  });

  it("has the dtype of the argument, whatever the function computes in", async () => {
    const x = bench.array([1, 2], [2], "float16");
    const slope = grad((y: MLXArray) => sum(square(castTo(y, "float32"))))(x);
    expect(slope.dtype).toBe("float16");
    expect(await numbers(slope)).toEqual([2, 4]);
  });

  it("of a deviation is 0 at equal elements, not NaN, and that of the formula elsewhere", async () => {
    expect(await numbers(grad((x: MLXArray) => std(x))(vector(2, 2, 2)))).toEqual([0, 0, 0]);
    const second = grad((x: MLXArray) => sum(grad((y: MLXArray) => std(y))(x)));
    expect(await numbers(second(vector(2, 2, 2)))).toEqual([0, 0, 0]);
    expect(await numbers(grad((x: MLXArray) => std(x))(vector(1, 3)))).toEqual([-0.5, 0.5]);
  });

  it("ignores computations that the result does not need", () => {
    const f = (x: MLXArray): MLXArray => {
      bits(x, "int64");
      return sum(x);
    };
    expect(() => grad(f)(vector(1))).not.toThrow();
  });

  it("walks a chain of 20,000 operations", async () => {
    const chain = (x: MLXArray): MLXArray => {
      let y = x;
      for (let k = 0; k < 20000; k++) y = add(y, x);
      return y;
    };
    const slope = grad(chain)(scalar(1));
    expect(slope.shape).toEqual([]);
  });
});

describe("trees of arguments", () => {
  interface Parameters {
    weights: MLXArray[];
    bias: { value: MLXArray; name: string };
  }

  it("give gradients of the same form, and keep what is no array", async () => {
    const f = ({ weights: [a, b], bias }: Parameters): MLXArray => sum(add(multiply(a ?? 0, b ?? 0), bias.value));
    const parameters = { weights: [vector(1, 2), vector(3, 4)], bias: { value: vector(5, 6), name: "bias" } };
    const slope = grad(f)(parameters);
    expect(await Promise.all(slope.weights.map(numbers))).toEqual([
      [3, 4],
      [1, 2],
    ]);
    expect(await numbers(slope.bias.value)).toEqual([1, 1]);
    expect(slope.bias.name).toBe("bias");
  });

  it("may be objects that offer their children", async () => {
    const w0 = vector(2, 3);
    const children: Record<string, unknown> = { w: w0 };
    const module = { [treeChildren]: () => children };
    // The function is given the object itself, with other children while it runs.
    const slope: unknown = grad((m: typeof module) => sum(square(asArray(m[treeChildren]().w))))(module);
    expect(children.w).toBe(w0);
    const w = typeof slope === "object" && slope !== null && "w" in slope ? slope.w : null;
    expect(await numbers(asArray(w))).toEqual([4, 6]);
  });

  it("may be named in a trailing object", async () => {
    const f = (x: MLXArray, { scale, shift }: { scale: MLXArray; shift: MLXArray }): MLXArray =>
      sum(add(multiply(x, scale), shift));
    const [byPosition, byName] = grad(f, { argnames: ["scale", "shift"] })(vector(1, 2), {
      scale: scalar(3),
      shift: vector(0, 0),
    });
    expect(byPosition).toBeNull();
    const { scale, shift } = byName;
    expect(await numbers(scale)).toEqual([3]);
    expect(await numbers(shift)).toEqual([1, 1]);
  });

  it("may be several arguments by number", async () => {
    const [a, b] = grad((x: MLXArray, y: MLXArray) => sum(multiply(x, y)), [0, 1])(vector(1, 2), vector(3, 4));
    expect(await numbers(a)).toEqual([3, 4]);
    expect(await numbers(b)).toEqual([1, 2]);
  });
});

function asArray(value: unknown): MLXArray {
  if (typeof value === "object" && value !== null && isArray(value)) return value;
  throw new Error("is no array");
}
function isArray(value: object): value is MLXArray {
  return "primitive" in value;
}

describe("valueAndGrad", () => {
  it("returns the value, and what the function returns beside it", async () => {
    const f = (x: MLXArray): [MLXArray, string, MLXArray] => [sum(square(x)), "note", multiply(x, 2)];
    const [[value, note, doubled], slope] = valueAndGrad(f)(vector(1, 2));
    expect([await numbers(value), note, await numbers(doubled), await numbers(slope)]).toEqual([
      [5],
      "note",
      [2, 4],
      [2, 4],
    ]);
  });
});

describe("vjp and jvp", () => {
  it("take several arguments and give several results", async () => {
    const f = (x: MLXArray, y: MLXArray): MLXArray[] => [multiply(x, y), add(x, y)];
    const [outputs, cotangents] = vjp(f, [scalar(2), scalar(3)], [scalar(1), scalar(10)]);
    expect(await bench.read(outputs)).toEqual([[6], [5]]);
    expect(await bench.read(cotangents)).toEqual([[13], [12]]);
    const [, tangents] = jvp(f, [scalar(2), scalar(3)], [scalar(1), scalar(10)]);
    expect(await bench.read(tangents)).toEqual([[23], [11]]);
  });

  it("jvp of a gradient is a Hessian-vector product", async () => {
    const f = (x: MLXArray): MLXArray => sum(multiply(square(x), x));
    const [, products] = jvp(grad(f), [vector(1, 2)], [vector(1, 10)]);
    expect(await bench.read(products)).toEqual([[6, 120]]);
  });

  it("a tangent does not pass through a conversion to integers", async () => {
    const f = (x: MLXArray): MLXArray => add(x, castTo(castTo(x, "int32"), "float64"));
    const [, tangents] = jvp(f, [scalar(2.5)], [scalar(1.5)]);
    expect(await bench.read(tangents)).toEqual([[1.5]]);
  });
});

describe("nesting", () => {
  it("vmap of grad gives each example its own gradient", async () => {
    const f = (x: MLXArray, w: MLXArray): MLXArray => square(sum(multiply(x, w)));
    const each = vmap(grad(f, 1), { inAxes: [0, null] })(bench.array([1, 2, 3, 4], [2, 2]), vector(1, 1));
    expect(await numbers(each)).toEqual([6, 12, 42, 56]);
  });

  it("grad of vmap is the sum over the examples", async () => {
    const f = (x: MLXArray, w: MLXArray): MLXArray => square(sum(multiply(x, w)));
    const all = (w: MLXArray): MLXArray => sum(vmap(f, { inAxes: [0, null] })(bench.array([1, 2, 3, 4], [2, 2]), w));
    expect(await numbers(grad(all)(vector(1, 1)))).toEqual([48, 68]);
  });

  it("a Jacobian is vmap of vjp and vmap of jvp", async () => {
    const f = (x: MLXArray): MLXArray => multiply(x, sum(x));
    const x = vector(1, 2);
    const identity = bench.array([1, 0, 0, 1], [2, 2]);
    const rows = vmap((v: MLXArray) => vjp(f, [x], [v])[1])(identity);
    const columns = vmap((v: MLXArray) => jvp(f, [x], [v])[1])(identity);
    expect(await numbers(rows[0] ?? x)).toEqual([4, 1, 2, 5]);
    expect(await numbers(columns[0] ?? x)).toEqual([4, 2, 1, 5]);
  });

  it("a Hessian is vmap of jvp of grad", async () => {
    const f = (x: MLXArray): MLXArray => sum(multiply(square(x), sum(x)));
    const identity = bench.array([1, 0, 0, 1], [2, 2]);
    const [hessian] = vmap((v: MLXArray) => jvp(grad(f), [vector(1, 2)], [v])[1])(identity);
    expect(await numbers(hessian ?? identity)).toEqual([10, 6, 6, 14]);
  });

  it("grad inside grad keeps the variables apart", async () => {
    const f = (x: MLXArray): MLXArray => multiply(x, grad((y: MLXArray) => multiply(x, y))(scalar(1)));
    expect(await numbers(grad(f)(scalar(3)))).toEqual([6]);
  });

  it("vmap in vmap maps over two axes", async () => {
    const outer = vmap(vmap(multiply, { inAxes: [null, 0] }), { inAxes: [0, null] });
    expect(await numbers(outer(vector(1, 2), vector(3, 4, 5)))).toEqual([3, 4, 5, 6, 8, 10]);
  });
});

describe("cost", () => {
  it("the gradient of a sum multiplies by nothing", () => {
    const slope = grad((x: MLXArray) => sum(x))(vector(1, 2, 3));
    expect(topologicalOrder([slope]).map(({ primitive }) => primitive.name)).not.toContain("multiply");
  });

  it("vertices that lead to no argument are not differentiated", () => {
    const x = vector(1, 2);
    const w = vector(3, 4);
    const value = countVertices([sum(multiply(x, exp(sin(w))))]);
    const slope = grad((y: MLXArray) => sum(multiply(y, exp(sin(w)))))(x);
    expect(countVertices([slope])).toBeLessThanOrEqual(value + 2);
  });

  it("the gradient of a layer adds few vertices to its value", () => {
    const x = bench.array(new Array<number>(6).fill(1), [2, 3]);
    const w = bench.array(new Array<number>(12).fill(1), [3, 4]);
    const b = vector(0, 0, 0, 0);
    const layer = (weights: MLXArray, bias: MLXArray): MLXArray => mean(square(tanh(add(matmul(x, weights), bias))));
    const slopes = grad(layer, [0, 1])(w, b);
    expect(countVertices(slopes)).toBeLessThanOrEqual(26);
  });
});

describe("refusals", () => {
  it("a loss that is no scalar names its shape and the remedy", () => {
    expect(() => grad((x: MLXArray) => square(x))(vector(1, 2))).toThrow(GradientError);
    expect(() => grad((x: MLXArray) => square(x))(vector(1, 2))).toThrow(/\[2\].*sum\(\) or mean\(\)/);
  });

  it("an integer argument names its dtype", () => {
    const x = bench.array([1, 2], [2], "int32");
    expect(() => grad((y: MLXArray) => sum(y))(x)).toThrow(/int32/);
  });

  it("a path through an operation without derivative names it", () => {
    const f = (x: MLXArray): MLXArray => sum(castTo(bits(bits(x, "int64"), "float64"), "float64"));
    expect(() => grad(f)(vector(1))).toThrow(/view.*no tangent/);
  });

  it("an index carries no gradient, and asking for one says so", () => {
    expect(() => grad((x: MLXArray) => argMax(x))(vector(1, 2))).toThrow(/uint32/);
    expect(() => grad((x: MLXArray) => sum(take(x, argMax(x), 0)))(vector(1, 2))).not.toThrow();
  });

  it("a cotangent of the wrong shape is a ShapeError", () => {
    expect(() => vjp((x: MLXArray) => x, [vector(1, 2)], [vector(1, 2, 3)])).toThrow(ShapeError);
  });

  it("an argument that is not given, or has no such name, is named", () => {
    expect(() => grad((x: MLXArray) => sum(x), 1)(vector(1))).toThrow(/argument 1/);
    const f = (x: MLXArray, _: { a: MLXArray }): MLXArray => sum(x);
    // @ts-expect-error the last argument has no such name
    const named = grad(f, { argnames: "b" });
    expect(() => named(vector(1), { a: vector(1) })).toThrow(/"b"/);
  });

  it("a function that returns no array is refused", () => {
    // @ts-expect-error a number is no array
    expect(() => grad((_: MLXArray) => 3)(vector(1))).toThrow(/returned a number/);
  });
});

describe("values where a derivative is delicate", () => {
  it("equal extrema share the gradient", async () => {
    expect(await numbers(grad((x: MLXArray) => max(x))(vector(1, 3, 3)))).toEqual([0, 0.5, 0.5]);
  });

  it("a power by a constant has a gradient at 0", async () => {
    expect(await numbers(grad((x: MLXArray) => sum(power(x, 2)))(vector(0, -1)))).toEqual([0, -2]);
  });

  it.each([cumsum, cumprod, cummax, cummin, logCumsumExp])(
    "%s of nothing has an empty gradient of the same shape",
    (scan) => {
      for (const inclusive of [true, false]) {
        const x = bench.array([], [2, 0, 3]);
        for (const axis of [0, 1, 2]) {
          const [, [gradient]] = vjp((given: MLXArray) => scan(given, axis, { inclusive }), [x], [x]);
          expect(gradient?.shape).toEqual([2, 0, 3]);
        }
      }
    },
  );

  it("a constant in the graph has no gradient and is no obstacle", async () => {
    const f = (x: MLXArray): MLXArray => subtract(multiply(x, constant(2, "float64")), 1);
    expect(await numbers(grad(f)(scalar(5)))).toEqual([2]);
  });

  it("cotangents and tangents take the dtype of what they belong to", async () => {
    const f = (x: MLXArray): MLXArray => multiply(multiply(x, 3), x);
    const x = bench.array([1, 2], [2], "float32");
    for (const dtype of ["float64", "int32"] as const) {
      const seed = bench.array([1, 2], [2], dtype);
      const [[pulled], [pushed]] = [vjp(f, [x], [seed])[1], jvp(f, [x], [seed])[1]];
      expect([pulled?.dtype, pushed?.dtype]).toEqual(["float32", "float32"]);
      expect([await numbers(pulled ?? x), await numbers(pushed ?? x)]).toEqual([
        [6, 24],
        [6, 24],
      ]);
    }
  });
});
