/** Matrices in memory, for the loops of decompositions: a batch one by one, and the products they spend their time in. */
import type { TypedArray } from "../base/dtype.ts";
import type { RoutineCall } from "../graph/primitive.ts";

/** How many rows or columns are worked on before the rest of the matrix follows in one product: they stay in the cache. */
export const blockWidth = 32;

/** A block of a matrix: element (i, j) lies at `start + i * row + j * column`. */
export interface Block {
  readonly elements: Float64Array;
  readonly start: number;
  readonly row: number;
  readonly column: number;
}

/** The block of a row-major matrix whose rows are `row` apart, from `start` on. */
export function blockAt(elements: Float64Array, start: number, row: number): Block {
  return { elements, start, row, column: 1 };
}

/** The same block with rows and columns exchanged. */
export function transposedBlock({ elements, start, row, column }: Block): Block {
  return { elements, start, row: column, column: row };
}

/** The lengths of the last two axes. */
export function sidesOf(shape: readonly number[]): readonly [rows: number, columns: number] {
  return [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
}

/**
 * Computes a batch matrix by matrix, in double precision whatever the dtype: `body` gets the elements of each input and gives
 * those of the output, whose last `itemRank` axes are no batch.
 */
export function eachMatrix<P>(
  { inputs, output, outputAval: { shape } }: RoutineCall<P>,
  itemRank: number,
  body: (...inputs: readonly Float64Array[]) => Float64Array,
): void {
  const count = shape.slice(0, shape.length - itemRank).reduce((size, length) => size * length, 1);
  for (let k = 0; k < count; k++) {
    const matrices = inputs.map((input) => {
      const size = input.length / count;
      return doubles(input.subarray(k * size, (k + 1) * size));
    });
    write(output, (k * output.length) / count, body(...matrices));
  }
}

/** A copy. */
function doubles(elements: TypedArray): Float64Array {
  if (elements instanceof Float32Array || elements instanceof Float64Array) return new Float64Array(elements);
  return Float64Array.from({ length: elements.length }, (_, i) => Number(elements[i]));
}

function write(output: TypedArray, start: number, values: Float64Array): void {
  if (output instanceof Float32Array || output instanceof Float64Array) output.set(values, start);
  else for (let i = 0; i < values.length; i++) output[start + i] = values[i] ?? 0;
}

/**
 * Adds `sign` times `a` [rows, inner] · `b` [inner, columns] to `c` [rows, columns]; neighbours in a row of `b` and `c` are
 * neighbours in memory.
 *
 * Two rows at a time and four terms of each sum, so that loads and stores are few beside products: 6.7 GFlop/s in Node 20 on
 * the machine on which a plain loop of products and sums gives 1.8.
 */
export function addProduct(
  c: Block,
  sign: 1 | -1,
  a: Block,
  b: Block,
  [rows, inner, columns]: readonly [rows: number, inner: number, columns: number],
): void {
  if (columns === 0) return;
  // Rows of `b` by the block, which stays in the cache while it is added to all rows of `c`.
  for (let start = 0; start < inner; start += blockWidth) {
    const end = Math.min(start + blockWidth, inner);
    const whole = end - ((end - start) % 4);
    for (let i = 0; i < rows; i += 2) {
      const isPair = i + 1 < rows;
      for (let p = start; p < whole; p += 4) {
        if (isPair) addFourToPair(c, sign, a, b, i, p, columns);
        else addFourToRow(c, sign, a, b, i, p, columns);
      }
      for (let p = whole; p < end; p++) {
        addToRow(c, sign, a, b, i, p, columns);
        if (isPair) addToRow(c, sign, a, b, i + 1, p, columns);
      }
    }
  }
}

function addFourToPair(c: Block, sign: number, a: Block, b: Block, i: number, p: number, columns: number): void {
  const [to, from, factors] = [c.elements, b.elements, a.elements];
  const upper = a.start + i * a.row + p * a.column;
  const lower = upper + a.row;
  const a0 = sign * (factors[upper] ?? 0);
  const a1 = sign * (factors[upper + a.column] ?? 0);
  const a2 = sign * (factors[upper + 2 * a.column] ?? 0);
  const a3 = sign * (factors[upper + 3 * a.column] ?? 0);
  const b0 = sign * (factors[lower] ?? 0);
  const b1 = sign * (factors[lower + a.column] ?? 0);
  const b2 = sign * (factors[lower + 2 * a.column] ?? 0);
  const b3 = sign * (factors[lower + 3 * a.column] ?? 0);
  const p0 = b.start + p * b.row;
  const [p1, p2, p3] = [p0 + b.row, p0 + 2 * b.row, p0 + 3 * b.row];
  const c0 = c.start + i * c.row;
  const c1 = c0 + c.row;
  for (let j = 0; j < columns; j++) {
    const x = from[p0 + j] ?? 0;
    const y = from[p1 + j] ?? 0;
    const z = from[p2 + j] ?? 0;
    const w = from[p3 + j] ?? 0;
    to[c0 + j] = (to[c0 + j] ?? 0) + a0 * x + a1 * y + a2 * z + a3 * w;
    to[c1 + j] = (to[c1 + j] ?? 0) + b0 * x + b1 * y + b2 * z + b3 * w;
  }
}

function addFourToRow(c: Block, sign: number, a: Block, b: Block, i: number, p: number, columns: number): void {
  const [to, from, factors] = [c.elements, b.elements, a.elements];
  const first = a.start + i * a.row + p * a.column;
  const a0 = sign * (factors[first] ?? 0);
  const a1 = sign * (factors[first + a.column] ?? 0);
  const a2 = sign * (factors[first + 2 * a.column] ?? 0);
  const a3 = sign * (factors[first + 3 * a.column] ?? 0);
  const p0 = b.start + p * b.row;
  const [p1, p2, p3] = [p0 + b.row, p0 + 2 * b.row, p0 + 3 * b.row];
  const c0 = c.start + i * c.row;
  for (let j = 0; j < columns; j++) {
    const sum =
      a0 * (from[p0 + j] ?? 0) + a1 * (from[p1 + j] ?? 0) + a2 * (from[p2 + j] ?? 0) + a3 * (from[p3 + j] ?? 0);
    to[c0 + j] = (to[c0 + j] ?? 0) + sum;
  }
}

function addToRow(c: Block, sign: number, a: Block, b: Block, i: number, p: number, columns: number): void {
  const factor = sign * (a.elements[a.start + i * a.row + p * a.column] ?? 0);
  addScaled(c.elements, c.start + i * c.row, factor, b.elements, b.start + p * b.row, columns);
}

/** Adds `factor` times neighbouring elements of `from` to those of `to`. */
export function addScaled(
  to: Float64Array,
  at: number,
  factor: number,
  from: Float64Array,
  start: number,
  length: number,
): void {
  for (let j = 0; j < length; j++) to[at + j] = (to[at + j] ?? 0) + factor * (from[start + j] ?? 0);
}

/** The sum of products of neighbouring elements. */
export function dot(a: Float64Array, at: number, b: Float64Array, start: number, length: number): number {
  let sum = 0;
  for (let j = 0; j < length; j++) sum += (a[at + j] ?? 0) * (b[start + j] ?? 0);
  return sum;
}

/** The products of `count` rows of `matrix`, which are `row` apart from `at` on, with `vector`: four at a time, for its loads. */
export function timesVector(
  matrix: Float64Array,
  at: number,
  row: number,
  vector: Float64Array,
  count: number,
): Float64Array {
  const { length } = vector;
  const result = new Float64Array(count);
  const whole = count - (count % 4);
  for (let i = 0; i < whole; i += 4) {
    const r0 = at + i * row;
    const [r1, r2, r3] = [r0 + row, r0 + 2 * row, r0 + 3 * row];
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let j = 0; j < length; j++) {
      const x = vector[j] ?? 0;
      a += (matrix[r0 + j] ?? 0) * x;
      b += (matrix[r1 + j] ?? 0) * x;
      c += (matrix[r2 + j] ?? 0) * x;
      d += (matrix[r3 + j] ?? 0) * x;
    }
    [result[i], result[i + 1], result[i + 2], result[i + 3]] = [a, b, c, d];
  }
  for (let i = whole; i < count; i++) result[i] = dot(matrix, at + i * row, vector, 0, length);
  return result;
}

