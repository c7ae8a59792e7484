/** Adafactor: second moments of matrices kept as a row and a column. */
import { ArgumentError } from "../base/errors.ts";
import type { Rules } from "../base/rules.ts";
import { constructorOptions, flag, fromZero, listOf, numbers, orNull, partialShare, positive } from "../base/rules.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { add, divide, multiply, square, subtract } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { zeros } from "../primitives/creation.ts";
import { power, rsqrt, sqrt } from "../primitives/exponential.ts";
import { maximum, minimum } from "../primitives/magnitude.ts";
import { expandDims } from "../primitives/shaping.ts";
import { mean } from "../primitives/statistics.ts";
import type { LearningRate } from "./learning-rate.ts";
import type { ParameterState } from "./optimizer.ts";
import { Optimizer, optimizerRules, remembered, zeroState } from "./optimizer.ts";

/** The options of `Adafactor`. */
export interface AdafactorOptions {
  /** Used only without `relativeStep`, which then needs one. */
  readonly learningRate?: LearningRate | undefined;
  /** Added to the squares of the gradient, and the least scale of a parameter; [1e-30, 1e-3] unless given. */
  readonly eps?: readonly [number, number] | undefined;
  /** The greatest root mean square of an update before the learning rate; 1 unless given. */
  readonly clipThreshold?: number | undefined;
  /** The power of the step in the decay of the second moment; -0.8 unless given. */
  readonly decayRate?: number | undefined;
  /** How slowly the mean of the updates changes; there is none unless given. */
  readonly beta1?: number | null | undefined;
  /** 0 unless given. */
  readonly weightDecay?: number | undefined;
  /** Whether steps are in proportion to the root mean square of the parameter; true unless given. */
  readonly scaleParameter?: boolean | undefined;
  /** Whether the learning rate follows from the step count; true unless given. */
  readonly relativeStep?: boolean | undefined;
  /** Whether that rate grows from 0; false unless given. */
  readonly warmupInit?: boolean | undefined;
}

const adafactorRules: Rules<AdafactorOptions> = {
  ...optimizerRules,
  eps: /* @__PURE__ */ listOf(2, fromZero),
  clipThreshold: positive,
  decayRate: /* @__PURE__ */ numbers("a number up to 0", (value) => value <= 0),
  beta1: /* @__PURE__ */ orNull(partialShare),
  weightDecay: fromZero,
  scaleParameter: flag,
  relativeStep: flag,
  warmupInit: flag,
};

/**
 * Adam's second moment in sublinear memory: that of a matrix is the product of what its rows and its columns have on average.
 * Source: Shazeer & Stern 2018.
 *
 * @throws {ArgumentError} without both `relativeStep` and a learning rate, and for a number that its option does not take
 * @example
 * const optimizer = new optim.Adafactor();
 * const changed = optimizer.applyGradients({ w: array([1]) }, { w: array([2]) });
 * await changed.w.tolist(); // ≈ [1.98]
 */
export class Adafactor extends Optimizer {
  static override readonly name: string = "Adafactor";

  readonly eps: readonly [number, number];
  readonly clipThreshold: number;
  readonly decayRate: number;
  readonly beta1: number | null;
  readonly weightDecay: number;
  readonly scaleParameter: boolean;
  readonly relativeStep: boolean;
  readonly warmupInit: boolean;

  constructor(options: AdafactorOptions = {}) {
    const own = constructorOptions("Adafactor", new.target === Adafactor, options, adafactorRules);
    const { learningRate = 0, eps = [1e-30, 1e-3], clipThreshold = 1, decayRate = -0.8, beta1 = null } = own;
    super({ learningRate });
    if (own.relativeStep === false && own.learningRate === undefined) {
      throw new ArgumentError("Adafactor", "without relativeStep it needs a learningRate, got none");
    }
    const { weightDecay = 0, scaleParameter = true, relativeStep = true, warmupInit = false } = own;
    this.eps = eps;
    this.clipThreshold = clipThreshold;
    this.decayRate = decayRate;
    this.beta1 = beta1;
    this.weightDecay = weightDecay;
    this.scaleParameter = scaleParameter;
    this.relativeStep = relativeStep;
    this.warmupInit = warmupInit;
  }

  protected override initialState(parameter: MLXArray): ParameterState {
    const { shape, dtype } = parameter;
    const first = this.beta1 === null ? {} : zeroState(parameter, "expAvg");
    if (shape.length < 2) return { ...first, ...zeroState(parameter, "expAvgSq") };
    const rows = zeros(shape.slice(0, -1), dtype);
    return { ...first, expAvgSqRow: rows, expAvgSqCol: zeros([...shape.slice(0, -2), ...shape.slice(-1)], dtype) };
  }

  protected override applySingle(gradient: MLXArray, parameter: MLXArray, state: ParameterState): MLXArray {
    const size = rootMeanSquare(parameter);
    const step = castTo(this.step, "float32");
    const rate = this.#rate(step, size);
    const kept = subtract(1, castTo(power(step, this.decayRate), size.dtype));
    const direction = clipped(this.#scaled(gradient, kept, state), this.clipThreshold);
    let update = multiply(rate, direction);
    if (this.beta1 !== null) {
      const before = multiply(remembered("Adafactor", state, "expAvg"), this.beta1);
      update = add(before, multiply(update, 1 - this.beta1));
      state.expAvg = update;
    }
    const decay = multiply(rate, -this.weightDecay);
    const decayed = this.weightDecay === 0 ? parameter : add(parameter, multiply(parameter, decay));
    return subtract(decayed, update);
  }

  #rate(step: MLXArray, size: MLXArray): MLXArray {
    const first = this.warmupInit ? multiply(step, 1e-6) : 1e-2;
    const rate = castTo(this.relativeStep ? minimum(first, rsqrt(step)) : this.learningRate, size.dtype);
    return this.scaleParameter ? multiply(maximum(size, this.eps[1]), rate) : rate;
  }

  /** The gradient over the root of its second moment. */
  #scaled(gradient: MLXArray, kept: MLXArray, state: ParameterState): MLXArray {
    const squares = add(square(gradient), this.eps[0]);
    const moved = (name: string, next: MLXArray): MLXArray => {
      const moment = add(multiply(kept, remembered("Adafactor", state, name)), multiply(subtract(1, kept), next));
      state[name] = moment;
      return moment;
    };
    if (gradient.ndim < 2) return multiply(rsqrt(moved("expAvgSq", squares)), gradient);
    const rows = moved("expAvgSqRow", mean(squares, -1));
    const columns = moved("expAvgSqCol", mean(squares, -2));
    const perRow = rsqrt(divide(rows, mean(rows, -1, { keepAxes: true })));
    return multiply(multiply(expandDims(perRow, -1), expandDims(rsqrt(columns), -2)), gradient);
  }
}

function rootMeanSquare(x: MLXArray): MLXArray {
  return sqrt(mean(square(x)));
}

/** `x` scaled down so that its root mean square is at most `threshold`. */
function clipped(x: MLXArray, threshold: number): MLXArray {
  return divide(x, maximum(divide(rootMeanSquare(x), threshold), 1));
}
