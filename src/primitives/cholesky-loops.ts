/** The loops behind Cholesky factors (Golub & Van Loan, Matrix Computations, section 4.2). */
import type { RoutineCall } from "../graph/primitive.ts";
import { addProduct, blockAt, blockWidth, eachMatrix, sidesOf } from "./matrix-blocks.ts";

/** The lower factor of the symmetric part of each matrix; NaN where that is not positive definite. */
export function choleskyFactors(call: RoutineCall<null>): void {
  const [n] = sidesOf(call.outputAval.shape);
  eachMatrix(call, 2, (matrix = new Float64Array()) => {
    for (let i = 0; i < n; i++)
      for (let j = 0; j < i; j++) matrix[i * n + j] = ((matrix[i * n + j] ?? 0) + (matrix[j * n + i] ?? 0)) / 2;
    if (!factorizePositive(matrix, n)) return matrix.fill(Number.NaN);
    for (let i = 0; i < n; i++) matrix.fill(0, i * n + i + 1, (i + 1) * n);
    return matrix;
  });
}

/** Replaces the lower triangle of a matrix by its factor; false if there is none. */
function factorizePositive(matrix: Float64Array, n: number): boolean {
  const at = (i: number, j: number) => blockAt(matrix, i * n + j, n);
  for (let start = 0; start < n; start += blockWidth) {
    const end = Math.min(start + blockWidth, n);
    for (let i = start; i < n; i++) if (!solveRow(matrix, n, i, start, end)) return false;
    const size = n - end;
    // [end - start, size]: the rows below, transposed
    const turned = new Float64Array((end - start) * size);
    for (let i = 0; i < size; i++)
      for (let j = start; j < end; j++) turned[(j - start) * size + i] = matrix[(end + i) * n + j] ?? 0;
    for (let i = end; i < n; i += blockWidth) {
      const rows = Math.min(blockWidth, n - i);
      addProduct(at(i, end), -1, at(i, start), blockAt(turned, 0, size), [rows, end - start, i + rows - end]);
    }
  }
  return true;
}

/** Row `i` of the factor in the columns from `start` to `end`; false if its diagonal has no root. */
function solveRow(matrix: Float64Array, n: number, i: number, start: number, end: number): boolean {
  for (let j = start; j < end && j <= i; j++) {
    let rest = matrix[i * n + j] ?? 0;
    for (let p = start; p < j; p++) rest -= (matrix[i * n + p] ?? 0) * (matrix[j * n + p] ?? 0);
    if (j < i) matrix[i * n + j] = rest / (matrix[j * n + j] ?? 0);
    else if (rest > 0) matrix[i * n + j] = Math.sqrt(rest);
    else return false;
  }
  return true;
}
