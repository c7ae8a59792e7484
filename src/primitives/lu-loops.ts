/** The loops behind LU factors with partial pivoting (Golub & Van Loan, Matrix Computations, section 3.4). */
import type { RoutineCall } from "../graph/primitive.ts";
import { addProduct, addScaled, blockAt, blockWidth, eachMatrix, sidesOf, transposedBlock } from "./matrix-blocks.ts";
import { hasZeroOnDiagonal, solveTriangle } from "./triangular-loops.ts";

/**
 * The factors of each matrix as one row: L and U in one matrix, for each of its rows where it was, for each row of the
 * matrix where it went, and the row with which each was exchanged in turn.
 */
export function luFactors(call: RoutineCall<null>): void {
  const [rows, columns] = sidesOf(call.inputAvals[0]?.shape ?? []);
  const depth = Math.min(rows, columns);
  eachMatrix(call, 1, (matrix = new Float64Array()) => {
    const pivots = factorize(matrix, rows, columns);
    const order = orderOf(pivots, rows);
    const packed = new Float64Array(rows * columns + 2 * rows + depth);
    packed.set(matrix);
    packed.set(order, rows * columns);
    order.forEach((row, place) => {
      packed[rows * columns + rows + row] = place;
    });
    packed.set(pivots, rows * columns + 2 * rows);
    return packed;
  });
}

/** A⁻¹ B, or A⁻ᵀ B, from the factors of A as `luFactors` gives them; NaN where A is singular. */
export function solveByFactors(call: RoutineCall<{ readonly isTransposed: boolean }>): void {
  const { isTransposed } = call.params;
  const [n, columns] = sidesOf(call.outputAval.shape);
  eachMatrix(call, 2, (factors = new Float64Array(), b = new Float64Array()) =>
    solveFactored(factors, factors.subarray(n * n, n * n + n), b, [n, columns], isTransposed),
  );
}

/** The same of one matrix: its factors, and for each of their rows where in the matrix it was. */
export function solveFactored(
  factors: Float64Array,
  order: ArrayLike<number>,
  b: Float64Array,
  [n, columns]: readonly [n: number, columns: number],
  isTransposed: boolean,
): Float64Array {
  if (hasZeroOnDiagonal(factors, n)) return b.fill(Number.NaN);
  const block = blockAt(factors, 0, n);
  const x = isTransposed ? b : new Float64Array(n * columns);
  const solve = (isLower: boolean): void => {
    const isUnit = isLower;
    const triangle = isTransposed ? transposedBlock(block) : block;
    solveTriangle(triangle, blockAt(x, 0, columns), [n, columns], { isLower: isLower !== isTransposed, isUnit });
  };
  if (!isTransposed) moveRows(b, x, n, columns, (i) => [order[i] ?? i, i]);
  solve(!isTransposed);
  solve(isTransposed);
  if (!isTransposed) return x;
  const moved = new Float64Array(n * columns);
  moveRows(x, moved, n, columns, (i) => [i, order[i] ?? i]);
  return moved;
}

function moveRows(
  from: Float64Array,
  to: Float64Array,
  n: number,
  columns: number,
  places: (i: number) => readonly [from: number, to: number],
): void {
  for (let i = 0; i < n; i++) {
    const [source, target] = places(i);
    to.set(from.subarray(source * columns, (source + 1) * columns), target * columns);
  }
}

/** Replaces a matrix by its factors; gives the rows that were exchanged, one for each column. */
export function factorize(matrix: Float64Array, rows: number, columns: number): Uint32Array {
  const depth = Math.min(rows, columns);
  const pivots = new Uint32Array(depth);
  const at = (i: number, j: number) => blockAt(matrix, i * columns + j, columns);
  for (let start = 0; start < depth; start += blockWidth) {
    const end = Math.min(start + blockWidth, depth);
    factorizePanel(matrix, rows, columns, start, end, pivots);
    for (let i = start + 1; i < end; i++) {
      addProduct(at(i, end), -1, at(i, start), at(start, end), [1, i - start, columns - end]);
    }
    addProduct(at(end, end), -1, at(end, start), at(start, end), [rows - end, end - start, columns - end]);
  }
  return pivots;
}

/** Columns `start` to `end`, whose rows from `start` on know all columns before; rows are exchanged as a whole. */
function factorizePanel(
  matrix: Float64Array,
  rows: number,
  columns: number,
  start: number,
  end: number,
  pivots: Uint32Array,
): void {
  for (let j = start; j < end; j++) {
    let pivot = j;
    let greatest = Math.abs(matrix[j * columns + j] ?? 0);
    for (let i = j + 1; i < rows; i++) {
      const size = Math.abs(matrix[i * columns + j] ?? 0);
      if (size > greatest) [pivot, greatest] = [i, size];
    }
    pivots[j] = pivot;
    if (pivot !== j) exchangeRows(matrix, columns, j, pivot);
    if (matrix[j * columns + j] === 0) continue;
    eliminate(matrix, columns, j, rows, end);
  }
}

/** Takes the first `end` columns of row `k` from the rows below, so that column `k` would be 0 there: in it stand the factors. */
export function eliminate(matrix: Float64Array, columns: number, k: number, rows: number, end: number): void {
  const pivot = matrix[k * columns + k] ?? 0;
  for (let i = k + 1; i < rows; i++) {
    const factor = (matrix[i * columns + k] ?? 0) / pivot;
    matrix[i * columns + k] = factor;
    addScaled(matrix, i * columns + k + 1, -factor, matrix, k * columns + k + 1, end - k - 1);
  }
}

function exchangeRows(matrix: Float64Array, columns: number, i: number, j: number): void {
  const kept = matrix.slice(i * columns, (i + 1) * columns);
  matrix.copyWithin(i * columns, j * columns, (j + 1) * columns);
  matrix.set(kept, j * columns);
}

/** For each row of the factors where in the matrix it was. */
export function orderOf(pivots: Uint32Array, rows: number): Uint32Array {
  const order = Uint32Array.from({ length: rows }, (_, i) => i);
  pivots.forEach((pivot, i) => {
    [order[i], order[pivot]] = [order[pivot] ?? pivot, order[i] ?? i];
  });
  return order;
}
