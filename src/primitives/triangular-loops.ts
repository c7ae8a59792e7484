/** Triangular systems, whose right sides are replaced by the solution block by block. */
import type { RoutineCall } from "../graph/primitive.ts";
import type { TriangleParams } from "./linear-systems.ts";
import type { Block } from "./matrix-blocks.ts";
import { addProduct, blockAt, blockWidth, eachMatrix, sidesOf, transposedBlock } from "./matrix-blocks.ts";

/** T⁻¹ B, or T⁻ᵀ B, of a triangle of each matrix; NaN where a diagonal has a 0. */
export function solveTriangles(call: RoutineCall<TriangleParams>): void {
  const { isUpper, isTransposed } = call.params;
  const [n, columns] = sidesOf(call.outputAval.shape);
  eachMatrix(call, 2, (matrix = new Float64Array(), x = new Float64Array()) => {
    const triangle = blockAt(matrix, 0, n);
    if (hasZeroOnDiagonal(matrix, n)) return x.fill(Number.NaN);
    solveTriangle(isTransposed ? transposedBlock(triangle) : triangle, blockAt(x, 0, columns), [n, columns], {
      isLower: isUpper === isTransposed,
      isUnit: false,
    });
    return x;
  });
}

/** Whether a row-major square matrix is singular for what its diagonal has, if it is triangular. */
export function hasZeroOnDiagonal(matrix: Float64Array, n: number): boolean {
  for (let i = 0; i < n; i++) if (matrix[i * n + i] === 0) return true;
  return false;
}

/** Replaces `x` [n, columns] by `t`⁻¹ · `x`, where `t` is a triangle, with ones on its diagonal if `isUnit`. */
export function solveTriangle(
  t: Block,
  x: Block,
  [n, columns]: readonly [n: number, columns: number],
  { isLower, isUnit }: { readonly isLower: boolean; readonly isUnit: boolean },
): void {
  const partOf = (from: Block, i: number, j = 0): Block => ({
    ...from,
    start: from.start + i * from.row + j * from.column,
  });
  for (let done = 0; done < n; done += blockWidth) {
    const size = Math.min(blockWidth, n - done);
    const first = isLower ? done : n - done - size;
    for (let k = 0; k < size; k++) {
      const i = isLower ? first + k : first + size - 1 - k;
      const known = isLower ? first : i + 1;
      addProduct(partOf(x, i), -1, partOf(t, i, known), partOf(x, known), [1, k, columns]);
      if (!isUnit) divideRow(x, i, columns, t.elements[t.start + i * (t.row + t.column)] ?? 0);
    }
    const next = isLower ? first + size : 0;
    const others = n - done - size;
    addProduct(partOf(x, next), -1, partOf(t, next, first), partOf(x, first), [others, size, columns]);
  }
}

function divideRow({ elements, start, row }: Block, i: number, columns: number, divisor: number): void {
  const at = start + i * row;
  for (let j = 0; j < columns; j++) elements[at + j] = (elements[at + j] ?? 0) / divisor;
}
