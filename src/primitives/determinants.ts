/** Rows of determinants, from LU factors. */
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { divide, multiply, subtract } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { equal } from "./comparison.ts";
import { matmul } from "./contraction.ts";
import { decompositions } from "./decompositions.ts";
import { diagonal } from "./diagonals.ts";
import { log } from "./exponential.ts";
import { only } from "./families.ts";
import { iota } from "./generate.ts";
import { luParts, luRow, solveRow, unitLike } from "./linear-systems.ts";
import { abs, sign } from "./magnitude.ts";
import { matrixRow, turned } from "./matrices.ts";
import { prod } from "./products.ts";
import { sum } from "./reductions.ts";
import { where } from "./selection.ts";
import { expandDims } from "./shaping.ts";

/** The diagonal of U, and the sign of the exchanges of rows. */
function triangleOf(name: string, [x]: readonly MLXArray[]): readonly [diagonal: MLXArray, sign: MLXArray] {
  const a = only(name, x);
  const { factors, pivots } = luParts(apply(luRow, [a], null), a.shape);
  const isInPlace = equal(pivots, iota(pivots.shape, pivots.ndim - 1, "uint32"));
  return [diagonal(factors, { axis1: -2, axis2: -1 }), castTo(prod(where(isInPlace, 1, -1), -1), a.dtype)];
}

/** The determinant of each matrix. */
export const detRow: Primitive<null> = /* @__PURE__ */ matrixRow<null>(
  "det",
  (shape = []) => shape.slice(0, -2),
  {
    kind: "composite",
    define(inputs) {
      const [line, exchanges] = triangleOf("det", inputs);
      return multiply(prod(line, -1), exchanges);
    },
  },
  {
    // Jacobi's formula.
    kind: "custom",
    jvp: ([tangent], [a]) => total(multiply(only("det", tangent), cofactors(only("det", a)))),
    vjp: (cotangent, [a]) => [multiply(forEachMatrix(cotangent), cofactors(only("det", a)))],
  },
);

/** The logarithm of the magnitude of the determinant of each matrix. */
export const logDetRow: Primitive<null> = /* @__PURE__ */ matrixRow<null>(
  "slogdet",
  (shape = []) => shape.slice(0, -2),
  { kind: "composite", define: (inputs) => sum(log(abs(triangleOf("slogdet", inputs)[0])), -1) },
  {
    // Giles 2008, section 2.2.3, divided by the determinant.
    kind: "custom",
    jvp: ([tangent], [a]) => total(multiply(only("slogdet", tangent), transposedInverse(only("slogdet", a)))),
    vjp: (cotangent, [a]) => [multiply(forEachMatrix(cotangent), transposedInverse(only("slogdet", a)))],
  },
);

/** The sign of the determinant of each matrix: -1, 0 or 1. */
export function signOfDet(a: MLXArray): MLXArray {
  const [line, exchanges] = triangleOf("slogdet", [a]);
  return multiply(prod(sign(line), -1), exchanges);
}

/** The cofactors of each matrix, which are the gradient of its determinant: of singular ones too. */
export const cofactorsRow: Primitive<null> = /* @__PURE__ */ matrixRow<null>(
  "cofactors",
  (shape = []) => shape,
  { kind: "routine", part: decompositions, run: (call) => decompositions.get().cofactors(call) },
  {
    // The differential of det(A) A⁻ᵀ; divided by the determinant, and so NaN where that is 0.
    kind: "custom",
    jvp: ([tangent], [a], output) => cofactorsPushed(only("cofactors", tangent), only("cofactors", a), output),
    vjp: (cotangent, [a], output) => [cofactorsPushed(cotangent, only("cofactors", a), output)],
  },
);

/** The derivative of cofactors C along `x`, which is symmetric in `x` and the result: (⟨C, x⟩ C − C xᵀ C) / det. */
function cofactorsPushed(x: MLXArray, a: MLXArray, output: MLXArray): MLXArray {
  const along = multiply(forEachMatrix(total(multiply(output, x))), output);
  const across = matmul(matmul(output, turned(x)), output);
  return divide(subtract(along, across), forEachMatrix(apply(detRow, [a], null)));
}

function cofactors(a: MLXArray): MLXArray {
  return apply(cofactorsRow, [a], null);
}

function transposedInverse(a: MLXArray): MLXArray {
  return apply(solveRow, [a, unitLike(a)], { isTransposed: true });
}

function total(x: MLXArray): MLXArray {
  return sum(x, [-2, -1]);
}

function forEachMatrix(x: MLXArray): MLXArray {
  return expandDims(x, [-2, -1]);
}
