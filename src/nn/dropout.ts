/** Layers that switch values off at random while training. */
import { bernoulli } from "../array/random.ts";
import { ShapeError } from "../base/errors.ts";
import { partialShare, requireValues } from "../base/rules.ts";
import type { Shape } from "../base/shape.ts";
import { formatShape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { requireArray } from "../graph/require-array.ts";
import { multiply } from "../primitives/arithmetic.ts";
import { where } from "../primitives/selection.ts";
import { Module } from "./module.ts";

/**
 * While training, sets elements to 0 with probability `p` (0.5 unless given) and divides the others by `1 - p`, so that the
 * expected value stays. Otherwise returns its input. Source: Srivastava et al. 2014.
 *
 * @throws {ArgumentError} if `p` is not in [0, 1)
 * @example
 * random.seed(0);
 * const layer = new nn.Dropout(0.5);
 * await layer(ones([6])).tolist(); // [2, 2, 2, 0, 2, 2]
 * await layer.eval()(ones([6])).tolist(); // [1, 1, 1, 1, 1, 1]
 */
export class Dropout extends Module {
  static override readonly name: string = "Dropout";

  readonly p: number;

  constructor(p = 0.5) {
    super();
    requireValues("Dropout", partialShare, { p });
    this.p = p;
  }

  forward(x: MLXArray): MLXArray {
    requireArray("Dropout", x);
    if (this.p === 0 || !this.training) return x;
    const kept = bernoulli(1 - this.p, this.maskShape(x.shape));
    return multiply(where(kept, x, 0), 1 / (1 - this.p));
  }

  /** The shape of what is drawn; axes of length 1 are switched as one. */
  protected maskShape(shape: Shape): Shape {
    return shape;
  }

  override describeExtra(): string {
    return `p=${this.p}`;
  }
}

/**
 * `Dropout` of whole channels of images: [height, width, channels] or [batch, height, width, channels].
 *
 * @example
 * random.seed(5);
 * await new nn.Dropout2d(0.5)(ones([1, 2, 3])).tolist(); // [[[2, 0, 2], [2, 0, 2]]]
 */
export class Dropout2d extends Dropout {
  static override readonly name: string = "Dropout2d";

  protected override maskShape(shape: Shape): Shape {
    return channelShape("Dropout2d", shape, 2);
  }
}

/**
 * `Dropout` of whole channels of volumes: [depth, height, width, channels], with or without a batch axis in front.
 *
 * @example
 * random.seed(5);
 * await new nn.Dropout3d(0.5)(ones([1, 1, 2, 3])).tolist(); // [[[[2, 0, 2], [2, 0, 2]]]]
 */
export class Dropout3d extends Dropout {
  static override readonly name: string = "Dropout3d";

  protected override maskShape(shape: Shape): Shape {
    return channelShape("Dropout3d", shape, 3);
  }
}

function channelShape(name: string, shape: Shape, places: number): Shape {
  if (shape.length !== places + 1 && shape.length !== places + 2) {
    throw new ShapeError(name, `needs ${places + 1} or ${places + 2} axes, got ${formatShape(shape)}`);
  }
  return shape.map((length, axis) => (axis >= shape.length - 1 - places && axis < shape.length - 1 ? 1 : length));
}
