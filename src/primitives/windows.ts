/** Window functions of signal processing: float32 vectors. */
import { ArgumentError } from "../base/errors.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { abs, add, multiply, subtract } from "./arithmetic.ts";
import { ones } from "./creation.ts";
import { iota } from "./generate.ts";
import { cos } from "./trigonometry.ts";

/** A window of `length` from the angle of each place, which runs from -π to π. */
function window(operation: string, length: number, shape: (angle: MLXArray) => MLXArray): MLXArray {
  if (!Number.isInteger(length)) throw new ArgumentError(operation, `the length is a whole number, got ${length}`);
  if (length <= 1) return ones([Math.max(length, 0)]);
  const fromCenter = subtract(multiply(iota([length], 0, "float32"), 2), length - 1);
  return shape(multiply(fromCenter, Math.PI / (length - 1)));
}

/**
 * The Hann window of `length` places: `0.5 - 0.5 · cos(2πn / (length - 1))`.
 *
 * @example
 * await hanning(5).tolist(); // ≈ [0, 0.5, 1, 0.5, 0]
 */
export function hanning(length: number): MLXArray {
  return window("hanning", length, (angle) => add(multiply(cos(angle), 0.5), 0.5));
}

/** The Hamming window of `length` places: `0.54 - 0.46 · cos(2πn / (length - 1))`. */
export function hamming(length: number): MLXArray {
  return window("hamming", length, (angle) => add(multiply(cos(angle), 0.46), 0.54));
}

/** The Bartlett (triangular) window of `length` places: `1 - |2n / (length - 1) - 1|`. */
export function bartlett(length: number): MLXArray {
  return window("bartlett", length, (angle) => subtract(1, multiply(abs(angle), 1 / Math.PI)));
}

/** The Blackman window of `length` places: `0.42 - 0.5 · cos(2πn / (length - 1)) + 0.08 · cos(4πn / (length - 1))`. */
export function blackman(length: number): MLXArray {
  return window("blackman", length, (angle) =>
    add(add(multiply(cos(angle), 0.5), multiply(cos(multiply(angle, 2)), 0.08)), 0.42),
  );
}