/** Subtracts `a` `xᵀ` + `b` `yᵀ` from rows of `matrix`, which are `row` apart from `at` on. */
export function subtractOuter(
  matrix: Float64Array,
  at: number,
  row: number,
  [a, x]: readonly [Float64Array, Float64Array],
  [b, y]: readonly [Float64Array, Float64Array],
): void {
  const { length } = x;
  for (let i = 0; i < a.length; i++) {
    const start = at + i * row;
    const [ai, bi] = [a[i] ?? 0, b[i] ?? 0];
    for (let j = 0; j < length; j++) matrix[start + j] = (matrix[start + j] ?? 0) - ai * (x[j] ?? 0) - bi * (y[j] ?? 0);
  }
}

/**
 * The sign that makes a vector, row `i` of `rows`, one and the same whatever steps led to it: its first element that has 0.7 of the
 * greatest magnitude is positive. (With the greatest itself, rounding would decide among equal ones.)
 */
export function signOfRow(rows: Float64Array, length: number, i: number): 1 | -1 {
  const vector = rows.subarray(i * length, (i + 1) * length);
  let greatest = 0;
  for (const value of vector) greatest = Math.max(greatest, Math.abs(value));
  const leading = vector.find((value) => Math.abs(value) >= 0.7 * greatest) ?? 1;
  return leading < 0 ? -1 : 1;
}

/** [rows, columns] → [columns, rows]. */
export function transposedMatrix(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i += blockWidth) {
    for (let j = 0; j < columns; j++) {
      for (let k = i; k < Math.min(i + blockWidth, rows); k++) result[j * rows + k] = matrix[k * columns + j] ?? 0;
    }
  }
  return result;
}

/** The unit matrix, or its first columns. */
export function unitMatrix(rows: number, columns: number = rows): Float64Array {
  const result = new Float64Array(rows * columns);
  for (let i = 0; i < Math.min(rows, columns); i++) result[i * columns + i] = 1;
  return result;
}

/**
 * Divides a matrix by a power of two, so that its greatest element is near 1 and no square overflows; gives that power. NaN if
 * an element is not finite.
 */
export function normalize(matrix: Float64Array): number {
  let greatest = 0;
  for (let k = 0; k < matrix.length; k++) {
    const size = Math.abs(matrix[k] ?? 0);
    if (!(size < Number.POSITIVE_INFINITY)) return Number.NaN;
    if (size > greatest) greatest = size;
  }
  if (greatest === 0) return 1;
  const scale = 2 ** Math.max(Math.ceil(Math.log2(greatest)), -1000);
  for (let k = 0; k < matrix.length; k++) matrix[k] = (matrix[k] ?? 0) / scale;
  return scale;
}
