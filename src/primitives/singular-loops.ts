/**
 * The loops behind singular values and vectors: Householder reduction to a bidiagonal matrix, then implicit QR steps (Golub &
 * Van Loan, Matrix Computations, sections 5.4.8 and 8.6).
 */
import type { RoutineCall } from "../graph/primitive.ts";
import {
  addProduct,
  blockAt,
  dot,
  eachMatrix,
  normalize,
  sidesOf,
  signOfRow,
  subtractOuter,
  timesVector,
  transposedMatrix,
  unitMatrix,
} from "./matrix-blocks.ts";
import type { Reflector } from "./reflector-loops.ts";
import { applyPanels, panelsOf, reduceToTriangle, reflectorOf } from "./reflector-loops.ts";
import { RowTurns } from "./row-turns.ts";

/** QR steps for each singular value after which there is none to be found; two are the rule. */
const stepLimit = 60;
/** What is less is 0 beside elements of at most 1. */
const negligible = Number.EPSILON / 16;

/**
 * U [m, n], the singular values [n] from the greatest to the least and Vᵀ [n, n] of each matrix [m, n], m ≥ n, one after the
 * other; NaN if an element is not finite.
 */
export function singularVectors(call: RoutineCall<null>): void {
  const [m, n] = sidesOf(call.inputAvals[0]?.shape ?? []);
  eachMatrix(call, 1, (matrix = new Float64Array()) => {
    const result = new Float64Array(m * n + n + n * n);
    const scale = normalize(matrix);
    if (Number.isNaN(scale)) return result.fill(Number.NaN);
    const panels = m > n ? reduceToTriangle(matrix, m, n) : [];
    if (m > n) clearBelow(matrix, n);
    const square = m > n ? matrix.slice(0, n * n) : matrix;
    const found = decompose(square, n, true);
    if (!found) return result.fill(Number.NaN);
    const u = new Float64Array(m * n);
    found.order.forEach((from, to) => {
      const value = found.values[from] ?? 0;
      result[m * n + to] = scale * Math.abs(value);
      const sign = signOfRow(found.right.rows, n, from);
      for (let i = 0; i < n; i++) {
        u[i * n + to] = (value < 0 ? -sign : sign) * (found.left.rows[from * n + i] ?? 0);
        result[m * n + n + to * n + i] = sign * (found.right.rows[from * n + i] ?? 0);
      }
    });
    applyPanels(panels, u, n, false);
    result.set(u);
    return result;
  });
}

/** The singular values alone. */
export function singularValues(call: RoutineCall<null>): void {
  const [m, n] = sidesOf(call.inputAvals[0]?.shape ?? []);
  eachMatrix(call, 1, (matrix = new Float64Array()) => {
    const scale = normalize(matrix);
    if (Number.isNaN(scale)) return new Float64Array(n).fill(Number.NaN);
    if (m > n) {
      reduceToTriangle(matrix, m, n);
      clearBelow(matrix, n);
    }
    const found = decompose(matrix.slice(0, n * n), n, false);
    if (!found) return new Float64Array(n).fill(Number.NaN);
    return Float64Array.from(found.order, (from) => scale * Math.abs(found.values[from] ?? 0));
  });
}

function clearBelow(matrix: Float64Array, n: number): void {
  for (let i = 1; i < n; i++) matrix.fill(0, i * n, i * n + i);
}

/** An upper bidiagonal matrix, and what it lies between: rows that turn with its own, and with its columns (none if not wanted). */
interface Bidiagonal {
  readonly values: Float64Array;
  readonly beside: Float64Array;
  readonly left: RowTurns;
  readonly right: RowTurns;
}

/** Singular values with perhaps a sign, the places of them from the greatest to the least, and their vectors as rows. */
interface SingularSystem extends Bidiagonal {
  readonly order: readonly number[];
}

function decompose(matrix: Float64Array, n: number, areVectorsWanted: boolean): SingularSystem | null {
  const reduced = reduceToBidiagonal(matrix, n, areVectorsWanted);
  const { values } = reduced;
  let last = n - 1;
  for (let steps = 0; last > 0; ) {
    const first = blockBefore(reduced, last);
    if (first === last) {
      last--;
      steps = 0;
    } else if (++steps > stepLimit) {
      return null;
    } else if (!clearsZero(reduced, first, last)) {
      stepDown(reduced, first, last);
    }
  }
  reduced.left.finish();
  reduced.right.finish();
  const order = Array.from(values.keys()).sort((a, b) => Math.abs(values[b] ?? 0) - Math.abs(values[a] ?? 0));
  return { ...reduced, order };
}

