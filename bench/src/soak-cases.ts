/** What the soak computes: a random computation for each seed, of the kinds and sizes that wide vectors serve. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import { randomGraph } from "../../test/conformance/random-graph.ts";
import { Random } from "../../test/laws/bench.ts";
import { random } from "./library-mlx.ts";

/** The results of one computation, by its kind. */
export interface SoakCase {
  readonly kind: string;
  readonly results: readonly mx.MLXArray[];
}

type Draw = (low: number, high: number) => number;
type Make = (whole: Draw, seed: number) => readonly mx.MLXArray[];

/** Functions of one array that stay finite on what they give each other. */
const functions: readonly ((x: mx.MLXArray) => mx.MLXArray)[] = [
  (x) => mx.tanh(x),
  (x) => mx.exp(mx.minimum(x, 3)),
  (x) => mx.sin(x),
  (x) => mx.cos(x.mul(40)),
  (x) => mx.log(mx.abs(x).add(0.1)),
  (x) => mx.sqrt(mx.abs(x)),
  (x) => mx.erf(x),
  (x) => mx.sigmoid(x),
  (x) => mx.floor(x.mul(3)).mul(x),
  (x) => mx.where(mx.greater(x, 0.2), x.mul(1.01), x.sub(0.5)),
  (x) => mx.maximum(x, x.square().neg()),
  (x) => x.mul(5).asType("int32").asType("float32").add(x),
  (x) => mx.divide(x, mx.abs(x).add(0.7)),
];

const kinds: Readonly<Record<string, Make>> = {
  product(whole, seed) {
    const [rows, depth, columns] = [whole(1, 300), whole(1, 1500), whole(1, 300)];
    const a = whole(0, 1) ? random([rows, depth], 1, seed) : random([depth, rows], 1, seed).T;
    const b = whole(0, 1) ? random([depth, columns], 1, seed + 1) : random([columns, depth], 1, seed + 1).T;
    const product = a.matmul(b);
    return [whole(0, 1) ? product : nn.gelu(product.add(random([columns], 1, seed + 2)))];
  },
  "batched product"(whole, seed) {
    const [batches, rows, depth, columns] = [whole(2, 9), whole(1, 130), whole(1, 200), whole(1, 130)];
    return [random([batches, rows, depth], 1, seed).matmul(random([batches, depth, columns], 1, seed + 1))];
  },
  convolution(whole, seed) {
    const [size, width, stride, channels] = [
      whole(7, 40),
      whole(0, 1) ? 3 : whole(1, 7),
      whole(1, 2),
      4 * whole(1, 16),
    ];
    const x = random([whole(1, 3), size, size, channels], 1, seed);
    const weight = random([4 * whole(1, 16), width, width, channels], 0.2, seed + 1);
    return [mx.conv2d(x, weight, { stride, padding: width >> 1 })];
  },
  "convolution of few channels"(whole, seed) {
    const [size, width, stride] = [whole(9, 40), whole(1, 5), whole(1, 3)];
    const groups = whole(0, 1) ? 4 * whole(1, 8) : 1;
    const channels = groups * (groups > 1 ? whole(1, 4) : whole(1, 12));
    const x = random([whole(1, 3), size, size, channels], 1, seed);
    const weight = random([groups * whole(1, 4), width, width, channels / groups], 0.2, seed + 1);
    const convolve = (a: mx.MLXArray, b: mx.MLXArray): mx.MLXArray =>
      mx.conv2d(a, b, { stride, padding: width >> 1, groups });
    const value = convolve(x, weight);
    const [, slopes] = mx.vjp(convolve, [x, weight], [random(value.shape, 1, seed + 2)]);
    return [value, ...slopes];
  },
  chain(whole, seed) {
    let x = random([whole(500_000, 2_000_000)], 2, seed);
    for (let count = whole(2, 6); count > 0; count--) x = functions[whole(0, functions.length - 1)]?.(x) ?? x;
    return [x];
  },
  reduction(whole, seed) {
    const x = random([whole(500, 1500), whole(500, 1500)], 2, seed);
    const axis = whole(0, 1);
    return [mx.softmax(x, axis), mx.logSumExp(x, axis), x.sum(axis), x.max(axis), mx.variance(x, axis), x.sum()];
  },
  norm(whole, seed) {
    const x = random([whole(500, 1500), whole(500, 1500)], 2, seed);
    return [mx.fast.layerNorm(x, null, null, 1e-5), mx.fast.rmsNorm(x, null, 1e-5)];
  },
  attention(whole, seed) {
    const shape = [1, whole(1, 4), whole(20, 300), 8 * whole(2, 16)];
    const [q, k, v] = [random(shape, 1, seed), random(shape, 1, seed + 1), random(shape, 1, seed + 2)];
    return [mx.fast.scaledDotProductAttention(q, k, v, { scale: 0.2, ...(whole(0, 1) ? { mask: "causal" } : {}) })];
  },
  "packed weights"(whole, seed) {
    const bits = [2, 4, 8][whole(0, 2)] ?? 4;
    const groupSize = [32, 64, 128][whole(0, 2)] ?? 64;
    const depth = 128 * whole(2, 12);
    const weights = mx.quantize(random([8 * whole(8, 80), depth], 1, seed), { bits, groupSize });
    return [mx.quantizedMatmul(random([whole(1, 6), depth], 1, seed + 1), ...weights, { bits, groupSize })];
  },
  "random graph"(_, seed) {
    const { leaves, build } = randomGraph(seed);
    return build(leaves.map(({ data, shape }) => mx.fromTypedArray(data, shape)));
  },
};

/** The computation of a seed, not yet evaluated. */
export function soakCase(seed: number): SoakCase {
  const draw = new Random(seed * 7919 + 1);
  const names = Object.keys(kinds);
  const kind = names[seed % names.length] ?? "";
  return { kind, results: kinds[kind]?.((low, high) => draw.whole(low, high), seed + 1) ?? [] };
}
