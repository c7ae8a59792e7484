/** The layer that looks vectors up. */
import { normal } from "../array/random.ts";
import { requireValues, size as sizeRule } from "../base/rules.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { matmul } from "../primitives/contraction.ts";
import { take } from "../primitives/gather.ts";
import { transpose } from "../primitives/views.ts";
import { Module } from "./module.ts";

/**
 * A table of vectors, looked up by number. Its vectors begin normal with standard deviation `1 / √size`.
 *
 * @example
 * const table = new nn.Embedding(6, 3);
 * table(array([[0, 5], [2, 2]], "int32")).shape; // [2, 2, 3]
 */
export class Embedding extends Module {
  static override readonly name: string = "Embedding";

  /** [count, size] */
  weight: MLXArray;

  constructor(count: number, size: number) {
    super();
    requireValues("Embedding", sizeRule, { count, size });
    this.weight = normal([count, size], { scale: Math.sqrt(1 / size) });
  }

  /** Integers [...] → [..., size]. */
  forward(indices: MLXArray): MLXArray {
    return take(this.weight, indices, 0);
  }

  /** The table as a matrix without bias, for output layers that share it: [..., size] → [..., count]. */
  asLinear(x: MLXArray): MLXArray {
    return matmul(x, transpose(this.weight));
  }

  override describeExtra(): string {
    return `${this.weight.shape[0]} × ${this.weight.shape[1]}`;
  }
}
