/** Activations as modules that are told how: by a number, an axis, a form, or slopes that are learned. */
import { constructorOptions, finite, oneOf, size } from "../base/rules.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { full } from "../primitives/creation.ts";
import type { AlphaOptions, AxisOptions, LeakyReluOptions, ShrinkOptions } from "./activations.ts";
import {
  alphaRules,
  axisRules,
  celu,
  celuRules,
  elu,
  gelu,
  geluApprox,
  geluFastApprox,
  glu,
  hardShrink,
  leakyRelu,
  prelu,
  shrinkRules,
  softshrink,
  step,
} from "./activations.ts";
import { Module } from "./module.ts";

/**
 * `leakyRelu` as a module; `negativeSlope` is 0.01 unless given.
 *
 * @throws {ArgumentError} for a slope that is not finite
 * @example
 * await new nn.LeakyReLU({ negativeSlope: 0.5 })(array([-2, 3])).tolist(); // [-1, 3]
 */
export class LeakyReLU extends Module {
  static override readonly name: string = "LeakyReLU";

  readonly negativeSlope: number;

  constructor(options: LeakyReluOptions = {}) {
    super();
    const own = constructorOptions("LeakyReLU", new.target === LeakyReLU, options, { negativeSlope: finite });
    this.negativeSlope = own.negativeSlope ?? 0.01;
  }

  forward(x: MLXArray): MLXArray {
    return leakyRelu(x, { negativeSlope: this.negativeSlope });
  }

  override describeExtra(): string {
    return `negativeSlope=${this.negativeSlope}`;
  }
}

/**
 * `elu` as a module; `alpha` is 1 unless given.
 *
 * @throws {ArgumentError} for an alpha that is not finite
 * @example
 * await new nn.ELU({ alpha: 2 })(array([-1, 2])).tolist(); // ≈ [-1.26424, 2]
 */
export class ELU extends Module {
  static override readonly name: string = "ELU";

  readonly alpha: number;

  constructor(options: AlphaOptions = {}) {
    super();
    this.alpha = constructorOptions("ELU", new.target === ELU, options, alphaRules).alpha ?? 1;
  }

  forward(x: MLXArray): MLXArray {
    return elu(x, { alpha: this.alpha });
  }

  override describeExtra(): string {
    return `alpha=${this.alpha}`;
  }
}

/**
 * `celu` as a module; `alpha` is 1 unless given.
 *
 * @throws {ArgumentError} for an alpha that is not above 0
 * @example
 * await new nn.CELU({ alpha: 2 })(array([-2, 3])).tolist(); // ≈ [-1.26424, 3]
 */
export class CELU extends Module {
  static override readonly name: string = "CELU";

  readonly alpha: number;

  constructor(options: AlphaOptions = {}) {
    super();
    this.alpha = constructorOptions("CELU", new.target === CELU, options, celuRules).alpha ?? 1;
  }

  forward(x: MLXArray): MLXArray {
    return celu(x, { alpha: this.alpha });
  }

  override describeExtra(): string {
    return `alpha=${this.alpha}`;
  }
}

/**
 * `softshrink` as a module; `lambd` is 0.5 unless given.
 *
 * @throws {ArgumentError} for a `lambd` that is negative or not finite
 * @example
 * await new nn.Softshrink()(array([-2, 0.25])).tolist(); // [-1.5, 0]
 */
export class Softshrink extends Module {
  static override readonly name: string = "Softshrink";

  readonly lambd: number;

  constructor(options: ShrinkOptions = {}) {
    super();
    this.lambd = constructorOptions("Softshrink", new.target === Softshrink, options, shrinkRules).lambd ?? 0.5;
  }

  forward(x: MLXArray): MLXArray {
    return softshrink(x, { lambd: this.lambd });
  }

  override describeExtra(): string {
    return `lambd=${this.lambd}`;
  }
}

/**
 * `hardShrink` as a module; `lambd` is 0.5 unless given.
 *
 * @throws {ArgumentError} for a `lambd` that is negative or not finite
 * @example
 * await new nn.HardShrink()(array([-2, 0.25])).tolist(); // [-2, 0]
 */
export class HardShrink extends Module {
  static override readonly name: string = "HardShrink";

