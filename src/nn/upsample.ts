/** Resampling of places: nearest, linear and cubic, along one spatial axis after the other. */
import { fromTypedArray } from "../array/from-data.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { constructorOptions, flag, oneOf, perAxis, positive, requireValues } from "../base/rules.ts";
import { formatShape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { requireArray } from "../graph/require-array.ts";
import { add, multiply } from "../primitives/arithmetic.ts";
import { take } from "../primitives/gather.ts";
import { Module } from "./module.ts";

/** How values between places are found. */
export type UpsampleMode = "nearest" | "linear" | "cubic";

/** The options of `Upsample`. */
export interface UpsampleOptions {
  /** "nearest" unless given. */
  readonly mode?: UpsampleMode | undefined;
  /** Whether the first and the last places lie at the same points before and after; false unless given: the edges do. */
  readonly alignCorners?: boolean | undefined;
  /** Whether to smooth when scaling down; for linear and cubic without `alignCorners`. False unless given. */
  readonly antialias?: boolean | undefined;
}

/** One of the places that each result is summed from, with its weight. */
interface Tap {
  readonly places: Int32Array;
  /** Null: 1 for all. */
  readonly weights: Float32Array | null;
}

/**
 * [batch, places…, channels] with `⌊scaleFactor · length⌋` places along every spatial axis. Where that rounds, linear and cubic
 * lay the places about the same middle, as MLX does (PyTorch from the same beginning). Those two compute in float32, and give it
 * for half floats; nearest keeps the dtype.
 *
 * @throws {ArgumentError} for an unknown mode, or options that do not go together
 * @example
 * const x = reshape(array([1, 2]), [1, 2, 1]);
 * await new nn.Upsample(2)(x).flatten().tolist(); // [1, 1, 2, 2]
 * await new nn.Upsample(2, { mode: "linear" })(x).flatten().tolist(); // [1, 1.25, 1.75, 2]
 */
export class Upsample extends Module {
  static override readonly name: string = "Upsample";

  readonly scaleFactor: number | readonly number[];
  readonly mode: UpsampleMode;
  readonly alignCorners: boolean;
  readonly antialias: boolean;

  constructor(scaleFactor: number | readonly number[], options: UpsampleOptions = {}) {
    super();
    const rules = { mode: oneOf("nearest", "linear", "cubic"), alignCorners: flag, antialias: flag };
    const own = constructorOptions("Upsample", new.target === Upsample, options, rules);
    const { mode = "nearest", alignCorners = false, antialias = false } = own;
    requireValues("Upsample", perAxis(null, positive), { scaleFactor });
    if (antialias && (mode === "nearest" || alignCorners)) {
      throw new ArgumentError("Upsample", "antialias is for linear and cubic without alignCorners");
    }
    this.scaleFactor = scaleFactor;
    this.mode = mode;
    this.alignCorners = alignCorners;
    this.antialias = antialias;
  }

  forward(x: MLXArray): MLXArray {
    requireArray("Upsample", x);
    const rank = x.ndim - 2;
    const { scaleFactor } = this;
    const factors =
      typeof scaleFactor === "number" ? new Array<number>(Math.max(rank, 0)).fill(scaleFactor) : scaleFactor;
    if (factors.length !== rank || rank < 1) {
      throw new ShapeError(
        "Upsample",
        `needs [batch, places…, channels] with a factor for each axis of places, got ${formatShape(x.shape)} and ${factors.length}`,
      );
    }
    return factors.reduce((y, factor, k) => resampled(y, k + 1, this.#taps(y.shape[k + 1] ?? 0, factor)), x);
  }

  #taps(length: number, factor: number): readonly Tap[] {
    if (this.mode === "nearest") return nearestTaps(length, factor);
    const points = pointsOf(length, factor, this.alignCorners);
    if (this.antialias) return smoothTaps(points, length, factor, this.mode);
    return this.mode === "linear" ? linearTaps(points, length) : cubicTaps(points, length);
  }

  override describeExtra(): string {
    return `${this.scaleFactor}, ${this.mode}`;
  }
}

function resampled(x: MLXArray, axis: number, taps: readonly Tap[]): MLXArray {
  const parts = taps.map(({ places, weights }) => {
    const values = take(x, fromTypedArray(places), axis);
    if (weights === null) return values;
    const shape = x.shape.slice(axis).map((_, k) => (k === 0 ? weights.length : 1));
    return multiply(values, fromTypedArray(weights, shape));
  });
  return parts.reduce((sum, part) => add(sum, part));
}

/** Where each result lies, counted in places. In float32, as in MLX: which place is nearest may depend on it. */
function pointsOf(length: number, factor: number, alignCorners: boolean): Float32Array {
  const count = Math.trunc(factor * length);
  if (alignCorners) return Float32Array.from({ length: count }, (_, i) => i * ((length - 1) / Math.max(count - 1, 1)));
  const step = 1 / factor;
  const start = ((count - 1) * step - length + 1) / 2;
  return Float32Array.from({ length: count }, (_, i) => Math.fround(i * Math.fround(step)) - Math.fround(start));
}

function nearestTaps(length: number, factor: number): readonly Tap[] {
  const count = Math.trunc(factor * length);
  const step = Math.fround(length / count);
  const isGrowing = count > length;
  const places = Int32Array.from({ length: count }, (_, i) => {
    if (!isGrowing) return Math.trunc(Math.fround(i * step));
    return roundHalfEven(Math.fround(Math.fround((i + 0.5) * step) - 0.5));
  });
  return [{ places: within(places, length), weights: null }];
}

function roundHalfEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

function linearTaps(points: Float32Array, length: number): readonly Tap[] {
  const inside = points.map((point) => Math.min(Math.max(point, 0), length - 1));
  const weights = inside.map((point) => point - Math.floor(point));
  return [
    { places: Int32Array.from(inside, Math.floor), weights: weights.map((weight) => 1 - weight) },
    { places: Int32Array.from(inside, Math.ceil), weights },
  ];
}

function cubicTaps(points: Float32Array, length: number): readonly Tap[] {
  return [-1, 0, 1, 2].map((offset) => {
    const places = Int32Array.from(points, (point) => Math.floor(point) + offset);
    const weights = points.map((point, i) => cubic(Math.abs(point - (places[i] ?? 0)), -0.75));
    return { places: within(places, length), weights };
  });
}

/** Taps of a filter that widens as the places become fewer; weights of those within the array sum to 1. */
function smoothTaps(points: Float32Array, length: number, factor: number, mode: "linear" | "cubic"): readonly Tap[] {
  const width = factor < 1 ? 1 / factor : 1;
  const reach = Math.ceil((mode === "linear" ? 1 : 2) * width) + 1;
  const taps = Array.from({ length: 2 * reach - 1 }, (_, k) => {
    const places = Int32Array.from(points, (point) => Math.floor(point) + k + 1 - reach);
    const weights = points.map((point, i) => {
      const place = places[i] ?? 0;
      const distance = Math.abs(point - place) / width;
      if (place < 0 || place >= length) return 0;
      return mode === "linear" ? Math.max(1 - distance, 0) : cubic(distance, -0.5);
    });
    return { places: within(places, length), weights };
  });
  const sums = points.map((_, i) => taps.reduce((sum, { weights }) => sum + (weights[i] ?? 0), 0));
  return taps.map(({ places, weights }) => ({
    places,
    weights: weights.map((weight, i) => weight / ((sums[i] ?? 0) > 0 ? (sums[i] ?? 1) : 1)),
  }));
}

/** The convolution kernel of cubic interpolation at a distance. Source: Keys 1981. */
function cubic(x: number, a: number): number {
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x <= 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function within(places: Int32Array, length: number): Int32Array {
  return places.map((place) => Math.min(Math.max(place, 0), length - 1));
}
