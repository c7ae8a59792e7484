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
  const whole = inner - (inner % 4);
  for (let i = 0; i < rows; i += 2) {
    const isPair = i + 1 < rows;
    for (let p = 0; p < whole; p += 4) {
      if (isPair) addFourToPair(c, sign, a, b, i, p, columns);
      else addFourToRow(c, sign, a, b, i, p, columns);
    }
    for (let p = whole; p < inner; p++) {
      addToRow(c, sign, a, b, i, p, columns);
      if (isPair) addToRow(c, sign, a, b, i + 1, p, columns);
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
