/** Diagonals and triangles of matrices. */
import type { Dtype } from "../base/dtype.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed, withOptions } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { requireArray } from "../graph/require-array.ts";
import { add } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { equal, lessEqual } from "./comparison.ts";
import { filledLike } from "./elementwise.ts";
import { view } from "./families.ts";
import { iota } from "./generate.ts";
import { sum } from "./reductions.ts";
import { where } from "./selection.ts";
import { diagonalLength, diagonalMatrixLength, matrixAxes, requireMatrices } from "./shape-rules.ts";
import { padded } from "./slicing.ts";
import { broadcastTo, moveAxis, reshape } from "./views.ts";

/** Which diagonal of which matrices. */
export interface DiagonalPlace extends OperationOptions {
  /** 0 is the main diagonal, positive above it, negative below. */
  readonly offset?: number | undefined;
  /** The axis of the rows; 0 unless given. */
  readonly axis1?: number | undefined;
  /** The axis of the columns; 1 unless given. */
  readonly axis2?: number | undefined;
}

/** The options of `trace`. */
export interface TraceOptions extends DiagonalPlace {
  /** The dtype to sum in and of the result; as of `sum` unless given. */
  readonly dtype?: Dtype | undefined;
}

/** [..., rows, columns] → [..., n]: the diagonal `offset` above the main one. */
export const diagonalRow: Primitive<{ readonly offset: number }> = /* @__PURE__ */ view<{ readonly offset: number }>(
  "diagonal",
  {
    aval({ shape, dtype }, { offset }) {
      const [rows = 0, columns = 0] = shape.slice(-2);
      return { shape: [...shape.slice(0, -2), diagonalLength(rows, columns, offset)], dtype };
    },
    source({ e, index, params: { offset } }) {
      const position = index.at(-1) ?? e.index(0);
      return [
        ...index.slice(0, -1),
        e.scale(position, 1, Math.max(-offset, 0)),
        e.scale(position, 1, Math.max(offset, 0)),
      ];
    },
    transpose: (cotangent, { shape }, { offset }) =>
      ontoDiagonal(cotangent, shape.at(-2) ?? 1, shape.at(-1) ?? 1, offset),
    batchParams: (params) => params,
  },
);

/** [..., n] on a diagonal of matrices [..., rows, columns] of zeros. */
function ontoDiagonal(x: MLXArray, rows: number, columns: number, offset: number): MLXArray {
  const low = Math.max(-offset, 0);
  const before = x.shape.map((_, k) => (k === x.ndim - 1 ? low : 0));
  const after = x.shape.map((length, k) => (k === x.ndim - 1 ? rows - low - length : 0));
  const column = reshape(padded(x, before, after), [...x.shape.slice(0, -1), rows, 1]);
  const wide = broadcastTo(column, [...x.shape.slice(0, -1), rows, columns]);
  const isOn = equal(add(iota([rows, columns], 0, "int32"), offset), iota([rows, columns], 1, "int32"));
  return where(isOn, wide, filledLike(wide, 0));
}

/**
 * The diagonals of the matrices that two axes of `x` make, as a new last axis.
 *
 * @throws {ShapeError} if `x` has fewer than two axes, or both axes are the same
 * @example
 * await diagonal(array([[1, 2], [3, 4]])).tolist(); // [1, 4]
 */
export function diagonal(x: MLXArray, options: DiagonalPlace = {}): MLXArray {
  return withOptions("diagonal", options, ["offset", "axis1", "axis2", "device"], () => {
    const { offset = 0, axis1, axis2 } = options;
    requireArray("diagonal", x);
    const [rows, columns] = matrixAxes(x.shape, axis1, axis2);
    const columnsLast = moveAxis(x, columns, -1);
    return apply(diagonalRow, [moveAxis(columnsLast, rows < columns ? rows : rows - 1, -2)], { offset });
  });
}

/**
 * Of a vector the matrix with it on diagonal `offset` and zeros elsewhere, of a matrix that diagonal.
 *
 * @throws {ShapeError} for any other number of axes
 * @example
 * await diag(array([1, 2])).tolist(); // [[1, 0], [0, 2]]
 */
export function diag(x: MLXArray, offset = 0, options?: OperationOptions): MLXArray {
  if (options) return placed("diag", options, () => diag(x, offset));
  requireArray("diag", x);
  if (x.ndim === 2) return diagonal(x, { offset });
  const length = diagonalMatrixLength(x.shape, offset);
  return ontoDiagonal(x, length, length, offset);
}

/**
 * The sum of a diagonal of the matrices that two axes of `x` make, those axes left out.
 *
 * @throws {ShapeError} as `diagonal`
 * @example
 * await trace(array([[1, 2], [3, 4]])).item(); // 5
 */
export function trace(x: MLXArray, options: TraceOptions = {}): MLXArray {
  return withOptions("trace", options, ["offset", "axis1", "axis2", "dtype", "device"], () => {
    const { dtype, ...place } = options;
    requireArray("trace", x);
    const line = diagonal(x, place);
    const result = sum(castTo(line, dtype ?? line.dtype), -1);
    return dtype ? castTo(result, dtype) : result;
  });
}

/**
 * `x` where the column is at most `k` right of the row, 0 elsewhere, over the last two axes.
 *
 * @throws {ShapeError} if there are fewer.
 * @example
 * await tril(ones([2, 2])).tolist(); // [[1, 0], [1, 1]]
 */
export function tril(x: MLXArray, k = 0, options?: OperationOptions): MLXArray {
  if (options) return placed("tril", options, () => tril(x, k));
  return where(isBelow("tril", x, k), x, filledLike(x, 0));
}

/**
 * `x` where the column is at least `k` right of the row, 0 elsewhere, over the last two axes.
 *
 * @throws {ShapeError} if there are fewer.
 * @example
 * await triu(ones([2, 2])).tolist(); // [[1, 1], [0, 1]]
 */
export function triu(x: MLXArray, k = 0, options?: OperationOptions): MLXArray {
  if (options) return placed("triu", options, () => triu(x, k));
  return where(isBelow("triu", x, k - 1), filledLike(x, 0), x);
}

function isBelow(operation: string, x: MLXArray, k: number): MLXArray {
  requireArray(operation, x);
  requireMatrices(operation, x.shape);
  const shape = x.shape.slice(-2);
  return lessEqual(iota(shape, 1, "int32"), add(iota(shape, 0, "int32"), k));
}
