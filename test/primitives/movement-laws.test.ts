/** Laws of the operations that move, gather, scatter, sort, scan and convolve: derivatives against differences, vmap against a loop. */
import type { MLXArray } from "mlx-ts";
import * as mx from "mlx-ts";
import { describe, expect, it } from "vitest";

type Operation = (...inputs: readonly MLXArray[]) => MLXArray;

interface Law {
  readonly of: Operation;
  /** Shapes of the inputs, which are filled with distinct numbers. */
  readonly shapes: readonly (readonly number[])[];
  /** Instead of the numbers from `shapes`. */
  readonly values?: readonly MLXArray[];
}

const integers = (data: mx.ArrayData): MLXArray => mx.array(data, "int32");
const rows = integers([2, 0, 2]);
const pairs = integers([
  [0, 1],
  [3, 1],
]);

const laws: Readonly<Record<string, Law>> = {
  slice: { of: (x) => x.get("1:, ::-2"), shapes: [[3, 4]] },
  "slice of one step": { of: (x) => x.get("::2"), shapes: [[5]] },
  "set of a region": {
    of: (x, v) => x.at("::2, 1:3").set(v),
    shapes: [
      [3, 4],
      [2, 2],
    ],
  },
  "set of a backward region": { of: (x, v) => x.at("::-2").set(v), shapes: [[5], [3]] },
  "a region whose place is computed": {
    of: (x) => mx.slice(x, mx.array([1, 2], "int32"), [0, 1], [2, 2]),
    shapes: [[3, 4]],
  },
  "update of a region whose place is computed": {
    of: (x, v) => mx.sliceUpdate(x, v, mx.array([1], "int32"), [1]),
    shapes: [
      [3, 4],
      [2, 2],
    ],
  },
  "add to a region": { of: (x, v) => x.at(1).add(v), shapes: [[3, 2], [2]] },
  pad: {
    of: (x) =>
      mx.pad(
        x,
        [
          [1, 2],
          [0, 1],
        ],
        { constantValues: 3 },
      ),
    shapes: [[2, 3]],
  },
  "pad with an array": { of: (x, v) => mx.pad(x, 1, { constantValues: v }), shapes: [[2], []] },
  "pad by the edge": { of: (x) => mx.pad(x, 2, { mode: "edge" }), shapes: [[2, 3]] },
  "pad by reflection": { of: (x) => mx.pad(x, 2, { mode: "reflect" }), shapes: [[3, 4]] },
  "pad by symmetry": { of: (x) => mx.pad(x, 2, { mode: "symmetric" }), shapes: [[2, 3]] },
  concatenate: {
    of: (a, b) => mx.concatenate([a, b, a], 1),
    shapes: [
      [2, 3],
      [2, 1],
    ],
  },
  "concatenate many": {
    of: (a, b) => mx.concatenate([a, b, a, b, a, b, a, b, a, b], -1),
    shapes: [
      [2, 3],
      [2, 1],
    ],
  },
  stack: {
    of: (a, b) => mx.stack([a, b], 1),
    shapes: [
      [2, 3],
      [2, 3],
    ],
  },
  repeat: { of: (x) => mx.repeat(x, 2, 0), shapes: [[2, 3]] },
  tile: { of: (x) => mx.tile(x, [2, 1, 2]), shapes: [[2, 3]] },
  roll: { of: (x) => mx.roll(x, [1, -2], [0, 1]), shapes: [[2, 3]] },
  flip: { of: (x) => mx.flip(x, 1), shapes: [[2, 3]] },
  diagonal: { of: (x) => mx.diagonal(x, { offset: 1, axis1: 2, axis2: 0 }), shapes: [[3, 2, 4]] },
  diag: { of: (x) => mx.diag(x, -1), shapes: [[3]] },
  trace: { of: (x) => mx.trace(x), shapes: [[3, 3, 2]] },
  tril: { of: (x) => mx.tril(x, -1), shapes: [[2, 3, 3]] },
  asStrided: { of: (x) => mx.asStrided(x, [3, 2], [1, 2]), shapes: [[6]] },
  "at an array": { of: (x) => x.get(":", rows), shapes: [[2, 4]] },
  "at arrays around a slice": { of: (x) => x.get(rows, "1:", rows), shapes: [[3, 3, 4]] },
  take: { of: (x) => mx.take(x, pairs, 1), shapes: [[2, 4, 2]] },
  takeAlongAxis: { of: (x) => mx.takeAlongAxis(x, pairs, 0), shapes: [[4, 2]] },
  "takeAlongAxis of a broadcast array": { of: (x) => mx.takeAlongAxis(x, pairs, 1), shapes: [[1, 4]] },
  putAlongAxis: {
    of: (x, v) => mx.putAlongAxis(x, pairs, v, 0),
    shapes: [
      [4, 2],
      [2, 2],
    ],
  },
  "putAlongAxis, the last of two": {
    of: (x, v) => mx.putAlongAxis(x, integers([[1, 1]]), v, 1),
    shapes: [
      [1, 3],
      [1, 2],
    ],
  },
  "set at arrays": {
    of: (x, v) => x.at(rows).set(v),
    shapes: [
      [3, 2],
      [3, 2],
    ],
  },
  "add at arrays": {
    of: (x, v) => x.at(rows, "1:").add(v),
    shapes: [
      [3, 3],
      [3, 2],
    ],
  },
  "subtract at arrays": {
    of: (x, v) => x.at(":", rows).subtract(v),
    shapes: [
      [2, 3],
      [2, 3],
    ],
  },
  "multiply at arrays": {
    of: (x, v) => x.at(rows).multiply(v),
    shapes: [
      [3, 2],
      [3, 2],
    ],
  },
  "divide at arrays": { of: (x, v) => x.at(rows).divide(v), shapes: [[3], [3]] },
  "maximum at arrays": {
    of: (x, v) => x.at(rows).maximum(v),
    shapes: [
      [3, 2],
      [3, 2],
    ],
  },
  "minimum at arrays": {
    of: (x, v) => x.at(rows).minimum(v),
    shapes: [
      [3, 2],
      [3, 2],
    ],
  },
  "set by a mask": {
    of: (x, v) => x.at([true, false, true]).set(v),
    shapes: [
      [3, 2],
      [2, 2],
    ],
  },
  sort: { of: (x) => mx.sort(x, 0), shapes: [[4, 3]] },
  topK: { of: (x) => mx.topK(x, 2), shapes: [[3, 4]] },
  cumsum: { of: (x) => mx.cumsum(x, 0, { reverse: true, inclusive: false }), shapes: [[4, 2]] },
  cumprod: { of: (x) => mx.cumprod(x, 1), shapes: [[2, 4]] },
  "cumprod of zeros": {
    of: (x) => mx.cumprod(x, { reverse: true }),
    shapes: [[4]],
    values: [mx.array([2, 0, -3, 0.5], "float64")],
  },
  cummax: { of: (x) => mx.cummax(x, 0), shapes: [[5, 2]] },
  cummin: { of: (x) => mx.cummin(x, 1, { reverse: true }), shapes: [[2, 5]] },
  logCumsumExp: { of: (x) => mx.logCumsumExp(x, 1, { reverse: true }), shapes: [[2, 4]] },
  diff: { of: (x) => mx.diff(x, { n: 2 }), shapes: [[2, 5]] },
  slidingWindows: {
    of: (x) => mx.slidingWindows(x, [2, 3], { stride: [2, 1], dilation: [1, 2] }),
    shapes: [[1, 5, 6, 2]],
  },
  einsum: {
    of: (a, b) => mx.einsum("bij,jkk->bki", a, b),
    shapes: [
      [2, 3, 4],
      [4, 2, 2],
    ],
  },
  "einsum of three": { of: (a, b, c) => mx.einsum("...i,ij,j->...", a, b, c), shapes: [[2, 2, 3], [3, 2], [2]] },
  conv1d: {
    of: (x, w) => mx.conv1d(x, w, { stride: 2, padding: 2, dilation: 2 }),
    shapes: [
      [2, 7, 2],
      [3, 3, 2],
    ],
  },
  "conv1d that leaves a rest": {
    of: (x, w) => mx.conv1d(x, w, { stride: 3 }),
    shapes: [
      [1, 9, 1],
      [1, 2, 1],
    ],
  },
  "conv1d in groups": {
    of: (x, w) => mx.conv1d(x, w, { groups: 2, padding: 1 }),
    shapes: [
      [2, 5, 4],
      [6, 3, 2],
    ],
  },
  conv2d: {
    of: (x, w) => mx.conv2d(x, w, { stride: [2, 1], padding: [1, 0] }),
    shapes: [
      [2, 5, 4, 2],
      [3, 3, 2, 2],
    ],
  },
  "conv2d by channel": {
    of: (x, w) => mx.conv2d(x, w, { groups: 2 }),
    shapes: [
      [1, 4, 4, 2],
      [2, 2, 2, 1],
    ],
  },
  conv3d: {
    of: (x, w) => mx.conv3d(x, w),
    shapes: [
      [1, 3, 3, 3, 1],
      [1, 2, 2, 2, 1],
    ],
  },
  convGeneral: {
    of: (x, w) =>
      mx.convGeneral(x, w, {
        stride: 2,
        padding: [[2], [-1]],
        kernelDilation: 2,
        inputDilation: 3,
        flip: true,
        groups: 2,
      }),
    shapes: [
      [2, 4, 4],
      [4, 3, 2],
    ],
  },
  convTransposed1d: {
    of: (x, w) => mx.convTransposed1d(x, w, { stride: 2, padding: 1, outputPadding: 1 }),
    shapes: [
      [2, 4, 2],
      [3, 3, 2],
    ],
  },
  convTransposed2d: {
    of: (x, w) => mx.convTransposed2d(x, w, { stride: 2, groups: 2 }),
    shapes: [
      [1, 3, 2, 2],
      [4, 2, 2, 1],
    ],
  },
  convolve: { of: (a, b) => mx.convolve(a, b, { mode: "same" }), shapes: [[5], [3]] },
};

