/** Layers of convolutions. */
import { ArgumentError } from "../base/errors.ts";
import type { Rules } from "../base/rules.ts";
import { constructorOptions, count, flag, perAxis, requireValues, size } from "../base/rules.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { add } from "../primitives/arithmetic.ts";
import type { ConvolutionOptions, TransposedConvolutionOptions } from "../primitives/convolution.ts";
import {
  conv1d,
  conv2d,
  conv3d,
  convTransposed1d,
  convTransposed2d,
  convTransposed3d,
} from "../primitives/convolution.ts";
import { zeros } from "../primitives/creation.ts";
import type { BiasOptions } from "./linear.ts";
import { uniformWithin } from "./linear.ts";
import { Module } from "./module.ts";

/** The options of a convolution layer; numbers hold for every axis. */
export interface ConvolutionLayerOptions extends Omit<ConvolutionOptions, "device">, BiasOptions {}

/** The rules of what all convolution layers choose for `rank` axes of places. */
function placeRules(rank: number): Rules<Pick<ConvolutionLayerOptions, "stride" | "padding" | "dilation">> {
  return { stride: perAxis(rank, size), padding: perAxis(rank, count), dilation: perAxis(rank, size) };
}

/** What convolution layers share: [batch, places…, inputChannels] → [batch, counts…, outputChannels]. */
abstract class Convolution<Sizes extends readonly number[]> extends Module {
  /** [outputChannels, sizes…, inputChannels / groups] */
  weight: MLXArray;
  /** [outputChannels] */
  bias?: MLXArray;
  readonly stride: number | readonly number[];
  readonly padding: number | readonly number[];
  readonly dilation: number | readonly number[];
  readonly groups: number;

  constructor(
    inputChannels: number,
    outputChannels: number,
    kernelSize: number | Sizes,
    options: ConvolutionLayerOptions = {},
  ) {
    super();
    const rank = this.rank();
    const layer = this.layer();
    const rules = { ...placeRules(rank), groups: size, bias: flag };
    const own = constructorOptions(layer, Object.getPrototypeOf(new.target) === Convolution, options, rules);
    const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true } = own;
    requireValues(layer, size, { inputChannels, outputChannels });
    for (const [side, channels] of Object.entries({ input: inputChannels, output: outputChannels })) {
      if (channels % groups === 0) continue;
      throw new ArgumentError(layer, `${channels} ${side} channels cannot be split into ${groups} equal groups`);
    }
    requireValues(layer, perAxis(rank, size), { kernelSize });
    const sizes = typeof kernelSize === "number" ? new Array<number>(rank).fill(kernelSize) : kernelSize;
    const channels = inputChannels / groups;
    const terms = sizes.reduce((product, length) => product * length, channels);
    this.weight = uniformWithin(Math.sqrt(1 / terms), [outputChannels, ...sizes, channels]);
    if (bias) this.bias = zeros([outputChannels]);
    this.stride = stride;
    this.padding = padding;
    this.dilation = dilation;
    this.groups = groups;
  }

  forward(x: MLXArray): MLXArray {
    const { stride, padding, dilation, groups } = this;
    const y = this.convolve(x, { stride, padding, dilation, groups });
    return this.bias ? add(y, this.bias) : y;
  }

  /** How many axes of places there are. */
  protected abstract rank(): number;

  /** What errors call the layer: minifiers rename classes. */
  protected layer(): string {
    return `Conv${this.rank()}d`;
  }

  protected abstract convolve(x: MLXArray, options: ConvolutionOptions): MLXArray;

  override describeExtra(): string {
    const [outputs, ...sizes] = this.weight.shape;
    const inputs = (sizes.pop() ?? 0) * this.groups;
    const groups = this.groups === 1 ? "" : `, groups=${this.groups}`;
    return `${inputs} → ${outputs}, kernelSize=${sizes}, stride=${this.stride}, padding=${this.padding}, dilation=${this.dilation}${groups}`;
  }
}

/**
 * A convolution along one axis: [batch, length, inputChannels] → [batch, count, outputChannels], where count is
 * `⌊(length + 2 · padding - dilation · (kernelSize - 1) - 1) / stride⌋ + 1`. Weights begin uniform within
 * `± 1 / √(terms of each sum)`, the bias at 0.
 *
 * @throws {ArgumentError} if `inputChannels` or `outputChannels` is no multiple of the groups
 * @example
 * const layer = new nn.Conv1d(1, 8, 5, { padding: 2 });
 * layer(zeros([4, 100, 1])).shape; // [4, 100, 8]
 */
export class Conv1d extends Convolution<readonly [number]> {
  static override readonly name: string = "Conv1d";

  protected override rank(): number {
    return 1;
  }

  protected override convolve(x: MLXArray, options: ConvolutionOptions): MLXArray {
    return conv1d(x, this.weight, options);
  }
}

/**
 * A convolution of images: [batch, height, width, inputChannels] → [batch, countY, countX, outputChannels], with counts
 * as in `Conv1d`. Parameters begin as there.
 *
 * @throws {ArgumentError} if `inputChannels` or `outputChannels` is no multiple of the groups
 * @example
 * const layer = new nn.Conv2d(3, 16, 5, { stride: 2, padding: 2 });
 * layer(zeros([1, 32, 32, 3])).shape; // [1, 16, 16, 16]
 * layer.weight.shape; // [16, 5, 5, 3]
 */
