/** Loss functions. All are elementwise compositions and reductions, so that a loss and its gradient fuse. */
import { ShapeError } from "../base/errors.ts";
import type { Rules } from "../base/rules.ts";
import { anything, finite, flag, fromZero, oneOf, optionsOf, partialShare, place, positive } from "../base/rules.ts";
import type { Shape } from "../base/shape.ts";
import { formatShape, normalizeAxis, sameShape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { requireArray, requireArrays } from "../graph/require-array.ts";
import { add, divide, multiply, negative, square, subtract } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { equal, less } from "../primitives/comparison.ts";
import { exp, log, logAddExp, power, rootOfSquares } from "../primitives/exponential.ts";
import { max } from "../primitives/extrema.ts";
import { iota } from "../primitives/generate.ts";
import { abs, maximum, minimum } from "../primitives/magnitude.ts";
import { sum } from "../primitives/reductions.ts";
import { clip, stopGradient, where } from "../primitives/selection.ts";
import { checkIndices } from "../primitives/shape-rules.ts";
import { expandDims } from "../primitives/shaping.ts";
import { logSumExp, mean } from "../primitives/statistics.ts";
import { broadcastTo } from "../primitives/views.ts";

/** What becomes of the losses of the samples: left as they are, averaged or summed (over all elements). */
export type Reduction = "none" | "mean" | "sum";

/** The option of every loss. */
export interface LossOptions {
  /** "none" or "mean" unless given, as the loss says. */
  readonly reduction?: Reduction | undefined;
}

/** The options of a loss along an axis. */
export interface AxisLossOptions extends LossOptions {
  /** The last one unless given. */
  readonly axis?: number | undefined;
}

/** The options of a loss with weights. */
export interface WeightedLossOptions extends LossOptions {
  /** What each sample's loss is multiplied with; the shape of the unreduced loss. 1 unless given; "mean" divides by the number. */
  readonly weights?: MLXArray | undefined;
}

const lossRules: Rules<LossOptions> = { reduction: oneOf("none", "mean", "sum") };
const weightedRules: Rules<WeightedLossOptions> = { ...lossRules, weights: anything };
const alongRules: Rules<AxisLossOptions> = { ...lossRules, axis: place };
const crossEntropyRules: Rules<CrossEntropyOptions> = { ...weightedRules, axis: place, labelSmoothing: partialShare };

/** The options of `crossEntropy`. */
export interface CrossEntropyOptions extends WeightedLossOptions {
  /** The axis of the classes; the last one unless given. */
  readonly axis?: number | undefined;
  /** How much of the target's probability is spread over all classes: at least 0, less than 1; 0 unless given. */
  readonly labelSmoothing?: number | undefined;
}

/**
 * Cross entropy between the classes that `logits` predict and `targets`: `log Σ exp(logits) - logits[target]`.
 *
 * @param logits unnormalized log probabilities, classes along `axis`
 * @param targets class indices in the shape of `logits` without `axis`, negative ones counted from the last class; or
 *   probabilities in the shape of `logits`
 * @param options reduction is "none" unless given
 * @returns the shape of `logits` without `axis`; a scalar where reduced
 * @throws {ShapeError} if the shapes do not fit, or a class index known when the call is made is out of range
 * @throws {DtypeError} for class indices that are no integers
 * @throws {ArgumentError} for a label smoothing outside [0, 1)
 * @example
 * const logits = array([[2, -1], [-1, 2]]);
 * await nn.losses.crossEntropy(logits, array([0, 1], "int32")).tolist(); // ≈ [0.04858735, 0.04858735]
 */
export function crossEntropy(logits: MLXArray, targets: MLXArray, options: CrossEntropyOptions = {}): MLXArray {
  requireArrays("crossEntropy", [logits, targets]);
  const own = optionsOf("crossEntropy", options, crossEntropyRules);
  const { labelSmoothing = 0, weights, reduction = "none" } = own;
  const axis = normalizeAxis("crossEntropy", own.axis ?? -1, logits.ndim);
  const areProbabilities = targets.ndim === logits.ndim;
  const expected = areProbabilities ? logits.shape : logits.shape.filter((_, k) => k !== axis);
  requireShape("crossEntropy", "targets", targets.shape, expected);
  if (!areProbabilities) checkIndices("crossEntropy", targets, logits.shape, axis);
  const shifted = subtract(logits, stopGradient(max(logits, axis, { keepAxes: true })));
  const score = areProbabilities ? sum(multiply(shifted, targets), axis) : pick(shifted, targets, axis);
  const kept = labelSmoothing === 0 ? score : multiply(score, 1 - labelSmoothing);
  const unsmoothed = subtract(logSumExp(shifted, axis), kept);
  const loss = labelSmoothing === 0 ? unsmoothed : subtract(unsmoothed, multiply(mean(shifted, axis), labelSmoothing));
  return reduced(weighted("crossEntropy", loss, weights), reduction);
}

/**
 * The elements of `x` at `index` along `axis`, picked by comparison: unlike with `takeAlongAxis`, the gradient is
 * elementwise and fuses. A negative index counts from the end; one out of range that nobody could check picks 0.
 */
function pick(x: MLXArray, index: MLXArray, axis: number): MLXArray {
  const length = x.shape[axis] ?? 0;
  const position = castTo(index, "int32");
  const fromFront = where(less(position, 0), add(position, length), position);
  const isTarget = equal(iota(x.shape, axis, "int32"), broadcastTo(expandDims(fromFront, axis), x.shape));
  return sum(where(isTarget, x, 0), axis);
}

/** The logarithm of probabilities, kept above -100. Next to 0 its slope would be infinite, and NaN times 0: there it is 0. */
function cutLog(x: MLXArray): MLXArray {
  const isTiny = less(x, x.dtype === "float16" ? 2 ** -14 : 2 ** -126);
  return where(isTiny, stopGradient(clip(log(x), -100)), log(where(isTiny, 1, x)));
}

/** The options of `binaryCrossEntropy`. */
export interface BinaryCrossEntropyOptions extends WeightedLossOptions {
  /** Whether the inputs are logits, and not probabilities; true unless given. */
  readonly withLogits?: boolean | undefined;
}

/**
 * Binary cross entropy: `log(1 + exp(inputs)) - inputs · targets` for logits. For probabilities, logarithms are kept above -100,
 * and have no gradient next to 0: probabilities of exactly 0 or 1 give no NaN.
 *
 * @param options reduction is "mean" unless given
 * @throws {ShapeError} if the shapes differ
 * @example
 * const logits = array([0.105361, 0.223144, 1.20397, 0.916291]);
 * await nn.losses.binaryCrossEntropy(logits, array([0, 0, 1, 1])).item(); // ≈ 0.539245
 */
export function binaryCrossEntropy(
  inputs: MLXArray,
  targets: MLXArray,
  options: BinaryCrossEntropyOptions = {},
): MLXArray {
  requireArrays("binaryCrossEntropy", [inputs, targets]);
  const rules = { ...weightedRules, withLogits: flag };
  const { withLogits = true, weights, reduction = "mean" } = optionsOf("binaryCrossEntropy", options, rules);
  requireShape("binaryCrossEntropy", "targets", targets.shape, inputs.shape);
  const loss = withLogits
    ? subtract(logAddExp(0, inputs), multiply(inputs, targets))
    : negative(add(multiply(targets, cutLog(inputs)), multiply(subtract(1, targets), cutLog(subtract(1, inputs)))));
  return reduced(weighted("binaryCrossEntropy", loss, weights), reduction);
}

/**
 * `|predictions - targets|`.
 *
 * @param options reduction is "mean" unless given
 * @throws {ShapeError} if the shapes differ
 * @example
 * await nn.losses.l1Loss(array([1, 2]), array([1, 4])).item(); // 1
 * await nn.losses.l1Loss(array([1, 2]), array([1, 4]), { reduction: "none" }).tolist(); // [0, 2]
 */
export function l1Loss(predictions: MLXArray, targets: MLXArray, options: LossOptions = {}): MLXArray {
  requireArrays("l1Loss", [predictions, targets]);
  const { reduction = "mean" } = optionsOf("l1Loss", options, lossRules);
  requireShape("l1Loss", "targets", targets.shape, predictions.shape);
  return reduced(abs(subtract(predictions, targets)), reduction);
}

/**
 * `(predictions - targets)²`.
 *
 * @param options reduction is "mean" unless given
 * @throws {ShapeError} if the shapes differ
 * @example
 * await nn.losses.mseLoss(array([1, 2]), array([1, 4])).item(); // 2
 */
export function mseLoss(predictions: MLXArray, targets: MLXArray, options: LossOptions = {}): MLXArray {
  requireArrays("mseLoss", [predictions, targets]);
  const { reduction = "mean" } = optionsOf("mseLoss", options, lossRules);
  requireShape("mseLoss", "targets", targets.shape, predictions.shape);
  return reduced(square(subtract(predictions, targets)), reduction);
}

/**
 * Negative log likelihood: `-inputs[target]` along `axis` (the last one unless given).
 *
 * @param inputs log probabilities, classes along `axis`
 * @param targets class indices in the shape of `inputs` without `axis`, negative ones counted from the last class
 * @param options reduction is "none" unless given
 * @returns the shape of `inputs` without `axis`; a scalar where reduced
 * @throws {ShapeError} if the shapes do not fit, or a class index known when the call is made is out of range
 * @throws {DtypeError} for class indices that are no integers
 * @example
 * const logProbabilities = log(array([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]]));
 * await nn.losses.nllLoss(logProbabilities, array([1, 2], "int32")).tolist(); // ≈ [1.386294, 0.510826]
 */
export function nllLoss(inputs: MLXArray, targets: MLXArray, options: AxisLossOptions = {}): MLXArray {
  requireArrays("nllLoss", [inputs, targets]);
  const { axis = -1, reduction = "none" } = optionsOf("nllLoss", options, alongRules);
  const classes = normalizeAxis("nllLoss", axis, inputs.ndim);
  const expected = inputs.shape.filter((_, k) => k !== classes);
  requireShape("nllLoss", "targets", targets.shape, expected);
  checkIndices("nllLoss", targets, inputs.shape, classes);
  return reduced(negative(pick(inputs, targets, classes)), reduction);
}

/** The options of `gaussianNllLoss`. */
export interface GaussianNllLossOptions extends LossOptions {
  /** Whether to add the constant `log(2π) / 2`; not unless given. */
  readonly full?: boolean | undefined;
  /** The least variance; 1e-6 unless given. */
  readonly eps?: number | undefined;
}

/**
 * Negative log likelihood of a Gaussian: `(log v + (targets - inputs)² / v) / 2` with `v = max(variances, eps)`.
 *
 * @param inputs expected values
 * @param options reduction is "mean" unless given
 * @throws {ShapeError} if the shapes differ
 * @example
 * await nn.losses.gaussianNllLoss(array([0]), array([2]), array([4])).item(); // ≈ 1.193147
 * await nn.losses.gaussianNllLoss(array([0]), array([2]), array([4]), { full: true }).item(); // ≈ 2.112086
 */
export function gaussianNllLoss(
  inputs: MLXArray,
  targets: MLXArray,
  variances: MLXArray,
  options: GaussianNllLossOptions = {},
): MLXArray {
  requireArrays("gaussianNllLoss", [inputs, targets, variances]);
  const rules = { ...lossRules, full: flag, eps: positive };
  const { full = false, eps = 1e-6, reduction = "mean" } = optionsOf("gaussianNllLoss", options, rules);
  requireShape("gaussianNllLoss", "targets", targets.shape, inputs.shape);
  requireShape("gaussianNllLoss", "variances", variances.shape, inputs.shape);
  const spread = maximum(variances, eps);
  const loss = multiply(add(log(spread), divide(square(subtract(targets, inputs)), spread)), 0.5);
  return reduced(full ? add(loss, 0.5 * Math.log(2 * Math.PI)) : loss, reduction);
}

/**
 * Kullback-Leibler divergence of the distributions `targets` from `inputs`, both log probabilities, along `axis` (the last
 * one unless given): `Σ exp(targets) · (targets - inputs)`.
 *
 * @param options reduction is "none" unless given
 * @throws {ShapeError} if the shapes do not broadcast
 * @example
 * const uniform = log(array([0.5, 0.5]));
 * await nn.losses.klDivLoss(uniform, log(array([0.75, 0.25]))).item(); // ≈ 0.130812
 * await nn.losses.klDivLoss(uniform, uniform).item(); // 0
 */
export function klDivLoss(inputs: MLXArray, targets: MLXArray, options: AxisLossOptions = {}): MLXArray {
  const { axis = -1, reduction = "none" } = optionsOf("klDivLoss", options, alongRules);
  return reduced(sum(multiply(exp(targets), subtract(targets, inputs)), axis), reduction);
}

/**
 * Squared error near zero and absolute error beyond: with `d = |predictions - targets|`, `d² / (2 · beta)` where `d < beta`
 * (1 unless given), `d - beta / 2` elsewhere.
 *
 * @param options reduction is "mean" unless given
 * @throws {ShapeError} if the shapes differ
 * @example
 * await nn.losses.smoothL1Loss(array([0.5, 3]), array([0, 0]), { reduction: "none" }).tolist(); // [0.125, 2.5]
 */
export function smoothL1Loss(
  predictions: MLXArray,
  targets: MLXArray,
  options: LossOptions & { readonly beta?: number | undefined } = {},
): MLXArray {
  requireArrays("smoothL1Loss", [predictions, targets]);
  const { beta = 1, reduction = "mean" } = optionsOf("smoothL1Loss", options, { ...lossRules, beta: positive });
  requireShape("smoothL1Loss", "targets", targets.shape, predictions.shape);
  const distance = abs(subtract(predictions, targets));
  const near = divide(multiply(square(distance), 0.5), beta);
  return reduced(where(less(distance, beta), near, subtract(distance, 0.5 * beta)), reduction);
}

/** The options of `tripletLoss`. */
export interface TripletLossOptions extends LossOptions {
  /** The axis of the features; the last one unless given. */
  readonly axis?: number | undefined;
  /** The degree of the norm; 2 unless given. */
  readonly p?: number | undefined;
  /** 1 unless given. */
  readonly margin?: number | undefined;
  /** Added under the root; 1e-6 unless given. */
  readonly eps?: number | undefined;
}

/**
 * How much farther an anchor should be from the negative than from the positive example:
 * `max(‖anchors - positives‖ₚ - ‖anchors - negatives‖ₚ + margin, 0)`, with `(Σ |d|ᵖ + eps)^(1/p)` for `‖d‖ₚ`.
 *
 * @param anchors features along `axis`, as in all three, whose shapes are broadcast
 * @param options reduction is "none" unless given
 * @returns the shape without `axis`; a scalar where reduced
 * @throws {ShapeError} if the shapes do not broadcast
 * @example
 * const [anchors, positives, negatives] = [array([[0, 0]]), array([[0, 1]]), array([[3, 4]])];
 * await nn.losses.tripletLoss(anchors, positives, negatives, { margin: 5 }).tolist(); // ≈ [1]
 */
export function tripletLoss(
  anchors: MLXArray,
  positives: MLXArray,
  negatives: MLXArray,
  options: TripletLossOptions = {},
): MLXArray {
  const rules = { ...alongRules, p: positive, margin: finite, eps: fromZero };
  const { axis = -1, p = 2, margin = 1, eps = 1e-6, reduction = "none" } = optionsOf("tripletLoss", options, rules);
  const distance = (other: MLXArray): MLXArray =>
    power(add(sum(power(abs(subtract(anchors, other)), p), axis), eps), 1 / p);
  const loss = maximum(add(subtract(distance(positives), distance(negatives)), margin), 0);
  return reduced(loss, reduction);
}

/**
 * `max(1 - inputs · targets, 0)`, targets being 1 and -1.
 *
 * @param options reduction is "none" unless given
 * @throws {ShapeError} if the shapes do not broadcast
 * @example
 * await nn.losses.hingeLoss(array([2, 0.25, 0.5]), array([1, 1, -1])).tolist(); // [0, 0.75, 1.5]
 */
export function hingeLoss(inputs: MLXArray, targets: MLXArray, options: LossOptions = {}): MLXArray {
  const { reduction = "none" } = optionsOf("hingeLoss", options, lossRules);
  return reduced(maximum(subtract(1, multiply(inputs, targets)), 0), reduction);
}

/**
 * Squared error near zero and absolute error beyond `delta` (1 unless given): with `q = min(|inputs - targets|, delta)`,
 * `q² / 2 + delta · (|inputs - targets| - q)`. Source: Huber 1964.
 *
 * @param options reduction is "none" unless given
 * @throws {ShapeError} if the shapes do not broadcast
 * @example
 * await nn.losses.huberLoss(array([0.5, 3]), array([0, 0])).tolist(); // [0.125, 2.5]
 * await nn.losses.huberLoss(array([0.5, 3]), array([0, 0]), { delta: 2 }).tolist(); // [0.125, 4]
 */
export function huberLoss(
  inputs: MLXArray,
  targets: MLXArray,
  options: LossOptions & { readonly delta?: number | undefined } = {},
): MLXArray {
  const { delta = 1, reduction = "none" } = optionsOf("huberLoss", options, { ...lossRules, delta: positive });
  const distance = abs(subtract(inputs, targets));
  const quadratic = minimum(distance, delta);
  const linear = subtract(distance, quadratic);
  return reduced(add(multiply(square(quadratic), 0.5), multiply(linear, delta)), reduction);
}

/**
 * `log(cosh(inputs - targets))`, without overflow: near `d² / 2` for small errors d, near `|d| - log 2` for large ones.
 *
 * @param options reduction is "none" unless given
 * @throws {ShapeError} if the shapes do not broadcast
 * @example
 * await nn.losses.logCoshLoss(array([0, 1, 1000]), array([0, 0, 0])).tolist(); // ≈ [0, 0.433781, 999.306853]
 */
export function logCoshLoss(inputs: MLXArray, targets: MLXArray, options: LossOptions = {}): MLXArray {
  const { reduction = "none" } = optionsOf("logCoshLoss", options, lossRules);
  const errors = subtract(inputs, targets);
  return reduced(subtract(logAddExp(errors, negative(errors)), Math.LN2), reduction);
}

/** The options of `cosineSimilarityLoss`. */
export interface CosineSimilarityLossOptions extends LossOptions {
  /** The axis of the features; 1 unless given. */
  readonly axis?: number | undefined;
  /** The least product of norms; 1e-8 unless given. In float16 it is at least 6e-8, the least that is not 0. */
  readonly eps?: number | undefined;
}

/**
 * The cosine of the angle between `a` and `b` along an axis: `Σ a · b / max(‖a‖ · ‖b‖, eps)`. As in MLX, it is 1 for equal
 * directions: what should be alike minimizes its negative.
 *
 * @param options reduction is "none" unless given
 * @returns the shape without the axis; a scalar where reduced
 * @throws {ShapeError} if the shapes do not broadcast, or there is no such axis
 * @example
 * await nn.losses.cosineSimilarityLoss(array([[1, 0], [1, 2]]), array([[1, 1], [2, 4]])).tolist(); // ≈ [0.707107, 1]
 */
export function cosineSimilarityLoss(a: MLXArray, b: MLXArray, options: CosineSimilarityLossOptions = {}): MLXArray {
  const rules = { ...alongRules, eps: fromZero };
  const { axis = 1, eps = 1e-8, reduction = "none" } = optionsOf("cosineSimilarityLoss", options, rules);
  const norms = multiply(rootOfSquares(sum(square(a), axis)), rootOfSquares(sum(square(b), axis)));
  // Float16 would round the usual eps to 0, and leave 0 / 0.
  const least = norms.dtype === "float16" && eps > 0 ? Math.max(eps, 2 ** -24) : eps;
  const loss = divide(sum(multiply(a, b), axis), maximum(norms, least));
  return reduced(loss, reduction);
}

/**
 * How far the first input is from being ranked by `margin` (0 unless given) above the second where the target is 1, below
 * it where -1: `max(0, -targets · (a - b) + margin)`.
 *
 * @param options reduction is "none" unless given
 * @throws {ShapeError} if the shapes differ
 * @example
 * await nn.losses.marginRankingLoss(array([3, 1]), array([1, 3]), array([1, 1])).tolist(); // [0, 2]
 */
export function marginRankingLoss(
  a: MLXArray,
  b: MLXArray,
  targets: MLXArray,
  options: LossOptions & { readonly margin?: number | undefined } = {},
): MLXArray {
  requireArrays("marginRankingLoss", [a, b, targets]);
  const { margin = 0, reduction = "none" } = optionsOf("marginRankingLoss", options, { ...lossRules, margin: finite });
  requireShape("marginRankingLoss", "the second input", b.shape, a.shape);
  requireShape("marginRankingLoss", "targets", targets.shape, a.shape);
  const loss = maximum(0, add(multiply(negative(targets), subtract(a, b)), margin));
  return reduced(loss, reduction);
}

function reduced(loss: MLXArray, reduction: Reduction): MLXArray {
  switch (reduction) {
    case "none":
      return loss;
    case "mean":
      return mean(loss);
    case "sum":
      return sum(loss);
    default:
      return reduction satisfies never;
  }
}

function weighted(operation: string, loss: MLXArray, weights: MLXArray | undefined): MLXArray {
  if (weights === undefined) return loss;
  requireArray(operation, weights);
  requireShape(operation, "weights", weights.shape, loss.shape);
  return multiply(loss, weights);
}

function requireShape(operation: string, what: string, shape: Shape, expected: Shape): void {
  if (sameShape(shape, expected)) return;
  throw new ShapeError(operation, `${what} must have shape ${formatShape(expected)}, got ${formatShape(shape)}`);
}
