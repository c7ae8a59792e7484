/** Initializers: functions that make an array of a given array's shape. */

import { normal as randomNormal, uniform as randomUniform } from "../array/random.ts";
import type { Dtype } from "../base/dtype.ts";
import { requireDtype } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import type { Rule, Rules } from "../base/rules.ts";
import { anything, finite, fromZero, oneOf, optionsOf, requireValues } from "../base/rules.ts";
import type { Shape } from "../base/shape.ts";
import { formatShape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { requireArray } from "../graph/require-array.ts";
import { eye, full } from "../primitives/creation.ts";

/** Makes an array in the shape of its argument. */
export type Initializer = (array: MLXArray) => MLXArray;

/** The option of every initializer. */
export interface InitializerOptions {
  /** Float32 unless given. */
  readonly dtype?: Dtype | undefined;
}

/** The option of an initializer that keeps the variance of what flows through a layer. */
export interface GainOptions {
  /** A factor; 1 unless given. */
  readonly gain?: number;
}

/** The options of He initializers. */
export interface HeOptions extends GainOptions {
  /** Whether to keep the variance of the forward pass ("fanIn", unless given) or of the gradients. */
  readonly mode?: "fanIn" | "fanOut";
}

const heRules: Rules<HeOptions> = { gain: fromZero, mode: oneOf("fanIn", "fanOut") };

/** The dtype that the options name, float32 unless they do; further options are `others`. */
function dtypeOf(operation: string, options: InitializerOptions, others: Readonly<Record<string, Rule>> = {}): Dtype {
  const { dtype = "float32" } = optionsOf(operation, options, { dtype: anything, ...others });
  return requireDtype(operation, dtype);
}

/** The shape of what is to be filled. @throws {DtypeError} for what is no array, such as a shape */
function shapeOf(operation: string, array: MLXArray): Shape {
  requireArray(operation, array);
  return array.shape;
}

/**
 * An initializer that fills with `value`.
 *
 * @example
 * await nn.init.constant(0.5)(zeros([2, 2])).tolist(); // [[0.5, 0.5], [0.5, 0.5]]
 */
export function constant(value: number, options: InitializerOptions = {}): Initializer {
  const dtype = dtypeOf("init.constant", options);
  requireValues("init.constant", finite, { value });
  return (array) => full(shapeOf("init.constant", array), value, dtype);
}

/**
 * An initializer of normal samples; `mean` is 0 and the standard deviation `std` 1 unless given.
 *
 * @example
 * const weight = nn.init.normal({ mean: 3, std: 0.1 })(zeros([100, 100]));
 * await weight.mean().sub(3).abs().less(0.01).item(); // true
 */
export function normal(
  options: InitializerOptions & { readonly mean?: number | undefined; readonly std?: number | undefined } = {},
): Initializer {
  const dtype = dtypeOf("init.normal", options, { mean: finite, std: fromZero });
  const { mean = 0, std = 1 } = options;
  return (array) => randomNormal(shapeOf("init.normal", array), { loc: mean, scale: std, dtype });
}

/**
 * An initializer of uniform samples from `low` (0 unless given) up to `high` (1 unless given).
 *
 * @example
 * const weight = nn.init.uniform({ low: -0.5, high: 0.5 })(zeros([100, 100]));
 * await weight.abs().max().lessEqual(0.5).item(); // true
 */
export function uniform(
  options: InitializerOptions & { readonly low?: number | undefined; readonly high?: number | undefined } = {},
): Initializer {
  const dtype = dtypeOf("init.uniform", options, { low: finite, high: finite });
  const { low = 0, high = 1 } = options;
  return (array) => randomUniform(shapeOf("init.uniform", array), { low, high, dtype });
}

/**
 * An initializer of identity matrices.
 *
 * @throws {ShapeError} when called with what is no square matrix
 * @example
 * await nn.init.identity()(zeros([2, 2])).tolist(); // [[1, 0], [0, 1]]
 */
export function identity(options: InitializerOptions = {}): Initializer {
  const dtype = dtypeOf("init.identity", options);
  return (array) => {
    const shape = shapeOf("init.identity", array);
    const [rows = 0, columns] = shape;
    if (shape.length !== 2 || rows !== columns) {
      throw new ShapeError("init.identity", `needs a square matrix, got ${formatShape(shape)}`);
    }
    return eye(rows, { dtype });
  };
}

/**
 * Normal samples with standard deviation `gain · √(2 / (fanIn + fanOut))`, for weights [outputs, sizes…, inputs]. Source:
 * Glorot & Bengio 2010.
 *
 * @throws {ShapeError} when called with an array of fewer than 2 axes
 * @example
 * const weight = nn.init.glorotNormal()(zeros([100, 100]));
 * await weight.std().sub(0.1).abs().less(0.01).item(); // true
 */
export function glorotNormal(options: InitializerOptions = {}): (array: MLXArray, options?: GainOptions) => MLXArray {
  const dtype = dtypeOf("init.glorotNormal", options);
  return (array, given = {}) => {
    const { gain = 1 } = optionsOf("init.glorotNormal", given, { gain: fromZero });
    const { fanIn, fanOut } = fans("init.glorotNormal", array);
    return randomNormal(array.shape, { scale: gain * Math.sqrt(2 / (fanIn + fanOut)), dtype });
  };
}

/**
 * Uniform samples within `± gain · √(6 / (fanIn + fanOut))`, for weights [outputs, sizes…, inputs]. Source: Glorot & Bengio
 * 2010.
 *
 * @throws {ShapeError} when called with an array of fewer than 2 axes
 * @example
 * const weight = nn.init.glorotUniform()(zeros([16, 8]));
 * await weight.abs().max().lessEqual(0.5).item(); // true
 */
export function glorotUniform(options: InitializerOptions = {}): (array: MLXArray, options?: GainOptions) => MLXArray {
  const dtype = dtypeOf("init.glorotUniform", options);
  return (array, given = {}) => {
    const { gain = 1 } = optionsOf("init.glorotUniform", given, { gain: fromZero });
    const { fanIn, fanOut } = fans("init.glorotUniform", array);
    const limit = gain * Math.sqrt(6 / (fanIn + fanOut));
    return randomUniform(array.shape, { low: -limit, high: limit, dtype });
  };
}

/**
 * Normal samples with standard deviation `gain / √fan`, for weights [outputs, sizes…, inputs]; before `relu`, He takes a gain
 * of √2. Source: He et al. 2015.
 *
 * @throws {ShapeError} when called with an array of fewer than 2 axes
 * @example
 * const weight = nn.init.heNormal()(zeros([200, 100]), { gain: Math.SQRT2 });
 * await weight.std().sub(0.1414).abs().less(0.01).item(); // true
 */
export function heNormal(options: InitializerOptions = {}): (array: MLXArray, options?: HeOptions) => MLXArray {
  const dtype = dtypeOf("init.heNormal", options);
  return (array, given = {}) => {
    const { mode = "fanIn", gain = 1 } = optionsOf("init.heNormal", given, heRules);
    const scale = gain / Math.sqrt(fans("init.heNormal", array)[mode]);
    return randomNormal(array.shape, { scale, dtype });
  };
}

/**
 * Uniform samples within `± gain · √(3 / fan)`, for weights [outputs, sizes…, inputs]. Source: He et al. 2015.
 *
 * @throws {ShapeError} when called with an array of fewer than 2 axes
 * @example
 * const weight = nn.init.heUniform()(zeros([3, 12]), { mode: "fanOut" });
 * await weight.abs().max().lessEqual(1).item(); // true
 */
export function heUniform(options: InitializerOptions = {}): (array: MLXArray, options?: HeOptions) => MLXArray {
  const dtype = dtypeOf("init.heUniform", options);
  return (array, given = {}) => {
    const { mode = "fanIn", gain = 1 } = optionsOf("init.heUniform", given, heRules);
    const limit = gain * Math.sqrt(3 / fans("init.heUniform", array)[mode]);
    return randomUniform(array.shape, { low: -limit, high: limit, dtype });
  };
}

/** How many inputs an output is computed from, and how many outputs an input has a part in; weights are [out, …, in]. */
function fans(operation: string, array: MLXArray): { readonly fanIn: number; readonly fanOut: number } {
  const shape = shapeOf(operation, array);
  if (shape.length < 2) throw new ShapeError(operation, `needs at least 2 axes, got ${formatShape(shape)}`);
  const field = shape.slice(1, -1).reduce((product, length) => product * length, 1);
  return { fanIn: (shape.at(-1) ?? 1) * field, fanOut: (shape[0] ?? 1) * field };
}
