/** One call with options of every operation that takes a device, and the reasons why others take none. */
import type { ArrayMethods, OperationOptions } from "mlx-ts";
import * as library from "mlx-ts";

let mx: typeof library = library;

/** Runs `body`, while the functions in the tables below call `other` in place of the library. */
export function callingInstead(other: typeof library, body: () => void): void {
  mx = other;
  try {
    body();
  } finally {
    mx = library;
  }
}

/** Calls an operation with these options, among others of its own. */
export type OperationCall = (options: OperationOptions) => unknown;

const row = mx.array([0.5, 0.25, 0.75]);
const matrix = mx.array([
  [3, -1, 2.5],
  [0.5, 4, -2],
]);
const square = mx.array([
  [2, 0.5],
  [0.5, 1],
]);
const column = mx.array([[1], [2]]);
const whole = mx.array([[6, 3, 2]], "int32");
const places = mx.array([[0, 1, 1]], "int32");
const cube = mx.arange(24, { dtype: "float32" }).reshape([2, 3, 4]);
const scalar = mx.array(2);
const sequence = mx.ones([1, 4, 2]);
const image = mx.ones([1, 4, 4, 2]);
const volume = mx.ones([1, 3, 3, 3, 2]);
const heads = mx.ones([1, 2, 3, 4]);
const weights = mx.ones([2, 64]);
const packed = mx.quantize(weights);
const key = mx.random.key(7);
const start = mx.array([1], "int32");
const ones = {
  pair: mx.ones([2]),
  row: mx.ones([1, 64]),
  square: mx.ones([3, 3]),
  sequence: mx.ones([2, 2, 2]),
  image: mx.ones([2, 2, 2, 2]),
  volume: mx.ones([2, 2, 2, 2, 2]),
};

function each<N extends string>(names: readonly N[], call: (name: N, options: OperationOptions) => unknown) {
  return Object.fromEntries(names.map((name): [string, OperationCall] => [name, (options) => call(name, options)]));
}

/** Operations that the CPU alone computes, by their names in `mlx-ts`. */
export const cpuOnly: ReadonlySet<string> = new Set(
  [
    ...["cholesky", "choleskyInv", "det", "eigh", "eigvalsh", "inv", "lu", "luFactor", "pinv", "qr", "slogdet"],
    ...["solve", "solveTriangular", "svd", "triInv"],
  ].map((name) => `linalg.${name}`),
);

