/** Linear algebra: systems, factors, determinants, products of vectors. Decompositions are computed on the CPU. */
import { atLeastFloat } from "../base/dtype.ts";
import { flag, oneOf, requireValues } from "../base/rules.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed, withOptions } from "../graph/placement.ts";
import { apply } from "../graph/primitive.ts";
import { requireArray, requireArrays } from "../graph/require-array.ts";
import { castTo } from "./cast.ts";
import { matmul } from "./contraction.ts";
import { crossOf } from "./cross-product.ts";
import { detRow, logDetRow, signOfDet } from "./determinants.ts";
import { tril, triu } from "./diagonals.ts";
import { joinAlong } from "./joining.ts";
import type { LuParts } from "./linear-systems.ts";
import { choleskyRow, luParts, luRow, solved, solveRow, triangularRow, unitLike, withOnes } from "./linear-systems.ts";
import { applyOnCpu, asMatrices, asSquareMatrices, computedDtype, mirrored, turned } from "./matrices.ts";
import type { NormOrder } from "./matrix-norms.ts";
import { normOf, withAxes } from "./matrix-norms.ts";
import type { AxisOrOptions, ReduceOptions } from "./reductions.ts";
import { overAxes } from "./reductions.ts";
import { sliceAxis } from "./slicing.ts";
import {
  complementRow,
  eighParts,
  eighRow,
  eigvalshRow,
  pinvRow,
  qrParts,
  qrRow,
  singularValuesRow,
  svdParts,
  svdRow,
} from "./spectra.ts";

/** The options of functions that read or give one triangle of a matrix. */
export interface TriangleOptions extends OperationOptions {
  /** The upper triangle instead of the lower one; false unless given. */
  readonly upper?: boolean | undefined;
}

/** The options of functions of symmetric matrices. */
export interface SymmetricOptions extends OperationOptions {
  /** The triangle that is read, the lower one or the upper one; "L" unless given. */
  readonly uplo?: "L" | "U" | undefined;
}

