/** Products of matrices and vectors: the contraction row and the functions made of it. */
import { ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { broadcastShapes, formatShape, normalizeAxis, sameShape, sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed, withOptions } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { add, multiply } from "./arithmetic.ts";
import { pair } from "./elementwise.ts";
import { alignBatch, batchToFront } from "./families.ts";
import type { ArrayLike } from "./operands.ts";
import { asArray, commonDtype, promoted } from "./operands.ts";
import { sum } from "./reductions.ts";
import { productDtype, productShape } from "./shape-rules.ts";
import { broadcastTo, reshape, transpose, transposedOrder } from "./views.ts";

/** [..., M, K] · [..., K, N] → [..., M, N], all leading axes equal. Products are summed in at least float32. */
export const matmulRow: Primitive<null> = {
  name: "matmul",
  aval(inputs) {
    const [a, b] = pair("matmul", inputs);
    const [m, k] = a.shape.slice(-2);
    const [k2, n] = b.shape.slice(-2);
    if (m === undefined || n === undefined || k !== k2 || !sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2))) {
      throw new ShapeError("matmul", `${formatShape(a.shape)} and ${formatShape(b.shape)} do not match`);
    }
    return { shape: [...a.shape.slice(0, -1), n], dtype: a.dtype };
  },
  lowering: { kind: "contraction" },
  derivative: {
    kind: "bilinear",
    transpose(cotangent, inputs, which) {
      const [a, b] = pair("matmul", inputs);
      // The cotangent of a transposed operand is computed transposed, so that its own transpose comes straight from a product.
      if (which === 0) return isSwapped(a) ? swapped(product(b, swapped(cotangent))) : product(cotangent, swapped(b));
      return isSwapped(b) ? swapped(product(swapped(cotangent), a)) : product(swapped(a), cotangent);
    },
  },
  batch(inputs, axes) {
    const [a, b] = pair("matmul", inputs);
    const [axisA = null, axisB = null] = axes;
    // A matrix that all share takes the batch as more rows: one large product instead of many.
    if (axisB === null && axisA !== null && b.ndim === 2) return [rowsTimes(batchToFront(a, axisA), b), 0];
    return [product(...pair("matmul", alignBatch(inputs, axes))), 0];
  },
};

function product(a: MLXArray, b: MLXArray): MLXArray {
  return apply(matmulRow, [a, b], null);
}

/** [..., K] · [K, N] → [..., N], as one product. */
function rowsTimes(a: MLXArray, b: MLXArray): MLXArray {
  const [k = 1, n = 1] = b.shape;
  const rows = sizeOf(a.shape.slice(0, -1));
  return reshape(product(reshape(a, [rows, k]), b), [...a.shape.slice(0, -1), n]);
}

/** `x` with its last two axes exchanged. */
function swapped(x: MLXArray): MLXArray {
  return transpose(x, swappedOrder(x.ndim));
}

/** Whether `x` is another array with its last two axes exchanged. */
function isSwapped(x: MLXArray): boolean {
  const order = transposedOrder(x);
  return order !== null && swappedOrder(x.ndim).every((axis, k) => order[k] === axis);
}

function swappedOrder(rank: number): number[] {
  return Array.from({ length: rank }, (_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis));
}

/**
 * The matrix product, over the last axis of `a` and the last but one of `b`, of the promoted dtype. Leading axes are
 * broadcast. A vector is taken as a row on the left and as a column on the right, and that axis is dropped again.
 *
 * @param a [..., M, K] or [K]
 * @param b [..., K, N] or [K]
 * @returns [..., M, N]
 * @throws {ShapeError} if the inner lengths differ, or an operand is a scalar
 * @throws {DtypeError} if neither operand is floating-point
 * @example
 * await matmul(array([[1, 2], [3, 4]]), array([[1, 0], [1, 1]])).tolist(); // [[3, 2], [7, 4]]
 * await matmul(array([[1, 2], [3, 4]]), array([1, 1])).tolist(); // [3, 7]
 */
