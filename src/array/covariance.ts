/** Factors of covariance matrices, for sampling. */

import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { castTo } from "../primitives/cast.ts";
import { batchToFront, only } from "../primitives/families.ts";

/** A matrix A with AᵀA the input, from the eigenvectors of the symmetric input by Jacobi rotations. */
const covarianceFactorRow: Primitive<null> = {
  name: "covarianceFactor",
  aval: ([covariance]) => only("covarianceFactor", covariance),
  lowering: {
    kind: "routine",
    run({ inputs: [source], output, inputAvals: [aval] }) {
      const n = only("covarianceFactor", aval?.shape.at(-1));
      const values = only("covarianceFactor", source);
      for (let begin = 0; begin < values.length; begin += n * n) {
        const matrix = Float64Array.from({ length: n * n }, (_, k) => Number(values[begin + k] ?? 0));
        factor(matrix, n).forEach((value, k) => {
          output[begin + k] = value;
        });
      }
    },
  },
  derivative: { kind: "none", because: "sampling is not differentiated with respect to the covariance" },
  batch: ([covariance], [axis]) => [
    apply(covarianceFactorRow, [batchToFront(only("covarianceFactor", covariance), axis ?? 0)], null),
    0,
  ],
};

/** A factor A of each matrix C of [..., n, n] with AᵀA = C: rows are eigenvectors scaled by the root of their eigenvalue. */
export function covarianceFactor(covariance: MLXArray): MLXArray {
  return apply(covarianceFactorRow, [castTo(covariance, "float32")], null);
}

/** Cyclic Jacobi: Golub & Van Loan, Matrix Computations, section 8.5. */
function factor(a: Float64Array, n: number): Float64Array {
  const vectors = new Float64Array(n * n);
  for (let k = 0; k < n; k++) vectors[k * n + k] = 1;
  const at = (i: number, j: number): number => a[i * n + j] ?? 0;
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) off += at(i, j) ** 2;
    if (off < 1e-30) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, vectors, n, p, q);
  }
  const order = Array.from({ length: n }, (_, k) => k).sort((i, j) => at(j, j) - at(i, i));
  const result = new Float64Array(n * n);
  order.forEach((column, row) => {
    const scale = Math.sqrt(Math.max(0, at(column, column)));
    for (let k = 0; k < n; k++) result[row * n + k] = scale * (vectors[k * n + column] ?? 0);
  });
  return result;
}

function rotate(a: Float64Array, vectors: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q] ?? 0;
  if (apq === 0) return;
  const tau = ((a[q * n + q] ?? 0) - (a[p * n + p] ?? 0)) / (2 * apq);
  const t = Math.sign(tau || 1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
  const c = 1 / Math.sqrt(1 + t * t);
  const s = t * c;
  const mix = (m: Float64Array, i: number, j: number): void => {
    const [x, y] = [m[i] ?? 0, m[j] ?? 0];
    m[i] = c * x - s * y;
    m[j] = s * x + c * y;
  };
  for (let k = 0; k < n; k++) mix(a, k * n + p, k * n + q);
  for (let k = 0; k < n; k++) mix(a, p * n + k, q * n + k);
  for (let k = 0; k < n; k++) mix(vectors, k * n + p, k * n + q);
}
