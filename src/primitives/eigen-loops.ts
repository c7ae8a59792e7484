/**
 * The loops behind eigenvalues and eigenvectors of symmetric matrices: Householder reduction to a tridiagonal matrix, then implicit
 * QL steps (Golub & Van Loan, Matrix Computations, section 8.3; Dubrulle, Martin & Wilkinson 1968).
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
  signOfRow,
  timesVector,
  transposedBlock,
  transposedMatrix,
  unitMatrix,
} from "./matrix-blocks.ts";
import type { Reflector } from "./reflector-loops.ts";
import { applyPanels, panelsOf, reflectorOf } from "./reflector-loops.ts";
import { RowTurns } from "./row-turns.ts";

/** QL steps for each eigenvalue after which there is none to be found; two are the rule. */
const stepLimit = 60;

/** Numbers whose squares are 0; elements are at most 1. */
const squareLimit = 1e-160;

/** The eigenvalues of the symmetric part of each matrix, ascending, and its eigenvectors as columns; NaN if an element is not finite. */
export function eigenvectors(call: RoutineCall<null>): void {
  const [n] = sidesOf(call.inputAvals[0]?.shape ?? []);
  eachMatrix(call, 1, (matrix = new Float64Array()) => {
    const result = new Float64Array(n + n * n);
    const found = decompose(matrix, n, true);
    if (!found) return result.fill(Number.NaN);
    found.order.forEach((from, to) => {
      result[to] = found.values[from] ?? 0;
      const sign = signOfRow(found.rows, n, from);
      for (let i = 0; i < n; i++) result[n + i * n + to] = sign * (found.rows[from * n + i] ?? 0);
    });
    return result;
  });
}

/** The eigenvalues alone. */
export function eigenvalues(call: RoutineCall<null>): void {
  const [n] = sidesOf(call.inputAvals[0]?.shape ?? []);
  eachMatrix(call, 1, (matrix = new Float64Array()) => {
    const found = decompose(matrix, n, false);
    return found ? found.values.sort() : new Float64Array(n).fill(Number.NaN);
  });
}

/** Eigenvalues, the places of them in ascending order, and for each the eigenvector as a row (no rows where not wanted). */
interface Eigensystem {
  readonly values: Float64Array;
  readonly order: readonly number[];
  readonly rows: Float64Array;
}

function decompose(matrix: Float64Array, n: number, areVectorsWanted: boolean): Eigensystem | null {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const mean = (matrix[i * n + j] ?? 0) / 2 + (matrix[j * n + i] ?? 0) / 2;
      matrix[i * n + j] = mean;
      matrix[j * n + i] = mean;
    }
  }
  const scale = normalize(matrix);
  if (Number.isNaN(scale)) return null;
  const beside = new Float64Array(n);
  const reflectors = reduceToTridiagonal(matrix, n, beside);
  const values = Float64Array.from({ length: n }, (_, i) => matrix[i * n + i] ?? 0);
  let rows: Float64Array = new Float64Array();
  if (areVectorsWanted) {
    const vectors = unitMatrix(n);
    applyPanels(panelsOf(reflectors, 1), vectors, n, true);
    rows = transposedMatrix(vectors, n, n);
  }
  const turns = new RowTurns(rows, n);
  for (let first = 0; first < n; first++) if (!isolate(values, beside, first, turns)) return null;
  turns.finish();
  for (let i = 0; i < n; i++) values[i] = scale * (values[i] ?? 0);
  const order = Array.from(values.keys()).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  return { values, order, rows };
}