export function matmul(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  if (options) return placed("matmul", options, () => matmul(a, b));
  const [x, y] = floatingOperands("matmul", [a, b]);
  const shape = productShape(x.shape, y.shape);
  const left = x.ndim === 1 ? reshape(x, [1, x.size]) : x;
  const right = y.ndim === 1 ? reshape(y, [y.size, 1]) : y;
  const result = right.ndim === 2 ? rowsTimes(left, right) : batchedProduct(left, right);
  return reshape(result, shape);
}

function batchedProduct(a: MLXArray, b: MLXArray): MLXArray {
  const leading = broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2));
  return product(
    broadcastTo(a, [...leading, ...a.shape.slice(-2)]),
    broadcastTo(b, [...leading, ...b.shape.slice(-2)]),
  );
}

function floatingOperands(operation: string, operands: readonly [ArrayLike, ArrayLike]): [MLXArray, MLXArray] {
  return pair(operation, promoted(operation, operands, productDtype(operation, operands)));
}

/**
 * `beta · c + alpha · (a @ b)`, with `matmul`'s rules, computed in one kernel; `c` is broadcast.
 *
 * @throws {ShapeError} if the shapes do not match
 * @throws {DtypeError} if no operand is floating-point
 * @example
 * await addmm(array([10, 20]), array([[1, 2]]), array([[1, 0], [0, 1]])).tolist(); // [[11, 22]]
 */
export function addmm(
  c: ArrayLike,
  a: ArrayLike,
  b: ArrayLike,
  options: OperationOptions & { readonly alpha?: number | undefined; readonly beta?: number | undefined } = {},
): MLXArray {
  return withOptions("addmm", options, ["alpha", "beta", "device"], () => {
    const { alpha = 1, beta = 1 } = options;
    const dtype = commonDtype("addmm", [c, a, b]);
    const [bias, x, y] = promoted("addmm", [c, a, b], dtype);
    const result = matmul(x ?? a, y ?? b);
    return add(alpha === 1 ? result : multiply(result, alpha), beta === 1 ? (bias ?? c) : multiply(bias ?? c, beta));
  });
}

/**
 * The sum of products over `axes` of both operands (as many last ones of `a` as first ones of `b` if a number: 2 unless
 * given; else a list for each).
 *
 * @returns the remaining axes of `a`, then those of `b`
 * @throws {ShapeError} if the lengths of paired axes differ
 * @throws {DtypeError} if neither operand is floating-point
 * @example
 * tensordot(ones([2, 3, 4]), ones([4, 3, 5]), [[1, 2], [1, 0]]).shape; // [2, 5]
 */
export function tensordot(
  a: ArrayLike,
  b: ArrayLike,
  axes: number | readonly [readonly number[], readonly number[]] = 2,
  options?: OperationOptions,
): MLXArray {
  if (options) return placed("tensordot", options, () => tensordot(a, b, axes));
  const [x, y] = floatingOperands("tensordot", [a, b]);
  const [axesX, axesY] =
    typeof axes === "number" ? [countedAxes(x.ndim - axes, axes), countedAxes(0, axes)] : [axes[0], axes[1]];
  const inX = axesX.map((axis) => normalizeAxis("tensordot", axis, x.ndim));
  const inY = axesY.map((axis) => normalizeAxis("tensordot", axis, y.ndim));
  if (!sameShape(lengths(x, inX), lengths(y, inY))) {
    throw new ShapeError(
      "tensordot",
      `axes [${axesX}] of ${formatShape(x.shape)} and [${axesY}] of ${formatShape(y.shape)} have different lengths`,
    );
  }
  const outX = x.shape.map((_, axis) => axis).filter((axis) => !inX.includes(axis));
  const outY = y.shape.map((_, axis) => axis).filter((axis) => !inY.includes(axis));
  const inner = sizeOf(lengths(x, inX));
  const left = reshape(transpose(x, [...outX, ...inX]), [sizeOf(lengths(x, outX)), inner]);
  const right = reshape(transpose(y, [...inY, ...outY]), [inner, sizeOf(lengths(y, outY))]);
  return reshape(product(left, right), [...lengths(x, outX), ...lengths(y, outY)]);
}