/** The options of singular value decompositions. */
export interface SvdOptions extends OperationOptions {
  /** Whether to compute the vectors, too; true unless given. */
  readonly computeUv?: boolean | undefined;
  /** Whether U and V are square, filled up with vectors that belong to no singular value; true unless given. */
  readonly fullMatrices?: boolean | undefined;
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
  return crossOf(a, b, axis);
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

/**
 * QR factors: `[Q, R]` with `a` = Q · R, orthonormal columns in Q and 0 below the diagonal of R. Differentiable where the first
 * columns of `a` are independent (Walter & Lehmann 2018). NaN where an element is not finite.
 *
 * @param a [..., m, n]; k is the lesser of m and n
 * @returns [..., m, k] and [..., k, n], dtype of `a`, float16 and bfloat16 computed in float32
 * @throws {ShapeError} if `a` has fewer than two axes
 * @throws {DtypeError} if it is no floating-point array
 * @throws {DeviceError} on the GPU; pass `{ device: "cpu" }`
 * @example
 * const [q, r] = linalg.qr(array([[3, 5], [4, 10]]));
 * await q.tolist(); // ≈ [[-0.6, -0.8], [-0.8, 0.6]]
 * await r.tolist(); // ≈ [[-5, -11], [0, 2]]
 */
export function qr(a: MLXArray, options?: OperationOptions): [q: MLXArray, r: MLXArray] {
  if (options) return placed("qr", options, () => qr(a));
  const matrix = asMatrices("qr", a);
  const [m = 0, n = 0] = a.shape.slice(-2);
  const left = sliceAxis(matrix, a.ndim - 1, 0, Math.min(m, n));
  const [q, r] = qrParts(applyOnCpu("qr", qrRow, [left], null), left.shape);
  // What is wider goes along: its columns have no say in Q.
  const more = n > m ? [matmul(turned(q), sliceAxis(matrix, a.ndim - 1, m, n - m))] : [];
  return [castTo(q, a.dtype), castTo(joinAlong([r, ...more], a.ndim - 1), a.dtype)];
}

/**
 * Eigenvalues in ascending order and eigenvectors, as columns, of symmetric matrices: `[values, vectors]`. One triangle is read
 * alone. The first element of a vector that has 0.7 of its greatest magnitude is positive. Differentiable where eigenvalues differ
 * (Giles 2008, section 3.1), with a symmetric gradient; where some are equal, what depends
 * on the choice of their vectors has the gradient NaN. NaN where an element is not finite.
 *
 * @param a [..., n, n]
 * @returns [..., n] and [..., n, n], dtype of `a`, float16 and bfloat16 computed in float32
 * @throws {ShapeError} if `a` is not square
 * @throws {DtypeError} if it is no floating-point array
 * @throws {DeviceError} on the GPU; pass `{ device: "cpu" }`
 * @example
 * const [values, vectors] = linalg.eigh(array([[1, -2], [-2, 1]]));
 * await values.tolist(); // ≈ [-1, 3]
 * await vectors.tolist(); // ≈ [[0.7071, 0.7071], [0.7071, -0.7071]]
 */
export function eigh(a: MLXArray, options: SymmetricOptions = {}): [values: MLXArray, vectors: MLXArray] {
  return withSymmetric("eigh", a, options, (matrix) => {
    const [values, vectors] = eighParts(applyOnCpu("eigh", eighRow, [matrix], null), a.shape);
    return [castTo(values, a.dtype), castTo(vectors, a.dtype)];
  });
}

/**
 * The eigenvalues of symmetric matrices in ascending order. One triangle is read alone. Differentiable, with a symmetric gradient.
 * NaN where an element is not finite.
 *
 * @param a [..., n, n]
 * @returns [..., n], dtype of `a`, float16 and bfloat16 computed in float32
 * @throws {ShapeError} if `a` is not square
 * @throws {DtypeError} if it is no floating-point array
 * @throws {DeviceError} on the GPU; pass `{ device: "cpu" }`
 * @example
 * await linalg.eigvalsh(array([[1, -2], [-2, 1]])).tolist(); // ≈ [-1, 3]
 */
export function eigvalsh(a: MLXArray, options: SymmetricOptions = {}): MLXArray {
  return withSymmetric("eigvalsh", a, options, (matrix) =>
    castTo(applyOnCpu("eigvalsh", eigvalshRow, [matrix], null), a.dtype),
  );
}

function withSymmetric<T>(operation: string, a: MLXArray, options: SymmetricOptions, body: (matrix: MLXArray) => T): T {
  return withOptions(operation, options, ["uplo", "device"], () => {
    const { uplo = "L" } = options;
    requireValues(operation, oneOf("L", "U"), { uplo });
    return body(mirrored(asSquareMatrices(operation, a), uplo === "U"));
  });
}

/**
 * Singular value decompositions: `[U, S, Vᵀ]` with `a` = U · diag(S) · Vᵀ, orthonormal columns in U and V, and S from the greatest
 * to the least; S alone with `computeUv: false`. The first element of a row of Vᵀ that has 0.7 of its greatest magnitude is positive (of
 * a column of U where m < n). NaN where an element is not finite.
 *
 * Differentiable (Townsend 2016): S always, U and Vᵀ where singular values differ; what depends on the choice of vectors where some
 * are equal has the gradient NaN. Of the longer side, vectors that belong to no singular value have none: pass
 * `fullMatrices: false`.
 *
 * @param a [..., m, n]; k is the lesser of m and n
 * @returns [..., m, m], [..., k] and [..., n, n], or [..., m, k], [..., k] and [..., k, n] with `fullMatrices: false`; dtype of `a`,
 * float16 and bfloat16 computed in float32
 * @throws {ShapeError} if `a` has fewer than two axes
 * @throws {DtypeError} if it is no floating-point array
 * @throws {DeviceError} on the GPU; pass `{ device: "cpu" }`
 * @example
 * const a = array([[3, 0], [4, 5]]);
 * const [u, s, vt] = linalg.svd(a);
 * await s.square().tolist(); // ≈ [45, 5]
 * await u.mul(s).matmul(vt).tolist(); // ≈ [[3, 0], [4, 5]]
 * await linalg.svd(a, { computeUv: false }).square().tolist(); // ≈ [45, 5]
 */
export function svd(a: MLXArray, options: SvdOptions & { readonly computeUv: false }): MLXArray;
export function svd(
  a: MLXArray,
  options?: SvdOptions & { readonly computeUv?: true | undefined },
): [u: MLXArray, s: MLXArray, vt: MLXArray];
export function svd(a: MLXArray, options: SvdOptions = {}): MLXArray | [u: MLXArray, s: MLXArray, vt: MLXArray] {
  return withOptions("svd", options, ["computeUv", "fullMatrices", "device"], () => {
    const { computeUv = true, fullMatrices = true } = options;
    requireValues("svd", flag, { computeUv, fullMatrices });
    if (!computeUv) return singularValues("svd", a);
    const matrix = asMatrices("svd", a);
    const [m = 0, n = 0] = a.shape.slice(-2);
    const tall = m < n ? turned(matrix) : matrix;
    const { u, s, vt } = svdParts(applyOnCpu("svd", svdRow, [tall], null), tall.shape);
    const left = fullMatrices && m !== n ? joinAlong([u, apply(complementRow, [u], null)], a.ndim - 1) : u;
    const parts: [MLXArray, MLXArray, MLXArray] = m < n ? [turned(vt), s, turned(left)] : [left, s, vt];
    return [castTo(parts[0], a.dtype), castTo(parts[1], a.dtype), castTo(parts[2], a.dtype)];
  });
}

/** The singular values of matrices, in the dtype of `a`. */
function singularValues(operation: string, a: MLXArray): MLXArray {
  const matrix = asMatrices(operation, a);
  const [m = 0, n = 0] = a.shape.slice(-2);
  return castTo(applyOnCpu(operation, singularValuesRow, [m < n ? turned(matrix) : matrix], null), a.dtype);
}

/**
 * The Moore-Penrose pseudo-inverse of each matrix, by singular values: those below 10 · max(m, n) · ε of the greatest count as 0, with ε
 * of the dtype it is computed in. Differentiable where the rank does not change (Golub & Pereyra 1973). NaN where an element is not finite.
 *
 * @param a [..., m, n]
 * @returns [..., n, m], dtype of `a`, float16 and bfloat16 computed in float32
 * @throws {ShapeError} if `a` has fewer than two axes
 * @throws {DtypeError} if it is no floating-point array
 * @throws {DeviceError} on the GPU; pass `{ device: "cpu" }`
 * @example
 * await linalg.pinv(array([[2, 0], [0, 0], [0, 4]])).tolist(); // ≈ [[0.5, 0, 0], [0, 0, 0.25]]
 */
export function pinv(a: MLXArray, options?: OperationOptions): MLXArray {
  if (options) return placed("pinv", options, () => pinv(a));
  const matrix = asMatrices("pinv", a);
  const [m = 0, n = 0] = a.shape.slice(-2);
  const limit = 10 * Math.max(m, n) * (matrix.dtype === "float64" ? Number.EPSILON : 2 ** -23);
  const isWide = m < n;
  const inverse = applyOnCpu("pinv", pinvRow, [isWide ? turned(matrix) : matrix], { limit });
  return castTo(isWide ? turned(inverse) : inverse, a.dtype);
}

/**
 * Norms: of vectors along one axis, of matrices along two, the square root of the sum of all squares where neither an order nor axes
 * are given.
 *
 * | order | of vectors | of matrices |
 * |---|---|---|
 * | not given | √Σx² | √Σx² |
 * | `Infinity`, `-Infinity` | the greatest, least magnitude | the greatest, least sum of magnitudes of a row |
 * | 1, -1 | Σ\|x\|, (Σ\|x\|⁻¹)⁻¹ | the greatest, least sum of magnitudes of a column |
 * | 2, -2 | √Σx², (Σ\|x\|⁻²)^-½ | the greatest, least singular value |
 * | 0 | how many are not 0 | |
 * | another number p | (Σ\|x\|ᵖ)^(1/p) | |
 * | "fro", "nuc" | | √Σx², the sum of singular values |
 *
 * The gradient of a length is 0 where the length is. Norms by singular values are computed on the CPU.
 *
 * @param order or the options in its place
 * @param axis one or two axes, the first of two counting rows; all unless given
 * @returns `x` without these axes, or with length 1 there; float32 for integers and bool, float16 and bfloat16 computed in float32
 * @throws {ShapeError} if `x` lacks an axis, or there are more than two and an order
 * @throws {ArgumentError} for another order
 * @throws {DeviceError} for norms by singular values on the GPU; pass `{ device: "cpu" }`
 * @example
 * const x = array([[3, 4], [0, 0]]);
 * await linalg.norm(x).item(); // 5
 * await linalg.norm(x, 1, 1).tolist(); // [7, 0]
 * await linalg.norm(x, "nuc", [0, 1], { keepAxes: true }).tolist(); // ≈ [[5]]
 */
export function norm(
  x: MLXArray,
  order?: NormOrder | null | ReduceOptions,
  axis?: AxisOrOptions,
  options: ReduceOptions = {},
): MLXArray {
  if (order instanceof Object) return norm(x, undefined, undefined, order);
  return overAxes("norm", axis, options, (axes, { keepAxes: isKept = false }) => {
    requireArray("norm", x);
    requireValues("norm", flag, { keepAxes: isKept });
    const dtype = atLeastFloat(x.dtype);
    const result = normOf(castTo(x, computedDtype(dtype)), order ?? undefined, axes, (matrices) =>
      singularValues("norm", matrices),
    );
    return castTo(isKept ? withAxes(result, x, axes) : result, dtype);
  });
}
