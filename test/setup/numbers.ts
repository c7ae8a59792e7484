/** Elements for tests that compare results. */
import * as mx from "mlx-ts";

/** Numbers between -1 and 1, the same ones for the same seed on every backend. */
export function numbers(shape: readonly number[], seed: number): mx.MLXArray {
  const size = shape.reduce((product, length) => product * length, 1);
  const data = Float32Array.from({ length: size }, (_, k) => Math.sin(k * k * 0.37 + k + seed));
  return mx.fromTypedArray(data, shape);
}
