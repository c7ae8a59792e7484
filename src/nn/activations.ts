/** Activation functions. All are elementwise compositions (or softmaxes), which fuse into what surrounds them. */
import { ShapeError } from "../base/errors.ts";
import type { Rules } from "../base/rules.ts";
import { finite, fromZero, optionsOf, place, positive } from "../base/rules.ts";
import { formatShape, normalizeAxis } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { requireArray } from "../graph/require-array.ts";
import { add, divide, multiply, negative, square, subtract } from "../primitives/arithmetic.ts";
import { greater, greaterEqual } from "../primitives/comparison.ts";
import { floatingArray } from "../primitives/elementwise.ts";
import { erf, exp, logAddExp, sigmoid } from "../primitives/exponential.ts";
import { max } from "../primitives/extrema.ts";
import { split } from "../primitives/joining.ts";
import { abs, maximum, minimum, sign } from "../primitives/magnitude.ts";
import type { ArrayLike } from "../primitives/operands.ts";
import { stopGradient, where } from "../primitives/selection.ts";
import { logSumExp, softmax as softmaxOver } from "../primitives/statistics.ts";
import { tanh } from "../primitives/trigonometry.ts";

/** The options of activations that have a slope or scale `alpha`. */
export interface AlphaOptions {
  /** 1 unless given. */
  readonly alpha?: number | undefined;
}

/** The options of activations along an axis. */
export interface AxisOptions {
  /** The last one unless given. */
  readonly axis?: number | undefined;
}

/** The option of `leakyRelu`. */
export interface LeakyReluOptions {
  /** 0.01 unless given. */
  readonly negativeSlope?: number | undefined;
}

/** The options of shrinking activations. */
export interface ShrinkOptions {
  /** The threshold λ; 0.5 unless given. */
  readonly lambd?: number | undefined;
}

/** The rules of `AlphaOptions`. */
export const alphaRules: Rules<AlphaOptions> = { alpha: finite };
/** Those of `celu`, which divides by alpha. */
export const celuRules: Rules<AlphaOptions> = { alpha: positive };
/** The rules of `AxisOptions`. */
export const axisRules: Rules<AxisOptions> = { axis: place };
/** The rules of `ShrinkOptions`. */
export const shrinkRules: Rules<ShrinkOptions> = { lambd: fromZero };

/**
 * Rectified linear unit: `max(x, 0)`.
 *
 * @example
 * await nn.relu(array([-1, 2])).tolist(); // [0, 2]
 */
export function relu(x: ArrayLike): MLXArray {
  return maximum(x, 0);
}

/**
 * Squared rectified linear unit: `max(x, 0)²`.
 *
 * @example
 * await nn.relu2(array([-1, 3])).tolist(); // [0, 9]
 */
export function relu2(x: ArrayLike): MLXArray {
  return square(relu(x));
}

/**
 * Rectified linear unit that saturates: `min(max(x, 0), 6)`.
 *
 * @example
 * await nn.relu6(array([-1, 3, 8])).tolist(); // [0, 3, 6]
 */
export function relu6(x: ArrayLike): MLXArray {
  return minimum(relu(x), 6);
}

/**
 * Leaky rectified linear unit: `max(negativeSlope · x, x)`. Source: Maas, Hannun & Ng 2013.
 *
 * @param options `negativeSlope` is 0.01 unless given
 * @throws {ArgumentError} for a slope that is not finite
 * @example
 * await nn.leakyRelu(array([-2, 3])).tolist(); // ≈ [-0.02, 3]
 * await nn.leakyRelu(array([-2, 3]), { negativeSlope: 0.5 }).tolist(); // [-1, 3]
 */
export function leakyRelu(x: ArrayLike, options: LeakyReluOptions = {}): MLXArray {
  const { negativeSlope = 0.01 } = optionsOf("leakyRelu", options, { negativeSlope: finite });
  return maximum(multiply(x, negativeSlope), x);
}

