/** Layers that say where in a sequence something stands. */

import { fromTypedArray } from "../array/from-data.ts";
import type { Dtype } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import {
  anything,
  constructorOptions,
  count,
  finite,
  flag,
  optionsOf,
  positive,
  requireValues,
  size,
} from "../base/rules.ts";
import { formatShape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { requireArray } from "../graph/require-array.ts";
import { add, multiply, negative, subtract } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { arange, linspace } from "../primitives/creation.ts";
import { exp } from "../primitives/exponential.ts";
import { rope } from "../primitives/fast.ts";
import { concatenate } from "../primitives/joining.ts";
import { abs } from "../primitives/magnitude.ts";
import { expandDims } from "../primitives/shaping.ts";
import { cos, sin } from "../primitives/trigonometry.ts";
import { Module } from "./module.ts";

/** The options of `RoPE`. */
export interface RoPEOptions {
  /** Whether neighbouring features are rotated together, and not those half of `dims` apart; false unless given. */
  readonly traditional?: boolean | undefined;
  /** The base of the angular frequencies; 10000 unless given. */
  readonly base?: number | undefined;
  /** A factor of the positions; 1 unless given. */
  readonly scale?: number | undefined;
}

/**
 * Rotary position encoding of the first `dims` features as a module; see `fast.rope`.
 *
 * @throws {ArgumentError} if `dims` is odd
 * @example
 * const layer = new nn.RoPE(2);
 * await layer(array([[1, 0], [1, 0]])).tolist(); // ≈ [[1, 0], [0.5403023, 0.841471]]
 * await layer(array([[1, 0]]), 1).tolist(); // ≈ [[0.5403023, 0.841471]]
 */
export class RoPE extends Module {
  static override readonly name: string = "RoPE";

  readonly dims: number;
  readonly traditional: boolean;
  readonly base: number;
  readonly scale: number;

  constructor(dims: number, options: RoPEOptions = {}) {
    super();
    requireEven("RoPE", dims);
    const rules = { traditional: flag, base: positive, scale: finite };
    const own = constructorOptions("RoPE", new.target === RoPE, options, rules);
    const { traditional = false, base = 10000, scale = 1 } = own;
    this.dims = dims;
    this.traditional = traditional;
    this.base = base;
    this.scale = scale;
  }

  /** [..., rows, features], the first row being at position `offset`, → the same. */
  forward(x: MLXArray, offset: number | MLXArray = 0): MLXArray {
    const { traditional, base, scale } = this;
    return rope(x, this.dims, { traditional, base, scale, offset });
  }

  override describeExtra(): string {
    return `${this.dims}${this.traditional ? ", traditional" : ""}`;
  }
}

/** The options of `SinusoidalPositionalEncoding`. */
export interface SinusoidalOptions {
  /** The least frequency; 1e-4 unless given. */
  readonly minFreq?: number | undefined;
  /** The greatest frequency; 1 unless given. */
  readonly maxFreq?: number | undefined;
  /** A factor of the result; `√(2 / dims)` unless given. */
  readonly scale?: number | undefined;
  /** Whether the cosines come before the sines; false unless given. */
  readonly cosFirst?: boolean | undefined;
  /** Whether frequencies count full turns, not radians; false unless given. */
  readonly fullTurns?: boolean | undefined;
}

/**
 * Positions as sines and cosines of geometrically spaced frequencies. Source: Vaswani et al. 2017, section 3.5.
 *
 * @throws {ArgumentError} if `dims` is odd
 * @example
 * const encode = new nn.SinusoidalPositionalEncoding(4);
 * await encode(array([0, 1])).tolist();
 * // ≈ [[0, 0, 0.707107, 0.707107], [0.59501, 0.0000707107, 0.38205, 0.707107]]
 */
export class SinusoidalPositionalEncoding extends Module {
  static override readonly name: string = "SinusoidalPositionalEncoding";

  readonly _frequencies: MLXArray;
  readonly scale: number;
  readonly cosFirst: boolean;

  constructor(dims: number, options: SinusoidalOptions = {}) {
    super();
    requireEven("SinusoidalPositionalEncoding", dims);
    const rules = { minFreq: positive, maxFreq: positive, scale: finite, cosFirst: flag, fullTurns: flag };
    const isOwn = new.target === SinusoidalPositionalEncoding;
    const own = constructorOptions("SinusoidalPositionalEncoding", isOwn, options, rules);
    const { minFreq = 1e-4, maxFreq = 1, scale = Math.sqrt(2 / dims), cosFirst = false, fullTurns = false } = own;
    const exponents = linspace(Math.log(maxFreq), Math.log(minFreq), dims / 2);
    this._frequencies = fullTurns ? multiply(exp(exponents), 2 * Math.PI) : exp(exponents);
    this.scale = scale;
    this.cosFirst = cosFirst;
  }

  /** Positions [...] → [..., dims], float32, or float64 for positions of that. */
  forward(x: MLXArray): MLXArray {
    const angle = multiply(expandDims(x, -1), this._frequencies);
    const parts = this.cosFirst ? [cos(angle), sin(angle)] : [sin(angle), cos(angle)];
    return multiply(concatenate(parts, -1), this.scale);
  }
}

/**
 * Attention with linear biases: scores fall with the distance between query and key, by a slope of its own for each head. Source:
 * Press et al. 2022.
 *
 * @example
 * const biased = new nn.ALiBi()(zeros([1, 2, 3, 3]));
 * await biased.get(0, 0, 0).tolist(); // [0, -0.0625, -0.125]
 */
export class ALiBi extends Module {
  static override readonly name: string = "ALiBi";

  /**
   * @param scores [batch, heads, queries, keys]
   * @param offset the position of the first query
   * @param mask added, too
   * @throws {ShapeError} for scores of another rank
   */
  forward(scores: MLXArray, offset = 0, mask: MLXArray | null = null): MLXArray {
    requireArray("ALiBi", scores);
    const [, heads, queries, keys] = scores.shape;
    if (scores.ndim !== 4 || !heads || queries === undefined || keys === undefined) {
      throw new ShapeError("ALiBi", `needs scores [batch, heads, queries, keys], got ${formatShape(scores.shape)}`);
    }
    const bias = ALiBi.createAlibiMatrix(queries + offset, keys, heads, { offset, dtype: scores.dtype });
    return add(scores, mask ? add(bias, mask) : bias);
  }

  /** The biases, [1, heads, queries, keys]; `queries` counts from position 0, the result from `offset`. */
  static createAlibiMatrix(
    queries: number,
    keys: number,
    heads: number,
    options: { readonly offset?: number | undefined; readonly dtype?: Dtype | undefined } = {},
  ): MLXArray {
    requireValues("createAlibiMatrix", count, { queries, keys });
    const own = optionsOf("createAlibiMatrix", options, { offset: count, dtype: anything });
    const { offset = 0, dtype = "float32" } = own;
    const distance = abs(subtract(expandDims(arange(offset, queries), 1), expandDims(arange(0, keys), 0)));
    return castTo(multiply(expandDims(negative(distance), [0, 1]), ALiBi.createAlibiSlope(heads, dtype)), dtype);
  }

  /** The slope of each head, [heads, 1, 1]: a geometric sequence from `2^(-8 / heads)`, where `heads` is a power of 2. */
  static createAlibiSlope(heads: number, dtype: Dtype = "float32"): MLXArray {
    requireValues("createAlibiSlope", size, { heads });
    return castTo(fromTypedArray(Float32Array.from(slopesOf(heads)), [heads, 1, 1]), dtype);
  }
}

/** Throws unless features can be taken in pairs. @throws {ArgumentError} */
function requireEven(layer: string, dims: number): void {
  requireValues(layer, size, { dims });
  if (dims % 2 !== 0) throw new ArgumentError(layer, `dims is even, got ${dims}`);
}

/** Between two powers of 2 the sequence of the smaller is filled up with every other one of the larger. */
function slopesOf(heads: number): readonly number[] {
  const power = 2 ** Math.floor(Math.log2(heads));
  const own = Array.from({ length: power }, (_, k) => 2 ** ((-8 * (k + 1)) / power));
  if (power === heads) return own;
  const others = slopesOf(2 * power).filter((_, k) => k % 2 === 0);
  return [...own, ...others.slice(0, heads - power)];
}
