/** Optimizers that scale steps by past squared gradients alone. */
import { constructorOptions, positive, share } from "../base/rules.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { add, divide, multiply, square, subtract } from "../primitives/arithmetic.ts";
import { sqrt } from "../primitives/exponential.ts";
import type { OptimizerOptions, ParameterState } from "./optimizer.ts";
import { Optimizer, optimizerRules, remembered, zeroState } from "./optimizer.ts";

/** The options of `RMSprop`. */
export interface RMSpropOptions extends OptimizerOptions {
  /** How slowly the mean of squares changes; 0.99 unless given. */
  readonly alpha?: number | undefined;
  /** Added to its root; 1e-8 unless given. */
  readonly eps?: number | undefined;
}

/**
 * `v ← α · v + (1 - α) · g²`, `w ← w - learningRate · g / (√v + eps)`. Source: Tieleman & Hinton 2012.
 *
 * @throws {ArgumentError} for an `alpha` outside [0, 1], or an `eps` that is not positive
 * @example
 * const optimizer = new optim.RMSprop({ learningRate: 0.01 });
 * const changed = optimizer.applyGradients({ w: array([1, 100]) }, { w: array([2, 2]) });
 * await changed.w.tolist(); // ≈ [1.9, 1.9]
 */
export class RMSprop extends Optimizer {
  static override readonly name: string = "RMSprop";

  readonly alpha: number;
  readonly eps: number;

  constructor(options: RMSpropOptions) {
    super(options);
    const rules = { ...optimizerRules, alpha: share, eps: positive };
    const { alpha = 0.99, eps = 1e-8 } = constructorOptions("RMSprop", new.target === RMSprop, options, rules);
    this.alpha = alpha;
    this.eps = eps;
  }

  protected override initialState(parameter: MLXArray): ParameterState {
    return zeroState(parameter, "v");
  }

  protected override applySingle(gradient: MLXArray, parameter: MLXArray, state: ParameterState): MLXArray {
    const kept = multiply(remembered("RMSprop", state, "v"), this.alpha);
    const v = add(kept, multiply(square(gradient), 1 - this.alpha));
    state.v = v;
    return subtract(parameter, divide(multiply(gradient, this.rateFor(gradient)), add(sqrt(v), this.eps)));
  }
}

/** The options of `Adagrad`. */
export interface AdagradOptions extends OptimizerOptions {
  /** Added to the root of the sum of squares; 1e-8 unless given. */
  readonly eps?: number | undefined;
}

/**
 * `v ← v + g²`, `w ← w - learningRate · g / (√v + eps)`. Source: Duchi et al. 2011.
 *
 * @throws {ArgumentError} for an `eps` that is not positive
 * @example
 * const optimizer = new optim.Adagrad({ learningRate: 0.1 });
 * const changed = optimizer.applyGradients({ w: array([1, 100]) }, { w: array([2, 2]) });
 * await changed.w.tolist(); // ≈ [1.9, 1.9]
 */
export class Adagrad extends Optimizer {
  static override readonly name: string = "Adagrad";

  readonly eps: number;

  constructor(options: AdagradOptions) {
    super(options);
    const rules = { ...optimizerRules, eps: positive };
    this.eps = constructorOptions("Adagrad", new.target === Adagrad, options, rules).eps ?? 1e-8;
  }

  protected override initialState(parameter: MLXArray): ParameterState {
    return zeroState(parameter, "v");
  }

  protected override applySingle(gradient: MLXArray, parameter: MLXArray, state: ParameterState): MLXArray {
    const v = add(remembered("Adagrad", state, "v"), square(gradient));
    state.v = v;
    return subtract(parameter, divide(multiply(gradient, this.rateFor(gradient)), add(sqrt(v), this.eps)));
  }
}

/** The options of `AdaDelta`. */
export interface AdaDeltaOptions extends OptimizerOptions {
  /** How slowly the means of squares change; 0.9 unless given. */
  readonly rho?: number | undefined;
  /** Added to them; 1e-6 unless given. */
  readonly eps?: number | undefined;
}

/**
 * `v ← ρ · v + (1 - ρ) · g²`, `d = √(u + eps) / √(v + eps) · g`, `u ← ρ · u + (1 - ρ) · d²`, `w ← w - learningRate · d`. Source:
 * Zeiler 2012.
 *
 * @throws {ArgumentError} for a `rho` outside [0, 1], or an `eps` that is not positive
 * @example
 * const optimizer = new optim.AdaDelta({ learningRate: 1 });
 * const changed = optimizer.applyGradients({ w: array([1]) }, { w: array([2]) });
 * await changed.w.tolist(); // ≈ [1.9968]
 */
export class AdaDelta extends Optimizer {
  static override readonly name: string = "AdaDelta";

  readonly rho: number;
  readonly eps: number;

  constructor(options: AdaDeltaOptions) {
    super(options);
    const rules = { ...optimizerRules, rho: share, eps: positive };
    const { rho = 0.9, eps = 1e-6 } = constructorOptions("AdaDelta", new.target === AdaDelta, options, rules);
    this.rho = rho;
    this.eps = eps;
  }

  protected override initialState(parameter: MLXArray): ParameterState {
    return zeroState(parameter, "v", "u");
  }

  protected override applySingle(gradient: MLXArray, parameter: MLXArray, state: ParameterState): MLXArray {
    const u = remembered("AdaDelta", state, "u");
    const v = this.#mixed(remembered("AdaDelta", state, "v"), gradient);
    const change = multiply(divide(sqrt(add(u, this.eps)), sqrt(add(v, this.eps))), gradient);
    state.v = v;
    state.u = this.#mixed(u, change);
    return subtract(parameter, multiply(change, this.rateFor(gradient)));
  }

  #mixed(mean: MLXArray, latest: MLXArray): MLXArray {
    return add(multiply(mean, this.rho), multiply(square(latest), 1 - this.rho));
  }
}
