/** The family of Adam: steps scaled by running moments of the gradient. */
import type { Rules } from "../base/rules.ts";
import { constructorOptions, flag, fromZero } from "../base/rules.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { add, divide, multiply, square, subtract } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { power, rsqrt, sqrt } from "../primitives/exponential.ts";
import { abs, maximum } from "../primitives/magnitude.ts";
import { pairOfBetas } from "./gradient-descent.ts";
import type { OptimizerOptions, ParameterState } from "./optimizer.ts";
import { Optimizer, optimizerRules, remembered, zeroState } from "./optimizer.ts";

/** The options of `Adamax`. */
export interface AdamaxOptions extends OptimizerOptions {
  /** How slowly the two moments change; [0.9, 0.999] unless given. */
  readonly betas?: readonly [number, number] | undefined;
  /** Added to the root of the second moment; 1e-8 unless given. */
  readonly eps?: number | undefined;
}

const adamaxRules: Rules<AdamaxOptions> = { ...optimizerRules, betas: pairOfBetas, eps: fromZero };

/** The options of `Adam`. */
export interface AdamOptions extends AdamaxOptions {
  /** Whether to correct the moments for their beginning at 0; false unless given, as in MLX. */
  readonly biasCorrection?: boolean | undefined;
}

const adamRules: Rules<AdamOptions> = { ...adamaxRules, biasCorrection: flag };

/**
 * Adam: `m ← β₁ · m + (1 - β₁) · g`, `v ← β₂ · v + (1 - β₂) · g²`, `w ← w - learningRate · m / (√v + eps)`. Source: Kingma & Ba
 * 2015; with `biasCorrection` as there, without it as MLX does unless told.
 *
 * @throws {ArgumentError} for a beta outside [0, 1) or a negative `eps`
 * @example
 * const optimizer = new optim.Adam({ learningRate: 1e-3 });
 * const changed = optimizer.applyGradients({ w: array([1]) }, { w: array([2]) });
 * await changed.w.tolist(); // ≈ [1.9968378]
 */
export class Adam extends Optimizer {
  static override readonly name: string = "Adam";

  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly biasCorrection: boolean;

  constructor(options: AdamOptions) {
    super(options);
    const own = constructorOptions("Adam", new.target === Adam, options, adamRules);
    const { betas = [0.9, 0.999], eps = 1e-8, biasCorrection = false } = own;
    this.betas = betas;
    this.eps = eps;
    this.biasCorrection = biasCorrection;
  }

  protected override initialState(parameter: MLXArray): ParameterState {
    return zeroState(parameter, "m", "v");
  }

  protected override applySingle(gradient: MLXArray, parameter: MLXArray, state: ParameterState): MLXArray {
    const rate = this.rateFor(gradient);
    const [beta1, beta2] = this.betas;
    const m = add(multiply(remembered("Adam", state, "m"), beta1), multiply(gradient, 1 - beta1));
    const v = add(multiply(remembered("Adam", state, "v"), beta2), multiply(square(gradient), 1 - beta2));
    state.m = m;
    state.v = v;
    if (!this.biasCorrection) return subtract(parameter, divide(multiply(m, rate), add(sqrt(v), this.eps)));
    const step = castTo(this.step, "float32");
    const first = castTo(divide(rate, subtract(1, power(beta1, step))), gradient.dtype);
    const second = castTo(rsqrt(subtract(1, power(beta2, step))), gradient.dtype);
    return subtract(parameter, divide(multiply(m, first), add(multiply(sqrt(v), second), this.eps)));
  }
}

/** The options of `AdamW`. */
export interface AdamWOptions extends AdamOptions {
  /** 0.01 unless given. */
  readonly weightDecay?: number | undefined;
}

/**
 * `Adam` on parameters first multiplied by `1 - learningRate · weightDecay`. Source: Loshchilov & Hutter 2019.
 *
 * @throws {ArgumentError} for a beta outside [0, 1) or a negative `eps`
 * @example
 * const optimizer = new optim.AdamW({ learningRate: 0.1, weightDecay: 0.1, biasCorrection: true });
 * const changed = optimizer.applyGradients({ w: array([1]) }, { w: array([2]) });
 * await changed.w.tolist(); // ≈ [1.88]
 */
export class AdamW extends Adam {
  static override readonly name: string = "AdamW";

  readonly weightDecay: number;

  constructor(options: AdamWOptions) {
    const rules = { ...adamRules, weightDecay: fromZero };
    const own = constructorOptions("AdamW", new.target === AdamW, options, rules);
    super(own);
    this.weightDecay = own.weightDecay ?? 0.01;
  }

  protected override applySingle(gradient: MLXArray, parameter: MLXArray, state: ParameterState): MLXArray {
    const kept = subtract(1, multiply(this.rateFor(gradient), this.weightDecay));
    return super.applySingle(gradient, multiply(parameter, kept), state);
  }
}

/**
 * Adam with the greatest gradient in place of the second moment: `v ← max(β₂ · v, |g|)`. Source: Kingma & Ba 2015, section 7.
 *
 * @throws {ArgumentError} for a beta outside [0, 1) or a negative `eps`
 * @example
 * const optimizer = new optim.Adamax({ learningRate: 0.1 });
 * const changed = optimizer.applyGradients({ w: array([1]) }, { w: array([2]) });
 * await changed.w.tolist(); // ≈ [1.99]
 */
export class Adamax extends Optimizer {
  static override readonly name: string = "Adamax";

  readonly betas: readonly [number, number];
  readonly eps: number;

  constructor(options: AdamaxOptions) {
    super(options);
    const own = constructorOptions("Adamax", new.target === Adamax, options, adamaxRules);
    const { betas = [0.9, 0.999], eps = 1e-8 } = own;
    this.betas = betas;
    this.eps = eps;
  }

  protected override initialState(parameter: MLXArray): ParameterState {
    return zeroState(parameter, "m", "v");
  }

  protected override applySingle(gradient: MLXArray, parameter: MLXArray, state: ParameterState): MLXArray {
    const [beta1, beta2] = this.betas;
    const m = add(multiply(remembered("Adamax", state, "m"), beta1), multiply(gradient, 1 - beta1));
    const v = maximum(multiply(remembered("Adamax", state, "v"), beta2), abs(gradient));
    state.m = m;
    state.v = v;
    return subtract(parameter, divide(multiply(m, this.rateFor(gradient)), add(v, this.eps)));
  }
}
