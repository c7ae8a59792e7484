/** Law cases of the rows that are not elementwise: views, reductions, products, gathers, scans, composites. */
import type { InputSpec } from "./bench.ts";
import type { LawCase } from "./laws.ts";
import { matrixCases } from "./matrix-cases.ts";

const of = (...shape: readonly number[]): InputSpec => ({ shape });
const apart = (...shape: readonly number[]): InputSpec => ({ shape, spacing: 0.01 });
const positive = (...shape: readonly number[]): InputSpec => ({ shape, domain: [0.5, 1.5] });
const wholes = (values: readonly number[], shape: readonly number[]): InputSpec => ({ shape, values, dtype: "int32" });
const bools = (...shape: readonly number[]): InputSpec => ({ shape, dtype: "bool" });

const isLeaf = "has no inputs";
const truth = "gives truth values";
const place = "gives positions";
const bits = "reads bits";

function reductions(input: (...shape: number[]) => InputSpec, extra: Partial<LawCase> = {}): LawCase[] {
  return [
    { inputs: [input(2, 3)], params: { axes: [1] }, ...extra },
    { inputs: [input(2, 3)], params: { axes: [0] }, ...extra },
    { inputs: [input(2, 3, 2)], params: { axes: [0, 2] }, ...extra },
    { inputs: [input(4)], params: { axes: [0] }, ...extra },
    { inputs: [input(0, 3)], params: { axes: [1] }, ...extra },
  ];
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

const joined: readonly LawCase[] = [
  { inputs: [of(2, 3), of(2, 1)], params: { axis: 1 } },
  {
    inputs: [of(2), of(3), of(1)],
    params: { axis: 0 },
    value: (a = [], b = [], c = []) => [...a, ...b, ...c],
  },
];

const sliding = { first: 1, lengths: [6], counts: [3], sizes: [2], strides: [2], dilations: [1] };
const norm = (hasWeight: boolean, hasBias: boolean): unknown => ({ eps: 1e-3, hasWeight, hasBias });
const convolution = {
  strides: [2],
  low: [1],
  high: [2],
  kernelDilations: [1],
  inputDilations: [1],
  groups: 1,
  flip: false,
};

/** Law cases by the export name of the row. */
export const structuralCases: Readonly<Record<string, readonly LawCase[]>> = {
  ...matrixCases,
  dataRow: [{ inputs: [], params: { shape: [], dtype: "float64" }, noBatch: isLeaf, noDerivative: isLeaf }],
  constantRow: [
    { inputs: [], params: { value: 2.5, dtype: "float64" }, noBatch: isLeaf, noDerivative: isLeaf, value: () => [2.5] },
  ],
  placeholderRow: [{ inputs: [], params: { shape: [], dtype: "float64" }, noBatch: isLeaf, noDerivative: isLeaf }],
  iotaRow: [
    {
      inputs: [],
      params: { shape: [2, 3], axis: 1, dtype: "float64" },
      noBatch: isLeaf,
      noDerivative: isLeaf,
      value: () => [0, 1, 2, 0, 1, 2],
    },
  ],
  identityRow: [{ inputs: [of(2, 3)], value: (x = []) => x }, { inputs: [of()] }, { inputs: [of(0)] }],
  barrierRow: [{ inputs: [of(2, 3)], value: (x = []) => x }, { inputs: [of()] }, { inputs: [of(0)] }],
  broadcastRow: [
    { inputs: [of(3, 1)], params: { shape: [2, 3, 4] } },
    { inputs: [of()], params: { shape: [2, 2] }, value: ([x = 0] = []) => [x, x, x, x] },
    { inputs: [of(1)], params: { shape: [0] } },
    { inputs: [of(2)], params: { shape: [2, 2] }, value: ([a = 0, b = 0] = []) => [a, b, a, b] },
  ],
  reshapeRow: [
    { inputs: [of(2, 6)], params: { shape: [3, 4] }, value: (x = []) => x },
    { inputs: [of()], params: { shape: [1, 1] } },
    { inputs: [of(0, 3)], params: { shape: [3, 0, 2] } },
  ],
  transposeRow: [
    { inputs: [of(2, 3, 4)], params: { order: [2, 0, 1] } },
    { inputs: [of(2, 2)], params: { order: [1, 0] }, value: ([a = 0, b = 0, c = 0, d = 0] = []) => [a, c, b, d] },
    { inputs: [of(0, 2)], params: { order: [1, 0] } },
  ],
  sliceRow: [
    {
      inputs: [of(7)],
      params: { starts: [1], steps: [2], lengths: [3] },
      value: (x = []) => [x[1] ?? 0, x[3] ?? 0, x[5] ?? 0],
    },
    { inputs: [of(3, 4)], params: { starts: [2, 0], steps: [-1, 3], lengths: [3, 2] } },
    { inputs: [of(3)], params: { starts: [0], steps: [1], lengths: [0] } },
  ],
  sliceUpdateRow: [
    { inputs: [of(7), of(3)], params: { starts: [1], steps: [2], lengths: [3] } },
    { inputs: [of(3, 4), of(3, 2)], params: { starts: [2, 0], steps: [-1, 3], lengths: [3, 2] } },
  ],
  concatenateRow: joined,
  joinRow: joined,
  rollRow: [
    { inputs: [of(4)], params: { shifts: [1] }, value: ([a = 0, b = 0, c = 0, d = 0] = []) => [d, a, b, c] },
    { inputs: [of(2, 3)], params: { shifts: [1, -1] } },
  ],
  diagonalRow: [
    { inputs: [of(3, 4)], params: { offset: 1 } },
    { inputs: [of(2, 3, 2)], params: { offset: -1 } },
  ],
  sumRow: [
    { inputs: [of(4)], params: { axes: [0] }, value: (x = []) => [total(x)] },
    { inputs: [of(2, 0)], params: { axes: [1] }, value: () => [0, 0] },
    ...reductions(of),
  ],
  prodRow: [
    { inputs: [of(4)], params: { axes: [0] }, value: (x = []) => [x.reduce((product, value) => product * value, 1)] },
    { inputs: [{ shape: [4], values: [2, 0, 3, 4] }], params: { axes: [0] } },
    { inputs: [{ shape: [3], values: [2, 0, 0] }], params: { axes: [0] } },
    ...reductions(of),
  ],
  maxRow: [{ inputs: [apart(5)], params: { axes: [0] }, value: (x = []) => [Math.max(...x)] }, ...reductions(apart)],
  minRow: [{ inputs: [apart(5)], params: { axes: [0] }, value: (x = []) => [Math.min(...x)] }, ...reductions(apart)],
  argMaxRow: reductions(apart, { noDerivative: place }),
  argMinRow: reductions(apart, { noDerivative: place }),
  anyRow: reductions(bools, { noDerivative: truth }),
  allRow: reductions(bools, { noDerivative: truth }),
  matmulRow: [
    {
      inputs: [of(2, 2), of(2, 2)],
      value: ([a = 0, b = 0, c = 0, d = 0] = [], [e = 0, f = 0, g = 0, h = 0] = []) => [
        a * e + b * g,
        a * f + b * h,
        c * e + d * g,
        c * f + d * h,
      ],
    },
    { inputs: [of(3, 4), of(4, 2)] },
    { inputs: [of(2, 3, 4), of(2, 4, 1)] },
    { inputs: [of(2, 0), of(0, 3)], value: () => [0, 0, 0, 0, 0, 0] },
    { inputs: [of(0, 2), of(2, 3)] },
  ],
  gatherRow: [
    { inputs: [of(4, 3), wholes([0, 3, -1, 0], [4])], params: { batchRank: 0, axes: [0] } },
    { inputs: [of(4, 3), wholes([0, 2], [2]), wholes([1, -1], [2])], params: { batchRank: 0, axes: [0, 1] } },
    { inputs: [of(2, 4), wholes([0, 3, 1, 1], [2, 2])], params: { batchRank: 1, axes: [1] } },
    { inputs: [of(2, 3, 2), wholes([2, 0], [2])], params: { batchRank: 0, axes: [1] } },
  ],
  scatterRow: (["set", "add", "multiply", "maximum", "minimum"] as const).flatMap((op): LawCase[] => [
    {
      inputs: [apart(4, 3), { shape: [3, 3], spacing: 0.01, domain: [-0.9, 1.1] }, wholes([0, 3, -2], [3])],
      params: { op, batchRank: 0, axes: [0] },
    },
    {
      inputs: [apart(2, 4), { shape: [2, 2], spacing: 0.01, domain: [-0.9, 1.1] }, wholes([0, 3, 1, 2], [2, 2])],
      params: { op, batchRank: 1, axes: [1] },
    },
    ...(op === "set"
      ? []
      : [{ inputs: [apart(3), positive(4), wholes([0, 1, 1, 1], [4])], params: { op, batchRank: 0, axes: [0] } }]),
  ]),
  scanRow: (["sum", "product", "maximum", "minimum", "logSumExp"] as const).flatMap((op): LawCase[] => [
    { inputs: [apart(2, 4)], params: { op, reverse: false } },
    { inputs: [apart(4)], params: { op, reverse: true } },
  ]),
  recurrenceRow: [
    { inputs: [of(2, 4), of(2, 4)], params: { reverse: false } },
    { inputs: [of(4), of(4)], params: { reverse: true } },
  ],
  sortRow: [{ inputs: [apart(6)], value: (x = []) => [...x].sort((a, b) => a - b) }, { inputs: [apart(2, 3)] }],
  argSortRow: [{ inputs: [apart(2, 5)], noDerivative: place }],
  searchSortedRow: [
    {
      inputs: [
        { shape: [4], values: [0, 1, 2, 3] },
        { shape: [3], values: [0.5, -1, 3] },
      ],
      params: { isRight: false, batchRank: 0 },
      noDerivative: place,
      value: () => [1, 0, 3],
    },
    {
      inputs: [
        { shape: [2, 3], values: [0, 1, 2, 3, 4, 5] },
        { shape: [2, 1], values: [1, 9] },
      ],
      params: { isRight: true, batchRank: 1 },
      noDerivative: place,
      value: () => [2, 3],
    },
  ],
  windowRow: [{ inputs: [of(2, 6, 2)], params: sliding }],
  unwindowRow: [{ inputs: [of(2, 3, 2)], params: sliding }],
  convolutionWeightsRow: [
    { inputs: [of(2, 4, 3), of(2, 6, 2)], params: { ...convolution, shape: [3, 3, 2] } },
    {
      inputs: [of(1, 3, 4), of(1, 5, 4)],
      params: { ...convolution, groups: 2, kernelDilations: [2], shape: [4, 2, 2] },
    },
    {
      inputs: [of(1, 4, 2), of(1, 4, 1)],
      params: { ...convolution, inputDilations: [2], flip: true, shape: [2, 3, 1] },
    },
  ],
  convolutionRow: [
    { inputs: [of(2, 6, 2), of(3, 3, 2)], params: convolution },
    { inputs: [of(1, 5, 4), of(4, 2, 2)], params: { ...convolution, groups: 2, kernelDilations: [2] } },
    { inputs: [of(1, 4, 1), of(2, 3, 1)], params: { ...convolution, inputDilations: [2], flip: true } },
  ],
  rmsNormRow: [
    { inputs: [of(2, 4)], params: norm(false, false) },
    { inputs: [of(2, 4), of(4)], params: norm(true, false) },
  ],
  layerNormRow: [
    { inputs: [of(2, 4)], params: norm(false, false) },
    { inputs: [of(2, 4), of(4), of(4)], params: norm(true, true) },
  ],
  ropeRow: [true, false].flatMap((isTraditional): LawCase[] => [
    { inputs: [of(2, 3, 4), wholes([2], [])], params: { dims: 4, isTraditional, base: 100, scale: 1 } },
    { inputs: [of(2, 2, 3, 4), wholes([2, 5], [2])], params: { dims: 2, isTraditional, base: 100, scale: 0.5 } },
    ...[[2], [2, 2]].map(
      (shape): LawCase => ({
        inputs: [of(2, 3, 4), wholes([2], []), { shape, domain: [1, 3] }],
        params: { dims: 4, isTraditional, base: null, scale: 0.5 },
      }),
    ),
  ]),
  attentionRow: [0, 1].flatMap((part): LawCase[] => [
    { inputs: [of(1, 2, 3, 2), of(1, 2, 3, 2), of(1, 2, 3, 2)], params: { scale: 0.7, isCausal: false, part } },
    { inputs: [of(1, 1, 3, 2), of(1, 1, 3, 2), of(1, 1, 3, 2)], params: { scale: 0.7, isCausal: true, part } },
    {
      inputs: [of(1, 1, 2, 2), of(1, 1, 3, 2), of(1, 1, 3, 2), of(1, 1, 2, 3)],
      params: { scale: 0.7, isCausal: false, part },
    },
  ]),
  attentionGradientRow: [0, 1, 2].flatMap((part): LawCase[] => {
    const [query, key, statistics] = [of(1, 2, 2, 2), of(1, 1, 3, 2), { shape: [1, 2, 2, 2], domain: [1, 3] as const }];
    const tensors = [query, key, key, query, query, statistics];
    const params = { scale: 0.7, isCausal: false, part };
    return [
      { inputs: tensors, params },
      { inputs: tensors, params: { ...params, isCausal: true } },
      { inputs: [...tensors, of(1, 1, 2, 3)], params },
    ];
  }),
  storedRow: [{ inputs: [of(2, 3)], params: null }],
  quantizedMatmulRow: [true, false].map((isTransposed): LawCase => {
    const words: InputSpec = { shape: [2, 2, 1], dtype: "uint32", domain: [0, 2 ** 32 - 1] };
    const factors = of(2, 2, 2);
    return {
      inputs: [of(3, isTransposed ? 8 : 2), words, factors, factors],
      params: { groupSize: 4, bits: 4, isTransposed },
    };
  }),
  randomBitsRow: [
    {
      inputs: [{ shape: [2], dtype: "uint32", domain: [0, 1000] }],
      params: { shape: [5], width: 4 },
      noDerivative: "random bits have no slope",
    },
  ],
  viewRow: [{ inputs: [{ shape: [3], dtype: "float64" }], params: { dtype: "int64" }, noDerivative: bits }],
  viewBytesRow: [{ inputs: [{ shape: [2, 2], dtype: "float64" }], params: { dtype: "int32" }, noDerivative: bits }],
};
