/** What needs no permission, for Deno, which gives none unless told: arrays, kernels, threads. */
import * as mx from "mlx-ts";

const many = mx.ones([3_000_000]);
await mx.evaluate(many);
console.log(await mx.sum(many.add(many)).item());
