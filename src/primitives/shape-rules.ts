/** What operations check and the shapes they have, apart from how they compute: for methods whose operations are not loaded too. */
import type { Dtype } from "../base/dtype.ts";
import { byteLengthOf, carrierOf, isFloating, isInteger } from "../base/dtype.ts";
import { ArgumentError, DtypeError, ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { broadcastShapes, formatShape, normalizeAxes, normalizeAxis, sameShape } from "../base/shape.ts";
import type { Aval, MLXArray } from "../graph/mlx-array.ts";
import { requireArray } from "../graph/require-array.ts";
import { visibleBytes } from "../ir/allocation.ts";
import { knownValue } from "./elementwise.ts";
import type { ArrayLike } from "./operands.ts";
import { commonDtype } from "./operands.ts";
import type { AxisArgument } from "./reductions.ts";

/** `axis` as a list. @throws {ShapeError} if there is nothing to pick from along it */
export function pickAxes(operation: string, shape: Shape, axis: AxisArgument): readonly number[] {
  const axes = normalizeAxes(operation, axis, shape.length);
  for (const reduced of axes) {
    if (shape[reduced] === 0)
      throw new ShapeError(operation, `axis ${reduced} of ${formatShape(shape)} has length 0: nothing to pick from`);
  }
  return axes;
}

/** Throws unless there is something to clip by. @throws {ArgumentError} */
export function requireBound(min: unknown, max: unknown): void {
  if ((min ?? max ?? null) === null) throw new ArgumentError("clip", "needs a lower or an upper bound");
}

/** The dtype of a product of operands. @throws {DtypeError} if none of them is floating-point */
export function productDtype(operation: string, operands: readonly ArrayLike[]): Dtype {
  const dtype = commonDtype(operation, operands);
  if (isFloating(dtype)) return dtype;
  throw new DtypeError(operation, `needs a floating-point operand, got ${dtype}; convert one with asType("float32")`);
}

/** The shape of the matrix product of `a` and `b`, which may be vectors. @throws {ShapeError} if they do not fit */
export function productShape(a: Shape, b: Shape): Shape {
  if (a.length === 0 || b.length === 0) throw new ShapeError("matmul", "a scalar is no matrix; use multiply");
  const [k, k2] = [a.at(-1), b.at(-2) ?? b[0]];
  if (k !== k2) {
    throw new ShapeError("matmul", `inner lengths differ: ${formatShape(a)} has ${k}, ${formatShape(b)} has ${k2}`);
  }
  return [
    ...broadcastShapes("matmul", a.slice(0, -2), b.slice(0, -2)),
    ...a.slice(0, -1).slice(-1),
    ...(b.length > 1 ? b.slice(-1) : []),
  ];
}

/** Arrays of one shape along a new first axis, promoted to one dtype. @throws {ShapeError} if shapes differ */
export function stackedAval(arrays: readonly MLXArray[]): Aval {
  const [first = [], ...others] = arrays.map(({ shape }) => shape);
  for (const shape of others) {
    if (sameShape(shape, first)) continue;
    throw new ShapeError("stack", `${formatShape(first)} and ${formatShape(shape)} differ; stack needs equal shapes`);
  }
  return { shape: [arrays.length, ...first], dtype: commonDtype("stack", arrays) };
}

/** Where pieces of an axis begin, and how long they are. @throws {ShapeError} if the axis does not divide into so many */
export function piecesOf(
  shape: Shape,
  axis: number,
  parts: number | readonly number[],
): readonly { readonly start: number; readonly length: number }[] {
  const length = shape[axis] ?? 1;
  const cuts = typeof parts === "object" ? parts.map((cut) => clampCut(cut, length)) : equalCuts(shape, axis, parts);
  return [0, ...cuts].map((start, k) => ({ start, length: Math.max((cuts[k] ?? length) - start, 0) }));
}

function equalCuts(shape: Shape, axis: number, parts: number): number[] {
  const length = shape[axis] ?? 1;
  if (!Number.isInteger(parts) || parts < 1 || length % parts !== 0) {
    throw new ShapeError(
      "split",
      `axis ${axis} of ${formatShape(shape)} does not divide into ${parts} equal parts; give the positions to cut at instead`,
    );
  }
  return Array.from({ length: parts - 1 }, (_, k) => ((k + 1) * length) / parts);
}

function clampCut(cut: number, length: number): number {
  if (!Number.isInteger(cut)) throw new ArgumentError("split", `the positions to cut at are whole numbers, got ${cut}`);
  return Math.min(Math.max(cut < 0 ? cut + length : cut, 0), length);
}

/** How far each axis of `shape` is rolled. @throws {ShapeError} if the numbers of shifts and axes differ */
export function shiftsAlong(shape: Shape, shifts: readonly number[], axis: number | readonly number[]): number[] {
  const axes = [axis].flat().map((one) => normalizeAxis("roll", one, shape.length));
  if (shifts.length !== 1 && shifts.length !== axes.length) {
    throw new ShapeError("roll", `${shifts.length} shifts for ${axes.length} axes; give one, or one per axis`);
  }
  const result = shape.map(() => 0);
  axes.forEach((one, k) => {
    result[one] = (result[one] ?? 0) + (shifts[shifts.length === 1 ? 0 : k] ?? 0);
  });
  return result;
}

/** Throws unless there are two axes. @throws {ShapeError} */
export function requireMatrices(operation: string, shape: Shape): void {
  if (shape.length < 2) throw new ShapeError(operation, `needs at least two axes, got ${formatShape(shape)}`);
}

/** The axes of the rows and of the columns of a diagonal. @throws {ShapeError} if they are no two axes of `shape` */
export function matrixAxes(shape: Shape, axis1 = 0, axis2 = 1): readonly [rows: number, columns: number] {
  requireMatrices("diagonal", shape);
  const rows = normalizeAxis("diagonal", axis1, shape.length);
  const columns = normalizeAxis("diagonal", axis2, shape.length);
  if (rows === columns) throw new ShapeError("diagonal", `axis1 and axis2 are both axis ${rows}`);
  return [rows, columns];
}

/** Elements of the diagonal `offset` above the main one. */
export function diagonalLength(rows: number, columns: number, offset: number): number {
  return Math.max(Math.min(rows + Math.min(offset, 0), columns - Math.max(offset, 0)), 0);
}

/** Lengths of the matrix with `shape` on its diagonal. @throws {ShapeError} if that is no vector */
export function diagonalMatrixLength(shape: Shape, offset: number): number {
  if (shape.length !== 1) throw new ShapeError("diag", `needs a vector or a matrix, got ${formatShape(shape)}`);
  return (shape[0] ?? 1) + Math.abs(offset);
}

/** How many elements are sorted together along `axis`; `null` stands for all. @throws {ShapeError} if it is out of range */
export function lengthAlong(operation: string, { shape, size }: MLXArray, axis: number | null): number {
  return axis === null || shape.length === 0 ? size : (shape[normalizeAxis(operation, axis, shape.length)] ?? 1);
}

/** Throws unless `k` elements can be taken along `axis`. @throws {ShapeError} */
export function checkTop(x: MLXArray, k: number, axis: number | null): void {
  const length = lengthAlong("topK", x, axis);
  if (Number.isInteger(k) && k >= 0 && k <= length) return;
  throw new ShapeError(
    "topK",
    `cannot take ${k} of the ${length} elements along axis ${axis} of ${formatShape(x.shape)}`,
  );
}

/** @throws {DtypeError} for indices that are not integers. @throws {ShapeError} for known ones that are out of range. */
export function checkIndices(operation: string, indices: MLXArray, shape: Shape, axis: number): void {
  requireArray(operation, indices);
  if (!isInteger(indices.dtype)) {
    throw new DtypeError(operation, `indices are integers, got ${indices.dtype}; convert them with asType("int32")`);
  }
  const length = shape[axis] ?? 1;
  if (length === 0 && indices.size > 0) {
    throw new ShapeError(operation, `axis ${axis} of ${formatShape(shape)} has no elements to index`);
  }
  const known = knownValue(indices);
  if (known !== null) checkIndex(operation, Number(known), shape, axis);
  const bytes = indices.allocation && !indices.isDisposed ? visibleBytes(indices.allocation) : null;
  if (!bytes) return;
  const values = new (carrierOf(indices.dtype))(bytes.buffer, bytes.byteOffset, indices.size);
  for (const value of values) checkIndex(operation, Number(value), shape, axis);
}

/** @throws {ShapeError} if `index` is no position along `axis`. */
export function checkIndex(operation: string, index: number, shape: Shape, axis: number): void {
  const length = shape[axis] ?? 1;
  if (Number.isInteger(index) && index >= -length && index < length) return;
  const range = length === 0 ? "it has none" : `from ${-length} to ${length - 1}`;
  throw new ShapeError(
    operation,
    `index ${index} is out of range for axis ${axis} of ${formatShape(shape)}: positions are ${range}`,
  );
}

/** The axis that is indexed, and the common shape of `x` and `indices` without it. @throws {ShapeError} if they do not fit */
export function axesBeside(
  operation: string,
  x: Shape,
  indices: MLXArray,
  axis: number,
): { readonly along: number; readonly shared: Shape } {
  if (x.length !== indices.ndim) {
    throw new ShapeError(
      operation,
      `indices ${formatShape(indices.shape)} need as many axes as the array ${formatShape(x)}`,
    );
  }
  const along = normalizeAxis(operation, axis, x.length);
  checkIndices(operation, indices, x, along);
  return { along, shared: broadcastShapes(operation, x.toSpliced(along, 1), indices.shape.toSpliced(along, 1)) };
}

/** Throws unless values put at indices whose other axes make `shared` fit into `x`. @throws {ShapeError} */
export function checkPlaces(x: Shape, indices: Shape, along: number, shared: Shape): void {
  if (shared.every((length, axis) => length === x.toSpliced(along, 1)[axis])) return;
  throw new ShapeError("putAlongAxis", `indices ${formatShape(indices)} do not fit into ${formatShape(x)}`);
}

/** Why no gradient flows through bits read as another dtype. */
export const noViewTangent = { kind: "none", because: "bits read as another dtype have no tangent" } as const;

/** The shape of an array whose bits are read as `to`. @throws {ShapeError} if the last axis holds no whole number of elements */
export function viewShape({ shape, dtype: from }: Aval, to: Dtype): readonly number[] {
  const bytes = byteLengthOf(from);
  if (bytes === byteLengthOf(to)) return shape;
  const last = shape.at(-1);
  if (last === undefined)
    throw new ShapeError("view", `a scalar ${from} cannot be read as ${to}, which has another size`);
  const length = (last * bytes) / byteLengthOf(to);
  if (Number.isInteger(length)) return [...shape.slice(0, -1), length];
  throw new ShapeError("view", `the last axis has ${last * bytes} bytes, which is no whole number of ${to}`);
}