function countedAxes(start: number, count: number): number[] {
  return Array.from({ length: count }, (_, k) => start + k);
}

function lengths(x: MLXArray, axes: readonly number[]): Shape {
  return axes.map((axis) => x.shape[axis] ?? 1);
}

/**
 * The products of the last axes of `a` and `b`, summed, for every pair of what remains; a plain product if one is a scalar.
 *
 * @throws {ShapeError} if the last lengths differ
 * @throws {DtypeError} if neither operand is floating-point
 * @example
 * await inner(array([1, 2]), array([3, 4])).item(); // 11
 */
export function inner(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  if (options) return placed("inner", options, () => inner(a, b));
  const [x, y] = [asArray("inner", a), asArray("inner", b)];
  return x.ndim === 0 || y.ndim === 0 ? multiply(x, y) : tensordot(x, y, [[-1], [-1]]);
}

/**
 * Every element of `a` times every element of `b`, both flattened.
 *
 * @returns [size of `a`, size of `b`], of the promoted dtype
 * @example
 * await outer(array([1, 2]), array([3, 4])).tolist(); // [[3, 4], [6, 8]]
 */
export function outer(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  if (options) return placed("outer", options, () => outer(a, b));
  return multiply(reshape(asArray("outer", a), [-1, 1]), reshape(asArray("outer", b), [1, -1]));
}

/**
 * The sum of products along `axis` (the last one unless given), of the broadcast shape without it.
 *
 * @throws {ShapeError} if the lengths along `axis` differ
 * @example
 * await vecdot(array([[1, 2], [3, 4]]), array([1, 10])).tolist(); // [21, 43]
 */
export function vecdot(
  a: ArrayLike,
  b: ArrayLike,
  options: OperationOptions & { readonly axis?: number | undefined } = {},
): MLXArray {
  return withOptions("vecdot", options, ["axis", "device"], () => {
    const { axis = -1 } = options;
    const [x, y] = [asArray("vecdot", a), asArray("vecdot", b)];
    const [n, m] = [x, y].map((array) => array.shape[normalizeAxis("vecdot", axis, array.ndim)]);
    if (n !== m) {
      throw new ShapeError(
        "vecdot",
        `lengths ${n} of ${formatShape(x.shape)} and ${m} of ${formatShape(y.shape)} along axis ${axis} differ`,
      );
    }
    return sum(multiply(x, y), axis);
  });
}

/**
 * The Kronecker product: every element of `a` times all of `b`, in blocks, of the promoted dtype. Ranks are made equal with
 * leading axes of length 1.
 *
 * @returns lengths are the products of those of `a` and `b`
 * @example
 * await kron(array([1, 2]), array([1, 10])).tolist(); // [1, 10, 2, 20]
 */
export function kron(a: ArrayLike, b: ArrayLike, options?: OperationOptions): MLXArray {
  if (options) return placed("kron", options, () => kron(a, b));
  const [x, y] = [asArray("kron", a), asArray("kron", b)];
  const rank = Math.max(x.ndim, y.ndim);
  const shapeX = [...new Array<number>(rank - x.ndim).fill(1), ...x.shape];
  const shapeY = [...new Array<number>(rank - y.ndim).fill(1), ...y.shape];
  const blocks = multiply(
    reshape(
      x,
      shapeX.flatMap((length) => [length, 1]),
    ),
    reshape(
      y,
      shapeY.flatMap((length) => [1, length]),
    ),
  );
  return reshape(
    blocks,
    shapeX.map((length, axis) => length * (shapeY[axis] ?? 1)),
  );
}
