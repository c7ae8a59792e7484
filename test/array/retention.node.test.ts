/** Nothing keeps the memory of arrays that nobody can reach: no plan, no cache, no trace. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as mx from "mlx-ts";
import { expect, it } from "vitest";

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");

async function settle(): Promise<void> {
  for (let k = 0; k < 4; k++) {
    if (typeof collect === "function") collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const size = 100_000;
const slope = mx.compile((x: mx.MLXArray) => mx.grad((y: mx.MLXArray) => mx.sort(y).square().sum())(x));

const doubled = mx.compile((x: mx.MLXArray) => [x.mul(2), x.sum()]);

const computations: readonly (readonly [string, (x: mx.MLXArray) => unknown])[] = [
  ["a fused chain", (x) => mx.tanh(x.add(1)).mul(2)],
  ["a reduction", (x) => x.reshape([100, 1000]).sum(0)],
  ["a product", (x) => x.reshape([200, 500]).matmul(x.reshape([500, 200]))],
  ["a routine", (x) => mx.sort(x)],
  ["a scan", (x) => mx.cumsum(x)],
  ["a gather", (x) => mx.take(x, mx.arange(1000))],
  ["an update", (x) => x.at(":10").add(1)],
  ["a view", (x) => x.reshape([100, 1000])],
  ["a normalization", (x) => mx.fast.layerNorm(x.reshape([100, 1000]))],
  [
    "attention",
    (x) => {
      const q = x.reshape([1, 2, 500, 100]);
      return mx.fast.scaledDotProductAttention(q, q, q, { scale: 0.1 });
    },
  ],
  ["random numbers", () => mx.random.normal([size])],
  ["a gradient", (x) => mx.grad((y: mx.MLXArray) => mx.tanh(y).square().sum())(x)],
  ["a compiled gradient", (x) => slope(x)],
  ["a call of a compiled function within a larger graph", (x) => doubled(x.add(1)).map((y) => y.sub(1))],
  ["a batch", (x) => mx.vmap((row: mx.MLXArray) => mx.softmax(row))(x.reshape([100, 1000]))],
];

it.each(computations)("%s", async (_, compute) => {
  const run = async (): Promise<void> => {
    const x = mx.ones([size]).mul(0.5);
    await mx.evaluate(x);
    await mx.evaluate(compute(x));
  };
  await settle();
  const before = mx.memory.active;
  await run();
  for (let k = 0; k < 3; k++) await run();
  // On a busy machine the collector's word comes late.
  for (let k = 0; k < 50 && mx.memory.active - before >= 1000; k++) await settle();
  expect(mx.memory.active - before).toBeLessThan(1000);
});
