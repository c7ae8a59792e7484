/** Methods whose operations are not loaded yet answer as the operations do, and compute the same. */
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";
import type { LaterMethods } from "../../src/array/later-methods.ts";
import { deferCall, methodMeanings } from "../../src/array/later-methods.ts";
import { methodShapes } from "../../src/array/method-shapes.ts";
import { MLXArray } from "../../src/graph/mlx-array.ts";

type Call = readonly unknown[];

const matrix = mx.array([
  [3, -1, 2.5],
  [0.5, 4, -2],
]);
const cube = mx.arange(24, { dtype: "float32" }).reshape([2, 3, 4]);
const whole = mx.array([[7, -7, 2]], "int32");
const mask = mx.array([true, false, true]);
const half = mx.array([0.5, 2], "float16");
const scalar = mx.array(2);
const empty = mx.zeros([0, 3]);
const places = mx.array([[0, 1, -1]], "int32");
const xs: readonly MLXArray[] = [matrix, cube, whole, mask, half, scalar, empty];

const axes: readonly Call[] = [
  [],
  [0],
  [-1],
  [[0, -1]],
  [[]],
  [5],
  [0.5],
  [[0, 0]],
  [0, { keepAxes: true }],
  [{ keepAxes: true }],
];
const operands: readonly Call[] = [
  [2],
  [0.5],
  [true],
  [3n],
  [matrix],
  [whole],
  [mask],
  [mx.zeros([3, 1])],
  [mx.zeros([2, 2])],
  ["2"],
];
const none: readonly Call[] = [[]];
const scans: readonly Call[] = [[], [0], [-1], [null], [7], [{ reverse: true }], [0, { inclusive: false }]];
const orders: readonly Call[] = [[], [0], [null], [3]];

/** Calls of each method; every one is made on every array of `xs`. */
const calls: { readonly [K in keyof LaterMethods]: readonly Call[] } = {
  abs: none,
  sign: none,
  sqrt: none,
  rsqrt: none,
  exp: none,
  expm1: none,
  log: none,
  log2: none,
  log10: none,
  log1p: none,
  sigmoid: none,
  erf: none,
  sin: none,
  cos: none,
  tan: none,
  tanh: none,
  floor: none,
  ceil: none,
  round: [[], [{ decimals: 1 }]],
  trunc: none,
  logicalNot: none,
  isInf: none,
  floorDivide: operands,
  remainder: operands,
  power: operands,
  maximum: operands,
  minimum: operands,
  equal: operands,
  notEqual: operands,
  less: operands,
  lessEqual: operands,
  greater: operands,
  greaterEqual: operands,
  logicalAnd: operands,
  logicalOr: operands,
  allClose: operands,
  arrayEqual: operands,
  clip: [[], [0], [null, 1.5], [0, 0.5], [whole, 0.5], [0.5, whole], [mx.zeros([2, 2])], [0, "1"]],
  prod: axes,
  mean: axes,
  variance: [...axes, [0, { ddof: 1 }]],
  std: axes,
  max: axes,
  min: axes,
  any: axes,
  all: axes,
  argMax: axes,
  argMin: axes,
  logSumExp: axes,
  softmax: axes.slice(0, 8),
  cumsum: scans,
  cumprod: scans,
  cummax: scans,
  cummin: scans,
  logCumsumExp: scans,
  matmul: [
    [mx.ones([3, 2])],
    [mx.ones([3])],
    [mx.ones([5, 4, 2])],
    [mx.ones([2])],
    [whole],
    [3],
    [mx.ones([1])],
    [mx.ones([2, 4, 2])],
  ],
  split: [[2], [3], [1, -1], [[1]], [[1, -1], 1], [2, 5], [[0.5]], [0]],
  roll: [
    [1],
    [1, 0],
    [
      [1, 2],
      [0, 1],
    ],
    [
      [1, 2, 3],
      [0, 1],
    ],
    [1, 9],
    [-1, [0, -1]],
  ],
  flip: [[], [0], [[0, 1]], [4], [[0, 0]]],
  diag: [[], [1], [-2]],
  diagonal: [
    [],
    [{ offset: 1 }],
    [{ axis1: 1, axis2: 0 }],
    [{ axis1: 0, axis2: 0 }],
    [{ axis1: -1, axis2: 0, offset: -1 }],
    [{ offset: 9 }],
  ],
  trace: [[], [{ offset: -1 }], [{ dtype: "int32" }], [{ axis2: 3 }]],
  tril: [[], [1]],
  triu: [[], [-1]],
  take: [[0], [-1, 0], [9], [0.5], [places], [places, 1], [mx.array([5], "int32"), 0], [mx.array([0.5])], [0, 4]],
  takeAlongAxis: [[places], [places, 0], [places, 1], [places, 3], [mx.array([[9]], "int32"), 0], [mx.array([[0]])]],
  putAlongAxis: [
    [places, 9],
    [places, 9, 0],
    [places, mx.array([1, 2, 3]), 1],
    [places, mx.ones([2, 2]), 1],
    [mx.array([[0], [1], [1]], "int32"), 1, 1],
    [places, "9", 1],
  ],
  sort: orders,
  argSort: orders,
  topK: [[1], [2, 0], [1, null], [9], [1, 4], [0.5]],
};

