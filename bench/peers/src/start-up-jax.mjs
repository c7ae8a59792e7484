/** A fresh process that loads jax-js: in WebAssembly, on one thread, kernels compiled by its `jit`. */
import { createRequire } from "node:module";
import { setFlagsFromString } from "node:v8";
import { reportStart } from "../../src/start-up-timing.mjs";
import "./iterator-helpers.mjs";

/** @import { numpy } from "@jax-js/jax" */

// It uses relaxed SIMD where the engine has it; Node 20 has it behind this flag.
if (Number(process.versions.node.split(".")[0]) < 22) setFlagsFromString("--experimental-wasm-relaxed-simd");

await reportStart({
  versions: { "@jax-js/jax": createRequire(import.meta.url)("../package.json").dependencies["@jax-js/jax"] },
  load: async () => {
    const jax = await import("@jax-js/jax");
    await jax.init("wasm");
    jax.defaultDevice("wasm");
    return jax;
  },
  first: ({ numpy }) => numpy.array([1, 2, 3]).mul(2).add(1).data(),
  kernels: async ({ blockUntilReady, grad, jit, lax, nn, numpy: np }) => {
    const x = np.ones([64, 256]);
    const w = np.ones([256, 256]);
    const image = np.ones([1, 8, 16, 16]);
    const filters = np.ones([8, 8, 3, 3]);
    const q = np.ones([1, 32, 2, 16]);
    await blockUntilReady([x, w, image, filters, q]);
    /**
     * A kernel that `jit` compiles, called with the same inputs again and again.
     *
     * @param {(...inputs: numpy.Array[]) => numpy.Array} fn
     * @param {numpy.Array[]} inputs
     */
    const kernel = (fn, ...inputs) => {
      const compiled = jit(fn);
      return async () => {
        const result = compiled(...inputs.map((input) => input.ref));
        await result.blockUntilReady();
        result.dispose();
      };
    };
    return {
      chain: kernel((a) => a.ref.mul(1.01).add(0.5).mul(a), x),
      tanh: kernel((a) => np.tanh(a), x),
      softmax: kernel((a) => nn.softmax(a, -1), x),
      product: kernel((a, b) => np.matmul(a, b), x, w),
      linear: kernel((a, b) => np.maximum(np.matmul(a, b).add(1), 0), x, w),
      convolution: kernel((a, b) => lax.conv(a, b, [1, 1], "SAME"), image, filters),
      attention: kernel((a) => nn.dotProductAttention(a.ref, a.ref, a, { scale: 0.25 }), q),
      gradient: kernel(
        grad((a, b) => np.sum(np.square(np.matmul(a, b)))),
        x,
        w,
      ),
    };
  },
});