  readonly lambd: number;

  constructor(options: ShrinkOptions = {}) {
    super();
    this.lambd = constructorOptions("HardShrink", new.target === HardShrink, options, shrinkRules).lambd ?? 0.5;
  }

  forward(x: MLXArray): MLXArray {
    return hardShrink(x, { lambd: this.lambd });
  }

  override describeExtra(): string {
    return `lambd=${this.lambd}`;
  }
}

/**
 * `step` as a module; `threshold` is 0 unless given.
 *
 * @throws {ArgumentError} for a threshold that is not finite
 * @example
 * await new nn.Step({ threshold: 1 })(array([0, 2])).tolist(); // [0, 1]
 */
export class Step extends Module {
  static override readonly name: string = "Step";

  readonly threshold: number;

  constructor(options: { readonly threshold?: number | undefined } = {}) {
    super();
    this.threshold = constructorOptions("Step", new.target === Step, options, { threshold: finite }).threshold ?? 0;
  }

  forward(x: MLXArray): MLXArray {
    return step(x, { threshold: this.threshold });
  }

  override describeExtra(): string {
    return `threshold=${this.threshold}`;
  }
}

/**
 * `glu` as a module; `axis` is -1 unless given.
 *
 * @throws {ArgumentError} for an axis that is no integer
 * @example
 * await new nn.GLU()(array([3, 5, 0, 1000])).tolist(); // [1.5, 5]
 */
export class GLU extends Module {
  static override readonly name: string = "GLU";

  readonly axis: number;

  constructor(options: AxisOptions = {}) {
    super();
    this.axis = constructorOptions("GLU", new.target === GLU, options, axisRules).axis ?? -1;
  }

  forward(x: MLXArray): MLXArray {
    return glu(x, { axis: this.axis });
  }

  override describeExtra(): string {
    return `axis=${this.axis}`;
  }
}

/** How `GELU` computes: exactly, through a hyperbolic tangent ("precise" or "tanh"), or through a sigmoid ("fast"). */
export type GeluApproximation = "none" | "precise" | "tanh" | "fast";

const geluForms: Readonly<Record<GeluApproximation, (x: MLXArray) => MLXArray>> = {
  none: gelu,
  precise: geluApprox,
  tanh: geluApprox,
  fast: geluFastApprox,
};

/**
 * `gelu` or one of its approximations as a module.
 *
 * @throws {ArgumentError} for an approximation that does not exist
 * @example
 * await new nn.GELU()(array(1)).item(); // ≈ 0.841345
 * await new nn.GELU({ approx: "fast" })(array(1)).item(); // ≈ 0.845796
 */
export class GELU extends Module {
  static override readonly name: string = "GELU";

  readonly approx: GeluApproximation;

  constructor(options: { readonly approx?: GeluApproximation | undefined } = {}) {
    super();
    const rules = { approx: oneOf(...Object.keys(geluForms)) };
    this.approx = constructorOptions("GELU", new.target === GELU, options, rules).approx ?? "none";
  }

  forward(x: MLXArray): MLXArray {
    return geluForms[this.approx](x);
  }

  override describeExtra(): string {
    return `approx=${this.approx}`;
  }
}

/**
 * `prelu` as a module: its slopes below zero, `numParameters` of them (1 unless given, or one per feature), are learned
 * and begin at `init` (0.25 unless given).
 *
 * @throws {ArgumentError} for a number of parameters that is no positive integer, or a beginning that is not finite
 * @example
 * const layer = new nn.PReLU({ numParameters: 2 });
 * await layer(array([[-1, 2], [3, -4]])).tolist(); // [[-0.25, 2], [3, -1]]
 * layer.weight.shape; // [2]
 */
export class PReLU extends Module {
  static override readonly name: string = "PReLU";

  weight: MLXArray;

  constructor(options: { readonly numParameters?: number | undefined; readonly init?: number | undefined } = {}) {
    super();
    const rules = { numParameters: size, init: finite };
    const { numParameters = 1, init = 0.25 } = constructorOptions("PReLU", new.target === PReLU, options, rules);
    this.weight = full([numParameters], init, "float32");
  }

  forward(x: MLXArray): MLXArray {
    return prelu(x, this.weight);
  }
}
