/** Kernels of every kind on both devices: prints the greatest difference of each, relative to the greatest value. */
import * as mx from "mlx-ts";

mx.random.seed(3);
const x = mx.random.normal([70, 130]);
const weights = mx.random.normal([130, 65]);
const images = mx.random.normal([2, 9, 9, 5]);
const filters = mx.random.normal([7, 3, 3, 5]);
const heads = mx.random.normal([1, 2, 33, 16]);
await mx.evaluate(x, weights, images, filters, heads);

const computations: Readonly<Record<string, () => mx.MLXArray>> = {
  chain: () => mx.tanh(x.mul(2).add(1)).mul(mx.exp(x.negative().square())),
  product: () => mx.maximum(x.matmul(weights).add(0.5), 0),
  softmax: () => mx.softmax(x, -1),
  variance: () => mx.variance(x, 0),
  convolution: () => mx.conv2d(images, filters, { padding: 1 }),
  attention: () => mx.fast.scaledDotProductAttention(heads, heads, heads, { scale: 0.25, mask: "causal" }),
  sort: () => mx.sort(x, -1),
  scan: () => mx.cumsum(x, 1),
  gather: () => mx.take(x, mx.array([3, 1, 69], "int32"), 0),
  scatter: () => x.at(mx.array([3, 1, 3], "int32")).add(1),
  random: () => mx.random.uniform([999], { key: mx.random.key(5) }),
  half: () => x.asType("float16").mul(3).asType("float32"),
  gradient: () => mx.grad((w: mx.MLXArray) => mx.tanh(x.matmul(w)).square().mean())(weights),
};

const differences: Record<string, number> = {};
for (const [name, compute] of Object.entries(computations)) {
  const [onCpu, onGpu] = [mx.withDevice("cpu", compute), mx.withDevice("gpu", compute)];
  const [a, b] = [await onCpu.data(), await onGpu.data()];
  let [greatest, difference] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    greatest = Math.max(greatest, Math.abs(Number(a[i])));
    difference = Math.max(difference, Math.abs(Number(a[i]) - Number(b[i])));
  }
  differences[name] = a.length === b.length ? difference / greatest : Number.POSITIVE_INFINITY;
}
console.log(JSON.stringify({ moved: mx.memory.moves.toGpu.count > 0, differences }));
