/** Layers that reduce windows of places. */
import { constructorOptions, count, perAxis, requireValues, size } from "../base/rules.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { max } from "../primitives/extrema.ts";
import { pad } from "../primitives/padding.ts";
import { mean } from "../primitives/statistics.ts";
import { slidingWindows } from "../primitives/windowing.ts";
import { Module } from "./module.ts";

/** A number for every axis of places, or one for each. */
export type PerPlaceAxis = number | readonly number[];

/** The options of a pooling layer. */
export interface PoolOptions {
  /** Steps between windows; the size of the window unless given. */
  readonly stride?: PerPlaceAxis;
  /** Places added at both ends; 0 unless given. */
  readonly padding?: PerPlaceAxis;
}

/**
 * What pooling layers share: [batch, places…, channels] → the same with fewer places.
 *
 * @throws {ArgumentError} for a size or stride that is not positive, or a negative padding
 */
abstract class Pool extends Module {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];

  constructor(kernelSize: PerPlaceAxis, options: PoolOptions = {}) {
    super();
    const rank = this.rank();
    const layer = `${this.kind()}${rank}d`;
    const sizes = perAxis(rank, size);
    requireValues(layer, sizes, { kernelSize });
    // Each layer extends one of two classes that extend this one.
    const isOwn = Object.getPrototypeOf(Object.getPrototypeOf(new.target)) === Pool;
    const own = constructorOptions(layer, isOwn, options, { stride: sizes, padding: perAxis(rank, count) });
    const { stride = kernelSize, padding = 0 } = own;
    const each = (value: PerPlaceAxis): readonly number[] =>
      typeof value === "number" ? new Array<number>(rank).fill(value) : value;
    this.kernelSize = each(kernelSize);
    this.stride = each(stride);
    this.padding = each(padding);
  }

  /** How many axes of places there are. */
  protected abstract rank(): number;

  /** What errors call the layer, without its rank: minifiers rename classes. */
  protected abstract kind(): string;

  /** The windows of `x`, [batch, counts…, sizes…, channels], and the axes of their places. */
  protected windows(x: MLXArray, fill: number): readonly [MLXArray, number[]] {
    const ends = [0, ...this.padding, 0].map((width): [number, number] => [width, width]);
    const isPadded = this.padding.some((width) => width > 0);
    const wide = isPadded ? pad(x, ends, { constantValues: fill }) : x;
    const axes = this.kernelSize.map((_, axis) => axis + 1 + this.rank());
    return [slidingWindows(wide, this.kernelSize, { stride: this.stride }), axes];
  }

  override describeExtra(): string {
    return `kernelSize=${this.kernelSize}, stride=${this.stride}, padding=${this.padding}`;
  }
}

abstract class MaxPool extends Pool {
  protected override kind(): string {
    return "MaxPool";
  }

  forward(x: MLXArray): MLXArray {
    const [windows, axes] = this.windows(x, Number.NEGATIVE_INFINITY);
    return max(windows, axes);
  }
}

abstract class AvgPool extends Pool {
  protected override kind(): string {
    return "AvgPool";
  }

  forward(x: MLXArray): MLXArray {
    const [windows, axes] = this.windows(x, 0);
    return mean(windows, axes);
  }
}

/**
 * The greatest value of each window of [batch, places, channels]; padding never wins.
 *
 * @example
 * await new nn.MaxPool1d(2)(reshape(array([1, 3, 2, 5]), [1, 4, 1])).flatten().tolist(); // [3, 5]
 */
export class MaxPool1d extends MaxPool {
  static override readonly name: string = "MaxPool1d";

  protected override rank(): number {
    return 1;
  }
}

/**
 * The greatest value of each window of [batch, height, width, channels]; padding never wins.
 *
 * @example
 * const image = reshape(arange(16), [1, 4, 4, 1]);
 * await new nn.MaxPool2d(2)(image).flatten().tolist(); // [5, 7, 13, 15]
 * new nn.MaxPool2d(3, { stride: 2, padding: 1 })(image).shape; // [1, 2, 2, 1]
 */
export class MaxPool2d extends MaxPool {
  static override readonly name: string = "MaxPool2d";

  protected override rank(): number {
    return 2;
  }
}

/**
 * The greatest value of each window of [batch, depth, height, width, channels]; padding never wins.
 *
 * @example
 * await new nn.MaxPool3d(2)(reshape(arange(8), [1, 2, 2, 2, 1])).flatten().tolist(); // [7]
 */
export class MaxPool3d extends MaxPool {
  static override readonly name: string = "MaxPool3d";

  protected override rank(): number {
    return 3;
  }
}

/**
 * The mean of each window of [batch, places, channels]; padding counts as 0.
 *
 * @example
 * const x = reshape(array([1, 3, 2, 5]), [1, 4, 1]);
 * await new nn.AvgPool1d(2)(x).flatten().tolist(); // [2, 3.5]
 * await new nn.AvgPool1d(2, { padding: 1 })(x).flatten().tolist(); // [0.5, 2.5, 2.5]
 */
export class AvgPool1d extends AvgPool {
  static override readonly name: string = "AvgPool1d";

  protected override rank(): number {
    return 1;
  }
}

/**
 * The mean of each window of [batch, height, width, channels]; padding counts as 0.
 *
 * @example
 * await new nn.AvgPool2d(2)(reshape(arange(16), [1, 4, 4, 1])).flatten().tolist(); // [2.5, 4.5, 10.5, 12.5]
 */
export class AvgPool2d extends AvgPool {
  static override readonly name: string = "AvgPool2d";

  protected override rank(): number {
    return 2;
  }
}

/**
 * The mean of each window of [batch, depth, height, width, channels]; padding counts as 0.
 *
 * @example
 * await new nn.AvgPool3d(2)(reshape(arange(8), [1, 2, 2, 2, 1])).flatten().tolist(); // [3.5]
 */
export class AvgPool3d extends AvgPool {
  static override readonly name: string = "AvgPool3d";

  protected override rank(): number {
    return 3;
  }
}
