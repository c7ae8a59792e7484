/** Window functions of signal processing: float32 vectors. */
import { ArgumentError } from "../base/errors.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed } from "../graph/placement.ts";
import { add, divide, multiply, subtract } from "./arithmetic.ts";
import { ones } from "./creation.ts";
import { iota } from "./generate.ts";
import { abs } from "./magnitude.ts";
import { cos } from "./trigonometry.ts";

/** A window of `length` places from twice their distances from the center, which run from -`span` to `span`. */
function window(operation: string, length: number, shape: (doubled: MLXArray, span: number) => MLXArray): MLXArray {
  if (!Number.isInteger(length)) throw new ArgumentError(operation, `the length is a whole number, got ${length}`);
  if (length <= 1) return ones([Math.max(length, 0)]);
  const span = length - 1;
  return shape(subtract(multiply(iota([length], 0, "float32"), 2), span), span);
}

/** `mean + first · cos(angle) + second · cos(2 · angle)`, the angle from -π to π. */
function cosines(operation: string, length: number, mean: number, first: number, second = 0): MLXArray {
  return window(operation, length, (doubled, span) => {
    const angle = multiply(doubled, Math.PI / span);
    const sum = add(multiply(cos(angle), first), mean);
    return second === 0 ? sum : add(sum, multiply(cos(multiply(angle, 2)), second));
  });
}

/**
 * The Hann window of `length` places: `0.5 - 0.5 · cos(2πn / (length - 1))`.
 *
 * @example
 * await hanning(5).tolist(); // ≈ [0, 0.5, 1, 0.5, 0]
 */
export function hanning(length: number, options?: OperationOptions): MLXArray {
  if (options) return placed("hanning", options, () => hanning(length));
  return cosines("hanning", length, 0.5, 0.5);
}

/**
 * The Hamming window of `length` places: `0.54 - 0.46 · cos(2πn / (length - 1))`.
 *
 * @example
 * await hamming(3).tolist(); // ≈ [0.08, 1, 0.08]
 */
export function hamming(length: number, options?: OperationOptions): MLXArray {
  if (options) return placed("hamming", options, () => hamming(length));
  return cosines("hamming", length, 0.54, 0.46);
}

/**
 * The Bartlett (triangular) window of `length` places: `1 - |2n / (length - 1) - 1|`.
 *
 * @example
 * await bartlett(5).tolist(); // [0, 0.5, 1, 0.5, 0]
 */
export function bartlett(length: number, options?: OperationOptions): MLXArray {
  if (options) return placed("bartlett", options, () => bartlett(length));
  return window("bartlett", length, (doubled, span) => divide(subtract(span, abs(doubled)), span));
}

/**
 * The Blackman window of `length` places: `0.42 - 0.5 · cos(2πn / (length - 1)) + 0.08 · cos(4πn / (length - 1))`.
 *
 * @example
 * await blackman(5).get(1).item(); // ≈ 0.34
 */
export function blackman(length: number, options?: OperationOptions): MLXArray {
  if (options) return placed("blackman", options, () => blackman(length));
  return cosines("blackman", length, 0.42, 0.5, 0.08);
}
