/** Layers that say where in a sequence something stands. */
import { ArgumentError } from "../base/errors.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { multiply } from "../primitives/arithmetic.ts";
import { linspace } from "../primitives/creation.ts";
import { exp } from "../primitives/exponential.ts";
import { rope } from "../primitives/fast.ts";
import { concatenate } from "../primitives/joining.ts";
import { expandDims } from "../primitives/shaping.ts";
import { cos, sin } from "../primitives/trigonometry.ts";
import { Module } from "./module.ts";

/** The options of `RoPE`. */
export interface RoPEOptions {
  /** Whether neighbouring features are rotated together, and not those half the features apart. */
  readonly traditional?: boolean;
  /** The base of the angular frequencies; 10000 unless given. */
  readonly base?: number;
  /** A factor of the positions; 1 unless given. */
  readonly scale?: number;
}

/** Rotary position encoding of the first `dims` features as a module; see `fast.rope`. */
export class RoPE extends Module {
  readonly dims: number;
  readonly traditional: boolean;
  readonly base: number;
  readonly scale: number;

  constructor(dims: number, { traditional = false, base = 10000, scale = 1 }: RoPEOptions = {}) {
    super();
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
  readonly minFreq?: number;
  /** The greatest frequency; 1 unless given. */
  readonly maxFreq?: number;
  /** A factor of the result; `√(2 / dims)` unless given. */
  readonly scale?: number;
  /** Whether the cosines come before the sines. */
  readonly cosFirst?: boolean;
  /** Whether frequencies count full turns, not radians. */
  readonly fullTurns?: boolean;
}

/** Positions as sines and cosines of geometrically spaced frequencies. Source: Vaswani et al. 2017, section 3.5. */
export class SinusoidalPositionalEncoding extends Module {
  readonly _frequencies: MLXArray;
  readonly scale: number;
  readonly cosFirst: boolean;

  /** @throws {ArgumentError} if `dims` is odd */
  constructor(dims: number, options: SinusoidalOptions = {}) {
    super();
    const { minFreq = 1e-4, maxFreq = 1, cosFirst = false, fullTurns = false } = options;
    if (!(dims > 0) || dims % 2 !== 0) {
      throw new ArgumentError("SinusoidalPositionalEncoding", `dims is even and positive, got ${dims}`);
    }
    const exponents = linspace(Math.log(maxFreq), Math.log(minFreq), dims / 2);
    this._frequencies = fullTurns ? multiply(exp(exponents), 2 * Math.PI) : exp(exponents);
    this.scale = options.scale ?? Math.sqrt(2 / dims);
    this.cosFirst = cosFirst;
  }

  /** Positions [...] → [..., dims]. */
  forward(x: MLXArray): MLXArray {
    const angle = multiply(expandDims(x, -1), this._frequencies);
    const parts = this.cosFirst ? [cos(angle), sin(angle)] : [sin(angle), cos(angle)];
    return multiply(concatenate(parts, -1), this.scale);
  }
}