/**
 * Exponential linear unit: `x` where that is positive, `α · (exp(x) - 1)` elsewhere. Source: Clevert et al. 2015.
 *
 * @param options `alpha` is 1 unless given
 * @throws {ArgumentError} for an alpha that is not finite
 * @example
 * await nn.elu(array([-1, 0, 2])).tolist(); // ≈ [-0.63212, 0, 2]
 * await nn.elu(array(-1), { alpha: 2 }).item(); // ≈ -1.26424
 */
export function elu(x: ArrayLike, options: AlphaOptions = {}): MLXArray {
  const { alpha = 1 } = optionsOf("elu", options, alphaRules);
  const array = floatingArray("elu", x);
  // The branch not taken must not overflow: its gradient would be NaN.
  return where(greater(array, 0), array, multiply(subtract(exp(minimum(0, array)), 1), alpha));
}

/**
 * Continuously differentiable exponential linear unit: `max(x, 0) + α · (exp(min(x, 0) / α) - 1)`. Source: Barron 2017.
 *
 * @param options `alpha` is 1 unless given
 * @throws {ArgumentError} for an alpha that is not above 0
 * @example
 * await nn.celu(array([-2, 3]), { alpha: 2 }).tolist(); // ≈ [-1.26424, 3]
 */
export function celu(x: ArrayLike, options: AlphaOptions = {}): MLXArray {
  const { alpha = 1 } = optionsOf("celu", options, celuRules);
  const bend = multiply(subtract(exp(divide(minimum(x, 0), alpha)), 1), alpha);
  return add(maximum(x, 0), bend);
}

/**
 * Scaled exponential linear unit: `1.0507 · elu(x, 1.67326)`. Source: Klambauer et al. 2017.
 *
 * @example
 * await nn.selu(array([-1, 0, 2])).tolist(); // ≈ [-1.1113, 0, 2.1014]
 */
export function selu(x: ArrayLike): MLXArray {
  return multiply(elu(x, { alpha: 1.67326 }), 1.0507);
}

/**
 * Gaussian error linear unit: `x · (1 + erf(x / √2)) / 2`. Source: Hendrycks & Gimpel 2016.
 *
 * @example
 * await nn.gelu(array([0, 1])).tolist(); // ≈ [0, 0.8413447]
 */
export function gelu(x: ArrayLike): MLXArray {
  return divide(multiply(x, add(erf(divide(x, Math.SQRT2)), 1)), 2);
}

/**
 * `gelu` through a hyperbolic tangent: `x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))`.
 *
 * @example
 * await nn.geluApprox(array([-1, 0, 1])).tolist(); // ≈ [-0.158808, 0, 0.841192]
 */
export function geluApprox(x: ArrayLike): MLXArray {
  const cube = multiply(multiply(x, x), x);
  const inner = multiply(add(x, multiply(cube, 0.044715)), Math.sqrt(2 / Math.PI));
  return multiply(multiply(x, 0.5), add(tanh(inner), 1));
}

/**
 * `gelu` through a sigmoid: `x · sigmoid(1.702 · x)`.
 *
 * @example
 * await nn.geluFastApprox(array([-1, 0, 1])).tolist(); // ≈ [-0.154204, 0, 0.845796]
 */
export function geluFastApprox(x: ArrayLike): MLXArray {
  return multiply(x, sigmoid(multiply(x, 1.702)));
}

/**
 * Sigmoid linear unit, also called swish: `x · sigmoid(x)`.
 *
 * @example
 * await nn.silu(array([-1, 0, 1])).tolist(); // ≈ [-0.268941, 0, 0.731059]
 */
export function silu(x: ArrayLike): MLXArray {
  return multiply(x, sigmoid(x));
}

/**
 * `log(1 + exp(x))`, without overflow.
 *
 * @example
 * await nn.softplus(array([-1, 0, 1000])).tolist(); // ≈ [0.313262, 0.693147, 1000]
 */
export function softplus(x: ArrayLike): MLXArray {
  return logAddExp(x, 0);
}

