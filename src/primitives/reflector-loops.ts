/**
 * Householder reflectors by panels (Schreiber & Van Loan 1989: H₁ H₂ … = I - V T Vᵀ), and the QR factors that they make
 * (Golub & Van Loan, Matrix Computations, section 5.2).
 */
import type { RoutineCall } from "../graph/primitive.ts";
import {
  addProduct,
  addScaled,
  blockAt,
  blockWidth,
  dot,
  eachMatrix,
  normalize,
  sidesOf,
  transposedBlock,
  unitMatrix,
} from "./matrix-blocks.ts";

/** A few reflectors, which leave the rows before `start` as they are. */
export interface Panel {
  readonly start: number;
  readonly rows: number;
  readonly width: number;
  /** [rows, width] */
  readonly v: Float64Array;
  /** [width, width], upper */
  readonly t: Float64Array;
}

/** A reflector I - `factor` · v vᵀ, which turns a vector into `length` times the first unit vector. */
export interface Reflector {
  readonly v: Float64Array;
  readonly factor: number;
  readonly length: number;
}

/** The reflector of `x`, which becomes its vector; its first element is 1. */
export function reflectorOf(x: Float64Array): Reflector {
  const first = x[0] ?? 0;
  const below = dot(x, 1, x, 1, x.length - 1);
  x[0] = 1;
  if (below === 0) return { v: x, factor: 0, length: first };
  const length = first > 0 ? -Math.sqrt(first * first + below) : Math.sqrt(first * first + below);
  for (let i = 1; i < x.length; i++) x[i] = (x[i] ?? 0) / (first - length);
  return { v: x, factor: (length - first) / length, length };
}

/** Reflectors whose vectors begin at `start`, `start` + 1, … and end with the same row, as panels. */
export function panelsOf(reflectors: readonly Reflector[], start: number): Panel[] {
  const panels: Panel[] = [];
  for (let first = 0; first < reflectors.length; first += blockWidth) {
    const group = reflectors.slice(first, first + blockWidth);
    const [rows, width] = [group[0]?.v.length ?? 0, group.length];
    const v = new Float64Array(rows * width);
    group.forEach((reflector, j) => {
      reflector.v.forEach((value, i) => {
        v[(rows - reflector.v.length + i) * width + j] = value;
      });
    });
    panels.push({ start: start + first, rows, width, v, t: factorsOf(v, rows, group) });
  }
  return panels;
}

/** T, column by column: -factor · T · Vᵀ v above the diagonal, the factor on it. */
function factorsOf(v: Float64Array, rows: number, group: readonly Reflector[]): Float64Array {
  const width = group.length;
  const products = new Float64Array(width * width);
  const block = blockAt(v, 0, width);
  addProduct(blockAt(products, 0, width), 1, transposedBlock(block), block, [width, rows, width]);
  const t = new Float64Array(width * width);
  group.forEach(({ factor }, j) => {
    for (let i = 0; i < j; i++) {
      let sum = 0;
      for (let k = i; k < j; k++) sum += (t[i * width + k] ?? 0) * (products[k * width + j] ?? 0);
      t[i * width + j] = -factor * sum;
    }
    t[j * width + j] = factor;
  });
  return t;
}

/** Applies the reflectors of a panel, from the last to the first or the other way round, to `target` from column `first` on. */
export function applyPanel(
  { start, rows, width, v, t }: Panel,
  target: Float64Array,
  columns: number,
  first: number,
  isReversed: boolean,
): void {
  const count = columns - first;
  const c = blockAt(target, start * columns + first, columns);
  const [block, factors] = [blockAt(v, 0, width), blockAt(t, 0, width)];
  const along = new Float64Array(width * count);
  addProduct(blockAt(along, 0, count), 1, transposedBlock(block), c, [width, rows, count]);
  const scaled = new Float64Array(width * count);
  const turned = isReversed ? factors : transposedBlock(factors);
  addProduct(blockAt(scaled, 0, count), 1, turned, blockAt(along, 0, count), [width, width, count]);
  addProduct(c, -1, block, blockAt(scaled, 0, count), [rows, width, count]);
}

/** The product of all reflectors, applied to `target` [rows, columns], whose first columns are those of the unit matrix if `isUnit`. */
export function applyPanels(panels: readonly Panel[], target: Float64Array, columns: number, isUnit: boolean): void {
  // Where the unit matrix began, columns before the panel's first row have only zeros below it.
  for (const panel of panels.toReversed())
    applyPanel(panel, target, columns, isUnit ? Math.min(panel.start, columns) : 0, true);
}

/** Replaces a matrix by R, with anything below its diagonal; gives the reflectors of Q. */
export function reduceToTriangle(matrix: Float64Array, rows: number, columns: number): Panel[] {
  const panels: Panel[] = [];
  const depth = Math.min(rows, columns);
  for (let start = 0; start < depth; start += blockWidth) {
    const end = Math.min(start + blockWidth, depth);
    const group: Reflector[] = [];
    for (let j = start; j < end; j++) {
      const reflector = reflectorOf(
        Float64Array.from({ length: rows - j }, (_, i) => matrix[(j + i) * columns + j] ?? 0),
      );
      matrix[j * columns + j] = reflector.length;
      reflect(reflector, matrix, j * columns + j + 1, columns, end - j - 1);
      group.push(reflector);
    }
    for (const panel of panelsOf(group, start)) {
      applyPanel(panel, matrix, columns, end, false);
      panels.push(panel);
    }
  }
  return panels;
}

function reflect({ v, factor }: Reflector, matrix: Float64Array, at: number, row: number, columns: number): void {
  const along = new Float64Array(columns);
  for (let i = 0; i < v.length; i++) addScaled(along, 0, v[i] ?? 0, matrix, at + i * row, columns);
  for (let i = 0; i < v.length; i++) addScaled(matrix, at + i * row, -factor * (v[i] ?? 0), along, 0, columns);
}

/** Q [m, n] and R [n, n] of each matrix [m, n], m ≥ n, one after the other; NaN where an element is not finite. */
export function qrFactors(call: RoutineCall<null>): void {
  const [m, n] = sidesOf(call.inputAvals[0]?.shape ?? []);
  eachMatrix(call, 1, (matrix = new Float64Array()) => {
    const result = new Float64Array(m * n + n * n);
    const scale = normalize(matrix);
    if (Number.isNaN(scale)) return result.fill(Number.NaN);
    const panels = reduceToTriangle(matrix, m, n);
    const q = unitMatrix(m, n);
    applyPanels(panels, q, n, true);
    result.set(q);
    for (let i = 0; i < n; i++)
      for (let j = i; j < n; j++) result[m * n + i * n + j] = scale * (matrix[i * n + j] ?? 0);
    return result;
  });
}

/** An orthonormal basis [m, m - n] of what is orthogonal to the orthonormal columns of each matrix [m, n]. */
export function complements(call: RoutineCall<null>): void {
  const [m, n] = sidesOf(call.inputAvals[0]?.shape ?? []);
  eachMatrix(call, 2, (matrix = new Float64Array()) => {
    const result = new Float64Array(m * (m - n));
    if (Number.isNaN(normalize(matrix))) return result.fill(Number.NaN);
    for (let j = 0; j < m - n; j++) result[(n + j) * (m - n) + j] = 1;
    applyPanels(reduceToTriangle(matrix, m, n), result, m - n, false);
    return result;
  });
}
