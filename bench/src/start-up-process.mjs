/** A fresh process that loads the built library and reports how long its first calls took. */
import { pathToFileURL } from "node:url";

const begin = performance.now();
const mx = await import(pathToFileURL(process.argv[2]).href);
await mx.array([1, 2, 3]).mul(2).add(1).data();
const first = performance.now() - begin;

/** @param {() => import("../../dist/index.js").MLXArray} compute */
async function timed(compute) {
  const times = [];
  for (let call = 0; call < 2; call++) {
    const start = performance.now();
    await mx.evaluate(compute());
    times.push(performance.now() - start);
  }
  return times;
}

const x = mx.ones([64, 256]);
const w = mx.ones([256, 256]);
const image = mx.ones([1, 16, 16, 8]);
const filters = mx.ones([8, 3, 3, 8]);
const q = mx.ones([1, 2, 32, 16]);
await mx.evaluate(x, w, image, filters, q);
const calls = {
  chain: await timed(() => x.mul(1.01).add(0.5).mul(x)),
  tanh: await timed(() => mx.tanh(x)),
  softmax: await timed(() => mx.softmax(x, -1)),
  matmul: await timed(() => x.matmul(w)),
  linear: await timed(() => mx.maximum(x.matmul(w).add(1), 0)),
  conv: await timed(() => mx.conv2d(image, filters, { padding: 1 })),
  attention: await timed(() => mx.fast.scaledDotProductAttention(q, q, q, { scale: 0.25 })),
  gradient: await timed(() => mx.grad((a) => a.matmul(w).square().sum())(x)),
};
console.log(JSON.stringify({ first, calls }));
process.exit(0);