export class Conv2d extends Convolution<readonly [number, number]> {
  static override readonly name: string = "Conv2d";

  protected override rank(): number {
    return 2;
  }

  protected override convolve(x: MLXArray, options: ConvolutionOptions): MLXArray {
    return conv2d(x, this.weight, options);
  }
}

/**
 * A convolution of volumes: [batch, depth, height, width, inputChannels] → the same axes, with counts as in `Conv1d`.
 * Parameters begin as there.
 *
 * @throws {ArgumentError} if `inputChannels` or `outputChannels` is no multiple of the groups
 * @example
 * new nn.Conv3d(1, 4, [1, 3, 3])(zeros([2, 5, 8, 8, 1])).shape; // [2, 5, 6, 6, 4]
 */
export class Conv3d extends Convolution<readonly [number, number, number]> {
  static override readonly name: string = "Conv3d";

  protected override rank(): number {
    return 3;
  }

  protected override convolve(x: MLXArray, options: ConvolutionOptions): MLXArray {
    return conv3d(x, this.weight, options);
  }
}

/** The options of a transposed convolution layer. */
export interface TransposedConvolutionLayerOptions extends BiasOptions {
  /** How far apart neighbours of the input put the weights; 1 unless given. */
  readonly stride?: number | readonly number[];
  /** Positions cut off at both ends of each axis of the result; 0 unless given. */
  readonly padding?: number | readonly number[];
  /** Distance of neighbours within the weights; 1 unless given. */
  readonly dilation?: number | readonly number[];
  /** Positions added at the end of each axis of the result; 0 unless given. */
  readonly outputPadding?: number | readonly number[];
}

/** What transposed convolution layers share. */
abstract class TransposedConvolution<Sizes extends readonly number[]> extends Convolution<Sizes> {
  readonly outputPadding: number | readonly number[];

  constructor(
    inputChannels: number,
    outputChannels: number,
    kernelSize: number | Sizes,
    options: TransposedConvolutionLayerOptions = {},
  ) {
    const { outputPadding, ...others } = Object(options);
    super(inputChannels, outputChannels, kernelSize, others);
    const rank = this.rank();
    const rules = { ...placeRules(rank), bias: flag, outputPadding: perAxis(rank, count) };
    const isOwn = Object.getPrototypeOf(new.target) === TransposedConvolution;
    this.outputPadding = constructorOptions(this.layer(), isOwn, options, rules).outputPadding ?? 0;
  }

  protected override layer(): string {
    return `ConvTransposed${this.rank()}d`;
  }

  protected override convolve(x: MLXArray, options: ConvolutionOptions): MLXArray {
    return this.transposed(x, { ...options, outputPadding: this.outputPadding });
  }

  protected abstract transposed(x: MLXArray, options: TransposedConvolutionOptions): MLXArray;
}

/**
 * A transposed convolution along one axis: [batch, length, inputChannels] → [batch, longer, outputChannels], where longer is
 * `(length - 1) · stride - 2 · padding + dilation · (kernelSize - 1) + 1 + outputPadding`; see `convTransposed1d`. Parameters
 * begin as in `Conv1d`.
 *
 * @example
 * const layer = new nn.ConvTransposed1d(8, 1, 4, { stride: 2, padding: 1 });
 * layer(zeros([4, 50, 8])).shape; // [4, 100, 1]
 */
export class ConvTransposed1d extends TransposedConvolution<readonly [number]> {
  static override readonly name: string = "ConvTransposed1d";

  protected override rank(): number {
    return 1;
  }

  protected override transposed(x: MLXArray, options: TransposedConvolutionOptions): MLXArray {
    return convTransposed1d(x, this.weight, options);
  }
}

/**
 * A transposed convolution of images: [batch, height, width, inputChannels] → the same axes, with lengths as in
 * `ConvTransposed1d`.
 *
 * @example
 * const layer = new nn.ConvTransposed2d(16, 3, 4, { stride: 2, padding: 1 });
 * layer(zeros([1, 16, 16, 16])).shape; // [1, 32, 32, 3]
 * layer.weight.shape; // [3, 4, 4, 16]
 */
export class ConvTransposed2d extends TransposedConvolution<readonly [number, number]> {
  static override readonly name: string = "ConvTransposed2d";

  protected override rank(): number {
    return 2;
  }

  protected override transposed(x: MLXArray, options: TransposedConvolutionOptions): MLXArray {
    return convTransposed2d(x, this.weight, options);
  }
}

/**
 * A transposed convolution of volumes: [batch, depth, height, width, inputChannels] → the same axes, with lengths as in
 * `ConvTransposed1d`.
 *
 * @example
 * new nn.ConvTransposed3d(8, 1, 2, { stride: 2 })(zeros([1, 4, 4, 4, 8])).shape; // [1, 8, 8, 8, 1]
 */
export class ConvTransposed3d extends TransposedConvolution<readonly [number, number, number]> {
  static override readonly name: string = "ConvTransposed3d";

  protected override rank(): number {
    return 3;
  }

  protected override transposed(x: MLXArray, options: TransposedConvolutionOptions): MLXArray {
    return convTransposed3d(x, this.weight, options);
  }
}
