/**
 * A fresh process that loads TensorFlow.js's WebAssembly backend, on one thread (it has no more in Node), with the package
 * that it is told: all of TensorFlow.js, or its core alone, which loads faster but whose build for Node has no gradients.
 */
import { createRequire } from "node:module";
import { reportStart } from "../../src/start-up-timing.mjs";

/** @import { Tensor, Tensor4D } from "@tensorflow/tfjs" */

// The ES module build of the backend is for browsers; Node's own build is CommonJS.
const require = createRequire(import.meta.url);
const [, , name = ""] = process.argv;
const backendName = "@tensorflow/tfjs-backend-wasm";

await reportStart({
  versions: { [backendName]: require("../package.json").dependencies[backendName] },
  load: async () => {
    /** @type {typeof import("@tensorflow/tfjs")} */
    const tf = require(name);
    require(backendName).setWasmPaths(
      new URL("../node_modules/@tensorflow/tfjs-backend-wasm/dist/", import.meta.url).pathname,
    );
    await tf.setBackend("wasm");
    await tf.ready();
    return tf;
  },
  first: (tf) => tf.add(tf.mul(tf.tensor([1, 2, 3]), 2), 1).data(),
  kernels: async (tf) => {
    const x = tf.ones([64, 256]);
    const w = tf.ones([256, 256]);
    /** @type {Tensor4D} */
    const image = tf.ones([1, 16, 16, 8]);
    /** @type {Tensor4D} */
    const filters = tf.ones([3, 3, 8, 8]);
    const q = tf.ones([1, 2, 32, 16]);
    // Its kernels run at once, on the calling thread: when the call returns, the result lies in memory.
    const kernel = (/** @type {() => Tensor} */ compute) => async () => tf.tidy(compute).dispose();
    const slope = tf.grad((/** @type {Tensor} */ a) => tf.sum(tf.square(tf.matMul(a, w))));
    return {
      chain: kernel(() => tf.mul(tf.add(tf.mul(x, 1.01), 0.5), x)),
      tanh: kernel(() => tf.tanh(x)),
      softmax: kernel(() => tf.softmax(x)),
      product: kernel(() => tf.matMul(x, w)),
      linear: kernel(() => tf.maximum(tf.add(tf.matMul(x, w), 1), 0)),
      convolution: kernel(() => tf.conv2d(image, filters, 1, "same")),
      // It has no attention of its own: three operations.
      attention: kernel(() => tf.matMul(tf.softmax(tf.mul(tf.matMul(q, q, false, true), 0.25)), q)),
      gradient: name === "@tensorflow/tfjs-core" ? "its build for Node registers no gradients" : kernel(() => slope(x)),
    };
  },
});