const names = Object.keys(calls).filter((name): name is keyof LaterMethods => name in methodShapes);

function directly(name: keyof LaterMethods, args: Call): unknown {
  return Reflect.apply(methodMeanings.get()[name], undefined, args);
}

function later(name: keyof LaterMethods, args: Call): MLXArray | MLXArray[] {
  return deferCall(name, Reflect.apply(methodShapes[name], undefined, [name, ...args]), args);
}

function listOf(result: unknown): MLXArray[] {
  const list: readonly unknown[] = Array.isArray(result) ? result : [result];
  return list.filter((one): one is MLXArray => one instanceof MLXArray);
}

/** What a call gives: shapes and dtypes, or the error. */
function outcome(call: () => unknown): string {
  try {
    return listOf(call())
      .map(({ dtype, shape }) => `${dtype} [${shape}]`)
      .join("; ");
  } catch (error) {
    return String(error);
  }
}

describe("a method whose operation is loaded later", () => {
  it.each(names)("%s answers and computes as the operation does", async (name) => {
    let computed = 0;
    for (const x of xs) {
      for (const args of calls[name]) {
        const all = [x, ...args];
        const expected = outcome(() => directly(name, all));
        expect(
          outcome(() => later(name, all)),
          `${x.dtype} [${x.shape}].${name}(${args})`,
        ).toBe(expected);
        if (expected.includes("Error")) continue;
        const [values, wanted] = await Promise.all(
          [later(name, all), directly(name, all)].map((result) => Promise.all(listOf(result).map((one) => one.data()))),
        );
        expect(values).toEqual(wanted);
        computed++;
      }
    }
    expect(computed).toBeGreaterThan(0);
  });

  const smooth = (x: MLXArray): MLXArray => oneOf(later("exp", [x])).mul(oneOf(later("max", [x, 0])));
  const direct = (x: MLXArray): MLXArray => mx.exp(x).mul(mx.max(x, 0));
  const point = mx.array([
    [0.5, -1, 2],
    [1.5, 0.25, -0.5],
  ]);

  it("is differentiated backwards, twice", async () => {
    const slope = (f: (x: MLXArray) => MLXArray) => mx.grad((x: MLXArray) => f(x).sum());
    const curve = (f: (x: MLXArray) => MLXArray) => mx.grad((x: MLXArray) => slope(f)(x).mul(x).sum());
    expect(await slope(smooth)(point).tolist()).toEqual(await slope(direct)(point).tolist());
    expect(await mx.allClose(curve(smooth)(point), curve(direct)(point)).item()).toBe(true);
  });

  it("is differentiated forwards", async () => {
    const along = mx.ones([2, 3]);
    const [, [tangent]] = mx.jvp(smooth, [point], [along]);
    const [, [wanted]] = mx.jvp(direct, [point], [along]);
    expect(await tangent?.tolist()).toEqual(await wanted?.tolist());
  });

  it("is batched, also where it is differentiated", async () => {
    const rows = mx.vmap((x: MLXArray) => oneOf(later("cumsum", [x, 0])), { inAxes: 1, outAxes: 1 });
    expect(await rows(point).tolist()).toEqual(await mx.cumsum(point, 0).tolist());
    const slopes = mx.vmap(mx.grad((x: MLXArray) => oneOf(later("exp", [x])).sum()));
    expect(await slopes(point).tolist()).toEqual(await mx.exp(point).tolist());
  });

  it("has no slope where the operation has none", async () => {
    const slope = mx.grad((x: MLXArray) =>
      oneOf(later("floor", [x]))
        .add(x.mul(2))
        .sum(),
    );
    expect(await slope(mx.array([0.5, 1.5])).tolist()).toEqual([2, 2]);
  });

  it("is computed from an array that is disposed in the meantime", async () => {
    const x = mx.array([1, 4]).add(0);
    await mx.evaluate(x);
    const y = oneOf(later("sqrt", [x]));
    x.dispose();
    expect(await y.tolist()).toEqual([1, 2]);
  });

  it("is recorded by compile", async () => {
    const step = mx.compile((x: MLXArray) => oneOf(later("sqrt", [x])).add(1));
    expect(await step(mx.array([4, 9])).tolist()).toEqual([3, 4]);
    expect(await step(mx.array([16, 25])).tolist()).toEqual([5, 6]);
  });
});

function oneOf(result: unknown): MLXArray {
  const [one] = listOf(result);
  if (!one) throw new Error("there is no array");
  return one;
}
