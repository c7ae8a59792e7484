/** The loops behind cofactors, right for singular matrices too: LU factors with complete pivoting, and no division by the last pivot. */
import type { RoutineCall } from "../graph/primitive.ts";
import { eliminate } from "./lu-loops.ts";
import { blockAt, eachMatrix, sidesOf, transposedBlock } from "./matrix-blocks.ts";
import { hasZeroOnDiagonal, solveTriangle } from "./triangular-loops.ts";

/** The cofactors of each matrix. */
export function cofactors(call: RoutineCall<null>): void {
  const [n] = sidesOf(call.outputAval.shape);
  eachMatrix(call, 2, (matrix = new Float64Array()) => cofactorsOf(matrix, n));
}

/** Cofactors of a product are the product of cofactors; those of L are L⁻ᵀ, those of a permutation itself times its sign. */
function cofactorsOf(matrix: Float64Array, n: number): Float64Array {
  const { rows, columns, sign } = factorizeCompletely(matrix, n);
  const solved = cofactorsOfUpper(matrix, n);
  const lower = transposedBlock(blockAt(matrix, 0, n));
  solveTriangle(lower, blockAt(solved, 0, n), [n, n], { isLower: false, isUnit: true });
  const result = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) result[(rows[i] ?? i) * n + (columns[j] ?? j)] = sign * (solved[i * n + j] ?? 0);
  return result;
}

/**
 * The cofactors of the upper triangle [[V, v], [0, d]]: those of V times d, and det V · [-V⁻¹ v, 1] in the last row. Where V is
 * singular all pivots from there on are 0, and so are all cofactors.
 */
function cofactorsOfUpper(matrix: Float64Array, n: number): Float64Array {
  const result = new Float64Array(n * n);
  if (n === 0) return result;
  const [last, rest] = [matrix[n * n - 1] ?? 0, n - 1];
  const upper = new Float64Array(rest * rest);
  // [rest, n]: the unit matrix, and v
  const inverse = new Float64Array(rest * n);
  let determinant = 1;
  for (let i = 0; i < rest; i++) {
    for (let j = i; j < rest; j++) upper[i * rest + j] = matrix[i * n + j] ?? 0;
    determinant *= matrix[i * n + i] ?? 0;
    inverse[i * n + i] = 1;
    inverse[i * n + rest] = matrix[i * n + rest] ?? 0;
  }
  if (hasZeroOnDiagonal(upper, rest)) return result;
  solveTriangle(blockAt(upper, 0, rest), blockAt(inverse, 0, n), [rest, n], { isLower: false, isUnit: false });
  for (let i = 0; i < rest; i++) {
    for (let j = i; j < rest; j++) result[j * n + i] = last * determinant * (inverse[i * n + j] ?? 0);
    result[rest * n + i] = -determinant * (inverse[i * n + rest] ?? 0);
  }
  result[n * n - 1] = determinant;
  return result;
}

/** Where rows and columns of the factors were in the matrix, and the sign of the exchanges. */
interface CompletePivots {
  readonly rows: Uint32Array;
  readonly columns: Uint32Array;
  readonly sign: number;
}

/** Replaces a matrix by its factors, each pivot the greatest element left. */
function factorizeCompletely(matrix: Float64Array, n: number): CompletePivots {
  const rows = Uint32Array.from({ length: n }, (_, i) => i);
  const columns = rows.slice();
  let sign = 1;
  for (let k = 0; k < n; k++) {
    let [row, column, greatest] = [k, k, -1];
    for (let i = k; i < n; i++) {
      for (let j = k; j < n; j++) {
        const size = Math.abs(matrix[i * n + j] ?? 0);
        if (size > greatest) [row, column, greatest] = [i, j, size];
      }
    }
    if (row !== k) {
      sign = -sign;
      exchange(rows, k, row);
      for (let j = 0; j < n; j++) exchange(matrix, k * n + j, row * n + j);
    }
    if (column !== k) {
      sign = -sign;
      exchange(columns, k, column);
      for (let i = 0; i < n; i++) exchange(matrix, i * n + k, i * n + column);
    }
    if (matrix[k * n + k] === 0) break;
    eliminate(matrix, n, k, n, n);
  }
  return { rows, columns, sign };
}

function exchange(values: Uint32Array | Float64Array, i: number, j: number): void {
  [values[i], values[j]] = [values[j] ?? 0, values[i] ?? 0];
}
