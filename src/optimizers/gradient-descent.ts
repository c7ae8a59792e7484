/** Optimizers that follow the gradient or its sign. */
import { ArgumentError } from "../base/errors.ts";
import type { Rule } from "../base/rules.ts";
import { constructorOptions, flag, fromZero, listOf, partialShare, share } from "../base/rules.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { add, multiply, subtract } from "../primitives/arithmetic.ts";
import { sign } from "../primitives/magnitude.ts";
import type { OptimizerOptions, ParameterState } from "./optimizer.ts";
import { Optimizer, optimizerRules, remembered, zeroState } from "./optimizer.ts";

/** The options of `SGD`. */
export interface SGDOptions extends OptimizerOptions {
  /** How much of its velocity a parameter keeps; 0 unless given. */
  readonly momentum?: number | undefined;
  /** Added to the gradient times the parameter; 0 unless given. */
  readonly weightDecay?: number | undefined;
  /** How much of the gradient is withheld from the velocity; 0 unless given. */
  readonly dampening?: number | undefined;
  /** Whether to look ahead along the velocity (Nesterov momentum); false unless given. */
  readonly nesterov?: boolean | undefined;
}

/**
 * Stochastic gradient descent: `v ← momentum · v + (1 - dampening) · g` (without momentum, `v` is `g`), `w ← w - learningRate · v`;
 * with `nesterov`, `w ← w - learningRate · (g + momentum · v)`. `g` is the gradient plus `weightDecay · w`. Source: Sutskever et al.
 * 2013 for the momentum.
 *
 * @throws {ArgumentError} for Nesterov momentum without momentum, or with dampening
 * @example
 * const optimizer = new optim.SGD({ learningRate: 0.1 });
 * const changed = optimizer.applyGradients({ w: array([1]) }, { w: array([2]) });
 * await changed.w.tolist(); // ≈ [1.9]
 */
export class SGD extends Optimizer {
  static override readonly name: string = "SGD";

  readonly momentum: number;
  readonly weightDecay: number;
  readonly dampening: number;
  readonly nesterov: boolean;

  constructor(options: SGDOptions) {
    super(options);
    const rules = {
      ...optimizerRules,
      momentum: partialShare,
      weightDecay: fromZero,
      dampening: share,
      nesterov: flag,
    };
    const own = constructorOptions("SGD", new.target === SGD, options, rules);
    const { momentum = 0, weightDecay = 0, dampening = 0, nesterov = false } = own;
    if (nesterov && (momentum <= 0 || dampening !== 0)) {
      throw new ArgumentError("SGD", "Nesterov momentum needs momentum and no dampening");
    }
    this.momentum = momentum;
    this.weightDecay = weightDecay;
    this.dampening = dampening;
    this.nesterov = nesterov;
  }

  protected override initialState(parameter: MLXArray): ParameterState {
    return this.momentum > 0 ? zeroState(parameter, "v") : {};
  }

  protected override applySingle(gradient: MLXArray, parameter: MLXArray, state: ParameterState): MLXArray {
    const rate = this.rateFor(gradient);
    const slope = this.weightDecay === 0 ? gradient : add(gradient, multiply(parameter, this.weightDecay));
    if (this.momentum <= 0) return subtract(parameter, multiply(slope, rate));
    const kept = multiply(remembered("SGD", state, "v"), this.momentum);
    const v = add(kept, this.dampening > 0 ? multiply(slope, 1 - this.dampening) : slope);
    state.v = v;
    const direction = this.nesterov ? add(slope, multiply(v, this.momentum)) : v;
    return subtract(parameter, multiply(direction, rate));
  }
}

/** The options of `Lion`. */
export interface LionOptions extends OptimizerOptions {
  /** How slowly the direction and the momentum change; [0.9, 0.99] unless given. */
  readonly betas?: readonly [number, number] | undefined;
  /** 0 unless given. */
  readonly weightDecay?: number | undefined;
}

/**
 * Sign momentum: `w ← w · (1 - learningRate · weightDecay) - learningRate · sign(β₁ · m + (1 - β₁) · g)`, then
 * `m ← β₂ · m + (1 - β₂) · g`. Source: Chen et al. 2023.
 *
 * @throws {ArgumentError} for a beta outside [0, 1)
 * @example
 * const optimizer = new optim.Lion({ learningRate: 0.1 });
 * const changed = optimizer.applyGradients({ w: array([3, -100]) }, { w: array([2, 2]) });
 * await changed.w.tolist(); // ≈ [1.9, 2.1]
 */
export class Lion extends Optimizer {
  static override readonly name: string = "Lion";

  readonly betas: readonly [number, number];
  readonly weightDecay: number;

  constructor(options: LionOptions) {
    super(options);
    const rules = { ...optimizerRules, betas: pairOfBetas, weightDecay: fromZero };
    const { betas = [0.9, 0.99], weightDecay = 0 } = constructorOptions("Lion", new.target === Lion, options, rules);
    this.betas = betas;
    this.weightDecay = weightDecay;
  }

  protected override initialState(parameter: MLXArray): ParameterState {
    return zeroState(parameter, "m");
  }

  protected override applySingle(gradient: MLXArray, parameter: MLXArray, state: ParameterState): MLXArray {
    const rate = this.rateFor(gradient);
    const [beta1, beta2] = this.betas;
    const m = remembered("Lion", state, "m");
    const direction = sign(add(multiply(m, beta1), multiply(gradient, 1 - beta1)));
    state.m = add(multiply(m, beta2), multiply(gradient, 1 - beta2));
    const decayed =
      this.weightDecay > 0 ? multiply(parameter, subtract(1, multiply(rate, this.weightDecay))) : parameter;
    return subtract(decayed, multiply(direction, rate));
  }
}

/** For how slowly two running means change. */
export const pairOfBetas: Rule = /* @__PURE__ */ listOf(2, partialShare);
