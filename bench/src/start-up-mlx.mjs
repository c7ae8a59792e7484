/** A fresh process that loads our built library, whose path it is given, as users load it. */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { reportStart } from "./start-up-timing.mjs";

/** @import { MLXArray } from "mlx-ts" */

const [, , path = ""] = process.argv;
/** @type {() => Promise<typeof import("mlx-ts")>} */
const load = () => import(pathToFileURL(path).href);

await reportStart({
  versions: { "mlx-ts": createRequire(import.meta.url)("../../package.json").version },
  load,
  first: (mx) => mx.array([1, 2, 3]).mul(2).add(1).data(),
  kernels: async (mx) => {
    const x = mx.ones([64, 256]);
    const w = mx.ones([256, 256]);
    const image = mx.ones([1, 16, 16, 8]);
    const filters = mx.ones([8, 3, 3, 8]);
    const q = mx.ones([1, 2, 32, 16]);
    await mx.evaluate(x, w, image, filters, q);
    return {
      chain: () => mx.evaluate(x.mul(1.01).add(0.5).mul(x)),
      tanh: () => mx.evaluate(mx.tanh(x)),
      softmax: () => mx.evaluate(mx.softmax(x, -1)),
      product: () => mx.evaluate(x.matmul(w)),
      linear: () => mx.evaluate(mx.maximum(x.matmul(w).add(1), 0)),
      convolution: () => mx.evaluate(mx.conv2d(image, filters, { padding: 1 })),
      attention: () => mx.evaluate(mx.fast.scaledDotProductAttention(q, q, q, { scale: 0.25 })),
      gradient: () => mx.evaluate(mx.grad((/** @type {MLXArray} */ a) => a.matmul(w).square().sum())(x)),
    };
  },
});
