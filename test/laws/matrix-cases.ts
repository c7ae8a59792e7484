/** Law cases of the rows of linear algebra, on matrices whose decompositions change smoothly. */
import type { InputSpec } from "./bench.ts";
import type { LawCase } from "./laws.ts";

const of = (...shape: readonly number[]): InputSpec => ({ shape });

const general: InputSpec = { shape: [3, 3], values: [2, -0.5, 0.3, 0.7, 1.5, -0.4, -0.2, 0.6, 1.8] };
const exchanged: InputSpec = { shape: [3, 3], values: [0.3, 2, -0.5, 1.9, 0.2, 0.8, -0.6, 0.7, 1.4] };
const positive: InputSpec = { shape: [3, 3], values: [2, 0.5, -0.3, 0.3, 1.5, 0.4, -0.5, 0.2, 1.8] };
const pair: InputSpec = { shape: [2, 2, 2], values: [2, 0.5, 0.25, 1, 0.5, 2, 1.5, 1] };
const tall: InputSpec = { shape: [3, 2], values: [0.5, 1.2, 2, -0.3, 0.7, 0.9] };
const wide: InputSpec = { shape: [2, 3], values: [0.5, 1.2, 0.4, 2, -0.3, 0.7] };
const empty: InputSpec = of(0, 0);
const withinSolve = "the gradient of systems goes around it";

/** Law cases by the export name of the row. */
export const matrixCases: Readonly<Record<string, readonly LawCase[]>> = {
  mirrorRow: [false, true].map((isUpper) => ({
    inputs: [of(2, 2, 2)],
    params: { isUpper },
    noDerivative: "it is that among symmetric matrices",
    value: ([a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = []) =>
      isUpper ? [a, b, b, d, e, f, f, h] : [a, c, c, d, e, g, g, h],
  })),
  luRow: [
    {
      inputs: [{ shape: [2, 2], values: [1, 2, 2, 8] }],
      value: () => [2, 8, 0.5, -2, 1, 0, 1, 0, 1, 1],
    },
    { inputs: [exchanged] },
    { inputs: [pair] },
    { inputs: [tall] },
    { inputs: [wide] },
    { inputs: [empty] },
  ],
  triangularRow: [false, true].flatMap((isUpper) =>
    [false, true].map((isTransposed): LawCase => ({ inputs: [general, of(3, 2)], params: { isUpper, isTransposed } })),
  ),
  factoredRow: [
    {
      inputs: [
        { shape: [10], values: [2, 8, 0.5, -2, 1, 0, 1, 0, 1, 1] },
        { shape: [2, 1], values: [5, 18] },
      ],
      params: { isTransposed: false },
      noDerivative: withinSolve,
      value: () => [1, 2],
    },
  ],
  solveRow: [
    {
      inputs: [
        { shape: [2, 2], values: [1, 2, 2, 8] },
        { shape: [2, 1], values: [5, 18] },
      ],
      params: { isTransposed: false },
      value: () => [1, 2],
    },
    { inputs: [exchanged, of(3, 2)], params: { isTransposed: false } },
    { inputs: [exchanged, of(3, 2)], params: { isTransposed: true } },
    { inputs: [pair, of(2, 2, 1)], params: { isTransposed: false } },
    { inputs: [empty, of(0, 2)], params: { isTransposed: false } },
  ],
  choleskyRow: [
    { inputs: [{ shape: [2, 2], values: [4, 3, 1, 10] }], value: () => [2, 0, 1, 3] },
    { inputs: [positive] },
    { inputs: [empty] },
  ],
  detRow: [
    { inputs: [{ shape: [2, 2], values: [1, 2, 2, 8] }], value: () => [4] },
    { inputs: [exchanged] },
    { inputs: [pair] },
    { inputs: [of(1, 1)], value: (x = []) => x },
    { inputs: [empty], value: () => [1] },
  ],
  logDetRow: [
    { inputs: [{ shape: [2, 2], values: [1, 2, 2, 8] }], value: () => [Math.log(4)] },
    { inputs: [exchanged] },
    { inputs: [pair] },
    { inputs: [empty], value: () => [0] },
  ],
  cofactorsRow: [
    {
      inputs: [{ shape: [2, 2], values: [1, 2, 3, 4] }],
      value: () => [4, -3, -2, 1],
    },
    { inputs: [exchanged] },
    { inputs: [pair] },
    { inputs: [empty] },
  ],
  qrRow: [
    { inputs: [{ shape: [2, 2], values: [3, 5, 4, 10] }], value: () => [-0.6, -0.8, -0.8, 0.6, -5, -11, 0, 2] },
    { inputs: [general] },
    { inputs: [tall] },
    { inputs: [pair] },
    { inputs: [of(2, 0)] },
  ],
  eighRow: [
    { inputs: [{ shape: [1, 1], values: [3] }], value: () => [3, 1] },
    { inputs: [general] },
    { inputs: [pair] },
    { inputs: [empty] },
  ],
  eigvalshRow: [
    { inputs: [{ shape: [2, 2], values: [1, -3, -1, 1] }], value: () => [-1, 3] },
    { inputs: [general] },
    { inputs: [pair] },
    { inputs: [empty] },
  ],
  svdRow: [{ inputs: [general] }, { inputs: [tall] }, { inputs: [pair] }, { inputs: [of(2, 0)] }],
  singularValuesRow: [
    { inputs: [{ shape: [2, 2], values: [3, 0, 4, 5] }], value: () => [Math.sqrt(45), Math.sqrt(5)] },
    { inputs: [general] },
    { inputs: [tall] },
    { inputs: [pair] },
    { inputs: [empty] },
  ],
  complementRow: [
    {
      inputs: [{ shape: [2, 1], values: [0.6, 0.8] }],
      noDerivative: "any basis would do",
      value: () => [-0.8, 0.6],
    },
    { inputs: [{ shape: [3, 1], values: [0, 1, 0] }], noDerivative: "any basis would do" },
  ],
  pinvRow: [
    { inputs: [general], params: { limit: 1e-12 } },
    { inputs: [tall], params: { limit: 1e-12 } },
    { inputs: [pair], params: { limit: 1e-12 } },
  ],
};
