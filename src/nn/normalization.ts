/** Layers that normalize. */
import type { Dtype } from "../base/dtype.ts";
import { isHalf, promote } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { constructorOptions, flag, positive, requireValues, share, size as sizeRule } from "../base/rules.ts";
import type { Shape } from "../base/shape.ts";
import { formatShape, sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { requireArray } from "../graph/require-array.ts";
import { add, multiply, subtract } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { ones, zeros } from "../primitives/creation.ts";
import { rsqrt } from "../primitives/exponential.ts";
import { layerNorm, rmsNorm } from "../primitives/fast.ts";
import { flatten } from "../primitives/shaping.ts";
import { mean, variance } from "../primitives/statistics.ts";
import { moveAxis, reshape, transpose } from "../primitives/views.ts";
import type { FreezeOptions } from "./module.ts";
import { Module } from "./module.ts";

/** The options of every normalization. */
export interface NormOptions {
  /** Added to the variance; 1e-5 unless given. */
  readonly eps?: number | undefined;
}

/** The options of normalizations that can scale and shift. */
export interface AffineOptions extends NormOptions {
  /** Whether to scale and shift with parameters; true unless given, but false for `InstanceNorm`. */
  readonly affine?: boolean | undefined;
}

/**
 * Normalization over the last axis to mean 0 and variance 1, then `· weight + bias`. Source: Ba et al. 2016.
 *
 * @throws {ArgumentError} if `eps` is not positive
 * @example
 * const layer = new nn.LayerNorm(2);
 * await layer(array([[1, 3], [10, 0]])).tolist(); // ≈ [[-1, 1], [1, -1]]
 * layer.weight?.shape; // [2]
 */
export class LayerNorm extends Module {
  static override readonly name: string = "LayerNorm";

  weight?: MLXArray | undefined;
  bias?: MLXArray | undefined;
  readonly eps: number;

  constructor(size: number, options: AffineOptions & { readonly bias?: boolean | undefined } = {}) {
    super();
    requireValues("LayerNorm", sizeRule, { size });
    const rules = { eps: positive, affine: flag, bias: flag };
    const own = constructorOptions("LayerNorm", new.target === LayerNorm, options, rules);
    const { eps = 1e-5, affine = true, bias = true } = own;
    this.eps = eps;
    if (affine) this.weight = ones([size]);
    if (affine && bias) this.bias = zeros([size]);
  }

  /** [..., size] → [..., size]. */
  forward(x: MLXArray): MLXArray {
    return layerNorm(x, this.weight, this.bias, this.eps);
  }

  override describeExtra(): string {
    return `eps=${this.eps}`;
  }
}

/**
 * Root-mean-square normalization over the last axis: `x / √(mean(x²) + eps) · weight`. Source: Zhang & Sennrich 2019.
 *
 * @throws {ArgumentError} if `eps` is not positive
 * @example
 * await new nn.RMSNorm(2)(array([3, 4])).tolist(); // ≈ [0.8485, 1.1314]
 */
export class RMSNorm extends Module {
  static override readonly name: string = "RMSNorm";

  weight: MLXArray;
  readonly eps: number;

  constructor(size: number, options: NormOptions = {}) {
    super();
    requireValues("RMSNorm", sizeRule, { size });
    const { eps = 1e-5 } = constructorOptions("RMSNorm", new.target === RMSNorm, options, { eps: positive });
    this.eps = eps;
    this.weight = ones([size]);
  }

  /** [..., size] → [..., size]. */
  forward(x: MLXArray): MLXArray {
    return rmsNorm(x, this.weight, this.eps);
  }

  override describeExtra(): string {
    return `eps=${this.eps}`;
  }
}

/**
 * Normalization of each channel of each example over its places, then, if `affine`, `· weight + bias`. Source: Ulyanov et al. 2016.
 *
 * @throws {ArgumentError} if `eps` is not positive
 * @example
 * const places = reshape(array([1, 10, 3, 30]), [1, 2, 2]);
 * await new nn.InstanceNorm(2)(places).tolist(); // ≈ [[[-1, -1], [1, 1]]]
 */
export class InstanceNorm extends Module {
  static override readonly name: string = "InstanceNorm";

  weight?: MLXArray | undefined;
  bias?: MLXArray | undefined;
  readonly eps: number;

  constructor(channels: number, options: AffineOptions = {}) {
    super();
    requireValues("InstanceNorm", sizeRule, { channels });
    const rules = { eps: positive, affine: flag };
    const own = constructorOptions("InstanceNorm", new.target === InstanceNorm, options, rules);
    const { eps = 1e-5, affine = false } = own;
    this.eps = eps;
    if (affine) {
      this.weight = ones([channels]);
      this.bias = zeros([channels]);
    }
  }

  /** [batch, places…, channels] → the same. @throws {ShapeError} for fewer than 3 axes */
  forward(x: MLXArray): MLXArray {
    requireArray("InstanceNorm", x);
    requireChannels("InstanceNorm", x, this.weight);
    if (x.ndim < 3)
      throw new ShapeError("InstanceNorm", `needs [batch, places…, channels], got ${formatShape(x.shape)}`);
    const channelsFirst = moveAxis(x, -1, 1);
    const rows = flatten(channelsFirst, 2);
    const normalized = moveAxis(reshape(layerNorm(rows, null, null, this.eps), channelsFirst.shape), 1, -1);
    return affineOf(normalized, this.weight, this.bias);
  }

  override describeExtra(): string {
    return `eps=${this.eps}`;
  }
}

/** The options of `GroupNorm`. */
export interface GroupNormOptions extends AffineOptions {
  /** Whether a group is of neighbouring channels, as in PyTorch, and not of every `groups`-th one; false unless given. */
  readonly pytorchCompatible?: boolean | undefined;
}

/**
 * Normalization of groups of channels of each example over its places, then `· weight + bias`. As in MLX, a group is every
 * `groups`-th channel unless `pytorchCompatible`. Source: Wu & He 2018.
 *
 * @throws {ArgumentError} if `eps` is not positive, or `channels` no multiple of `groups`
 * @example
 * const x = array([[1, 10, 3, 30]]);
 * await new nn.GroupNorm(2, 4)(x).tolist(); // ≈ [[-1, -1, 1, 1]]
 * await new nn.GroupNorm(2, 4, { pytorchCompatible: true })(x).tolist(); // ≈ [[-1, 1, -1, 1]]
 */
export class GroupNorm extends Module {
  static override readonly name: string = "GroupNorm";

  weight?: MLXArray | undefined;
  bias?: MLXArray | undefined;
  readonly groups: number;
  readonly eps: number;
  readonly pytorchCompatible: boolean;

  constructor(groups: number, channels: number, options: GroupNormOptions = {}) {
    super();
    requireValues("GroupNorm", sizeRule, { groups, channels });
    const rules = { eps: positive, affine: flag, pytorchCompatible: flag };
    const own = constructorOptions("GroupNorm", new.target === GroupNorm, options, rules);
    const { eps = 1e-5, affine = true, pytorchCompatible = false } = own;
    if (channels % groups !== 0) {
      throw new ArgumentError("GroupNorm", `${channels} channels cannot be split into ${groups} equal groups`);
    }
    this.eps = eps;
    this.groups = groups;
    this.pytorchCompatible = pytorchCompatible;
    if (affine) {
      this.weight = ones([channels]);
      this.bias = zeros([channels]);
    }
  }

  /** [batch, places…, channels] → the same. */
  forward(x: MLXArray): MLXArray {
    requireArray("GroupNorm", x);
    requireChannels("GroupNorm", x, this.weight);
    const [batch = 0, places, channels = 0] = [x.shape[0], sizeOf(x.shape.slice(1, -1)), x.shape.at(-1)];
    const size = channels / this.groups;
    const normalized = this.pytorchCompatible
      ? this.#neighbours(x, [batch, places, this.groups, size])
      : this.#strided(x, [batch, places * size, this.groups]);
    return affineOf(normalized, this.weight, this.bias);
  }

  #neighbours(x: MLXArray, shape: Shape): MLXArray {
    const grouped = transpose(reshape(x, shape), [0, 2, 1, 3]);
    const normalized = reshape(layerNorm(flatten(grouped, 2), null, null, this.eps), grouped.shape);
    return reshape(transpose(normalized, [0, 2, 1, 3]), x.shape);
  }

  #strided(x: MLXArray, shape: Shape): MLXArray {
    const grouped = reshape(wide(x), shape);
    const centered = subtract(grouped, mean(grouped, 1, { keepAxes: true }));
    const scale = rsqrt(add(variance(grouped, 1, { keepAxes: true }), this.eps));
    return reshape(castTo(multiply(centered, scale), x.dtype), x.shape);
  }

  override describeExtra(): string {
    return `${this.groups} groups, eps=${this.eps}${this.pytorchCompatible ? ", as PyTorch" : ""}`;
  }
}

