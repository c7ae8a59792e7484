/** The rows, computed by jax-js: in WebAssembly, or on the GPU where BENCH_DEVICE says so. */
import { resolveObjectURL } from "node:buffer";
import { Worker as NodeWorker } from "node:worker_threads";
import type { numpy } from "@jax-js/jax";
import type { Library, Prepared } from "../../src/library.ts";
import type { RowName } from "../../src/rows.ts";
import { eagerCount, gpt, manyCount, mlpBatch, mlpWidths, numbers, oneHotNumbers } from "../../src/rows.ts";
import "./iterator-helpers.mjs";
import { versionOf } from "./version.ts";

type Tensor = numpy.Array;

const threads = Number(process.env.BENCH_THREADS ?? 1);
const device = process.env.BENCH_DEVICE === "gpu" ? "webgpu" : "wasm";

/** The browser's Worker as jax-js uses it, over Node's: its threads then work here too. */
class BlobWorker {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((error: Error) => void) | null = null;
  readonly #worker: Promise<NodeWorker>;

  constructor(url: string) {
    const source = resolveObjectURL(url)?.text() ?? Promise.reject(new Error(`${url} is no blob`));
    this.#worker = source.then((text) => {
      const worker = new NodeWorker(`${workerPrelude}\n${text}`, { eval: true });
      worker.on("message", (data: unknown) => this.onmessage?.({ data }));
      worker.on("error", (error) => this.onerror?.(new Error(String(error))));
      return worker;
    });
  }

  postMessage(message: unknown): void {
    this.#worker.then((worker) => worker.postMessage(message));
  }
}

const workerPrelude = `
const { parentPort } = require("node:worker_threads");
globalThis.self = globalThis;
globalThis.postMessage = (message) => parentPort.postMessage(message);
parentPort.on("message", (data) => self.onmessage({ data }));
`;

if (threads > 1) {
  Object.defineProperty(globalThis, "Worker", { value: BlobWorker, configurable: true });
  Object.defineProperty(globalThis, "navigator", { value: { hardwareConcurrency: threads }, configurable: true });
}

const {
  blockUntilReady,
  defaultDevice,
  init,
  jit,
  lax,
  nn,
  numpy: np,
  tree,
  valueAndGrad,
} = await import("@jax-js/jax");
await init(device);
defaultDevice(device);

const random = (shape: number[], scale = 1, seed = 1): Tensor =>
  np
    .array(
      numbers(
        shape.reduce((product, length) => product * length, 1),
        scale,
        seed,
      ),
    )
    .reshape(shape);

function computing(compute: () => Tensor): Prepared {
  return {
    async run() {
      const result = compute();
      await result.blockUntilReady();
      result.dispose();
    },
  };
}

/** The product of square matrices. */
export async function product(size: number): Promise<Prepared> {
  const a = random([size, size], 1, 1);
  const b = random([size, size], 1, 2);
  return computing(() => np.matmul(a.ref, b.ref));
}

async function unary(fn: (x: Tensor) => Tensor, shape: number[] = [manyCount]): Promise<Prepared> {
  const x = random(shape);
  const compiled = jit(fn);
  return computing(() => compiled(x.ref));
}

function chain(x: Tensor): Tensor {
  let y = x;
  for (let k = 0; k < 5; k++) y = y.mul(1.01).add(0.5);
  return y;
}

/** A convolution of x with weights [outputs, inputs of a group, ...window]. */
function convolution(
  shape: number[],
  weights: number[],
  { stride = 1, padding = 0, groups = 1 }: { stride?: number; padding?: number; groups?: number },
): () => Promise<Prepared> {
  return async () => {
    const [x, weight] = [random(shape), random(weights, 0.1, 2)];
    const sides: [number, number][] = [
      [padding, padding],
      [padding, padding],
    ];
    const compiled = jit((a: Tensor, w: Tensor) =>
      lax.convGeneralDilated(a, w, [stride, stride], sides, { featureGroupCount: groups }),
    );
    return computing(() => compiled(x.ref, weight.ref));
  };
}

