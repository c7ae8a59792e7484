/** Activation functions. All are elementwise compositions (or softmaxes), which fuse into what surrounds them. */
import type { Rules } from "../base/rules.ts";
import { finite, fromZero, optionsOf, place, positive } from "../base/rules.ts";
import { normalizeAxis } from "../base/shape.ts";
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
  readonly alpha?: number;
}

/** The options of activations along an axis. */
export interface AxisOptions {
  /** The last one unless given. */
  readonly axis?: number;
}

/** The option of `leakyRelu`. */
export interface LeakyReluOptions {
  /** 0.01 unless given. */
  readonly negativeSlope?: number;
}

/** The options of shrinking activations. */
export interface ShrinkOptions {
  /** The threshold λ; 0.5 unless given. */
  readonly lambd?: number;
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

/** Squared rectified linear unit: `max(x, 0)²`. */
export function relu2(x: ArrayLike): MLXArray {
  return square(relu(x));
}

/** Rectified linear unit that saturates: `min(max(x, 0), 6)`. */
export function relu6(x: ArrayLike): MLXArray {
  return minimum(relu(x), 6);
}

/** Leaky rectified linear unit: `max(slope · x, x)`, with a `negativeSlope` of 0.01 unless given. */
export function leakyRelu(x: ArrayLike, options: LeakyReluOptions = {}): MLXArray {
  const { negativeSlope = 0.01 } = optionsOf("leakyRelu", options, { negativeSlope: finite });
  return maximum(multiply(x, negativeSlope), x);
}

/** Exponential linear unit: `x` where that is positive, `α · (exp(x) - 1)` elsewhere. */
export function elu(x: ArrayLike, options: AlphaOptions = {}): MLXArray {
  const { alpha = 1 } = optionsOf("elu", options, alphaRules);
  const array = floatingArray("elu", x);
  // The branch not taken must not overflow: its gradient would be NaN.
  return where(greater(array, 0), array, multiply(subtract(exp(minimum(0, array)), 1), alpha));
}

/** Continuously differentiable exponential linear unit: `max(x, 0) + α · (exp(min(x, 0) / α) - 1)`. */
export function celu(x: ArrayLike, options: AlphaOptions = {}): MLXArray {
  const { alpha = 1 } = optionsOf("celu", options, celuRules);
  const bend = multiply(subtract(exp(divide(minimum(x, 0), alpha)), 1), alpha);
  return add(maximum(x, 0), bend);
}

/** Scaled exponential linear unit: `1.0507 · elu(x, 1.67326)`. Source: Klambauer et al. 2017. */
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

/** `gelu` through a hyperbolic tangent: `x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))`. */
export function geluApprox(x: ArrayLike): MLXArray {
  const cube = multiply(multiply(x, x), x);
  const inner = multiply(add(x, multiply(cube, 0.044715)), Math.sqrt(2 / Math.PI));
  return multiply(multiply(x, 0.5), add(tanh(inner), 1));
}

/** `gelu` through a sigmoid: `x · sigmoid(1.702 · x)`. */
export function geluFastApprox(x: ArrayLike): MLXArray {
  return multiply(x, sigmoid(multiply(x, 1.702)));
}

/** Sigmoid linear unit, also called swish: `x · sigmoid(x)`. */
export function silu(x: ArrayLike): MLXArray {
  return multiply(x, sigmoid(x));
}

/** `log(1 + exp(x))`, without overflow. */
export function softplus(x: ArrayLike): MLXArray {
  return logAddExp(x, 0);
}

/** `log(sigmoid(x))`, without underflow: `-softplus(-x)`. */
export function logSigmoid(x: ArrayLike): MLXArray {
  return negative(softplus(negative(x)));
}

/** `x · tanh(softplus(x))`. Source: Misra 2019. */
export function mish(x: ArrayLike): MLXArray {
  return multiply(x, tanh(softplus(x)));
}

/** `x / (1 + |x|)`. */
export function softsign(x: ArrayLike): MLXArray {
  return divide(x, add(abs(x), 1));
}

/** `x` moved toward zero by λ, and zero within λ of it. */
export function softshrink(x: ArrayLike, options: ShrinkOptions = {}): MLXArray {
  const { lambd = 0.5 } = optionsOf("softshrink", options, shrinkRules);
  return where(greater(abs(x), lambd), subtract(x, multiply(sign(x), lambd)), 0);
}

/** `x`, and zero within λ of it. */
export function hardShrink(x: ArrayLike, options: ShrinkOptions = {}): MLXArray {
  const { lambd = 0.5 } = optionsOf("hardShrink", options, shrinkRules);
  return where(greater(abs(x), lambd), x, 0);
}

/** `x · min(max(x + 3, 0), 6) / 6`. Source: Howard et al. 2019. */
export function hardswish(x: ArrayLike): MLXArray {
  return divide(multiply(x, minimum(maximum(add(x, 3), 0), 6)), 6);
}

/** `x` kept between `minVal` (-1 unless given) and `maxVal` (1 unless given). */
export function hardTanh(x: ArrayLike, options: { readonly minVal?: number; readonly maxVal?: number } = {}): MLXArray {
  const { minVal = -1, maxVal = 1 } = optionsOf("hardTanh", options, { minVal: finite, maxVal: finite });
  return minimum(maximum(x, minVal), maxVal);
}

/** 1 where `x` is at least `threshold` (0 unless given), 0 elsewhere; int32. */
export function step(x: ArrayLike, options: { readonly threshold?: number } = {}): MLXArray {
  const { threshold = 0 } = optionsOf("step", options, { threshold: finite });
  return where(greaterEqual(x, threshold), 1, 0);
}

/** Rectified linear unit with a learned slope below zero: `max(0, x) + α · min(0, x)`. */
export function prelu(x: ArrayLike, alpha: ArrayLike): MLXArray {
  return add(maximum(0, x), multiply(alpha, minimum(0, x)));
}

/** `exp(x) / Σ exp(x)` along `axis`. */
export function softmax(x: ArrayLike, options: AxisOptions = {}): MLXArray {
  const { axis = -1 } = optionsOf("softmax", options, axisRules);
  return softmaxOver(x, axis);
}

/** `softmax(-x)` along `axis`. */
export function softmin(x: ArrayLike, options: AxisOptions = {}): MLXArray {
  const { axis = -1 } = optionsOf("softmin", options, axisRules);
  return softmaxOver(negative(x), axis);
}

/** The logarithm of `softmax` along `axis`: `x - log Σ exp(x)`, without overflow. */
export function logSoftmax(x: ArrayLike, options: AxisOptions = {}): MLXArray {
  const { axis = -1 } = optionsOf("logSoftmax", options, axisRules);
  const shifted = subtract(x, stopGradient(max(x, axis, { keepAxes: true })));
  return subtract(shifted, logSumExp(shifted, axis, { keepAxes: true }));
}

/**
 * Gated linear unit: the first half of `x` along `axis`, times the sigmoid of the second half. Source: Dauphin et al. 2017.
 *
 * @throws {ShapeError} if the length of the axis is odd
 */
export function glu(x: MLXArray, options: AxisOptions = {}): MLXArray {
  requireArray("glu", x);
  const { axis = -1 } = optionsOf("glu", options, axisRules);
  const [value, gate] = halves(x, normalizeAxis("glu", axis, x.ndim));
  return multiply(value, sigmoid(gate));
}

function halves(x: MLXArray, axis: number): [MLXArray, MLXArray] {
  const [a, b] = split(x, 2, axis);
  return [a ?? x, b ?? x];
}
