/** The cross product of vectors in other operations. */
import { ShapeError } from "../base/errors.ts";
import { formatShape, normalizeAxis } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { multiply, negative, subtract } from "./arithmetic.ts";
import { filledLike } from "./elementwise.ts";
import { only } from "./families.ts";
import { joinAlong } from "./joining.ts";
import { promoted } from "./operands.ts";
import { sliceAxis } from "./slicing.ts";
import { moveAxis } from "./views.ts";

/** The cross product of vectors of 2 or 3 elements along `axis`. @throws {ShapeError} for others */
export function crossOf(a: MLXArray, b: MLXArray, axis: number): MLXArray {
  const operands = [a, b].map((x) => {
    const place = normalizeAxis("cross", axis, x.ndim);
    const length = x.shape[place] ?? 0;
    if (length === 2 || length === 3) return moveAxis(x, place, -1);
    throw new ShapeError("cross", `needs 2 or 3 elements along axis ${axis}, got ${length} of ${formatShape(x.shape)}`);
  });
  const [x = [], y = []] = promoted("cross", operands).map(componentsOf);
  const minor = (i: number, j: number): MLXArray | null => {
    const [forwards, backwards] = [productOf(x[i], y[j]), productOf(x[j], y[i])];
    return forwards && backwards ? subtract(forwards, backwards) : (forwards ?? (backwards && negative(backwards)));
  };
  const last = only("cross", minor(0, 1));
  const result = [minor(1, 2), minor(2, 0), last].map((component) => component ?? filledLike(last, 0));
  return moveAxis(joinAlong(result, last.ndim - 1), -1, axis);
}

function componentsOf(x: MLXArray): MLXArray[] {
  return Array.from({ length: x.shape.at(-1) ?? 0 }, (_, k) => sliceAxis(x, x.ndim - 1, k, 1));
}

function productOf(x: MLXArray | undefined, y: MLXArray | undefined): MLXArray | null {
  return x && y ? multiply(x, y) : null;
}
