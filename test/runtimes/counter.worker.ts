/** A class that adds up arrays, exposed to the program that starts this worker. */
import { expose } from "@mlx-ts/actor";
import * as mx from "mlx-ts";

/** Adds up arrays of one shape. */
export class Counter {
  #total: mx.MLXArray = mx.zeros([1000]);

  add(x: mx.MLXArray): mx.MLXArray {
    this.#total = this.#total.add(x);
    return this.#total;
  }
}

expose(Counter);
