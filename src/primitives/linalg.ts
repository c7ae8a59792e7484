/** Linear algebra: systems, factors, determinants, products of vectors. Decompositions are computed on the CPU. */
import { promote, requireFloating } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { flag, requireValues } from "../base/rules.ts";
import { broadcastShapes, formatShape, normalizeAxis } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed, withOptions } from "../graph/placement.ts";
import { requireArray, requireArrays } from "../graph/require-array.ts";
import { multiply, negative, subtract } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { matmul } from "./contraction.ts";
import { detRow, logDetRow, signOfDet } from "./determinants.ts";
import { tril, triu } from "./diagonals.ts";
import { filledLike } from "./elementwise.ts";
import { only } from "./families.ts";
import { joinAlong } from "./joining.ts";
import type { LuParts } from "./linear-systems.ts";
import { choleskyRow, luParts, luRow, solveRow, triangularRow, unitLike, withOnes } from "./linear-systems.ts";
import { applyOnCpu, asMatrices, asSquareMatrices, batchOf, computedDtype, mirrored, turned } from "./matrices.ts";
import { promoted } from "./operands.ts";
import { expandDims, squeeze } from "./shaping.ts";
import { sliceAxis } from "./slicing.ts";
import { broadcastTo, moveAxis } from "./views.ts";

/** The options of functions that read or give one triangle of a matrix. */
export interface TriangleOptions extends OperationOptions {
  /** The upper triangle instead of the lower one; false unless given. */
  readonly upper?: boolean | undefined;
}

/** What `body` makes of which triangle the options name. */
function withTriangle<T>(operation: string, options: TriangleOptions, body: (isUpper: boolean) => T): T {
  return withOptions(operation, options, ["upper", "device"], () => {
    const { upper = false } = options;
    requireValues(operation, flag, { upper });
    return body(upper);
  });
}

/**
 * The cross product of vectors of 3 elements along `axis`; where there are 2, the third is 0. Other axes are broadcast.
 *
 * @param a [..., 3] or [..., 2], if `axis` is the last one
 * @param b likewise
 * @returns [..., 3], of the promoted dtype
 * @throws {ShapeError} if a vector has another length, or shapes cannot be broadcast
 * @example
 * await linalg.cross(array([1, 0, 0]), array([0, 1, 0])).tolist(); // [0, 0, 1]
 */
