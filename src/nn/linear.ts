/** Layers of matrix products. */
import { uniform } from "../array/random.ts";
import { ShapeError } from "../base/errors.ts";
import type { Rules } from "../base/rules.ts";
import { constructorOptions, flag, requireValues, size } from "../base/rules.ts";
import { formatShape, sameShape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { requireArrays } from "../graph/require-array.ts";
import { add } from "../primitives/arithmetic.ts";
import { addmm, matmul } from "../primitives/contraction.ts";
import { swapAxes } from "../primitives/shaping.ts";
import { reshape, transpose } from "../primitives/views.ts";
import { Module } from "./module.ts";

/** The option of layers that add a bias. */
export interface BiasOptions {
  /** True unless given. */
  readonly bias?: boolean | undefined;
}

/** The rules of `BiasOptions`. */
export const biasRules: Rules<BiasOptions> = { bias: flag };

/**
 * The input itself; takes any arguments.
 *
 * @example
 * const layer = new nn.Identity();
 * await layer(array([1, 2])).tolist(); // [1, 2]
 */
export class Identity extends Module {
  static override readonly name: string = "Identity";

  constructor(..._: readonly unknown[]) {
    super();
  }

  forward(x: MLXArray): MLXArray {
    return x;
  }
}

/**
 * An affine map of the last axis: `x @ weightᵀ + bias`. Parameters begin uniform within `± 1 / √inputSize`.
 *
 * @example
 * const layer = new nn.Linear(4, 3);
 * layer(zeros([2, 4])).shape; // [2, 3]
 * layer.toString(); // "Linear(4 → 3) weight [3, 4], bias [3]: 15 parameters"
 */
export class Linear extends Module {
  static override readonly name: string = "Linear";

  /** [outputSize, inputSize] */
  weight: MLXArray;
  /** [outputSize] */
  bias?: MLXArray | undefined;

  constructor(inputSize: number, outputSize: number, options: BiasOptions = {}) {
    super();
    const { bias = true } = constructorOptions("Linear", new.target === Linear, options, biasRules);
    requireValues("Linear", size, { inputSize, outputSize });
    this.weight = uniformWithin(Math.sqrt(1 / inputSize), [outputSize, inputSize]);
    if (bias) this.bias = uniformWithin(Math.sqrt(1 / inputSize), [outputSize]);
  }

  /** [..., inputSize] → [..., outputSize]. */
  forward(x: MLXArray): MLXArray {
    const weight = transpose(this.weight);
    return this.bias ? addmm(this.bias, x, weight) : matmul(x, weight);
  }

  override describeExtra(): string {
    return `${this.weight.shape[1]} → ${this.weight.shape[0]}`;
  }
}

/**
 * A product of two inputs: `x2ᵀ · weight · x1 + bias` for each output. Parameters begin uniform within `± 1 / √inputSize1`.
 *
 * @example
 * const layer = new nn.Bilinear(2, 3, 4);
 * layer(zeros([5, 2]), zeros([5, 3])).shape; // [5, 4]
 * layer.weight.shape; // [4, 3, 2]
 */
export class Bilinear extends Module {
  static override readonly name: string = "Bilinear";

  /** [outputSize, inputSize2, inputSize1] */
  weight: MLXArray;
  /** [outputSize] */
  bias?: MLXArray | undefined;

  constructor(inputSize1: number, inputSize2: number, outputSize: number, options: BiasOptions = {}) {
    super();
    const { bias = true } = constructorOptions("Bilinear", new.target === Bilinear, options, biasRules);
    requireValues("Bilinear", size, { inputSize1, inputSize2, outputSize });
    this.weight = uniformWithin(Math.sqrt(1 / inputSize1), [outputSize, inputSize2, inputSize1]);
    if (bias) this.bias = uniformWithin(Math.sqrt(1 / inputSize1), [outputSize]);
  }

  /** [..., inputSize1] and [..., inputSize2] → [..., outputSize]. @throws {ShapeError} for inputs of other shapes */
  forward(x1: MLXArray, x2: MLXArray): MLXArray {
    requireArrays("Bilinear", [x1, x2]);
    const [outputs = 0, size2 = 0, size1 = 0] = this.weight.shape;
    const batch = x1.shape.slice(0, -1);
    // Reshaping would take the elements of one row for those of another.
    if (!sameShape(x1.shape, [...batch, size1]) || !sameShape(x2.shape, [...batch, size2])) {
      const shapes = `${formatShape(x1.shape)} and ${formatShape(x2.shape)}`;
      throw new ShapeError("Bilinear", `needs inputs [..., ${size1}] and [..., ${size2}] of equal rows, got ${shapes}`);
    }
    const products = matmul(reshape(x1, [-1, size1]), transpose(reshape(this.weight, [outputs * size2, size1])));
    // [rows, 1, size2] @ [rows, size2, outputs]
    const result = matmul(reshape(x2, [-1, 1, size2]), swapAxes(reshape(products, [-1, outputs, size2]), -2, -1));
    const y = reshape(result, [...batch, outputs]);
    return this.bias ? add(y, this.bias) : y;
  }

  override describeExtra(): string {
    const [outputs, size2, size1] = this.weight.shape;
    return `${size1} × ${size2} → ${outputs}`;
  }
}

/** Uniform float32 samples within `± limit`. */
export function uniformWithin(limit: number, shape: readonly number[]): MLXArray {
  return uniform(shape, { low: -limit, high: limit });
}
