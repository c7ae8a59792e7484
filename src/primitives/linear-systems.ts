/** Rows of linear systems: LU and Cholesky factors, systems with general and triangular matrices. Batches stand in front. */
import { promote, requireFloating } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { broadcastShapes, formatShape, sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { requireArray } from "../graph/require-array.ts";
import { add, multiply, negative, subtract } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { equal, greaterEqual } from "./comparison.ts";
import { matmul } from "./contraction.ts";
import { decompositions } from "./decompositions.ts";
import { tril, triu } from "./diagonals.ts";
import { filledLike, pair } from "./elementwise.ts";
import { only } from "./families.ts";
import { takeAlongAxis } from "./gather.ts";
import { iota } from "./generate.ts";
import { logicalAnd } from "./logical.ts";
import { asSquareMatrices, batchOf, computedDtype, matrixRow, packed, partOf, symmetric, turned } from "./matrices.ts";
import { where } from "./selection.ts";
import { expandDims, squeeze } from "./shaping.ts";
import { padded } from "./slicing.ts";
import { broadcastTo, moveAxis, reshape } from "./views.ts";

/** What a row of systems solves by. */
export interface SystemParams {
  /** By the transpose of the matrix. */
  readonly isTransposed: boolean;
}

/** What a row of triangular systems solves by. */
export interface TriangleParams extends SystemParams {
  /** By the upper triangle, and not the lower one. */
  readonly isUpper: boolean;
}

/** What `luRow` packs: L and U in one matrix, for each row of it where it was, for each row of the matrix where it went, exchanges. */
export interface LuParts {
  readonly factors: MLXArray;
  readonly order: MLXArray;
  readonly places: MLXArray;
  readonly pivots: MLXArray;
}

/** The factors of matrices of [rows, columns] with partial pivoting, in one array; see `LuParts`. */
export const luRow: Primitive<null> = /* @__PURE__ */ matrixRow<null>(
  "lu",
  (shape) => {
    const [rows = 0, columns = 0] = shape.slice(-2);
    return [...shape.slice(0, -2), rows * columns + 2 * rows + Math.min(rows, columns)];
  },
  { kind: "routine", part: decompositions, run: (call) => decompositions.get().luFactors(call) },
  {
    // De Hoog, Anderssen & Lukas 2011: with X = L⁻¹ P dA U⁻¹, dL = L · (X below the diagonal), dU = (the rest of X) · U.
    kind: "custom",
    jvp([tangent], [a], output) {
      const [moved, { shape }] = [only("lu", tangent), only("lu", a)];
      const { factors, order } = luParts(output, shape);
      const [lower, upper] = squareFactors(factors);
      const x = between(lower, upper, rowsAt(moved, order), false);
      const change = add(matmul(lower, tril(x, -1)), matmul(triu(x), upper));
      return packed([[change, 2], ...withoutTangent(output, shape)]);
    },
    vjp(cotangent, [a], output) {
      const { shape } = only("lu", a);
      const { factors, places } = luParts(output, shape);
      const [lower, upper] = squareFactors(factors);
      const given = luParts(cotangent, shape).factors;
      const x = add(tril(matmul(turned(lower), given), -1), triu(matmul(given, turned(upper))));
      return [rowsAt(between(lower, upper, x, true), places)];
    },
  },
);

/** What the array that `luRow` gives of matrices of `shape` holds. */
export function luParts(whole: MLXArray, shape: Shape): LuParts {
  const [rows = 0, columns = 0] = shape.slice(-2);
  const start = rows * columns;
  return {
    factors: partOf(whole, 0, [rows, columns]),
    order: castTo(partOf(whole, start, [rows]), "uint32"),
    places: castTo(partOf(whole, start + rows, [rows]), "uint32"),
    pivots: castTo(partOf(whole, start + 2 * rows, [Math.min(rows, columns)]), "uint32"),
  };
}

function withoutTangent(whole: MLXArray, shape: Shape): readonly (readonly [MLXArray, number])[] {
  const [rows = 0, columns = 0] = shape.slice(-2);
  const part = partOf(whole, rows * columns, [2 * rows + Math.min(rows, columns)]);
  return [[filledLike(part, 0), 1]];
}

/** L and U as square matrices: what the longer side has more is filled up with the unit matrix. */
function squareFactors(factors: MLXArray): readonly [lower: MLXArray, upper: MLXArray] {
  const [rows = 0, columns = 0] = factors.shape.slice(-2);
  const extended = (x: MLXArray, moreRows: number, moreColumns: number): MLXArray => {
    const none = batchOf(x).map(() => 0);
    return padded(x, [...none, 0, 0], [...none, moreRows, moreColumns]);
  };
  const lower = extended(tril(factors, -1), 0, rows - columns);
  const upper = extended(triu(factors), columns - rows, 0);
  return [withOnes(lower), withOnes(upper, Math.min(rows, columns))];
}

/** Matrices with ones on their diagonals from row `start` on. */
export function withOnes(x: MLXArray, start = 0): MLXArray {
  const shape = x.shape.slice(-2);
  const row = iota(shape, 0, "int32");
  const isOn = logicalAnd(equal(row, iota(shape, 1, "int32")), greaterEqual(row, start));
  return where(isOn, filledLike(x, 1), x);
}

/** `lower`⁻¹ · `x` · `upper`⁻¹, or the same with both transposed. */
function between(lower: MLXArray, upper: MLXArray, x: MLXArray, isTransposed: boolean): MLXArray {
  const left = apply(triangularRow, [lower, x], { isUpper: false, isTransposed });
  return turned(apply(triangularRow, [upper, turned(left)], { isUpper: true, isTransposed: !isTransposed }));
}

/** The rows of matrices at `positions`. */
export function rowsAt(x: MLXArray, positions: MLXArray): MLXArray {
  return takeAlongAxis(x, expandDims(positions, -1), -2);
}

/** T⁻¹ B of a triangle T of a matrix and B; the other triangle is not read. NaN where the diagonal has a 0. */
export const triangularRow: Primitive<TriangleParams> = /* @__PURE__ */ matrixRow<TriangleParams>(
  "solveTriangular",
  (_, b = []) => b,
  { kind: "routine", part: decompositions, run: (call) => decompositions.get().solveTriangles(call) },
  {
    kind: "custom",
    jvp([moved, change], [a], x, params) {
      const { isUpper, isTransposed } = params;
      const product = moved
        ? matmul(isTransposed ? turned(triangle(moved, isUpper)) : triangle(moved, isUpper), x)
        : null;
      const right = difference(change, product);
      return right && apply(triangularRow, [only("solveTriangular", a), right], params);
    },
    vjp(cotangent, [a], x, params) {
      const { isUpper, isTransposed } = params;
      const flipped = { isUpper, isTransposed: !isTransposed };
      const right = apply(triangularRow, [only("solveTriangular", a), cotangent], flipped);
      return [negative(triangle(outerOf(right, x, isTransposed), isUpper)), right];
    },
  },
  batchColumns,
);

/** Right sides of one matrix are columns of one system: its factors are found once. */
function batchColumns<P>(
  row: Primitive<P>,
  [a, b]: readonly MLXArray[],
  [axisOfMatrix = null, axis = null]: readonly (number | null)[],
  params: P,
): readonly [MLXArray, number] | null {
  if (!a || !b || axisOfMatrix !== null || axis === null) return null;
  const last = moveAxis(b, axis, -1);
  const [columns = 0, length = 0] = last.shape.slice(-2);
  const x = apply(row, [a, reshape(last, [...last.shape.slice(0, -2), columns * length])], params);
  return [reshape(x, last.shape), last.ndim - 1];
}

function triangle(x: MLXArray, isUpper: boolean): MLXArray {
  return isUpper ? triu(x) : tril(x);
}

/** `a` - `b`, where null is 0. */
function difference(a: MLXArray | null = null, b: MLXArray | null = null): MLXArray | null {
  return a && b ? subtract(a, b) : (a ?? (b && negative(b)));
}

/** `left` · `right`ᵀ, or its transpose. */
function outerOf(left: MLXArray, right: MLXArray, isTransposed: boolean): MLXArray {
  return isTransposed ? matmul(right, turned(left)) : matmul(left, turned(right));
}

/** A⁻¹ B of the packed factors of A and B. */
export const factoredRow: Primitive<SystemParams> = /* @__PURE__ */ matrixRow<SystemParams>(
  "solveByFactors",
  (_, b = []) => b,
  { kind: "routine", part: decompositions, run: (call) => decompositions.get().solveByFactors(call) },
  { kind: "none", because: "systems are differentiated with respect to their matrix" },
  batchColumns,
);

/** A⁻¹ B, or A⁻ᵀ B, of square A. Programs merge equal vertices, so that A has its factors once, also for the gradient. */
export const solveRow: Primitive<SystemParams> = /* @__PURE__ */ matrixRow<SystemParams>(
  "solve",
  (_, b = []) => b,
  {
    kind: "composite",
    define(inputs, params) {
      const [a, b] = pair("solve", inputs);
      return apply(factoredRow, [apply(luRow, [a], null), b], params);
    },
  },
  {
    // Giles 2008, section 2.3.1.
    kind: "custom",
    jvp([moved, change], [a], x, params) {
      const product = moved ? matmul(params.isTransposed ? turned(moved) : moved, x) : null;
      const right = difference(change, product);
      return right && apply(solveRow, [only("solve", a), right], params);
    },
    vjp(cotangent, [a], x, { isTransposed }) {
      const right = apply(solveRow, [only("solve", a), cotangent], { isTransposed: !isTransposed });
      return [negative(outerOf(right, x, isTransposed)), right];
    },
  },
  batchColumns,
);

/** The lower Cholesky factor of the symmetric part of each matrix; NaN where that is not positive definite. */
export const choleskyRow: Primitive<null> = /* @__PURE__ */ matrixRow<null>(
  "cholesky",
  (shape = []) => shape,
  { kind: "routine", part: decompositions, run: (call) => decompositions.get().choleskyFactors(call) },
  {
    // Murray 2016, equations 8 and 10.
    kind: "custom",
    jvp([tangent], _, factor) {
      const x = betweenFactors(factor, symmetric(only("cholesky", tangent)), false);
      return matmul(factor, halfBelow(x));
    },
    vjp(cotangent, _, factor) {
      const x = halfBelow(matmul(turned(factor), cotangent));
      return [symmetric(betweenFactors(factor, x, true))];
    },
  },
);

/** L⁻¹ · `x` · L⁻ᵀ, or L⁻ᵀ · `x` · L⁻¹ if `isTransposed`. */
function betweenFactors(factor: MLXArray, x: MLXArray, isTransposed: boolean): MLXArray {
  const solved = (b: MLXArray): MLXArray => apply(triangularRow, [factor, b], { isUpper: false, isTransposed });
  return turned(solved(turned(solved(x))));
}

/** The part below the diagonal, and half of the diagonal. */
function halfBelow(x: MLXArray): MLXArray {
  return multiply(add(tril(x), tril(x, -1)), 0.5);
}

/** Unit matrices in the shape and dtype of square ones. */
export function unitLike(x: MLXArray): MLXArray {
  return withOnes(filledLike(x, 0));
}

/** What `solveMatrices` makes of broadcast matrices, for a vector `b` as well. */
export function solved(
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
  const wide = (x: MLXArray): MLXArray => castTo(x, computedDtype(dtype));
  if (a.ndim === 2) {
    // Right sides of one matrix are columns of one system: its factors are found once.
    const columns = moveAxis(right, -2, 0);
    const [n = 0, ...others] = columns.shape;
    const x = solveMatrices(wide(matrix), wide(reshape(columns, [n, sizeOf(others)])));
    const moved = castTo(moveAxis(reshape(x, columns.shape), 0, -2), dtype);
    return b.ndim === 1 ? squeeze(moved, -1) : moved;
  }
  const batch = broadcastShapes(operation, batchOf(a), batchOf(right));
  const spread = (x: MLXArray): MLXArray => broadcastTo(wide(x), [...batch, ...x.shape.slice(-2)]);
  const x = castTo(solveMatrices(spread(matrix), spread(right)), dtype);
  return b.ndim === 1 ? squeeze(x, -1) : x;
}
