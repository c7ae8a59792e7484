/** The rows of the CPU's benchmark, computed by mlx-ts. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import type { CpuRowName } from "./cpu-rows.ts";
import type { Library, Prepared } from "./library.ts";
import { computing, gptStep, random, library as shared } from "./library-mlx.ts";

/** A compiled function of arrays with these shapes. */
async function compiled(
  shapes: readonly (readonly number[])[],
  fn: (...inputs: mx.MLXArray[]) => mx.MLXArray,
): Promise<Prepared> {
  const inputs = shapes.map((shape, k) => random(shape, 1, k + 1));
  await mx.evaluate(inputs);
  const call = mx.compile(fn);
  return computing(() => call(...inputs));
}

type Shape = readonly number[];

const multiply = (a: Shape, b: Shape): (() => Promise<Prepared>) => {
  return () => compiled([a, b], (x, y) => mx.matmul(x ?? 0, y ?? 0));
};

const square: Shape = [1024, 1024];
const large: Shape = [4096, 4096];

const convolve = (x: Shape, weight: Shape, options: { stride?: number; padding?: number; groups?: number }) => () =>
  compiled([x, weight], (a, w) => (a && w ? mx.conv2d(a, w, options) : missing()));

function missing(): never {
  throw new Error("an input is missing");
}

const over = (fn: (x: mx.MLXArray) => mx.MLXArray) => () => compiled([large], (x) => (x ? fn(x) : missing()));

const attend = (q: mx.MLXArray, k: mx.MLXArray, v: mx.MLXArray): mx.MLXArray =>
  mx.fast.scaledDotProductAttention(q, k, v, { scale: 1 / 8, mask: "causal" });

const attention = (tokens: number) => () => {
  const shape = [1, 8, tokens, 64];
  return compiled([shape, shape, shape], (q, k, v) => (q && k && v ? attend(q, k, v) : missing()));
};

const attentionGradient = (tokens: number) => async (): Promise<Prepared> => {
  const [q, k, v] = [1, 2, 3].map((seed) => random([1, 8, tokens, 64], 1, seed));
  if (!q || !k || !v) return missing();
  await mx.evaluate(q, k, v);
  const slopes = mx.compile((a: mx.MLXArray, b: mx.MLXArray, c: mx.MLXArray) =>
    mx.valueAndGrad((x: mx.MLXArray, y: mx.MLXArray, z: mx.MLXArray) => attend(x, y, z).sum(), {
      argnums: [0, 1, 2],
    })(a, b, c),
  );
  return {
    async run() {
      await mx.evaluate(slopes(q, k, v));
    },
  };
};

const matrixVector = (outputs: number) => async (): Promise<Prepared> => {
  const x = random([1, 4096]);
  const weights = mx.quantize(random([outputs, 4096], 1, 2));
  await mx.evaluate(x, weights);
  const call = mx.compile((input: mx.MLXArray) => mx.quantizedMatmul(input, ...weights));
  return computing(() => call(x));
};

/** mlx-ts, with the rows of the CPU's benchmark. */
export const library: Library<CpuRowName> = {
  versions: { ...shared.versions, node: process.versions.node, v8: process.versions.v8 },
  rows: {
    "matmul-512": multiply([512, 512], [512, 512]),
    "matmul-1024": shared.rows["matmul-1024"],
    "matmul-2048": multiply([2048, 2048], [2048, 2048]),
    "matmul-1001": shared.rows["matmul-1001"],
    "matmul-skinny": multiply([32, 4096], large),
    "matmul-left-transposed": () => compiled([square, square], (a, b) => (a && b ? a.T.matmul(b) : missing())),
    "matmul-right-transposed": () => compiled([square, square], (a, b) => (a && b ? a.matmul(b.T) : missing())),
    "matmul-batched": multiply([16, 256, 256], [16, 256, 256]),
    "linear-gelu": () =>
      compiled([square, square, [1024]], (a, b, c) => (a && b && c ? nn.gelu(a.matmul(b).add(c)) : missing())),
    conv: shared.rows.conv,
    "conv-1x1": convolve([8, 28, 28, 64], [256, 1, 1, 64], {}),
    "conv-depthwise": convolve([8, 56, 56, 64], [64, 3, 3, 1], { padding: 1, groups: 64 }),
    "conv-stride": convolve([8, 56, 56, 64], [128, 3, 3, 64], { stride: 2, padding: 1 }),
    "conv-stem": convolve([2, 224, 224, 3], [64, 7, 7, 3], { stride: 2, padding: 3 }),
    copy: over((x) => x.add(1)),
    softmax: shared.rows.softmax,
    "layer-norm": over((x) => mx.fast.layerNorm(x, null, null, 1e-5)),
    "rms-norm": over((x) => mx.fast.rmsNorm(x, null, 1e-5)),
    sum: shared.rows.sum,
    "sum-rows": over((x) => x.sum(1)),
    "sum-columns": over((x) => x.sum(0)),
    chain: shared.rows.chain,
    transcendental: shared.rows.transcendental,
    "attention-512": attention(512),
    "attention-2048": attention(2048),
    "attention-512-gradient": attentionGradient(512),
    "attention-2048-gradient": attentionGradient(2048),
    "mlp-step": shared.rows["mlp-step"],
    "gpt-gradient": shared.rows["gpt-gradient"],
    "gpt-step": gptStep,
    "matvec4-4096": matrixVector(4096),
    "matvec4-11008": matrixVector(11008),
  },
};
