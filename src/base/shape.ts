/** Shapes and axes as values: sizes, broadcasting, normalization of axis numbers. Knows nothing of arrays. */
import { shown } from "./describe.ts";
import { ShapeError } from "./errors.ts";

/** The length of each axis, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

function isList(value: number | readonly number[]): value is readonly number[] {
  return Array.isArray(value);
}

/** Product of the axis lengths; 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const length of shape) size *= length;
  return size;
}

/** Whether two shapes are equal. */
export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false;
  return true;
}

/** `[2, 3]` as text. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Elements between neighbours along each axis of a row-major array. */
export function rowMajorStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] ?? 1;
  }
  return strides;
}

/** NumPy's broadcasting of two shapes. @throws {ShapeError} if an axis pair is neither equal nor 1. */
export function broadcastShapes(operation: string, a: Shape, b: Shape): Shape {
  if (sameShape(a, b)) return a;
  const rank = Math.max(a.length, b.length);
  const result = new Array<number>(rank);
  for (let axis = 0; axis < rank; axis++) {
    const m = a[axis - rank + a.length] ?? 1;
    const n = b[axis - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) {
      throw new ShapeError(
        operation,
        `shapes ${formatShape(a)} and ${formatShape(b)} cannot be broadcast: lengths ${m} and ${n} at axis ${axis - rank} differ and neither is 1`,
      );
    }
    result[axis] = m === 1 ? n : m;
  }
  return result;
}

/** `axis` counted from the front. @throws {ShapeError} if it is no axis of an array of `rank` axes. */
export function normalizeAxis(operation: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis)) throw new ShapeError(operation, `an axis is a whole number, got ${shown(axis)}`);
  const normalized = axis < 0 ? axis + rank : axis;
  if (normalized < 0 || normalized >= rank)
    throw new ShapeError(operation, `axis ${axis} is out of range for an array of ${rank} axes`);
  return normalized;
}

/** The axes named by `axis`, ascending: all of them where it is undefined. @throws {ShapeError} for a bad or repeated axis. */
export function normalizeAxes(operation: string, axis: number | readonly number[] | undefined, rank: number): number[] {
  if (axis === undefined) return Array.from({ length: rank }, (_, index) => index);
  const list: readonly number[] = isList(axis) ? axis : [axis];
  const axes = list.map((item) => normalizeAxis(operation, item, rank)).sort((a, b) => a - b);
  for (let index = 1; index < axes.length; index++) {
    if (axes[index] === axes[index - 1]) throw new ShapeError(operation, `axis ${axes[index]} is named twice`);
  }
  return axes;
}

/** The greatest length of an axis, as in MLX: positions along it are 32-bit integers. */
export const longestAxis: number = 2 ** 31 - 1;

/** Throws unless every length is an integer from 0 that positions can count. @throws {ShapeError} */
export function checkShape(operation: string, shape: Shape): void {
  if (!isList(shape)) {
    throw new ShapeError(operation, `${String(shape)} is no shape: give a list of lengths, as in [2, 3]`);
  }
  for (const length of shape) {
    if (!Number.isInteger(length) || length < 0 || length > longestAxis) {
      throw new ShapeError(
        operation,
        `${formatShape(shape)} is no shape: lengths are integers from 0 to ${longestAxis}`,
      );
    }
  }
}
