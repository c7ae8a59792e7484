/** The rows, computed by TensorFlow.js on its WebAssembly backend, or on its WebGPU backend where BENCH_DEVICE says so. */
import { createRequire } from "node:module";
import * as tf from "@tensorflow/tfjs";
import type * as WasmBackend from "@tensorflow/tfjs-backend-wasm";
import type { Library, Prepared } from "../../src/library.ts";
import { eagerCount, gpt, manyCount, mlpBatch, mlpWidths, numbers, oneHotNumbers } from "../../src/rows.ts";
import { versionOf } from "./version.ts";

const threads = Number(process.env.BENCH_THREADS ?? 1);
const isGpu = process.env.BENCH_DEVICE === "gpu";
const countThreads = isGpu ? () => threads : loadWasm();
if (isGpu) await import("@tensorflow/tfjs-backend-webgpu");
await tf.setBackend(isGpu ? "webgpu" : "wasm");
await tf.ready();
/** How many threads the backend computes on, which it knows once it is ready. */
const threadsHere = countThreads();

function loadWasm(): () => number {
  // The ES module build of the backend is for browsers; Node's own build is CommonJS.
  const require = createRequire(import.meta.url);
  const backend: typeof WasmBackend = require("@tensorflow/tfjs-backend-wasm");
  backend.setWasmPaths(new URL("../node_modules/@tensorflow/tfjs-backend-wasm/dist/", import.meta.url).pathname);
  backend.setThreadsCount(threads);
  return () => backend.getThreadsCount();
}

/** Waits until the backend has done all work so far: what is asked for last is done last. (Small tensors it computes on the CPU.) */
export async function synchronize(): Promise<void> {
  const last = tf.tidy(() => tf.zeros([8192]).add(1));
  await last.data();
  last.dispose();
}

function random(shape: number[], scale = 1, seed = 1): tf.Tensor {
  return tf.tensor(
    numbers(
      shape.reduce((product, length) => product * length, 1),
      scale,
      seed,
    ),
    shape,
  );
}

/** Kernels of this backend run at once, on the calling thread: when the call returns, the result lies in memory. */
const computing = (compute: () => tf.Tensor): Prepared => ({
  async run() {
    tf.tidy(compute).dispose();
  },
});

/** The product of square matrices. */
export async function product(size: number): Promise<Prepared> {
  const a = random([size, size], 1, 1);
  const b = random([size, size], 1, 2);
  return computing(() => tf.matMul(a, b));
}

async function unary(fn: (x: tf.Tensor) => tf.Tensor, shape: number[] = [manyCount]): Promise<Prepared> {
  const x = random(shape);
  return computing(() => fn(x));
}

function chain(x: tf.Tensor): tf.Tensor {
  let y = x;
  for (let k = 0; k < 5; k++) y = y.mul(1.01).add(0.5);
  return y;
}

async function convolution(): Promise<Prepared> {
  const x = tf.tensor4d(numbers(8 * 56 * 56 * 64), [8, 56, 56, 64]);
  const weight = tf.tensor4d(numbers(64 * 64 * 9, 0.1, 2), [3, 3, 64, 64]);
  return computing(() => tf.conv2d(x, weight, 1, "same"));
}

type Layer = { weight: tf.Variable; bias: tf.Variable };

const linear = (inputs: number, outputs: number, seed: number): Layer => ({
  weight: tf.variable(random([inputs, outputs], 2 * inputs ** -0.5, seed)),
  bias: tf.variable(tf.zeros([outputs])),
});

const apply = (layer: Layer, x: tf.Tensor): tf.Tensor => tf.matMul(x, layer.weight).add(layer.bias);

const mlpLayers = (): Layer[] => mlpWidths.slice(1).map((width, k) => linear(mlpWidths[k] ?? width, width, k + 1));

function mlp(layers: readonly Layer[], x: tf.Tensor): tf.Tensor {
  let y = x;
  layers.forEach((layer, k) => {
    y = apply(layer, k === 0 ? y : tf.relu(y));
  });
  return y;
}

const crossEntropy = (logits: tf.Tensor, targets: tf.Tensor): tf.Scalar =>
  tf.logSumExp(logits, -1).sub(logits.mul(targets).sum(-1)).mean().asScalar();

async function mlpForward(): Promise<Prepared> {
  const layers = mlpLayers();
  const x = random([mlpBatch, 784]);
  return computing(() => mlp(layers, x));
}

async function mlpStep(): Promise<Prepared> {
  const layers = mlpLayers();
  const optimizer = tf.train.adam(1e-3);
  const x = random([mlpBatch, 784]);
  const targets = tf.tensor2d(oneHotNumbers(mlpBatch, 10), [mlpBatch, 10]);
  return {
    async run() {
      optimizer.minimize(() => crossEntropy(mlp(layers, x), targets));
    },
  };
}

interface Block {
  readonly normIn: Layer;
  readonly normOut: Layer;
  readonly queriesKeysValues: Layer;
  readonly output: Layer;
  readonly widen: Layer;
  readonly narrow: Layer;
}