/**
 * `log(sigmoid(x))`, without underflow: `-softplus(-x)`.
 *
 * @example
 * await nn.logSigmoid(array([-1000, 0, 1])).tolist(); // ≈ [-1000, -0.693147, -0.313262]
 */
export function logSigmoid(x: ArrayLike): MLXArray {
  return negative(softplus(negative(x)));
}

/**
 * `x · tanh(softplus(x))`. Source: Misra 2019.
 *
 * @example
 * await nn.mish(array([-1, 0, 1])).tolist(); // ≈ [-0.303401, 0, 0.865098]
 */
export function mish(x: ArrayLike): MLXArray {
  return multiply(x, tanh(softplus(x)));
}

/**
 * `x / (1 + |x|)`.
 *
 * @example
 * await nn.softsign(array([-1, 0, 3])).tolist(); // [-0.5, 0, 0.75]
 */
export function softsign(x: ArrayLike): MLXArray {
  return divide(x, add(abs(x), 1));
}

/**
 * `x` moved toward zero by λ, and zero within λ of it.
 *
 * @param options `lambd`, which is λ, is 0.5 unless given
 * @throws {ArgumentError} for a λ that is negative or not finite
 * @example
 * await nn.softshrink(array([-2, 0.25, 1])).tolist(); // [-1.5, 0, 0.5]
 * await nn.softshrink(array([-2, 0.25, 1]), { lambd: 1 }).tolist(); // [-1, 0, 0]
 */
export function softshrink(x: ArrayLike, options: ShrinkOptions = {}): MLXArray {
  const { lambd = 0.5 } = optionsOf("softshrink", options, shrinkRules);
  return where(greater(abs(x), lambd), subtract(x, multiply(sign(x), lambd)), 0);
}

/**
 * `x`, and zero within λ of it.
 *
 * @param options `lambd`, which is λ, is 0.5 unless given
 * @throws {ArgumentError} for a λ that is negative or not finite
 * @example
 * await nn.hardShrink(array([-2, 0.25, 1])).tolist(); // [-2, 0, 1]
 */
export function hardShrink(x: ArrayLike, options: ShrinkOptions = {}): MLXArray {
  const { lambd = 0.5 } = optionsOf("hardShrink", options, shrinkRules);
  return where(greater(abs(x), lambd), x, 0);
}

/**
 * `x · min(max(x + 3, 0), 6) / 6`. Source: Howard et al. 2019.
 *
 * @example
 * await nn.hardswish(array([-1.5, 0, 4])).tolist(); // [-0.375, 0, 4]
 */
export function hardswish(x: ArrayLike): MLXArray {
  return divide(multiply(x, minimum(maximum(add(x, 3), 0), 6)), 6);
}

/**
 * `x` kept between `minVal` and `maxVal`.
 *
 * @param options `minVal` is -1 and `maxVal` 1 unless given
 * @throws {ArgumentError} for a bound that is not finite
 * @example
 * await nn.hardTanh(array([-3, 0.5, 3])).tolist(); // [-1, 0.5, 1]
 * await nn.hardTanh(array([-3, 0.5, 3]), { minVal: 0, maxVal: 2 }).tolist(); // [0, 0.5, 2]
 */
export function hardTanh(
  x: ArrayLike,
  options: { readonly minVal?: number | undefined; readonly maxVal?: number | undefined } = {},
): MLXArray {
  const { minVal = -1, maxVal = 1 } = optionsOf("hardTanh", options, { minVal: finite, maxVal: finite });
  return minimum(maximum(x, minVal), maxVal);
}

/**
 * 1 where `x` is at least `threshold`, 0 elsewhere; int32.
 *
 * @param options `threshold` is 0 unless given
 * @throws {ArgumentError} for a threshold that is not finite
 * @example
 * await nn.step(array([-1, 0, 2])).tolist(); // [0, 1, 1]
 * await nn.step(array([-1, 0, 2]), { threshold: 1 }).tolist(); // [0, 0, 1]
 */