/** Operations by their names in `mlx-ts`. */
export const functionCalls: Readonly<Record<string, OperationCall>> = {
  ...each(
    [
      ...(["abs", "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "asin"] as const),
      ...(["asinh", "atan", "atanh", "ceil", "cos", "cosh", "degrees", "erf", "erfinv", "exp", "expm1"] as const),
      ...(["floor", "imag", "isFinite", "isInf", "isNaN", "isNegInf", "isPosInf", "log", "log10", "log1p"] as const),
      ...(["log2", "logicalNot", "nanToNum", "negative", "radians", "reciprocal", "rsqrt", "sigmoid", "sign"] as const),
      ...(["sin", "sinh", "sqrt", "square", "stopGradient", "tan", "tanh", "trunc"] as const),
    ],
    (name, options) => mx[name](row, options),
  ),
  ...each(
    [
      ...(["add", "subtract", "multiply", "divide", "divmod", "floorDivide", "remainder", "power", "pow"] as const),
      ...(["maximum", "minimum", "arctan2", "atan2", "logAddExp", "equal", "notEqual", "less", "lessEqual"] as const),
      ...(["greater", "greaterEqual", "logicalAnd", "logicalOr", "logicalXor", "outer", "kron"] as const),
    ],
    (name, options) => [mx[name](matrix, 3, options), mx[name](matrix, matrix, options)],
  ),
  ...each(
    [
      ...(["bitwiseAnd", "bitwiseOr", "bitwiseXor", "leftShift", "rightShift"] as const),
      ...(["bitwiseLeftShift", "bitwiseRightShift"] as const),
    ],
    (name, options) => [mx[name](whole, 1, options), mx[name](whole, whole, options)],
  ),
  ...each(
    [
      ...(["sum", "prod", "mean", "variance", "std", "median", "max", "min", "any", "all", "logSumExp"] as const),
      ...(["argMax", "argMin", "countNonzero"] as const),
    ],
    (name, options) => [
      mx[name](matrix, 1, { keepAxes: true, ...options }),
      mx[name](matrix, { ...options }),
      mx[name](matrix, 0, options),
    ],
  ),
  ...each(
    [
      ...(["cumsum", "cumprod", "cummax", "cummin", "logCumsumExp"] as const),
      ...(["cumulativeSum", "cumulativeProd"] as const),
    ],
    (name, options) => [mx[name](matrix, 0, { reverse: true, ...options }), mx[name](matrix, options)],
  ),
  ...each(["allClose", "arrayEqual", "isClose"], (name, options) => mx[name](row, row, { equalNaN: true, ...options })),
  ...each(["atLeast1d", "atLeast2d", "atLeast3d", "contiguous"], (name, options) => mx[name](scalar, options)),
  ...each(["zeros", "ones", "empty"], (name, options) => mx[name]([2, 3], { dtype: "int32", ...options })),
  ...each(["zerosLike", "onesLike", "emptyLike"], (name, options) => mx[name](row, options)),
  ...each(["hanning", "hamming", "bartlett", "blackman"], (name, options) => mx[name](5, options)),
  ...each(["where", "which"], (name, options) => mx[name](whole, 1, matrix, options)),
  ...each(["sort", "argSort"], (name, options) => [mx[name](matrix, 0, options), mx[name](matrix, undefined, options)]),
  ...each(["partition", "argPartition"], (name, options) => mx[name](matrix, 1, -1, options)),
  ...each(["transpose", "permuteDims"], (name, options) => mx[name](matrix, [1, 0], options)),
  ...each(["concatenate", "concat", "stack"], (name, options) => mx[name]([matrix, matrix], 1, options)),
  ...each(["tril", "triu"], (name, options) => mx[name](matrix, 1, options)),
  addmm: (options) => mx.addmm(row, matrix, ones.square, { alpha: 2, ...options }),
  arange: (options) => [mx.arange(4, options), mx.arange(1, 9, 2, { dtype: "float32", ...options })],
  asStrided: (options) => mx.asStrided(row, [2, 2], [1, 1], 0, options),
  asType: (options) => mx.asType(row, "int32", options),
  bitwiseInvert: (options) => mx.bitwiseInvert(whole, options),
  broadcastTo: (options) => mx.broadcastTo(row, [2, 3], options),
  clip: (options) => mx.clip(row, 0, 0.5, options),
  conv1d: (options) => mx.conv1d(sequence, ones.sequence, { padding: 1, ...options }),
  conv2d: (options) => mx.conv2d(image, ones.image, options),
  conv3d: (options) => mx.conv3d(volume, ones.volume, options),
  convGeneral: (options) => mx.convGeneral(sequence, ones.sequence, { inputDilation: 2, ...options }),
  convTransposed1d: (options) => mx.convTransposed1d(sequence, ones.sequence, options),
  convTransposed2d: (options) => mx.convTransposed2d(image, ones.image, options),
  convTransposed3d: (options) => mx.convTransposed3d(volume, ones.volume, options),
  convolve: (options) => mx.convolve(row, row, { mode: "same", ...options }),
  dequantize: (options) => mx.dequantize(...packed, options),
  diag: (options) => mx.diag(row, 1, options),
  diagonal: (options) => mx.diagonal(matrix, { offset: 1, ...options }),
  diff: (options) => mx.diff(row, { n: 2, ...options }),
  expandDims: (options) => mx.expandDims(row, 0, options),
  eye: (options) => mx.eye(2, { m: 3, ...options }),
  flatten: (options) => mx.flatten(matrix, 0, -1, options),
  flip: (options) => mx.flip(matrix, 0, options),
  full: (options) => mx.full([2, 3], row, options),
  fullLike: (options) => mx.fullLike(matrix, 3, options),
  identity: (options) => mx.identity(2, options),
  inner: (options) => mx.inner(row, matrix, options),
  linspace: (options) => mx.linspace(0, 1, { num: 3, ...options }),
  matmul: (options) => mx.matmul(matrix, cube, options),
  matrixTranspose: (options) => mx.matrixTranspose(matrix, options),
  meshgrid: (options) => mx.meshgrid(row, row, { indexing: "ij", ...options }),
  moveAxis: (options) => mx.moveAxis(cube, 0, -1, options),
  pad: (options) => mx.pad(matrix, 1, { mode: "edge", ...options }),
  putAlongAxis: (options) => [
    mx.putAlongAxis(matrix, places, 9, 0, options),
    mx.putAlongAxis(matrix, places, 9, null, options),
  ],
  quantize: (options) => mx.quantize(weights, { bits: 8, ...options }),
  quantizedMatmul: (options) => mx.quantizedMatmul(ones.row, ...packed, options),
  repeat: (options) => mx.repeat(row, 2, 0, options),
  reshape: (options) => mx.reshape(matrix, [3, 2], options),
  roll: (options) => mx.roll(matrix, 1, 0, options),
  round: (options) => mx.round(row, { decimals: 1, ...options }),
  searchSorted: (options) => mx.searchSorted(row, matrix, { side: "right", ...options }),
  slice: (options) => mx.slice(row, start, [0], [2], options),
  sliceUpdate: (options) => mx.sliceUpdate(row, ones.pair, start, [0], options),
  slidingWindows: (options) => mx.slidingWindows(sequence, [2], { stride: 2, ...options }),
  softmax: (options) => mx.softmax(matrix, 1, { precise: true, ...options }),
  split: (options) => mx.split(matrix, 3, 1, options),
  squeeze: (options) => mx.squeeze(column, 1, options),
  swapAxes: (options) => mx.swapAxes(matrix, 0, 1, options),
  take: (options) => [mx.take(matrix, places, 0, options), mx.take(matrix, 1, undefined, options)],
  takeAlongAxis: (options) => mx.takeAlongAxis(matrix, places, 0, options),
  tensordot: (options) => mx.tensordot(matrix, matrix, 2, options),
  tile: (options) => mx.tile(row, [2, 1], options),
  topK: (options) => mx.topK(row, 2, -1, options),
  trace: (options) => mx.trace(matrix, { offset: 1, ...options }),
  tri: (options) => mx.tri(3, options),
  unflatten: (options) => mx.unflatten(row, 0, [3, 1], options),
  unstack: (options) => mx.unstack(matrix, { axis: 1, ...options }),
  vecdot: (options) => mx.vecdot(row, matrix, { axis: -1, ...options }),
  view: (options) => [mx.view(row, "int32", options), mx.view(row, "uint8", options)],
  "fast.layerNorm": (options) => mx.fast.layerNorm(row, row, row, 1e-5, options),
  "fast.rmsNorm": (options) => mx.fast.rmsNorm(row, null, 1e-5, options),
  "fast.rope": (options) => mx.fast.rope(cube, 4, { traditional: true, ...options }),
  "fast.scaledDotProductAttention": (options) =>
    mx.fast.scaledDotProductAttention(heads, heads, heads, { scale: 1, mask: "causal", ...options }),
  "linalg.cholesky": (options) => mx.linalg.cholesky(square, { upper: true, ...options }),
  "linalg.choleskyInv": (options) => mx.linalg.choleskyInv(square, { upper: true, ...options }),
  "linalg.cross": (options) => mx.linalg.cross(row, matrix, -1, options),
  "linalg.det": (options) => mx.linalg.det(square, options),
  "linalg.eigh": (options) => mx.linalg.eigh(square, { uplo: "U", ...options }),
  "linalg.eigvalsh": (options) => mx.linalg.eigvalsh(square, { uplo: "U", ...options }),
  "linalg.inv": (options) => mx.linalg.inv(square, options),
  "linalg.lu": (options) => mx.linalg.lu(matrix, options),
  "linalg.luFactor": (options) => mx.linalg.luFactor(matrix, options),
  "linalg.norm": (options) => mx.linalg.norm(matrix, 3, 1, { keepAxes: true, ...options }),
  "linalg.pinv": (options) => mx.linalg.pinv(matrix, options),
  "linalg.qr": (options) => mx.linalg.qr(matrix, options),
  "linalg.slogdet": (options) => mx.linalg.slogdet(square, options),
  "linalg.solve": (options) => mx.linalg.solve(square, square, options),
  "linalg.solveTriangular": (options) => mx.linalg.solveTriangular(square, square, { upper: true, ...options }),
  "linalg.svd": (options) => mx.linalg.svd(matrix, { fullMatrices: true, ...options }),
  "linalg.triInv": (options) => mx.linalg.triInv(square, { upper: true, ...options }),
  "random.bernoulli": (options) => mx.random.bernoulli(0.5, [3], { key, ...options }),
  "random.bits": (options) => mx.random.bits([3], { width: 2, ...options }),
  "random.categorical": (options) => mx.random.categorical(row, { numSamples: 3, ...options }),
  "random.gumbel": (options) => mx.random.gumbel([3], options),
  "random.key": (options) => mx.random.key(3, options),
  "random.laplace": (options) => mx.random.laplace([3], { scale: 2, ...options }),
  "random.multivariateNormal": (options) => mx.random.multivariateNormal(ones.pair, square, [3], options),
  "random.normal": (options) => mx.random.normal([3], { loc: row, ...options }),
  "random.permutation": (options) => [mx.random.permutation(3, options), mx.random.permutation(matrix, options)],
  "random.randint": (options) => mx.random.randint(0, 5, [3], options),
  "random.split": (options) => mx.random.split(key, 3, options),
  "random.truncatedNormal": (options) => mx.random.truncatedNormal(-1, 1, [3], options),
  "random.uniform": (options) => mx.random.uniform([3], { low: row, ...options }),
};

/** Operations by their names as methods of arrays, with the arguments behind the array. */
export const methodCalls: Readonly<Record<keyof ArrayMethods | "asType" | "view", OperationCall>> = {
  abs: (options) => matrix.abs(options),
  add: (options) => [matrix.add(1, options), matrix.add(row, options)],
  all: (options) => matrix.all(options),
  allClose: (options) => matrix.allClose(matrix, options),
  any: (options) => matrix.any(0, options),
  argMax: (options) => matrix.argMax(1, options),
  argMin: (options) => matrix.argMin(options),
  argSort: (options) => matrix.argSort(0, options),
  arrayEqual: (options) => matrix.arrayEqual(row, options),
  asType: (options) => matrix.asType("int32", options),
  broadcastTo: (options) => row.broadcastTo([2, 3], options),
  ceil: (options) => matrix.ceil(options),
  clip: (options) => [matrix.clip(0, null, options), matrix.clip(row, matrix, options)],
  cos: (options) => matrix.cos(options),
  cummax: (options) => matrix.cummax(0, options),
  cummin: (options) => matrix.cummin(options),
  cumprod: (options) => matrix.cumprod(null, options),
  cumsum: (options) => matrix.cumsum(0, { reverse: true, ...options }),
  diag: (options) => row.diag(0, options),
  diagonal: (options) => matrix.diagonal(options),
  div: (options) => [matrix.div(2, options), matrix.div(row, options)],
  divide: (options) => [matrix.divide(2, options), matrix.divide(row, options)],
  equal: (options) => matrix.equal(row, options),
  erf: (options) => matrix.erf(options),
  exp: (options) => matrix.exp(options),
  expandDims: (options) => matrix.expandDims(0, options),
  expm1: (options) => matrix.expm1(options),
  flatten: (options) => matrix.flatten(0, -1, options),
  flip: (options) => matrix.flip(undefined, options),
  floor: (options) => matrix.floor(options),
  floorDivide: (options) => [matrix.floorDivide(2, options), matrix.floorDivide(row, options)],
  greater: (options) => [matrix.greater(0, options), matrix.greater(row, options)],
  greaterEqual: (options) => [matrix.greaterEqual(0, options), matrix.greaterEqual(row, options)],
  isInf: (options) => matrix.isInf(options),
  less: (options) => [matrix.less(0, options), matrix.less(row, options)],
  lessEqual: (options) => [matrix.lessEqual(0, options), matrix.lessEqual(row, options)],
  log: (options) => matrix.log(options),
  log10: (options) => matrix.log10(options),
  log1p: (options) => matrix.log1p(options),
  log2: (options) => matrix.log2(options),
  logCumsumExp: (options) => matrix.logCumsumExp(1, options),
  logSumExp: (options) => matrix.logSumExp(1, options),
  logicalAnd: (options) => matrix.logicalAnd(row, options),
  logicalNot: (options) => matrix.logicalNot(options),
  logicalOr: (options) => matrix.logicalOr(row, options),
  matmul: (options) => matrix.matmul(row, options),
  max: (options) => matrix.max(1, { keepAxes: true, ...options }),
  maximum: (options) => matrix.maximum(row, options),
  mean: (options) => matrix.mean({ keepAxes: true, ...options }),
  min: (options) => matrix.min(options),
  minimum: (options) => [matrix.minimum(0, options), matrix.minimum(row, options)],
  moveAxis: (options) => cube.moveAxis(0, 1, options),
  mul: (options) => [matrix.mul(2, options), matrix.mul(row, options)],
  multiply: (options) => [matrix.multiply(2, options), matrix.multiply(row, options)],
  neg: (options) => matrix.neg(options),
  negative: (options) => matrix.negative(options),
  notEqual: (options) => [matrix.notEqual(1, options), matrix.notEqual(row, options)],
  pow: (options) => [matrix.pow(3, options), matrix.pow(row, options)],
  power: (options) => [matrix.power(2, options), matrix.power(row, options)],
  prod: (options) => matrix.prod(0, options),
  putAlongAxis: (options) => matrix.putAlongAxis(places, 9, 0, options),
  reciprocal: (options) => matrix.reciprocal(options),
  remainder: (options) => [matrix.remainder(2, options), matrix.remainder(row, options)],
  repeat: (options) => matrix.repeat(2, 1, options),
  reshape: (options) => matrix.reshape([3, 2], options),
  roll: (options) => matrix.roll(1, undefined, options),
  round: (options) => matrix.round({ decimals: 1, ...options }),
  rsqrt: (options) => matrix.rsqrt(options),
  sigmoid: (options) => matrix.sigmoid(options),
  sign: (options) => matrix.sign(options),
  sin: (options) => matrix.sin(options),
  softmax: (options) => matrix.softmax(-1, options),
  sort: (options) => matrix.sort(null, options),
  split: (options) => matrix.split(2, 0, options),
  sqrt: (options) => matrix.sqrt(options),
  square: (options) => matrix.square(options),
  squeeze: (options) => column.squeeze(1, options),
  std: (options) => matrix.std(1, { ddof: 1, ...options }),
  sub: (options) => matrix.sub(row, options),
  subtract: (options) => matrix.subtract(row, options),
  sum: (options) => matrix.sum(1, { keepAxes: true, ...options }),
  swapAxes: (options) => matrix.swapAxes(0, 1, options),
  take: (options) => matrix.take(places, 1, options),
  takeAlongAxis: (options) => matrix.takeAlongAxis(places, 0, options),
  tan: (options) => matrix.tan(options),
  tanh: (options) => matrix.tanh(options),
  tile: (options) => matrix.tile(2, options),
  topK: (options) => matrix.topK(1, 0, options),
  trace: (options) => matrix.trace(options),
  transpose: (options) => matrix.transpose(undefined, options),
  tril: (options) => matrix.tril(0, options),
  triu: (options) => matrix.triu(0, options),
  trunc: (options) => matrix.trunc(options),
  unflatten: (options) => matrix.unflatten(1, [3, 1], options),
  variance: (options) => matrix.variance(options),
  view: (options) => matrix.view("int32", options),
};

/** What else an operation is called. */
export const aliases: Readonly<Record<string, string>> = {
  acos: "arccos",
  acosh: "arccosh",
  asin: "arcsin",
  asinh: "arcsinh",
  atan: "arctan",
  atan2: "arctan2",
  atanh: "arctanh",
  bitwiseLeftShift: "leftShift",
  bitwiseRightShift: "rightShift",
  concat: "concatenate",
  cumulativeProd: "cumprod",
  cumulativeSum: "cumsum",
  div: "divide",
  empty: "zeros",
  emptyLike: "zerosLike",
  mul: "multiply",
  neg: "negative",
  permuteDims: "transpose",
  pow: "power",
  sub: "subtract",
  which: "where",
};

const listed = "takes any number of arrays, or of parts of an index, in a row";
const nothing = "computes nothing: it describes, reads, keeps or saves what there is";
const given = "gives back its argument, or what it is given as data";
const transform = "is a transform or runs a function of the user's: each operation inside says where it runs";

/** What takes no device, and why. */
export const withoutDevice: Readonly<Record<string, string>> = {
  ...reasons(listed, "at broadcastArrays einsum expr get"),
  ...reasons(given, "array conj conjugate fromTypedArray positive real"),
  ...reasons(transform, "checkpoint compile customFunction grad jvp tidy valueAndGrad valueAndGradient vjp vmap"),
  ...reasons(
    nothing,
    "broadcastShapes canCast defaultDevice einsumPath evaluate explain finfo iinfo issubdtype load loadArray loadArrays",
  ),
  ...reasons(
    nothing,
    "loadNpy loadNpz loadSafetensors profile random.seed resultType save saveNpy saveNpz saveSafetensors savez",
  ),
  ...reasons(
    nothing,
    "savezCompressed setDefaultDevice synchronize toDot treeFlatten treeMap treeMapWithPath treeMerge treeReduce",
  ),
  ...reasons(nothing, "requireOptions treeUnflatten withDevice"),
};

/** Members of arrays that are no operations. */
export const otherMembers: ReadonlySet<string> = new Set(
  [
    "constructor size ndim itemSize nbytes isEvaluated settle dispose donate requireKept releaseIfUnused idle",
    "at get item tolist data toString toJSON T 0 length",
  ].flatMap((names) => names.split(" ")),
);

function reasons(because: string, names: string): Record<string, string> {
  return Object.fromEntries(names.split(" ").map((name) => [name, because]));
}