const normLayer = (): Layer => ({
  weight: tf.variable(tf.ones([gpt.width])),
  bias: tf.variable(tf.zeros([gpt.width])),
});

function normalize(layer: Layer, x: tf.Tensor): tf.Tensor {
  const { mean, variance } = tf.moments(x, -1, true);
  return x
    .sub(mean)
    .mul(tf.rsqrt(variance.add(1e-5)))
    .mul(layer.weight)
    .add(layer.bias);
}

const gelu = (x: tf.Tensor): tf.Tensor =>
  x.mul(0.5).mul(tf.tanh(x.add(x.mul(x).mul(x).mul(0.044715)).mul(Math.sqrt(2 / Math.PI))).add(1));

function gptModel(): (x: tf.Tensor) => tf.Tensor {
  const headWidth = gpt.width / gpt.heads;
  const maskValues = new Float32Array(gpt.tokens ** 2);
  for (let k = 0; k < maskValues.length; k++) maskValues[k] = k % gpt.tokens > Math.floor(k / gpt.tokens) ? -1e30 : 0;
  const mask = tf.tensor2d(maskValues, [gpt.tokens, gpt.tokens]);
  const blocks = Array.from(
    { length: gpt.layers },
    (_, k): Block => ({
      normIn: normLayer(),
      normOut: normLayer(),
      queriesKeysValues: linear(gpt.width, 3 * gpt.width, 10 * k + 1),
      output: linear(gpt.width, gpt.width, 10 * k + 2),
      widen: linear(gpt.width, 4 * gpt.width, 10 * k + 3),
      narrow: linear(4 * gpt.width, gpt.width, 10 * k + 4),
    }),
  );
  const norm = normLayer();
  const head = tf.variable(random([gpt.width, gpt.vocabulary], 0.1, 99));
  return (x) => {
    let y = x;
    for (const block of blocks) {
      const joined = apply(block.queriesKeysValues, normalize(block.normIn, y));
      const [q, k, v] = tf
        .split(joined, 3, -1)
        .map((part) => part.reshape([gpt.tokens, gpt.heads, headWidth]).transpose([1, 0, 2]));
      if (!q || !k || !v) throw new Error("queries, keys and values");
      const scores = tf
        .matMul(q, k, false, true)
        .mul(headWidth ** -0.5)
        .add(mask); // [heads, tokens, tokens]
      const attended = tf.matMul(tf.softmax(scores), v).transpose([1, 0, 2]).reshape([gpt.tokens, gpt.width]);
      y = y.add(apply(block.output, attended));
      y = y.add(apply(block.narrow, gelu(apply(block.widen, normalize(block.normOut, y)))));
    }
    return tf.matMul(normalize(norm, y), head);
  };
}

async function gptForward(): Promise<Prepared> {
  const model = gptModel();
  const x = random([gpt.tokens, gpt.width]);
  return computing(() => model(x));
}

async function gptGradient(): Promise<Prepared> {
  const model = gptModel();
  const x = random([gpt.tokens, gpt.width]);
  const targets = tf.tensor2d(oneHotNumbers(gpt.tokens, gpt.vocabulary), [gpt.tokens, gpt.vocabulary]);
  return {
    async run() {
      const { value, grads } = tf.variableGrads(() => crossEntropy(model(x), targets));
      tf.dispose([value, grads]);
    },
  };
}

async function eager(): Promise<Prepared> {
  const x = random([256]);
  const y = random([256], 1, 2);
  return {
    operations: eagerCount,
    async run() {
      let z = x.clone();
      for (let k = 0; k < eagerCount; k++) {
        const next = z.add(y);
        z.dispose();
        z = next;
      }
      z.dispose();
    },
  };
}

const ownRows: Library["rows"] = {
  "matmul-1024": () => product(1024),
  "matmul-1001": () => product(1001),
  chain: () => unary(chain),
  transcendental: () => unary((x) => tf.sqrt(tf.sin(tf.log(tf.exp(tf.tanh(x)).add(1))).add(2))),
  softmax: () => unary((x) => tf.softmax(x), [4096, 4096]),
  sum: () => unary((x) => tf.sum(x)),
  conv: convolution,
  mlp: mlpForward,
  "mlp-step": mlpStep,
  gpt: gptForward,
  "gpt-gradient": gptGradient,
  eager,
  "compiled-call": "TensorFlow.js compiles nothing",
};

const why = `its WebAssembly backend computes on ${threadsHere} thread in Node: threads need a browser`;

/** TensorFlow.js. */
export const library: Library = {
  versions: {
    "@tensorflow/tfjs": versionOf("@tensorflow/tfjs"),
    "@tensorflow/tfjs-backend-wasm": versionOf("@tensorflow/tfjs-backend-wasm"),
  },
  rows:
    threads <= threadsHere
      ? ownRows
      : {
          "matmul-1024": why,
          "matmul-1001": why,
          chain: why,
          transcendental: why,
          softmax: why,
          sum: why,
          conv: why,
          mlp: why,
          "mlp-step": why,
          gpt: why,
          "gpt-gradient": why,
          eager: why,
          "compiled-call": why,
        },
};