type Layer = { weight: Tensor; bias: Tensor };

const linear = (inputs: number, outputs: number, seed: number): Layer => ({
  weight: random([inputs, outputs], 2 * inputs ** -0.5, seed),
  bias: np.zeros([outputs]),
});

const mlpLayers = (): Layer[] => mlpWidths.slice(1).map((width, k) => linear(mlpWidths[k] ?? width, width, k + 1));

function mlp(layers: Layer[], x: Tensor): Tensor {
  let y = x;
  layers.forEach(({ weight, bias }, k) => {
    y = np.matmul(k === 0 ? y : nn.relu(y), weight).add(bias);
  });
  return y;
}

const crossEntropy = (logits: Tensor, targets: Tensor): Tensor =>
  np.mean(nn.logsumexp(logits.ref, -1).sub(np.sum(logits.mul(targets), -1)));

async function mlpForward(): Promise<Prepared> {
  const layers = mlpLayers();
  const x = random([mlpBatch, 784]);
  const forward = jit(mlp);
  return computing(() => forward(tree.ref(layers), x.ref));
}

async function mlpStep(): Promise<Prepared> {
  const x = random([mlpBatch, 784]);
  const targets = np.array(oneHotNumbers(mlpBatch, 10)).reshape([mlpBatch, 10]);
  const lossOf = (layers: Layer[], a: Tensor, b: Tensor): Tensor => crossEntropy(mlp(layers, a), b);
  const zeros = (layers: Layer[]): Layer[] =>
    layers.map(({ weight, bias }) => ({ weight: np.zeros(weight.shape), bias: np.zeros(bias.shape) }));
  const step = jit((layers: Layer[], firsts: Layer[], seconds: Layer[], a: Tensor, b: Tensor) => {
    const [loss, gradients] = valueAndGrad(lossOf)(tree.ref(layers), a, b);
    const nextFirsts = tree.map((m: Tensor, g: Tensor) => m.mul(0.9).add(g.mul(0.1)), firsts, tree.ref(gradients));
    const nextSeconds = tree.map(
      (v: Tensor, g: Tensor) => v.mul(0.999).add(g.ref.mul(g).mul(0.001)),
      seconds,
      gradients,
    );
    const next = tree.map(
      (p: Tensor, m: Tensor, v: Tensor) => p.sub(m.mul(1e-3).div(np.sqrt(v).add(1e-8))),
      layers,
      tree.ref(nextFirsts),
      tree.ref(nextSeconds),
    );
    return [loss, next, nextFirsts, nextSeconds] as [Tensor, Layer[], Layer[], Layer[]];
  });
  let layers = mlpLayers();
  let firsts = zeros(layers);
  let seconds = zeros(layers);
  return {
    async run() {
      const [loss, ...next] = step(layers, firsts, seconds, x.ref, targets.ref);
      [layers, firsts, seconds] = next;
      await blockUntilReady([loss, layers, firsts, seconds]);
      loss.dispose();
    },
  };
}

type Block = { normIn: Layer; normOut: Layer; queriesKeysValues: Layer; output: Layer; widen: Layer; narrow: Layer };
type Gpt = { blocks: Block[]; norm: Layer; head: Tensor };

const normLayer = (): Layer => ({ weight: np.ones([gpt.width]), bias: np.zeros([gpt.width]) });

const gptModel = (): Gpt => ({
  blocks: Array.from({ length: gpt.layers }, (_, k) => ({
    normIn: normLayer(),
    normOut: normLayer(),
    queriesKeysValues: linear(gpt.width, 3 * gpt.width, 10 * k + 1),
    output: linear(gpt.width, gpt.width, 10 * k + 2),
    widen: linear(gpt.width, 4 * gpt.width, 10 * k + 3),
    narrow: linear(4 * gpt.width, gpt.width, 10 * k + 4),
  })),
  norm: normLayer(),
  head: random([gpt.width, gpt.vocabulary], 0.1, 99),
});

const apply = (layer: Layer, x: Tensor): Tensor => np.matmul(x, layer.weight).add(layer.bias);
const normalize = (layer: Layer, x: Tensor): Tensor => nn.standardize(x, -1).mul(layer.weight).add(layer.bias);