export function step(x: ArrayLike, options: { readonly threshold?: number | undefined } = {}): MLXArray {
  const { threshold = 0 } = optionsOf("step", options, { threshold: finite });
  return where(greaterEqual(x, threshold), 1, 0);
}

/**
 * Rectified linear unit with a learned slope below zero: `max(0, x) + α · min(0, x)`. Source: He et al. 2015.
 *
 * @param x [..., features]
 * @param alpha the slopes, which broadcast against `x`: one, or [features]
 * @throws {ShapeError} if the shapes do not broadcast
 * @example
 * await nn.prelu(array([[-1, -2], [1, 2]]), array([0.25, 0.5])).tolist(); // [[-0.25, -1], [1, 2]]
 */
export function prelu(x: ArrayLike, alpha: ArrayLike): MLXArray {
  return add(maximum(0, x), multiply(alpha, minimum(0, x)));
}

/**
 * `exp(x) / Σ exp(x)` along `axis`, without overflow.
 *
 * @param options `axis` is the last one unless given
 * @throws {ShapeError} if there is no such axis
 * @example
 * await nn.softmax(array([1000, 1000])).tolist(); // [0.5, 0.5]
 * await nn.softmax(array([[0, 1], [0, 1]]), { axis: 0 }).tolist(); // [[0.5, 0.5], [0.5, 0.5]]
 */
export function softmax(x: ArrayLike, options: AxisOptions = {}): MLXArray {
  const { axis = -1 } = optionsOf("softmax", options, axisRules);
  return softmaxOver(x, axis);
}

/**
 * `softmax(-x)` along `axis`.
 *
 * @param options `axis` is the last one unless given
 * @throws {ShapeError} if there is no such axis
 * @example
 * await nn.softmin(array([0, 1])).tolist(); // ≈ [0.7310586, 0.2689414]
 */
export function softmin(x: ArrayLike, options: AxisOptions = {}): MLXArray {
  const { axis = -1 } = optionsOf("softmin", options, axisRules);
  return softmaxOver(negative(x), axis);
}

/**
 * The logarithm of `softmax` along `axis`: `x - log Σ exp(x)`, without overflow or underflow.
 *
 * @param options `axis` is the last one unless given
 * @throws {ShapeError} if there is no such axis
 * @example
 * await nn.logSoftmax(array([0, 1000])).tolist(); // [-1000, 0]
 */
export function logSoftmax(x: ArrayLike, options: AxisOptions = {}): MLXArray {
  const { axis = -1 } = optionsOf("logSoftmax", options, axisRules);
  const array = floatingArray("logSoftmax", x);
  const along = normalizeAxis("logSoftmax", axis, array.ndim);
  const shifted = subtract(array, stopGradient(max(array, along, { keepAxes: true })));
  return subtract(shifted, logSumExp(shifted, along, { keepAxes: true }));
}

/**
 * Gated linear unit: the first half of `x` along `axis`, times the sigmoid of the second half. Source: Dauphin et al. 2017.
 *
 * @param options `axis` is the last one unless given
 * @throws {ShapeError} if the length of the axis is odd
 * @example
 * await nn.glu(array([3, 5, 0, 1000])).tolist(); // [1.5, 5]
 * await nn.glu(array([[2, 4], [0, 0]]), { axis: 0 }).tolist(); // [[1, 2]]
 */
export function glu(x: MLXArray, options: AxisOptions = {}): MLXArray {
  requireArray("glu", x);
  const { axis = -1 } = optionsOf("glu", options, axisRules);
  const [value, gate] = halves(x, normalizeAxis("glu", axis, x.ndim));
  return multiply(value, sigmoid(gate));
}

function halves(x: MLXArray, axis: number): [MLXArray, MLXArray] {
  const length = x.shape[axis] ?? 1;
  if (length % 2 === 1) {
    const cause = `axis ${axis} of ${formatShape(x.shape)} has length ${length}, and is cut into two halves`;
    throw new ShapeError("glu", `${cause}; give it an even length`);
  }
  const [a, b] = split(x, 2, axis);
  return [a ?? x, b ?? x];
}
