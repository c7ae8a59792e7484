/** The rows, computed by mlx-ts. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import type { Library, Prepared } from "./library.ts";
import { eagerCount, gpt, manyCount, mlpBatch, mlpWidths, numbers, oneHotNumbers } from "./rows.ts";

/** Reproducible numbers in a shape. */
export function random(shape: readonly number[], scale = 1, seed = 1): mx.MLXArray {
  const count = shape.reduce((product, length) => product * length, 1);
  return mx.fromTypedArray(numbers(count, scale, seed)).reshape(shape);
}

/** Runs a function of no arguments and computes its result; the result is let go of at once. */
export function computing(compute: () => mx.MLXArray): Prepared {
  return {
    async run() {
      const result = compute();
      await mx.evaluate(result);
      result.dispose();
    },
  };
}

async function product(size: number): Promise<Prepared> {
  const a = random([size, size], 1, 1);
  const b = random([size, size], 1, 2);
  await mx.evaluate(a, b);
  return computing(() => a.matmul(b));
}

async function unary(fn: (x: mx.MLXArray) => mx.MLXArray, shape: readonly number[] = [manyCount]): Promise<Prepared> {
  const x = random(shape);
  await mx.evaluate(x);
  const compiled = mx.compile(fn);
  return computing(() => compiled(x));
}

function chain(x: mx.MLXArray): mx.MLXArray {
  let y = x;
  for (let k = 0; k < 5; k++) y = y.mul(1.01).add(0.5);
  return y;
}

const transcendental = (x: mx.MLXArray): mx.MLXArray => mx.sqrt(mx.sin(mx.log(mx.exp(mx.tanh(x)).add(1))).add(2));

async function convolution(): Promise<Prepared> {
  const x = random([8, 56, 56, 64]);
  const weight = random([64, 3, 3, 64], 0.1, 2);
  await mx.evaluate(x, weight);
  return computing(() => mx.conv2d(x, weight, { padding: 1 }));
}

class Mlp extends nn.Module {
  layers: nn.Linear[];
  constructor() {
    super();
    this.layers = mlpWidths.slice(1).map((width, k) => new nn.Linear(mlpWidths[k] ?? width, width));
  }
  forward(x: mx.MLXArray): mx.MLXArray {
    let y = x;
    this.layers.forEach((layer, k) => {
      y = k === 0 ? layer(y) : layer(nn.relu(y));
    });
    return y;
  }
}

const oneHot = (rowCount: number, columnCount: number): mx.MLXArray =>
  mx.fromTypedArray(oneHotNumbers(rowCount, columnCount)).reshape([rowCount, columnCount]);

const crossEntropy = (logits: mx.MLXArray, targets: mx.MLXArray): mx.MLXArray =>
  mx.logSumExp(logits, -1).sub(logits.mul(targets).sum(-1)).mean();

async function mlpForward(): Promise<Prepared> {
  const model = new Mlp();
  const x = random([mlpBatch, 784]);
  await mx.evaluate(model, x);
  const forward = mx.compile((batch: mx.MLXArray) => model(batch));
  return computing(() => forward(x));
}

/** The Adam step of the perceptron. */
export async function mlpStep(): Promise<Prepared> {
  const model = new Mlp();
  const optimizer = new optim.Adam({ learningRate: 1e-3 });
  const x = random([mlpBatch, 784]);
  const targets = oneHot(mlpBatch, 10);
  const lossAndGradients = nn.valueAndGrad(model, (m: Mlp, a: mx.MLXArray, b: mx.MLXArray) => crossEntropy(m(a), b));
  return trainingStep(model, optimizer, lossAndGradients, x, targets);
}

/** A compiled step of `optimizer` on one batch. */
async function trainingStep<M extends nn.Module>(
  model: M,
  optimizer: optim.Optimizer,
  lossAndGradients: (model: M, x: mx.MLXArray, targets: mx.MLXArray) => readonly [mx.MLXArray, object],
  x: mx.MLXArray,
  targets: mx.MLXArray,
): Promise<Prepared> {
  const step = mx.compile(
    (a: mx.MLXArray, b: mx.MLXArray) => {
      const [loss, gradients] = lossAndGradients(model, a, b);
      optimizer.update(model, gradients);
      return loss;
    },
    { inputs: [model, optimizer], outputs: [model, optimizer], donate: true },
  );
  await mx.evaluate(model, optimizer, x, targets);
  return {
    async run() {
      const loss = step(x, targets);
      await mx.evaluate(loss, model, optimizer);
      loss.dispose();
    },
  };
}