/** Distinct numbers of both signs, in no order. */
function filled(shape: readonly number[], seed: number): MLXArray {
  const size = shape.reduce((product, length) => product * length, 1);
  const numbers = Float64Array.from({ length: size }, (_, i) => Math.sin((i + 1) * 12.9898 + seed * 78.233) * 2 + 0.05);
  return mx.reshape(mx.array(numbers), shape);
}

const inputsOf = ({ shapes, values }: Law): readonly MLXArray[] =>
  values ?? shapes.map((shape, k) => filled(shape, k + 1));
const like = (arrays: readonly MLXArray[], seed: number): MLXArray[] =>
  arrays.map(({ shape }, k) => filled(shape, seed + k));
const product = (a: readonly MLXArray[], b: readonly MLXArray[]): MLXArray =>
  a.map((one, k) => mx.sum(mx.multiply(one, b[k] ?? 0))).reduce((sum, term) => mx.add(sum, term));
const moved = (inputs: readonly MLXArray[], tangents: readonly MLXArray[], step: number): MLXArray[] =>
  inputs.map((input, k) => mx.add(input, mx.multiply(tangents[k] ?? 0, step)));

async function expectClose(actual: MLXArray, expected: MLXArray, tolerance: number): Promise<void> {
  expect(actual.shape).toEqual(expected.shape);
  const [a, b] = [await actual.data(), await expected.data()];
  for (let i = 0; i < b.length; i++) {
    const [x, y] = [Number(a[i]), Number(b[i])];
    expect(Math.abs(x - y), `element ${i}: ${x} for ${y}`).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(y)));
  }
}