function reduceToBidiagonal(matrix: Float64Array, n: number, areVectorsWanted: boolean): Bidiagonal {
  const [values, beside] = [new Float64Array(n), new Float64Array(n)];
  const [lefts, rights]: [Reflector[], Reflector[]] = [[], []];
  for (let k = 0; k < n; k++) {
    const [rest, at] = [n - k - 1, (k + 1) * (n + 1)];
    const left = reflectorOf(Float64Array.from({ length: n - k }, (_, i) => matrix[(k + i) * n + k] ?? 0));
    values[k] = left.length;
    lefts.push(left);
    if (rest === 0) break;
    // The left reflector subtracts v wᵀ; the row it leaves is needed at once, the others with the right reflector.
    const w = new Float64Array(rest);
    addProduct(blockAt(w, 0, rest), 1, blockAt(left.v, 0, n - k), blockAt(matrix, k * n + k + 1, n), [1, n - k, rest]);
    for (let j = 0; j < rest; j++) w[j] = left.factor * (w[j] ?? 0);
    const right = reflectorOf(Float64Array.from(w, (value, j) => (matrix[k * n + k + 1 + j] ?? 0) - value));
    beside[k] = right.length;
    rights.push(right);
    const below = left.v.slice(1);
    const p = timesVector(matrix, at, n, right.v, rest);
    const along = dot(w, 0, right.v, 0, rest);
    for (let i = 0; i < rest; i++) p[i] = right.factor * ((p[i] ?? 0) - along * (below[i] ?? 0));
    subtractOuter(matrix, at, n, [below, w], [p, right.v]);
  }
  const rowsOf = (reflectors: readonly Reflector[], start: number): RowTurns => {
    if (!areVectorsWanted) return new RowTurns(new Float64Array(), n);
    const vectors = unitMatrix(n);
    applyPanels(panelsOf(reflectors, start), vectors, n, true);
    return new RowTurns(transposedMatrix(vectors, n, n), n);
  };
  return { values, beside, left: rowsOf(lefts, 0), right: rowsOf(rights, 1) };
}

/** Where the block begins that ends with `last` and has no 0 beside its diagonal. */
function blockBefore({ values, beside }: Bidiagonal, last: number): number {
  for (let i = last - 1; i >= 0; i--) {
    const size = Math.abs(values[i] ?? 0) + Math.abs(values[i + 1] ?? 0);
    if (Math.abs(beside[i] ?? 0) > Math.max(Number.EPSILON * size, negligible * Number.EPSILON)) continue;
    beside[i] = 0;
    return i + 1;
  }
  return 0;
}

/** Whether a 0 on the diagonal of a block was found; what stands beside it is then turned away. */
function clearsZero(of: Bidiagonal, first: number, last: number): boolean {
  const { values, beside } = of;
  for (let i = last; i >= first; i--) {
    if (Math.abs(values[i] ?? 0) > negligible) continue;
    values[i] = 0;
    if (i === last) clearColumn(of, first, last);
    else clearRow(values, beside, of.left, i, last);
    return true;
  }
  return false;
}

function clearRow(values: Float64Array, beside: Float64Array, left: RowTurns, zero: number, last: number): void {
  let rest = beside[zero] ?? 0;
  beside[zero] = 0;
  for (let j = zero + 1; j <= last && rest !== 0; j++) {
    const [length, c, s] = turnOf(values[j] ?? 0, rest);
    values[j] = length;
    rest = -s * (beside[j] ?? 0);
    if (j < last) beside[j] = c * (beside[j] ?? 0);
    left.turn(j, zero, c, s);
  }
}

function clearColumn({ values, beside, right }: Bidiagonal, first: number, last: number): void {
  let rest = beside[last - 1] ?? 0;
  beside[last - 1] = 0;
  for (let j = last - 1; j >= first && rest !== 0; j--) {
    const [length, c, s] = turnOf(values[j] ?? 0, rest);
    values[j] = length;
    if (j > first) {
      rest = -s * (beside[j - 1] ?? 0);
      beside[j - 1] = c * (beside[j - 1] ?? 0);
    }
    right.turn(j, last, c, s);
  }
}

/** One implicit QR step with Wilkinson's shift on a block without zeros. */
function stepDown({ values, beside, left, right }: Bidiagonal, first: number, last: number): void {
  const [top, low, over] = [values[first] ?? 0, values[last] ?? 0, values[last - 1] ?? 0];
  const [near, far] = [beside[last - 1] ?? 0, last - 1 > first ? (beside[last - 2] ?? 0) : 0];
  const corner = low * low + near * near;
  const [half, mixed] = [(over * over + far * far - corner) / 2, over * near];
  const root = Math.sqrt(half * half + mixed * mixed);
  const shift = root === 0 ? corner : corner - (mixed * mixed) / (half < 0 ? half - root : half + root);
  let y = top * top - shift;
  let z = top * (beside[first] ?? 0);
  for (let k = first; k < last; k++) {
    const [length, c, s] = turnOf(y, z);
    if (k > first) beside[k - 1] = length;
    const [value, other, next] = [values[k] ?? 0, beside[k] ?? 0, values[k + 1] ?? 0];
    const upper = c * other - s * value;
    right.turn(k, k + 1, c, s);
    const [size, cosine, sine] = turnOf(c * value + s * other, s * next);
    values[k] = size;
    values[k + 1] = cosine * c * next - sine * upper;
    y = cosine * upper + sine * c * next;
    beside[k] = y;
    left.turn(k, k + 1, cosine, sine);
    if (k + 1 === last) break;
    z = sine * (beside[k + 1] ?? 0);
    beside[k + 1] = cosine * (beside[k + 1] ?? 0);
  }
}

/** The rotation that turns (y, z) into (length, 0). */
function turnOf(y: number, z: number): readonly [length: number, c: number, s: number] {
  const length = Math.sqrt(y * y + z * z);
  return length === 0 ? [0, 1, 0] : [length, y / length, z / length];
}
