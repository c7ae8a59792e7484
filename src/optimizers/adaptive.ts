/** Optimizers that scale steps by past squared gradients alone. */
import { ArgumentError } from "../base/errors.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { add, divide, multiply, square, subtract } from "../primitives/arithmetic.ts";
import { sqrt } from "../primitives/exponential.ts";
import type { OptimizerOptions, ParameterState } from "./optimizer.ts";
import { Optimizer, remembered, zeroState } from "./optimizer.ts";

/** The options of `RMSprop`. */
export interface RMSpropOptions extends OptimizerOptions {
  /** How slowly the mean of squares changes; 0.99 unless given. */
  readonly alpha?: number;
  /** Added to its root; 1e-8 unless given. */
  readonly eps?: number;
}

/**
 * `v ← α · v + (1 - α) · g²`, `w ← w - learningRate · g / (√v + eps)`. Source: Tieleman & Hinton 2012.
 *
 * @throws {ArgumentError} for a negative `alpha`, or an `eps` that is not positive
 */
export class RMSprop extends Optimizer {
  readonly alpha: number;
  readonly eps: number;

  constructor(options: RMSpropOptions) {
    super(options);
    this.alpha = fromZero("RMSprop", "alpha", options.alpha ?? 0.99);
    this.eps = positive("RMSprop", options.eps ?? 1e-8);
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
  readonly eps?: number;
}

/**
 * `v ← v + g²`, `w ← w - learningRate · g / (√v + eps)`. Source: Duchi et al. 2011.
 *
 * @throws {ArgumentError} for an `eps` that is not positive
 */
export class Adagrad extends Optimizer {
  readonly eps: number;

  constructor(options: AdagradOptions) {
    super(options);
    this.eps = positive("Adagrad", options.eps ?? 1e-8);
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
  readonly rho?: number;
  /** Added to them; 1e-6 unless given. */
  readonly eps?: number;
}

/**
 * `v ← ρ · v + (1 - ρ) · g²`, `d = √(u + eps) / √(v + eps) · g`, `u ← ρ · u + (1 - ρ) · d²`, `w ← w - learningRate · d`. Source:
 * Zeiler 2012.
 *
 * @throws {ArgumentError} for a negative `rho`, or an `eps` that is not positive
 */
export class AdaDelta extends Optimizer {
  readonly rho: number;
  readonly eps: number;

  constructor(options: AdaDeltaOptions) {
    super(options);
    this.rho = fromZero("AdaDelta", "rho", options.rho ?? 0.9);
    this.eps = positive("AdaDelta", options.eps ?? 1e-6);
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

function fromZero(optimizer: string, name: string, value: number): number {
  if (!(value >= 0)) throw new ArgumentError(optimizer, `${name} is at least 0, got ${value}`);
  return value;
}

function positive(optimizer: string, eps: number): number {
  if (!(eps > 0)) throw new ArgumentError(optimizer, `eps is positive, got ${eps}`);
  return eps;
}
