/** Keeping gradients within bounds. */
import { isFloating } from "../base/dtype.ts";
import { bound, requireValues } from "../base/rules.ts";
import { treeFlatten } from "../base/tree.ts";
import { treeMap } from "../base/tree-map.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { add, divide, multiply, square } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { isInf } from "../primitives/comparison.ts";
import { sqrt } from "../primitives/exponential.ts";
import { constant } from "../primitives/leaf.ts";
import { minimum } from "../primitives/magnitude.ts";
import { sum } from "../primitives/reductions.ts";
import { where } from "../primitives/selection.ts";
import { requireTree } from "./gradient-tree.ts";

/**
 * The gradients scaled down so that their common norm is at most `maxNorm`, and the norm that they had. Source: Pascanu et al.
 * 2013. Elements from about 1e-33 to 1e33 have a norm, though their squares do not fit float32.
 *
 * @param gradients a tree of arrays
 * @throws {ArgumentError} if `maxNorm` is negative, or there are no gradients
 * @example
 * const [clipped, norm] = optim.clipGradNorm({ w: array([3, 4]) }, 1);
 * await norm.item(); // 5
 * await clipped.w.tolist(); // ≈ [0.6, 0.8]
 */
export function clipGradNorm<G extends object>(gradients: G, maxNorm: number): [G, MLXArray];
export function clipGradNorm(gradients: object, maxNorm: number): [unknown, MLXArray] {
  requireValues("clipGradNorm", bound, { maxNorm });
  if (!(gradients instanceof MLXArray)) requireTree("clipGradNorm", gradients);
  const norm = commonNorm(gradients);
  const factor = minimum(divide(maxNorm, add(norm, 1e-6)), 1);
  const scaled = treeMap((leaf) => {
    if (!(leaf instanceof MLXArray)) return leaf;
    const product = multiply(leaf, factor);
    return isFloating(leaf.dtype) ? castTo(product, leaf.dtype) : product;
  }, gradients);
  return [scaled, norm];
}

/** What elements are multiplied and divided by before they are squared; exact, as is its way out of the root. */
const scale = 2 ** 48;

/**
 * The norm of all elements of a tree of arrays: float32 []. Squares of float32 overflow from 2⁶⁴ on and vanish below 2⁻⁶³, so that
 * elements scaled up are summed beside elements scaled down, in one pass; where the first sum overflows, the second lacks nothing.
 * Source: Blue 1978.
 */
export function commonNorm(tree: object): MLXArray {
  const arrays = treeFlatten(tree).flatMap(([, leaf]) => (leaf instanceof MLXArray ? [wide(leaf)] : []));
  const lengthBy = (factor: number): MLXArray =>
    sqrt(arrays.reduce((squares, x) => add(squares, sum(square(multiply(x, factor)))), constant(0, "float32")));
  const [up, down] = [lengthBy(scale), lengthBy(1 / scale)];
  return where(isInf(up), multiply(down, scale), divide(up, scale));
}

/** Squares of float16 overflow early, those of bfloat16 have three digits, and those of integers wrap around. */
function wide(x: MLXArray): MLXArray {
  return x.dtype === "float64" ? x : castTo(x, "float32");
}
