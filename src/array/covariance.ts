/** Roots of covariance matrices, for sampling. */

import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { castTo } from "../primitives/cast.ts";
import { batchToFront, only } from "../primitives/families.ts";

/** The most sweeps over all pairs of rows: convergence takes some ten, NaN never converges. */
const sweepLimit = 60;

const covarianceRootRow: Primitive<null> = {
  name: "covarianceRoot",
  aval: ([covariance]) => only("covarianceRoot", covariance),
  lowering: {
    kind: "routine",
    run({ inputs: [source], output, inputAvals: [aval] }) {
      const n = only("covarianceRoot", aval?.shape.at(-1));
      const values = only("covarianceRoot", source);
      for (let begin = 0; begin < values.length; begin += n * n) {
        const matrix = Float64Array.from({ length: n * n }, (_, k) => Number(values[begin + k] ?? 0));
        root(matrix, n).forEach((value, k) => {
          output[begin + k] = value;
        });
      }
    },
  },
  derivative: { kind: "none", because: "sampling is not differentiated with respect to the covariance" },
  batch: ([covariance], [axis]) => [
    apply(covarianceRootRow, [batchToFront(only("covarianceRoot", covariance), axis ?? 0)], null),
    0,
  ],
};

/**
 * U √S Vᵀ of each matrix U S Vᵀ (its singular values and vectors) of [..., n, n], as float32: the symmetric square root of
 * a covariance. The signs of the vectors, and the basis where values are equal, cancel out of it.
 */
export function covarianceRoot(covariance: MLXArray): MLXArray {
  return apply(covarianceRootRow, [castTo(covariance, "float32")], null);
}

/**
 * One-sided Jacobi (Golub & Van Loan, Matrix Computations, section 8.6.3): rotations R of the rows make them orthogonal,
 * R A = S Vᵀ, so that U = Rᵀ, and the length of a row is its singular value.
 */
function root(turned: Float64Array, n: number): Float64Array {
  const rotations = new Float64Array(n * n);
  for (let k = 0; k < n; k++) rotations[k * n + k] = 1;
  for (let sweep = 0, isTurning = true; isTurning && sweep < sweepLimit; sweep++) {
    isTurning = false;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) isTurning = turn(turned, rotations, n, p, q) || isTurning;
    }
  }
  const result = new Float64Array(n * n);
  for (let row = 0; row < n; row++) {
    const length = Math.sqrt(dot(turned, n, row, row));
    if (length === 0) continue;
    for (let i = 0; i < n; i++) {
      const scale = (rotations[row * n + i] ?? 0) / Math.sqrt(length);
      for (let j = 0; j < n; j++) result[i * n + j] = (result[i * n + j] ?? 0) + scale * (turned[row * n + j] ?? 0);
    }
  }
  return result;
}

/** Makes two rows orthogonal; false if they were, to the last bits. */
function turn(turned: Float64Array, rotations: Float64Array, n: number, p: number, q: number): boolean {
  const [pp, qq, pq] = [dot(turned, n, p, p), dot(turned, n, q, q), dot(turned, n, p, q)];
  if (Math.abs(pq) <= 1e-15 * Math.sqrt(pp * qq)) return false;
  const tau = (qq - pp) / (2 * pq);
  const t = (tau < 0 ? -1 : 1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
  const c = 1 / Math.sqrt(1 + t * t);
  const s = t * c;
  for (const rows of [turned, rotations]) {
    for (let k = 0; k < n; k++) {
      const [x, y] = [rows[p * n + k] ?? 0, rows[q * n + k] ?? 0];
      rows[p * n + k] = c * x - s * y;
      rows[q * n + k] = s * x + c * y;
    }
  }
  return true;
}

function dot(rows: Float64Array, n: number, p: number, q: number): number {
  let sum = 0;
  for (let k = 0; k < n; k++) sum += (rows[p * n + k] ?? 0) * (rows[q * n + k] ?? 0);
  return sum;
}