class Block extends nn.Module {
  normIn: nn.LayerNorm = new nn.LayerNorm(gpt.width);
  normOut: nn.LayerNorm = new nn.LayerNorm(gpt.width);
  queriesKeysValues: nn.Linear = new nn.Linear(gpt.width, 3 * gpt.width);
  output: nn.Linear = new nn.Linear(gpt.width, gpt.width);
  widen: nn.Linear = new nn.Linear(gpt.width, 4 * gpt.width);
  narrow: nn.Linear = new nn.Linear(4 * gpt.width, gpt.width);
  forward(x: mx.MLXArray): mx.MLXArray {
    const headWidth = gpt.width / gpt.heads;
    const heads = this.queriesKeysValues(this.normIn(x)).reshape([1, gpt.tokens, 3, gpt.heads, headWidth]);
    const [q, k, v] = mx.split(heads.transpose([2, 0, 3, 1, 4]), 3, 0).map((part) => part.squeeze(0)); // [1, heads, tokens, headWidth]
    if (!q || !k || !v) throw new Error("queries, keys and values");
    const attended = mx.fast.scaledDotProductAttention(q, k, v, { scale: headWidth ** -0.5, mask: "causal" });
    const joined = attended.transpose([0, 2, 1, 3]).reshape([1, gpt.tokens, gpt.width]);
    const y = x.add(this.output(joined));
    return y.add(this.narrow(nn.geluApprox(this.widen(this.normOut(y)))));
  }
}

class Gpt extends nn.Module {
  blocks: Block[] = Array.from({ length: gpt.layers }, () => new Block());
  norm: nn.LayerNorm = new nn.LayerNorm(gpt.width);
  head: nn.Linear = new nn.Linear(gpt.width, gpt.vocabulary, { bias: false });
  forward(x: mx.MLXArray): mx.MLXArray {
    let y = x;
    for (const block of this.blocks) y = block(y);
    return this.head(this.norm(y));
  }
}

async function gptForward(): Promise<Prepared> {
  const model = new Gpt();
  const x = random([1, gpt.tokens, gpt.width]);
  await mx.evaluate(model, x);
  const forward = mx.compile((tokens: mx.MLXArray) => model(tokens));
  return computing(() => forward(x));
}

/** Value and gradient of the GPT. */
export async function gptGradient(): Promise<Prepared> {
  const model = new Gpt();
  const x = random([1, gpt.tokens, gpt.width]);
  const targets = oneHot(gpt.tokens, gpt.vocabulary).expandDims(0);
  await mx.evaluate(model, x, targets);
  const lossAndGradients = nn.valueAndGrad(model, (m: Gpt, a: mx.MLXArray) => crossEntropy(m(a), targets));
  const step = mx.compile((a: mx.MLXArray) => lossAndGradients(model, a));
  return {
    async run() {
      const results = step(x);
      await mx.evaluate(results);
      for (const [, result] of mx.treeFlatten(results)) if (result instanceof mx.MLXArray) result.dispose();
    },
  };
}

/** The AdamW step of the GPT. */
export async function gptStep(): Promise<Prepared> {
  const model = new Gpt();
  const optimizer = new optim.AdamW({ learningRate: 1e-3 });
  const x = random([1, gpt.tokens, gpt.width]);
  const targets = oneHot(gpt.tokens, gpt.vocabulary).expandDims(0);
  const lossAndGradients = nn.valueAndGrad(model, (m: Gpt, a: mx.MLXArray, b: mx.MLXArray) => crossEntropy(m(a), b));
  return trainingStep(model, optimizer, lossAndGradients, x, targets);
}

async function eager(): Promise<Prepared> {
  const x = random([256]);
  const y = random([256], 1, 2);
  await mx.evaluate(x, y);
  return {
    operations: eagerCount,
    async run() {
      let z = x;
      for (let k = 0; k < eagerCount; k++) {
        z = z.add(y);
        await mx.evaluate(z);
      }
    },
  };
}

async function compiledCall(): Promise<Prepared> {
  const x = random([256]);
  const y = random([256], 1, 2);
  await mx.evaluate(x, y);
  const call = mx.compile((a: mx.MLXArray, b: mx.MLXArray) => {
    let z = a;
    for (let k = 0; k < 50; k++) z = z.mul(0.9).add(b);
    return z;
  });
  return {
    operations: 10,
    async run() {
      for (let k = 0; k < 10; k++) await mx.evaluate(call(x, y));
    },
  };
}

/** mlx-ts itself. */
export const library: Library = {
  versions: { "mlx-ts": "0.1.0" },
  rows: {
    "matmul-1024": () => product(1024),
    "matmul-1001": () => product(1001),
    chain: () => unary(chain),
    transcendental: () => unary(transcendental),
    softmax: () => unary((x) => mx.softmax(x, -1), [4096, 4096]),
    sum: () => unary((x) => x.sum()),
    conv: convolution,
    mlp: mlpForward,
    "mlp-step": mlpStep,
    gpt: gptForward,
    "gpt-gradient": gptGradient,
    eager,
    "compiled-call": compiledCall,
  },
};
