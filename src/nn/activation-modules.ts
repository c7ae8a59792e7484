/** Activations as modules, for `Sequential`: each computes the function it is called after. */
import { ArgumentError } from "../base/errors.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { full } from "../primitives/creation.ts";
import type { AlphaOptions, AxisOptions, ShrinkOptions } from "./activations.ts";
import {
  celu,
  elu,
  gelu,
  geluApprox,
  geluFastApprox,
  glu,
  hardShrink,
  hardswish,
  hardTanh,
  leakyRelu,
  logSigmoid,
  logSoftmax,
  mish,
  prelu,
  relu,
  relu2,
  relu6,
  selu,
  sigmoid,
  silu,
  softmax,
  softmin,
  softplus,
  softshrink,
  softsign,
  step,
  tanh,
} from "./activations.ts";
import { Module } from "./module.ts";

/** `sigmoid` as a module. */
export class Sigmoid extends Module {
  forward(x: MLXArray): MLXArray {
    return sigmoid(x);
  }
}

/** `tanh` as a module. */
export class Tanh extends Module {
  forward(x: MLXArray): MLXArray {
    return tanh(x);
  }
}

/** `relu` as a module. */
export class ReLU extends Module {
  forward(x: MLXArray): MLXArray {
    return relu(x);
  }
}

/** `relu2` as a module. */
export class ReLU2 extends Module {
  forward(x: MLXArray): MLXArray {
    return relu2(x);
  }
}

/** `relu6` as a module. */
export class ReLU6 extends Module {
  forward(x: MLXArray): MLXArray {
    return relu6(x);
  }
}

/** `selu` as a module. */
export class SELU extends Module {
  forward(x: MLXArray): MLXArray {
    return selu(x);
  }
}

/** `silu` as a module. */
export class SiLU extends Module {
  forward(x: MLXArray): MLXArray {
    return silu(x);
  }
}

/** `softplus` as a module. */
export class Softplus extends Module {
  forward(x: MLXArray): MLXArray {
    return softplus(x);
  }
}

/** `logSigmoid` as a module. */
export class LogSigmoid extends Module {
  forward(x: MLXArray): MLXArray {
    return logSigmoid(x);
  }
}

/** `mish` as a module. */
export class Mish extends Module {
  forward(x: MLXArray): MLXArray {
    return mish(x);
  }
}

/** `softsign` as a module. */
export class Softsign extends Module {
  forward(x: MLXArray): MLXArray {
    return softsign(x);
  }
}

/** `hardswish` as a module. */
export class Hardswish extends Module {
  forward(x: MLXArray): MLXArray {
    return hardswish(x);
  }
}

/** `hardTanh` between -1 and 1 as a module. */
export class HardTanh extends Module {
  forward(x: MLXArray): MLXArray {
    return hardTanh(x);
  }
}

/** `softmax` over the last axis as a module. */
export class Softmax extends Module {
  forward(x: MLXArray): MLXArray {
    return softmax(x);
  }
}

/** `softmin` over the last axis as a module. */
export class Softmin extends Module {
  forward(x: MLXArray): MLXArray {
    return softmin(x);
  }
}

/** `logSoftmax` over the last axis as a module. */
export class LogSoftmax extends Module {
  forward(x: MLXArray): MLXArray {
    return logSoftmax(x);
  }
}

/** `leakyRelu` as a module; `negativeSlope` is 0.01 unless given. */
export class LeakyReLU extends Module {
  readonly negativeSlope: number;

  constructor({ negativeSlope = 0.01 }: { readonly negativeSlope?: number } = {}) {
    super();
    this.negativeSlope = negativeSlope;
  }

  forward(x: MLXArray): MLXArray {
    return leakyRelu(x, { negativeSlope: this.negativeSlope });
  }

  override describeExtra(): string {
    return `negativeSlope=${this.negativeSlope}`;
  }
}

/** `elu` as a module; `alpha` is 1 unless given. */
export class ELU extends Module {
  readonly alpha: number;

  constructor({ alpha = 1 }: AlphaOptions = {}) {
    super();
    this.alpha = alpha;
  }

  forward(x: MLXArray): MLXArray {
    return elu(x, { alpha: this.alpha });
  }

  override describeExtra(): string {
    return `alpha=${this.alpha}`;
  }
}

/** `celu` as a module; `alpha` is 1 unless given. */
export class CELU extends Module {
  readonly alpha: number;

  constructor({ alpha = 1 }: AlphaOptions = {}) {
    super();
    this.alpha = alpha;
  }

  forward(x: MLXArray): MLXArray {
    return celu(x, { alpha: this.alpha });
  }

  override describeExtra(): string {
    return `alpha=${this.alpha}`;
  }
}

/** `softshrink` as a module; `lambd` is 0.5 unless given. */
export class Softshrink extends Module {
  readonly lambd: number;

  constructor({ lambd = 0.5 }: ShrinkOptions = {}) {
    super();
    this.lambd = lambd;
  }

  forward(x: MLXArray): MLXArray {
    return softshrink(x, { lambd: this.lambd });
  }

  override describeExtra(): string {
    return `lambd=${this.lambd}`;
  }
}

/** `hardShrink` as a module; `lambd` is 0.5 unless given. */
export class HardShrink extends Module {
  readonly lambd: number;

  constructor({ lambd = 0.5 }: ShrinkOptions = {}) {
    super();
    this.lambd = lambd;
  }

  forward(x: MLXArray): MLXArray {
    return hardShrink(x, { lambd: this.lambd });
  }

  override describeExtra(): string {
    return `lambd=${this.lambd}`;
  }
}

/** `step` as a module; `threshold` is 0 unless given. */
export class Step extends Module {
  readonly threshold: number;

  constructor({ threshold = 0 }: { readonly threshold?: number } = {}) {
    super();
    this.threshold = threshold;
  }

  forward(x: MLXArray): MLXArray {
    return step(x, { threshold: this.threshold });
  }

  override describeExtra(): string {
    return `threshold=${this.threshold}`;
  }
}

/** `glu` as a module; `axis` is -1 unless given. */
export class GLU extends Module {
  readonly axis: number;

  constructor({ axis = -1 }: AxisOptions = {}) {
    super();
    this.axis = axis;
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
 */
export class GELU extends Module {
  readonly approx: GeluApproximation;

  constructor({ approx = "none" }: { readonly approx?: GeluApproximation } = {}) {
    super();
    if (!Object.hasOwn(geluForms, approx)) {
      throw new ArgumentError("GELU", `approx is one of ${Object.keys(geluForms).join(", ")}, got ${approx}`);
    }
    this.approx = approx;
  }

  forward(x: MLXArray): MLXArray {
    return geluForms[this.approx](x);
  }

  override describeExtra(): string {
    return `approx=${this.approx}`;
  }
}

/** `prelu` as a module: its slopes below zero, one or one per feature, are learned; they begin at `init` (0.25 unless given). */
export class PReLU extends Module {
  weight: MLXArray;

  constructor({ numParameters = 1, init = 0.25 }: { readonly numParameters?: number; readonly init?: number } = {}) {
    super();
    this.weight = full([numParameters], init, "float32");
  }

  forward(x: MLXArray): MLXArray {
    return prelu(x, this.weight);
  }
}