describe.each(Object.entries(laws))("%s", (_, law) => {
  const inputs = inputsOf(law);
  const step = 1e-6;

  it("has the tangent that differences show", async () => {
    const tangents = like(inputs, 10);
    const [[output], [tangent]] = mx.jvp(law.of, inputs, tangents);
    const difference = mx.subtract(law.of(...moved(inputs, tangents, step)), law.of(...moved(inputs, tangents, -step)));
    await expectClose(output ?? mx.array(0), law.of(...inputs), 1e-12);
    await expectClose(tangent ?? mx.array(0), mx.divide(difference, 2 * step), 1e-5);
  });

  it("has the tangent and the gradient of one linear map", async () => {
    const tangents = like(inputs, 20);
    const cotangent = filled(law.of(...inputs).shape, 30);
    const [, [tangent]] = mx.jvp(law.of, inputs, tangents);
    const [, gradients] = mx.vjp(law.of, inputs, [cotangent]);
    gradients.forEach((gradient, k) => {
      expect(gradient.shape).toEqual(inputs[k]?.shape);
    });
    await expectClose(product([tangent ?? mx.array(0)], [cotangent]), product(gradients, tangents), 1e-10);
  });

  it("has the second derivative that differences of the gradient show", async () => {
    const tangents = like(inputs, 40);
    const cotangent = filled(law.of(...inputs).shape, 50);
    const slope: Operation = (...given) => product(mx.vjp(law.of, given, [cotangent])[1], tangents);
    const difference = mx.subtract(slope(...moved(inputs, tangents, step)), slope(...moved(inputs, tangents, -step)));
    const [, gradients] = mx.vjp(slope, inputs, [mx.array(1, "float64")]);
    await expectClose(product(gradients, tangents), mx.divide(difference, 2 * step), 1e-4);
  });

  it("is under vmap what a loop gives", async () => {
    const count = 3;
    for (let batched = 1; batched < 2 ** inputs.length; batched++) {
      const isBatched = inputs.map((_, k) => (batched & (1 << k)) !== 0);
      const many = inputs.map((input, k) =>
        isBatched[k]
          ? mx.stack(
              Array.from({ length: count }, (_, i) => filled(input.shape, 60 + k + 10 * i)),
              input.ndim,
            )
          : input,
      );
      const inAxes = inputs.map((input, k) => (isBatched[k] ? input.ndim : null));
      const together = mx.vmap(law.of, { inAxes })(...many);
      const loop = Array.from({ length: count }, (_, i) =>
        law.of(...many.map((input, k) => (isBatched[k] ? mx.take(input, i, -1) : input))),
      );
      await expectClose(together, mx.stack(loop), 1e-12);
    }
  });
});
