/** The programs that recorder/transforms.py and recorder/random.py run through MLX, written with our functions. */
import type { MLXArray } from "mlx-ts";
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";

/** Functions of arrays by the name they are recorded under. */
export const programs: Readonly<Record<string, (...arrays: MLXArray[]) => MLXArray>> = {
  perceptron(w1, b1, w2, b2, x, labels) {
    const hidden = nn.relu(mx.add(mx.matmul(x, w1), b1));
    return nn.losses.crossEntropy(mx.add(mx.matmul(hidden, w2), b2), labels, { reduction: "mean" });
  },
  attention(q, k, v) {
    const scores = mx.multiply(mx.matmul(q, mx.swapAxes(k, -1, -2)), 0.5);
    return mx.sum(mx.square(mx.matmul(mx.softmax(scores, -1), v)));
  },
  rosenbrock,
  normalized(x, w, b) {
    const centred = mx.subtract(x, mx.mean(x, -1, { keepAxes: true }));
    const scale = mx.rsqrt(mx.add(mx.mean(mx.square(centred), -1, { keepAxes: true }), 1e-5));
    return mx.sum(mx.sin(mx.add(mx.multiply(mx.multiply(centred, scale), w), b)));
  },
  article(scale, readings) {
    return mx.square(mx.subtract(mx.mean(mx.multiply(readings, scale)), 1));
  },
  hessianVector(x) {
    const direction = mx.array([1, -0.5, 2, 0.25]);
    const slope = (y: MLXArray): MLXArray => mx.sum(mx.multiply(mx.grad(rosenbrock)(y), direction));
    return mx.grad(slope)(x);
  },
  thirdDerivative(x) {
    const f = (y: MLXArray): MLXArray => mx.multiply(mx.sin(y), mx.exp(mx.multiply(y, 0.5)));
    return mx.grad(mx.grad(mx.grad(f)))(x);
  },
  perSample(w, x) {
    const loss = (weight: MLXArray, row: MLXArray): MLXArray => mx.sum(mx.tanh(mx.matmul(row, weight)));
    return mx.vmap(mx.grad(loss), { inAxes: [null, 0] })(w, x);
  },
  jacobian(x) {
    const f = (y: MLXArray): MLXArray => mx.cumsum(mx.sin(y));
    const row = (cotangent: MLXArray): MLXArray => only(mx.vjp(f, [x], [cotangent])[1]);
    return mx.vmap(row)(mx.eye(4));
  },
  gathered(table, index) {
    return mx.sum(mx.square(mx.take(table, index, 0)));
  },
};

function rosenbrock(x: MLXArray): MLXArray {
  const head = x.get(":-1");
  const curve = mx.multiply(100, mx.square(mx.subtract(x.at("1:"), mx.square(head))));
  return mx.sum(mx.add(curve, mx.square(mx.subtract(1, head))));
}

function only(values: readonly MLXArray[]): MLXArray {
  const [value] = values;
  if (value === undefined) throw new Error("no value");
  return value;
}