/** The options of `BatchNorm`. */
export interface BatchNormOptions extends AffineOptions {
  /** How much of the running statistics each batch replaces; 0.1 unless given. */
  readonly momentum?: number | undefined;
  /** Whether to collect running statistics for evaluation; true unless given. */
  readonly trackRunningStats?: boolean | undefined;
}

/**
 * Normalization of each channel over batch and places, then `· weight + bias`. While training it uses the batch's statistics
 * and collects running ones (the variance with n - 1), which are parameters that are never trained; evaluation uses those.
 * Source: Ioffe & Szegedy 2015.
 *
 * @throws {ArgumentError} if `eps` is not positive
 * @example
 * const layer = new nn.BatchNorm(1);
 * await layer(array([[1], [3]])).tolist(); // ≈ [[-1], [1]]
 * await layer.runningMean?.tolist(); // ≈ [0.2]
 * await layer.eval()(array([[0.2]])).tolist(); // ≈ [[0]]
 */
export class BatchNorm extends Module {
  static override readonly name: string = "BatchNorm";

  weight?: MLXArray | undefined;
  bias?: MLXArray | undefined;
  runningMean?: MLXArray | undefined;
  runningVar?: MLXArray | undefined;
  readonly eps: number;
  readonly momentum: number;

  constructor(channels: number, options: BatchNormOptions = {}) {
    super();
    requireValues("BatchNorm", sizeRule, { channels });
    const rules = { eps: positive, momentum: share, affine: flag, trackRunningStats: flag };
    const own = constructorOptions("BatchNorm", new.target === BatchNorm, options, rules);
    const { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true } = own;
    this.eps = eps;
    this.momentum = momentum;
    if (affine) {
      this.weight = ones([channels]);
      this.bias = zeros([channels]);
    }
    if (trackRunningStats) {
      this.runningMean = zeros([channels]);
      this.runningVar = ones([channels]);
      this.#freezeStatistics();
    }
  }

