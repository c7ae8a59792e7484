/** Rows of orthogonal decompositions: QR, eigenvalues of symmetric matrices, singular values, pseudo-inverses. Batches stand in front. */
import type { Shape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { add, divide, multiply, negative, square, subtract } from "./arithmetic.ts";
import { equal, greater, notEqual } from "./comparison.ts";
import { matmul } from "./contraction.ts";
import { decompositions } from "./decompositions.ts";
import { diagonal, tril } from "./diagonals.ts";
import { only } from "./families.ts";
import { iota } from "./generate.ts";
import { triangularRow } from "./linear-systems.ts";
import { logicalAnd, logicalNot } from "./logical.ts";
import { matrixRow, packed, partOf, symmetric, turned } from "./matrices.ts";
import { sum } from "./reductions.ts";
import { where } from "./selection.ts";
import { expandDims } from "./shaping.ts";
import { sliceAxis } from "./slicing.ts";

/** Q [m, n] and R [n, n] of matrices [m, n], m ≥ n, one after the other. */
export const qrRow: Primitive<null> = /* @__PURE__ */ matrixRow<null>(
  "qr",
  (shape = []) => {
    const [m = 0, n = 0] = shape.slice(-2);
    return [...shape.slice(0, -2), m * n + n * n];
  },
  { kind: "routine", part: decompositions, run: (call) => decompositions.get().qrFactors(call) },
  {
    // Walter & Lehmann 2018, section 4.
    kind: "custom",
    jvp([tangent], [a], output) {
      const [q, r] = qrParts(output, only("qr", a).shape);
      const solved = dividedBy(only("qr", tangent), r, true);
      const along = matmul(turned(q), solved);
      const below = tril(along, -1);
      const turn = subtract(along, subtract(below, turned(below)));
      return packed([
        [subtract(solved, matmul(q, turn)), 2],
        [matmul(turn, r), 2],
      ]);
    },
    vjp(cotangent, [a], output) {
      const { shape } = only("qr", a);
      const [q, r] = qrParts(output, shape);
      const [gq, gr] = qrParts(cotangent, shape);
      const m = subtract(matmul(r, turned(gr)), matmul(turned(gq), q));
      const mirrored = add(tril(m), turned(tril(m, -1)));
      return [dividedBy(add(gq, matmul(q, mirrored)), r, false)];
    },
  },
);

/** `x` · R⁻ᵀ, or `x` · R⁻¹ if `isTransposed`. */
function dividedBy(x: MLXArray, r: MLXArray, isTransposed: boolean): MLXArray {
  return turned(apply(triangularRow, [r, turned(x)], { isUpper: true, isTransposed }));
}

/** What `qrRow` gives of matrices of `shape`. */
export function qrParts(whole: MLXArray, shape: Shape): readonly [q: MLXArray, r: MLXArray] {
  const [m = 0, n = 0] = shape.slice(-2);
  return [partOf(whole, 0, [m, n]), partOf(whole, m * n, [n, n])];
}

/** The eigenvalues of the symmetric part of square matrices, ascending, then the eigenvectors as columns. */
export const eighRow: Primitive<null> = /* @__PURE__ */ matrixRow<null>(
  "eigh",
  (shape = []) => {
    const [n = 0] = shape.slice(-1);
    return [...shape.slice(0, -2), n + n * n];
  },
  { kind: "routine", part: decompositions, run: (call) => decompositions.get().eigenvectors(call) },
  {
    // Giles 2008, section 3.1.
    kind: "custom",
    jvp([tangent], [a], output) {
      const [values, vectors] = eighParts(output, only("eigh", a).shape);
      const along = matmul(turned(vectors), matmul(symmetric(only("eigh", tangent)), vectors));
      return packed([
        [diagonalOf(along), 1],
        [matmul(vectors, overGaps(along, values)), 2],
      ]);
    },
    vjp(cotangent, [a], output) {
      const { shape } = only("eigh", a);
      const [values, vectors] = eighParts(output, shape);
      const [gValues, gVectors] = eighParts(cotangent, shape);
      const x = matmul(turned(vectors), gVectors);
      const within = overGaps(multiply(subtract(x, turned(x)), 0.5), values);
      return [matmul(matmul(vectors, withDiagonal(within, gValues)), turned(vectors))];
    },
  },
);

/** What `eighRow` gives of matrices of `shape`. */
export function eighParts(whole: MLXArray, shape: Shape): readonly [values: MLXArray, vectors: MLXArray] {
  const [n = 0] = shape.slice(-1);
  return [partOf(whole, 0, [n]), partOf(whole, n, [n, n])];
}

/** The eigenvalues of the symmetric part of square matrices, ascending. */
export const eigvalshRow: Primitive<null> = /* @__PURE__ */ matrixRow<null>(
  "eigvalsh",
  (shape = []) => shape.slice(0, -1),
  { kind: "routine", part: decompositions, run: (call) => decompositions.get().eigenvalues(call) },
  {
    kind: "custom",
    jvp([tangent], [a]) {
      const vectors = eigenvectorsOf(only("eigvalsh", a));
      return sum(multiply(vectors, matmul(symmetric(only("eigvalsh", tangent)), vectors)), -2);
    },
    vjp(cotangent, [a]) {
      const vectors = eigenvectorsOf(only("eigvalsh", a));
      return [matmul(columnsTimes(vectors, cotangent), turned(vectors))];
    },
  },
);

function eigenvectorsOf(a: MLXArray): MLXArray {
  return eighParts(apply(eighRow, [a], null), a.shape)[1];
}

/** U [m, n], the singular values [n] and Vᵀ [n, n] of matrices [m, n], m ≥ n, one after the other. */
export const svdRow: Primitive<null> = /* @__PURE__ */ matrixRow<null>(
  "svd",
  (shape = []) => {
    const [m = 0, n = 0] = shape.slice(-2);
    return [...shape.slice(0, -2), m * n + n + n * n];
  },
  { kind: "routine", part: decompositions, run: (call) => decompositions.get().singularVectors(call) },
  {
    // Townsend 2016.
    kind: "custom",
    jvp([tangent], [a], output) {
      const [moved, { shape }] = [only("svd", tangent), only("svd", a)];
      const { u, s, vt } = svdParts(output, shape);
      const right = matmul(moved, turned(vt));
      const p = matmul(turned(u), right);
      const [ps, sp] = [columnsTimes(p, s), rowsTimes(p, s)];
      const squares = square(s);
      const across = isTall(shape) ? columnsOver(subtract(right, matmul(u, p)), s) : null;
      const within = matmul(u, overGaps(add(ps, turned(ps)), squares));
      const turn = overGaps(add(sp, turned(sp)), squares);
      return packed([
        [across ? add(within, across) : within, 2],
        [diagonalOf(p), 1],
        [matmul(turned(turn), vt), 2],
      ]);
    },
    vjp(cotangent, [a], output) {
      const { shape } = only("svd", a);
      const { u, s, vt } = svdParts(output, shape);
      const g = svdParts(cotangent, shape);
      const [x, y] = [matmul(turned(u), g.u), matmul(vt, turned(g.vt))];
      const squares = square(s);
      const left = columnsTimes(overGaps(subtract(x, turned(x)), squares), s);
      const right = rowsTimes(overGaps(subtract(y, turned(y)), squares), s);
      const within = matmul(u, withDiagonal(add(left, right), g.s));
      const across = isTall(shape) ? columnsOver(subtract(g.u, matmul(u, x)), s) : null;
      return [matmul(across ? add(within, across) : within, vt)];
    },
  },
);

function isTall(shape: Shape): boolean {
  const [m = 0, n = 0] = shape.slice(-2);
  return m > n;
}

/** What `svdRow` gives of matrices of `shape`. */
export function svdParts(
  whole: MLXArray,
  shape: Shape,
): { readonly u: MLXArray; readonly s: MLXArray; readonly vt: MLXArray } {
  const [m = 0, n = 0] = shape.slice(-2);
  return { u: partOf(whole, 0, [m, n]), s: partOf(whole, m * n, [n]), vt: partOf(whole, m * n + n, [n, n]) };
}

/** The singular values of matrices [m, n], m ≥ n, from the greatest to the least. */
export const singularValuesRow: Primitive<null> = /* @__PURE__ */ matrixRow<null>(
  "singularValues",
  (shape = []) => [...shape.slice(0, -2), ...shape.slice(-1)],
  { kind: "routine", part: decompositions, run: (call) => decompositions.get().singularValues(call) },
  {
    kind: "custom",
    jvp([tangent], [a]) {
      const { u, vt } = vectorsOf(only("singularValues", a));
      return sum(multiply(matmul(turned(u), only("singularValues", tangent)), vt), -1);
    },
    vjp(cotangent, [a]) {
      const { u, vt } = vectorsOf(only("singularValues", a));
      return [matmul(columnsTimes(u, cotangent), vt)];
    },
  },
);

function vectorsOf(a: MLXArray): { readonly u: MLXArray; readonly vt: MLXArray } {
  return svdParts(apply(svdRow, [a], null), a.shape);
}

/** An orthonormal basis [m, m - n] of what is orthogonal to orthonormal columns [m, n]. */
export const complementRow: Primitive<null> = /* @__PURE__ */ matrixRow<null>(
  "svd",
  (shape = []) => {
    const [m = 0, n = 0] = shape.slice(-2);
    return [...shape.slice(0, -2), m, m - n];
  },
  { kind: "routine", part: decompositions, run: (call) => decompositions.get().complements(call) },
  {
    kind: "none",
    because: "vectors that belong to no singular value can be any basis of their space; pass { fullMatrices: false }",
  },
);

/** What the pseudo-inverse takes for 0. */
export interface PseudoInverseParams {
  /** Relative to the greatest singular value. */
  readonly limit: number;
}

/** The pseudo-inverse [n, m] of matrices [m, n], m ≥ n. */
export const pinvRow: Primitive<PseudoInverseParams> = /* @__PURE__ */ matrixRow<PseudoInverseParams>(
  "pinv",
  (shape = []) => [...shape.slice(0, -2), ...shape.slice(-2).reverse()],
  {
    kind: "composite",
    define([x], { limit }) {
      const a = only("pinv", x);
      const { u, s, vt } = svdParts(apply(svdRow, [a], null), a.shape);
      const first = sliceAxis(s, s.ndim - 1, 0, Math.min(1, s.shape.at(-1) ?? 0));
      const isKept = greater(s, multiply(first, limit));
      const inverse = where(isKept, divide(1, where(isKept, s, 1)), multiply(s, 0));
      return matmul(turned(vt), turned(columnsTimes(u, inverse)));
    },
  },
  {
    // Golub & Pereyra 1973, theorem 4.3, where the rank does not change.
    kind: "custom",
    jvp([tangent], [x], p) {
      const [moved, a] = [only("pinv", tangent), only("pinv", x)];
      const back = turned(moved);
      const first = matmul(matmul(p, turned(p)), back);
      const second = matmul(matmul(back, turned(p)), p);
      const inner = negative(matmul(matmul(p, moved), p));
      return add(
        inner,
        add(subtract(first, matmul(matmul(first, a), p)), subtract(second, matmul(p, matmul(a, second)))),
      );
    },
    vjp(g, [x], p) {
      const [a, transposed] = [only("pinv", x), turned(p)];
      const first = matmul(matmul(turned(g), p), transposed);
      const second = matmul(matmul(transposed, p), turned(g));
      const inner = negative(matmul(matmul(transposed, g), transposed));
      const sides = add(subtract(first, matmul(a, matmul(p, first))), subtract(second, matmul(matmul(second, p), a)));
      return [add(inner, sides)];
    },
  },
);

/**
 * `x` divided by the distances of `values`, (i, j) by `values[j] - values[i]`, with 0 on the diagonal. Where two values are equal,
 * 0 stays 0: what does not depend on the choice of their vectors is right; NaN else.
 */
function overGaps(x: MLXArray, values: MLXArray): MLXArray {
  const gaps = subtract(expandDims(values, -2), expandDims(values, -1));
  const isEqual = equal(gaps, 0);
  const isOpen = logicalAnd(logicalAnd(isEqual, notEqual(x, 0)), logicalNot(isOnDiagonal(x)));
  return where(isOpen, Number.NaN, divide(where(isEqual, 0, x), where(isEqual, 1, gaps)));
}

/** Columns of `x` divided by `values`; where a value is 0, 0 stays 0, and all else is NaN. */
function columnsOver(x: MLXArray, values: MLXArray): MLXArray {
  const divisors = expandDims(values, -2);
  const isZero = equal(divisors, 0);
  const isOpen = logicalAnd(isZero, notEqual(x, 0));
  return where(isOpen, Number.NaN, divide(where(isZero, 0, x), where(isZero, 1, divisors)));
}

function columnsTimes(x: MLXArray, factors: MLXArray): MLXArray {
  return multiply(x, expandDims(factors, -2));
}

function rowsTimes(x: MLXArray, factors: MLXArray): MLXArray {
  return multiply(x, expandDims(factors, -1));
}

function diagonalOf(x: MLXArray): MLXArray {
  return diagonal(x, { axis1: -2, axis2: -1 });
}

/** Square `x` with `line` on its diagonal. */
function withDiagonal(x: MLXArray, line: MLXArray): MLXArray {
  return where(isOnDiagonal(x), expandDims(line, -1), x);
}

function isOnDiagonal(x: MLXArray): MLXArray {
  const shape = x.shape.slice(-2);
  return equal(iota(shape, 0, "int32"), iota(shape, 1, "int32"));
}
