/** Activations as modules, for `Sequential`: each computes the function it is called after. */
import type { MLXArray } from "../graph/mlx-array.ts";
import { sigmoid } from "../primitives/exponential.ts";
import { tanh } from "../primitives/trigonometry.ts";
import {
  hardswish,
  hardTanh,
  logSigmoid,
  logSoftmax,
  mish,
  relu,
  relu2,
  relu6,
  selu,
  silu,
  softmax,
  softmin,
  softplus,
  softsign,
} from "./activations.ts";
import { Module } from "./module.ts";

/**
 * `sigmoid` as a module.
 *
 * @example
 * await new nn.Sigmoid()(array([-1, 0])).tolist(); // ≈ [0.268941, 0.5]
 */
export class Sigmoid extends Module {
  static override readonly name: string = "Sigmoid";

  forward(x: MLXArray): MLXArray {
    return sigmoid(x);
  }
}

/**
 * `tanh` as a module.
 *
 * @example
 * await new nn.Tanh()(array([0, 1])).tolist(); // ≈ [0, 0.761594]
 */
export class Tanh extends Module {
  static override readonly name: string = "Tanh";

  forward(x: MLXArray): MLXArray {
    return tanh(x);
  }
}

/**
 * `relu` as a module.
 *
 * @example
 * await new nn.ReLU()(array([-1, 2])).tolist(); // [0, 2]
 */
export class ReLU extends Module {
  static override readonly name: string = "ReLU";

  forward(x: MLXArray): MLXArray {
    return relu(x);
  }
}

/**
 * `relu2` as a module.
 *
 * @example
 * await new nn.ReLU2()(array([-1, 3])).tolist(); // [0, 9]
 */
export class ReLU2 extends Module {
  static override readonly name: string = "ReLU2";

  forward(x: MLXArray): MLXArray {
    return relu2(x);
  }
}

/**
 * `relu6` as a module.
 *
 * @example
 * await new nn.ReLU6()(array([-1, 8])).tolist(); // [0, 6]
 */
export class ReLU6 extends Module {
  static override readonly name: string = "ReLU6";

  forward(x: MLXArray): MLXArray {
    return relu6(x);
  }
}

/**
 * `selu` as a module.
 *
 * @example
 * await new nn.SELU()(array([-1, 2])).tolist(); // ≈ [-1.1113, 2.1014]
 */
export class SELU extends Module {
  static override readonly name: string = "SELU";

  forward(x: MLXArray): MLXArray {
    return selu(x);
  }
}

/**
 * `silu` as a module.
 *
 * @example
 * await new nn.SiLU()(array([0, 1])).tolist(); // ≈ [0, 0.731059]
 */
export class SiLU extends Module {
  static override readonly name: string = "SiLU";

  forward(x: MLXArray): MLXArray {
    return silu(x);
  }
}

/**
 * `softplus` as a module.
 *
 * @example
 * await new nn.Softplus()(array([0, 1000])).tolist(); // ≈ [0.693147, 1000]
 */
export class Softplus extends Module {
  static override readonly name: string = "Softplus";

  forward(x: MLXArray): MLXArray {
    return softplus(x);
  }
}

/**
 * `logSigmoid` as a module.
 *
 * @example
 * await new nn.LogSigmoid()(array([-1000, 0])).tolist(); // ≈ [-1000, -0.693147]
 */
export class LogSigmoid extends Module {
  static override readonly name: string = "LogSigmoid";

  forward(x: MLXArray): MLXArray {
    return logSigmoid(x);
  }
}

/**
 * `mish` as a module.
 *
 * @example
 * await new nn.Mish()(array([0, 1])).tolist(); // ≈ [0, 0.865098]
 */
export class Mish extends Module {
  static override readonly name: string = "Mish";

  forward(x: MLXArray): MLXArray {
    return mish(x);
  }
}

/**
 * `softsign` as a module.
 *
 * @example
 * await new nn.Softsign()(array([-1, 3])).tolist(); // [-0.5, 0.75]
 */
export class Softsign extends Module {
  static override readonly name: string = "Softsign";

  forward(x: MLXArray): MLXArray {
    return softsign(x);
  }
}

/**
 * `hardswish` as a module.
 *
 * @example
 * await new nn.Hardswish()(array([-1.5, 0, 4])).tolist(); // [-0.375, 0, 4]
 */
export class Hardswish extends Module {
  static override readonly name: string = "Hardswish";

  forward(x: MLXArray): MLXArray {
    return hardswish(x);
  }
}

/**
 * `hardTanh` between -1 and 1 as a module.
 *
 * @example
 * await new nn.HardTanh()(array([-3, 0.5])).tolist(); // [-1, 0.5]
 */
export class HardTanh extends Module {
  static override readonly name: string = "HardTanh";

  forward(x: MLXArray): MLXArray {
    return hardTanh(x);
  }
}

/**
 * `softmax` over the last axis as a module.
 *
 * @example
 * await new nn.Softmax()(array([[0, 0], [1000, 0]])).tolist(); // [[0.5, 0.5], [1, 0]]
 */
export class Softmax extends Module {
  static override readonly name: string = "Softmax";

  forward(x: MLXArray): MLXArray {
    return softmax(x);
  }
}

/**
 * `softmin` over the last axis as a module.
 *
 * @example
 * await new nn.Softmin()(array([[0, 0], [1000, 0]])).tolist(); // [[0.5, 0.5], [0, 1]]
 */
export class Softmin extends Module {
  static override readonly name: string = "Softmin";

  forward(x: MLXArray): MLXArray {
    return softmin(x);
  }
}

/**
 * `logSoftmax` over the last axis as a module.
 *
 * @example
 * await new nn.LogSoftmax()(array([[0, 0], [1000, 0]])).tolist(); // ≈ [[-0.693147, -0.693147], [0, -1000]]
 */
export class LogSoftmax extends Module {
  static override readonly name: string = "LogSoftmax";

  forward(x: MLXArray): MLXArray {
    return logSoftmax(x);
  }
}