  /** [batch, channels], [batch, places, channels] or [batch, height, width, channels] → the same. @throws {ShapeError} for others */
  forward(x: MLXArray): MLXArray {
    requireArray("BatchNorm", x);
    if (x.ndim < 2 || x.ndim > 4) throw new ShapeError("BatchNorm", `needs 2 to 4 axes, got ${formatShape(x.shape)}`);
    requireChannels("BatchNorm", x, this.weight ?? this.runningMean);
    const axes = x.shape.slice(0, -1).map((_, axis) => axis);
    if (this.training && sizeOf(x.shape.slice(0, -1)) === 1) {
      throw new ShapeError("BatchNorm", "training needs more than one value per channel");
    }
    const { runningMean, runningVar } = this;
    if (!this.training && runningMean && runningVar)
      return affineOf(this.#normalized(x, runningMean, runningVar), this.weight, this.bias);
    const values = wide(x);
    const average = mean(values, axes);
    if (this.training && runningMean && runningVar) {
      this.runningMean = this.#mixed(runningMean, average, x.dtype);
      this.runningVar = this.#mixed(runningVar, variance(values, axes, { ddof: 1 }), x.dtype);
    }
    const normalized = castTo(this.#normalized(values, average, variance(values, axes)), x.dtype);
    return affineOf(normalized, this.weight, this.bias);
  }

  /** As that of other modules, but the running statistics stay frozen. */
  override unfreeze(options: FreezeOptions = {}): this {
    super.unfreeze(options);
    this.#freezeStatistics();
    return this;
  }

  override describeExtra(): string {
    return `eps=${this.eps}, momentum=${this.momentum}`;
  }

  #freezeStatistics(): void {
    this.freeze({ keys: ["runningMean", "runningVar"], recurse: false, strict: false });
  }

  /** In half precision if the running statistics and what is normalized are. */
  #mixed(running: MLXArray, latest: MLXArray, dtype: Dtype): MLXArray {
    const mixed = add(multiply(running, 1 - this.momentum), multiply(latest, this.momentum));
    return castTo(mixed, promote(running.dtype, dtype));
  }

  #normalized(x: MLXArray, average: MLXArray, spread: MLXArray): MLXArray {
    return multiply(subtract(x, average), rsqrt(add(spread, this.eps)));
  }
}

/** Throws unless `x` has as many channels as a parameter: a single one would be spread over all of them. @throws {ShapeError} */
function requireChannels(layer: string, x: MLXArray, parameter: MLXArray | undefined): void {
  if (!parameter || x.shape.at(-1) === parameter.size) return;
  const got = `got ${formatShape(x.shape)}, whose last axis is that of the channels`;
  throw new ShapeError(layer, `normalizes ${parameter.size} channels, ${got}`);
}

/**
 * `x`, in float32 if it is of 16 bits, as layerNorm computes: rounded in between, means far from 0 would cost most digits of what is
 * left of the values, and the gradient of a group of one element would not vanish.
 */
function wide(x: MLXArray): MLXArray {
  return isHalf(x.dtype) ? castTo(x, "float32") : x;
}

function affineOf(x: MLXArray, weight: MLXArray | undefined, bias: MLXArray | undefined): MLXArray {
  const scaled = weight ? multiply(x, weight) : x;
  return bias ? add(scaled, bias) : scaled;
}