function block(layers: Block, x: Tensor): Tensor {
  const headShape = [gpt.tokens, gpt.heads, gpt.width / gpt.heads];
  const joined = apply(layers.queriesKeysValues, normalize(layers.normIn, x.ref)); // [tokens, 3 * width]
  const [q, k, v] = np.split(joined, 3, -1).map((part) => part.reshape(headShape));
  if (!q || !k || !v) throw new Error("queries, keys and values");
  const attended = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([gpt.tokens, gpt.width]);
  const y = x.add(apply(layers.output, attended));
  return y.ref.add(apply(layers.narrow, nn.gelu(apply(layers.widen, normalize(layers.normOut, y)))));
}

function gptLogits(model: Gpt, x: Tensor): Tensor {
  let y = x;
  for (const layers of model.blocks) y = block(layers, y);
  return np.matmul(normalize(model.norm, y), model.head);
}

async function gptForward(): Promise<Prepared> {
  const model = gptModel();
  const x = random([gpt.tokens, gpt.width]);
  const forward = jit(gptLogits);
  return computing(() => forward(tree.ref(model), x.ref));
}

async function gptGradient(): Promise<Prepared> {
  const model = gptModel();
  const x = random([gpt.tokens, gpt.width]);
  const targets = np.array(oneHotNumbers(gpt.tokens, gpt.vocabulary)).reshape([gpt.tokens, gpt.vocabulary]);
  const step = jit(valueAndGrad((m: Gpt, a: Tensor, b: Tensor) => crossEntropy(gptLogits(m, a), b)));
  return {
    async run() {
      const results = step(tree.ref(model), x.ref, targets.ref);
      await blockUntilReady(results);
      tree.dispose(results);
    },
  };
}

async function eager(): Promise<Prepared> {
  const x = random([256]);
  const y = random([256], 1, 2);
  return {
    operations: eagerCount,
    async run() {
      let z = x.ref;
      for (let k = 0; k < eagerCount; k++) {
        z = z.add(y.ref);
        await z.blockUntilReady();
      }
      z.dispose();
    },
  };
}

async function compiledCall(): Promise<Prepared> {
  const x = random([256]);
  const y = random([256], 1, 2);
  const call = jit((a: Tensor, b: Tensor) => {
    let z = a;
    for (let k = 0; k < 50; k++) z = z.mul(0.9).add(b.ref);
    b.dispose();
    return z;
  });
  return computing(() => call(x.ref, y.ref));
}

/** Runs wait for their results themselves. */
export async function synchronize(): Promise<void> {}

/** jax-js. */
export const library: Library<RowName | "conv-1x1" | "conv-depthwise" | "conv-stride" | "conv-stem"> = {
  versions: { "@jax-js/jax": versionOf("@jax-js/jax") },
  rows: {
    "matmul-1024": () => product(1024),
    "matmul-1001": () => product(1001),
    chain: () => unary(chain),
    transcendental: () => unary((x) => np.sqrt(np.sin(np.log(np.exp(np.tanh(x)).add(1))).add(2))),
    softmax: () => unary((x) => nn.softmax(x, -1), [4096, 4096]),
    sum: () => unary((x) => np.sum(x)),
    conv: convolution([8, 64, 56, 56], [64, 64, 3, 3], { padding: 1 }),
    "conv-1x1": convolution([8, 64, 28, 28], [256, 64, 1, 1], {}),
    "conv-depthwise": convolution([8, 64, 56, 56], [64, 1, 3, 3], { padding: 1, groups: 64 }),
    "conv-stride": convolution([8, 64, 56, 56], [128, 64, 3, 3], { stride: 2, padding: 1 }),
    "conv-stem": convolution([2, 3, 224, 224], [64, 3, 7, 7], { stride: 2, padding: 3 }),
    mlp: mlpForward,
    "mlp-step": mlpStep,
    gpt: gptForward,
    "gpt-gradient": gptGradient,
    eager,
    "compiled-call": compiledCall,
  },
};