export function cross(a: MLXArray, b: MLXArray, axis = -1, options?: OperationOptions): MLXArray {
  if (options) return placed("cross", options, () => cross(a, b, axis));
  requireArrays("cross", [a, b]);
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

/**
 * The X for which `a` · X = `b`, by LU factors with partial pivoting. NaN where a matrix is singular; the others of a batch are
 * not concerned. Differentiable (Giles 2008, section 2.3.1).
 *
 * @param a [..., n, n]
 * @param b [n], or [..., n, columns]; axes before the last two are broadcast
 * @returns [..., n] for a vector, or [..., n, columns]; of the promoted dtype, float16 and bfloat16 computed in float32
 * @throws {ShapeError} if `a` is not square or `b` does not fit
 * @throws {DtypeError} if one is no floating-point array
 * @throws {DeviceError} on the GPU; pass `{ device: "cpu" }`
 * @example
 * await linalg.solve(array([[2, 0], [1, 4]]), array([2, 9])).tolist(); // [1, 2]
 */
export function solve(a: MLXArray, b: MLXArray, options?: OperationOptions): MLXArray {
  if (options) return placed("solve", options, () => solve(a, b));
  return solved("solve", a, b, (matrix, right) =>
    applyOnCpu("solve", solveRow, [matrix, right], { isTransposed: false }),
  );
}

/** What `solveMatrices` makes of broadcast matrices, for a vector `b` as well. */
function solved(
  operation: string,
  a: MLXArray,
  b: MLXArray,
  solveMatrices: (a: MLXArray, b: MLXArray) => MLXArray,
): MLXArray {
  const matrix = asSquareMatrices(operation, a);
  requireArray(operation, b);
  requireFloating(operation, b.dtype);
  const right = b.ndim === 1 ? expandDims(b, -1) : b;
  if (right.shape.at(-2) !== a.shape.at(-1)) {
    const [left, other] = [formatShape(a.shape), formatShape(b.shape)];
    throw new ShapeError(operation, `${left} has ${a.shape.at(-1)} columns, which the rows of ${other} do not match`);
  }
  const dtype = promote(a.dtype, b.dtype);
  const batch = broadcastShapes(operation, batchOf(a), batchOf(right));
  const spread = (x: MLXArray): MLXArray =>
    broadcastTo(castTo(x, computedDtype(dtype)), [...batch, ...x.shape.slice(-2)]);
  const x = castTo(solveMatrices(spread(matrix), spread(right)), dtype);
  return b.ndim === 1 ? squeeze(x, -1) : x;
}

/**
 * The X for which T · X = `b`, where T is the lower (or upper) triangle of `a`; the other is not read. NaN where the diagonal
 * has a 0. Differentiable (Giles 2008, section 2.3.1).
 *
 * @param a [..., n, n]
 * @param b [n], or [..., n, columns]; axes before the last two are broadcast
 * @returns [..., n] for a vector, or [..., n, columns]; of the promoted dtype, float16 and bfloat16 computed in float32
 * @throws {ShapeError} if `a` is not square or `b` does not fit
 * @throws {DtypeError} if one is no floating-point array
 * @throws {DeviceError} on the GPU; pass `{ device: "cpu" }`
 * @example
 * await linalg.solveTriangular(array([[2, 0], [1, 4]]), array([2, 9])).tolist(); // [1, 2]
 * await linalg.solveTriangular(array([[1, 1], [0, 2]]), array([3, 4]), { upper: true }).tolist(); // [1, 2]
 */
export function solveTriangular(a: MLXArray, b: MLXArray, options: TriangleOptions = {}): MLXArray {
  return withTriangle("solveTriangular", options, (isUpper) =>
    solved("solveTriangular", a, b, (matrix, right) =>
      applyOnCpu("solveTriangular", triangularRow, [matrix, right], { isUpper, isTransposed: false }),
    ),
  );
}

/**
 * The inverse of each matrix; NaN where it is singular. To multiply by an inverse, `solve` is faster and more accurate.
 * Differentiable (Giles 2008, section 2.2.2).
 *
 * @param a [..., n, n]
 * @returns [..., n, n], dtype of `a`, float16 and bfloat16 computed in float32
 * @throws {ShapeError} if `a` is not square
 * @throws {DtypeError} if it is no floating-point array
 * @throws {DeviceError} on the GPU; pass `{ device: "cpu" }`
 * @example
 * await linalg.inv(array([[2, 0], [0, 4]])).tolist(); // [[0.5, 0], [0, 0.25]]
 */
export function inv(a: MLXArray, options?: OperationOptions): MLXArray {
  if (options) return placed("inv", options, () => inv(a));
  const matrix = asSquareMatrices("inv", a);
  return castTo(applyOnCpu("inv", solveRow, [matrix, unitLike(matrix)], { isTransposed: false }), a.dtype);
}

/**
 * The inverse of the lower (or upper) triangle of each matrix, whose other triangle is not read; NaN where the diagonal has a 0.
 * Differentiable.
 *
 * @param a [..., n, n]
 * @returns [..., n, n], dtype of `a`, float16 and bfloat16 computed in float32
 * @throws {ShapeError} if `a` is not square
 * @throws {DtypeError} if it is no floating-point array
 * @throws {DeviceError} on the GPU; pass `{ device: "cpu" }`
 * @example
 * await linalg.triInv(array([[2, 0], [1, 4]])).tolist(); // [[0.5, 0], [-0.125, 0.25]]
 */
export function triInv(a: MLXArray, options: TriangleOptions = {}): MLXArray {
  return withTriangle("triInv", options, (isUpper) => castTo(triangleInverse("triInv", a, isUpper), a.dtype));
}

function triangleInverse(operation: string, a: MLXArray, isUpper: boolean): MLXArray {
  const matrix = asSquareMatrices(operation, a);
  return applyOnCpu(operation, triangularRow, [matrix, unitLike(matrix)], { isUpper, isTransposed: false });
}

/**
 * The lower L with L · Lᵀ = `a`, or the upper U with Uᵀ · U = `a`, of symmetric positive definite matrices; NaN where a matrix is
 * not positive definite. Of each, the lower (or upper) triangle is read alone. Differentiable: the gradient is symmetric (Murray 2016).
 *
 * @param a [..., n, n]
 * @returns [..., n, n], dtype of `a`, float16 and bfloat16 computed in float32
 * @throws {ShapeError} if `a` is not square
 * @throws {DtypeError} if it is no floating-point array
 * @throws {DeviceError} on the GPU; pass `{ device: "cpu" }`
 * @example
 * await linalg.cholesky(array([[4, 2], [2, 10]])).tolist(); // [[2, 0], [1, 3]]
 */
export function cholesky(a: MLXArray, options: TriangleOptions = {}): MLXArray {
  return withTriangle("cholesky", options, (isUpper) => {
    const matrix = mirrored(asSquareMatrices("cholesky", a), isUpper);
    const lower = castTo(applyOnCpu("cholesky", choleskyRow, [matrix], null), a.dtype);
    return isUpper ? turned(lower) : lower;
  });
}

/**
 * The inverse of a symmetric positive definite matrix from its Cholesky factor: (L · Lᵀ)⁻¹, or (Uᵀ · U)⁻¹ for the upper one.
 * The factor's other triangle is not read. Differentiable.
 *
 * @param factor [..., n, n], what `cholesky` gives
 * @returns [..., n, n], dtype of `factor`, float16 and bfloat16 computed in float32
 * @throws {ShapeError} if `factor` is not square
 * @throws {DtypeError} if it is no floating-point array
 * @throws {DeviceError} on the GPU; pass `{ device: "cpu" }`
 * @example
 * await linalg.choleskyInv(array([[2, 0], [0, 4]])).tolist(); // [[0.25, 0], [0, 0.0625]]
 */
export function choleskyInv(factor: MLXArray, options: TriangleOptions = {}): MLXArray {
  return withTriangle("choleskyInv", options, (isUpper) => {
    const inverse = triangleInverse("choleskyInv", factor, isUpper);
    const [left, right] = isUpper ? [inverse, turned(inverse)] : [turned(inverse), inverse];
    return castTo(matmul(left, right), factor.dtype);
  });
}

/**
 * LU factors with partial pivoting: `[rows, L, U]` with `a` = L[rows] · U, so that row i of `a` is row `rows[i]` of L · U.
 * L and U are differentiable (de Hoog, Anderssen & Lukas 2011), where all rows of a wide matrix, or columns of a tall one, are
 * independent.
 *
 * @param a [..., m, n]; k is the lesser of m and n
 * @returns [..., m] as uint32, [..., m, k] with ones on the diagonal, and [..., k, n]; dtype of `a`, float16 and bfloat16 computed in float32
 * @throws {ShapeError} if `a` has fewer than two axes
 * @throws {DtypeError} if it is no floating-point array
 * @throws {DeviceError} on the GPU; pass `{ device: "cpu" }`
 * @example
 * const [rows, lower, upper] = linalg.lu(array([[1, 2], [2, 8]]));
 * await rows.tolist(); // [1, 0]
 * await lower.tolist(); // [[1, 0], [0.5, 1]]
 * await upper.tolist(); // [[2, 8], [0, -2]]
 */
export function lu(a: MLXArray, options?: OperationOptions): [rows: MLXArray, lower: MLXArray, upper: MLXArray] {
  if (options) return placed("lu", options, () => lu(a));
  const { factors, places } = factorsOf("lu", a);
  const [rows = 0, columns = 0] = a.shape.slice(-2);
  const depth = Math.min(rows, columns);
  const lower = tril(sliceAxis(factors, a.ndim - 1, 0, depth), -1);
  return [places, castTo(withOnes(lower), a.dtype), castTo(triu(sliceAxis(factors, a.ndim - 2, 0, depth)), a.dtype)];
}

/**
 * LU factors as LAPACK packs them: `[factors, pivots]`, L below the diagonal and U from it on, and for each column in turn the
 * row that was exchanged with the one on the diagonal. The factors are differentiable as those of `lu` are.
 *
 * @param a [..., m, n]; k is the lesser of m and n
 * @returns [..., m, n], dtype of `a`, float16 and bfloat16 computed in float32, and [..., k] as uint32, counted from 0
 * @throws {ShapeError} if `a` has fewer than two axes
 * @throws {DtypeError} if it is no floating-point array
 * @throws {DeviceError} on the GPU; pass `{ device: "cpu" }`
 * @example
 * const [factors, pivots] = linalg.luFactor(array([[1, 2], [2, 8]]));
 * await factors.tolist(); // [[2, 8], [0.5, -2]]
 * await pivots.tolist(); // [1, 1]
 */
export function luFactor(a: MLXArray, options?: OperationOptions): [factors: MLXArray, pivots: MLXArray] {
  if (options) return placed("luFactor", options, () => luFactor(a));
  const { factors, pivots } = factorsOf("luFactor", a);
  return [castTo(factors, a.dtype), pivots];
}

function factorsOf(operation: string, a: MLXArray): LuParts {
  const matrix = asMatrices(operation, a);
  return luParts(applyOnCpu(operation, luRow, [matrix], null), a.shape);
}

/**
 * The determinant of each matrix; of an empty one 1. Differentiable, also where it is 0 (Jacobi's formula); the second derivative is
 * NaN there.
 *
 * @param a [..., n, n]
 * @returns [...], dtype of `a`, float16 and bfloat16 computed in float32
 * @throws {ShapeError} if `a` is not square
 * @throws {DtypeError} if it is no floating-point array
 * @throws {DeviceError} on the GPU; pass `{ device: "cpu" }`
 * @example
 * await linalg.det(array([[1, 2], [2, 8]])).item(); // 4
 */
export function det(a: MLXArray, options?: OperationOptions): MLXArray {
  if (options) return placed("det", options, () => det(a));
  return castTo(applyOnCpu("det", detRow, [asSquareMatrices("det", a)], null), a.dtype);
}

/**
 * The sign of the determinant of each matrix and the logarithm of its magnitude, which overflows later than `det`: `[sign, logarithm]`.
 * Of a singular matrix 0 and -Infinity. The logarithm is differentiable where it is finite (Giles 2008, section 2.2.3).
 *
 * @param a [..., n, n]
 * @returns [...] twice, dtype of `a`, float16 and bfloat16 computed in float32
 * @throws {ShapeError} if `a` is not square
 * @throws {DtypeError} if it is no floating-point array
 * @throws {DeviceError} on the GPU; pass `{ device: "cpu" }`
 * @example
 * const [sign, logarithm] = linalg.slogdet(array([[0, 2], [1, 0]]));
 * await sign.item(); // -1
 * await logarithm.item(); // ≈ 0.6931
 */
export function slogdet(a: MLXArray, options?: OperationOptions): [sign: MLXArray, logarithm: MLXArray] {
  if (options) return placed("slogdet", options, () => slogdet(a));
  const matrix = asSquareMatrices("slogdet", a);
  const logarithm = applyOnCpu("slogdet", logDetRow, [matrix], null);
  return [castTo(signOfDet(matrix), a.dtype), castTo(logarithm, a.dtype)];
}