/** Leaves the tridiagonal matrix on the diagonal and in `beside`; gives the reflectors, of which the first leaves row 0 as it is. */
function reduceToTridiagonal(matrix: Float64Array, n: number, beside: Float64Array): Reflector[] {
  const reflectors: Reflector[] = [];
  for (let start = 0; start + 1 < n; start += blockWidth) {
    const end = Math.min(start + blockWidth, n - 1);
    // H A H = A - v wᵀ - w vᵀ: [blockWidth, n], a row for each reflector, which the rows below get all at once.
    const [vs, ws] = [new Float64Array(blockWidth * n), new Float64Array(blockWidth * n)];
    for (let k = start; k < end; k++) {
      const known = k - start;
      subtractTurns(matrix, n, vs, ws, [k, 1, known]);
      const reflector = reflectorOf(matrix.slice(k * n + k + 1, (k + 1) * n));
      const { v, factor } = reflector;
      beside[k] = reflector.length;
      reflectors.push(reflector);
      if (factor === 0) continue;
      const w = timesVector(matrix, (k + 1) * (n + 1), n, v, v.length);
      for (let p = 0; p < known; p++) {
        const at = p * n + k + 1;
        addScaled(w, 0, -dot(ws, at, v, 0, v.length), vs, at, v.length);
        addScaled(w, 0, -dot(vs, at, v, 0, v.length), ws, at, v.length);
      }
      for (let i = 0; i < w.length; i++) w[i] = factor * (w[i] ?? 0);
      addScaled(w, 0, (-factor / 2) * dot(w, 0, v, 0, v.length), v, 0, v.length);
      vs.set(v, known * n + k + 1);
      ws.set(w, known * n + k + 1);
    }
    subtractTurns(matrix, n, vs, ws, [end, n - end, end - start]);
  }
  return reflectors;
}

/** Subtracts v wᵀ + w vᵀ of the first `known` reflectors from `rows` rows of the matrix, from the diagonal of the first on. */
function subtractTurns(
  matrix: Float64Array,
  n: number,
  vs: Float64Array,
  ws: Float64Array,
  [first, rows, known]: readonly [first: number, rows: number, known: number],
): void {
  const c = blockAt(matrix, first * (n + 1), n);
  const [v, w] = [blockAt(vs, first, n), blockAt(ws, first, n)];
  addProduct(c, -1, transposedBlock(v), w, [rows, known, n - first]);
  addProduct(c, -1, transposedBlock(w), v, [rows, known, n - first]);
}

/** QL steps until `values[first]` is an eigenvalue of its own; false if that takes too many. */
function isolate(values: Float64Array, beside: Float64Array, first: number, turns: RowTurns): boolean {
  for (let step = 0; step < stepLimit; step++) {
    let last = first;
    while (last + 1 < values.length && !isNegligible(values, beside, last)) last++;
    if (last === first) return true;
    stepDown(values, beside, first, last, turns);
  }
  return false;
}

function isNegligible(values: Float64Array, beside: Float64Array, i: number): boolean {
  const size = Math.abs(values[i] ?? 0) + Math.abs(values[i + 1] ?? 0);
  return Math.abs(beside[i] ?? 0) <= Math.max(Number.EPSILON * size, squareLimit);
}

/** One implicit QL step with Wilkinson's shift on the unreduced block from `first` to `last`. */
function stepDown(values: Float64Array, beside: Float64Array, first: number, last: number, turns: RowTurns): void {
  const [top, next, below] = [values[first] ?? 0, values[first + 1] ?? 0, beside[first] ?? 0];
  const half = (next - top) / (2 * below);
  const root = Math.sqrt(half * half + 1);
  let g = (values[last] ?? 0) - top + below / (half + (half < 0 ? -root : root));
  let [c, s, p] = [1, 1, 0];
  for (let i = last - 1; i >= first; i--) {
    const f = s * (beside[i] ?? 0);
    const b = c * (beside[i] ?? 0);
    const length = Math.sqrt(f * f + g * g);
    beside[i + 1] = length;
    if (length === 0) {
      values[i + 1] = (values[i + 1] ?? 0) - p;
      beside[last] = 0;
      return;
    }
    s = f / length;
    c = g / length;
    g = (values[i + 1] ?? 0) - p;
    const r = ((values[i] ?? 0) - g) * s + 2 * c * b;
    p = s * r;
    values[i + 1] = g + p;
    g = c * r - b;
    turns.turn(i + 1, i, c, s);
  }
  values[first] = (values[first] ?? 0) - p;
  beside[first] = g;
  beside[last] = 0;
}
