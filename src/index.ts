/** The public surface of `mlx-ts`: arrays, operations and transforms. */
import "./array/methods.ts";

export { ArrayAt, at, get } from "./array/array-at.ts";
export type { CompileOptions } from "./array/compile.ts";
export { compile } from "./array/compile.ts";
export type { DtypeCategory, FloatLimits, IntegerLimits } from "./array/constants.ts";
export {
  bfloat16,
  bool,
  canCast,
  complexfloating,
  e,
  eulerGamma,
  finfo,
  float16,
  float32,
  float64,
  floating,
  generic,
  iinfo,
  inexact,
  inf,
  int8,
  int16,
  int32,
  int64,
  integer,
  issubdtype,
  nan,
  newaxis,
  number,
  pi,
  resultType,
  signedinteger,
  uint8,
  uint16,
  uint32,
  uint64,
  unsignedinteger,
} from "./array/constants.ts";
export { slice, sliceUpdate } from "./array/dynamic-slice.ts";
export { evaluate, synchronize } from "./array/evaluate.ts";
export type { ExplainedKernel, Explanation } from "./array/explain.ts";
export { explain, toDot } from "./array/explain.ts";
export { expr } from "./array/expression-template.ts";
export type { FileSource } from "./array/files.ts";
export type { ArrayData } from "./array/from-data.ts";
export { array, fromTypedArray } from "./array/from-data.ts";
export type { GpuInfo } from "./array/gpu.ts";
export { gpu } from "./array/gpu.ts";
export type { IndexItem, Slice } from "./array/index-items.ts";
export type { IndexUpdate } from "./array/indexing.ts";
export { memory, tidy } from "./array/lifetime.ts";
export { load, loadArray, loadArrays } from "./array/load.ts";
export type { ArrayMethods } from "./array/methods.ts";
export type { SaveOptions } from "./array/numpy-files.ts";
export {
  loadNpy,
  loadNpz,
  saveNpy,
  saveNpy as save,
  saveNpz,
  saveNpz as savez,
  savezCompressed,
} from "./array/numpy-files.ts";
export type { ProfiledKernel } from "./array/profile.ts";
export { profile } from "./array/profile.ts";
export * as random from "./array/random.ts";
export type { NestedList } from "./array/reading.ts";
export type {
  NamedArrays,
  SafetensorsContents,
  SafetensorsMetadata,
  SaveSafetensorsOptions,
} from "./array/safetensors.ts";
export { loadSafetensors, saveSafetensors } from "./array/safetensors.ts";
export type { ArraysIn, ArrayTree, MappedTree, TreeOf } from "./array/trees.ts";
export { treeFlatten, treeMap, treeMapWithPath, treeMerge, treeReduce, treeUnflatten } from "./array/trees.ts";
export type { Dtype, ElementsOf, TypedArray } from "./base/dtype.ts";
export type { OwnBytes, Scalar } from "./base/elements.ts";
export * from "./base/errors.ts";
export { requireOptions } from "./base/options.ts";
export type { Shape } from "./base/shape.ts";
export type { Aval } from "./graph/mlx-array.ts";
export { MLXArray } from "./graph/mlx-array.ts";
export type { Device, DeviceOptions, OperationOptions, WideFallback } from "./graph/placement.ts";
export { defaultDevice, setDefaultDevice, withDevice } from "./graph/placement.ts";
export {
  add,
  conj,
  conjugate,
  degrees,
  divide,
  imag,
  multiply,
  negative,
  positive,
  radians,
  real,
  reciprocal,
  square,
  subtract,
} from "./primitives/arithmetic.ts";
export type { ClosenessOptions } from "./primitives/closeness.ts";
export { allClose, arrayEqual, isClose } from "./primitives/closeness.ts";
export {
  equal,
  greater,
  greaterEqual,
  isFinite,
  isInf,
  isNaN,
  isNegInf,
  isPosInf,
  less,
  lessEqual,
  notEqual,
} from "./primitives/comparison.ts";
export { addmm, inner, kron, matmul, outer, tensordot, vecdot } from "./primitives/contraction.ts";
export { asType } from "./primitives/conversion.ts";
export type {
  ConvolutionOptions,
  GeneralConvolutionOptions,
  TransposedConvolutionOptions,
} from "./primitives/convolution.ts";
export {
  conv1d,
  conv2d,
  conv3d,
  convGeneral,
  convolve,
  convTransposed1d,
  convTransposed2d,
  convTransposed3d,
} from "./primitives/convolution.ts";
export type {
  CreationOptions,
  DiagonalOptions,
  DtypeOption,
  LinspaceOptions,
  MeshgridOptions,
} from "./primitives/creation.ts";
export {
  arange,
  empty,
  emptyLike,
  eye,
  full,
  fullLike,
  identity,
  linspace,
  meshgrid,
  ones,
  onesLike,
  tri,
  zeros,
  zerosLike,
} from "./primitives/creation.ts";
export type { DiagonalPlace, TraceOptions } from "./primitives/diagonals.ts";
export { diag, diagonal, trace, tril, triu } from "./primitives/diagonals.ts";
export { divmod, floorDivide, remainder } from "./primitives/division.ts";
export { einsum, einsumPath } from "./primitives/einsum.ts";
export {
  erf,
  erfinv,
  exp,
  expm1,
  log,
  log1p,
  log2,
  log10,
  logAddExp,
  pow,
  power,
  rsqrt,
  sigmoid,
  sqrt,
} from "./primitives/exponential.ts";
export { all, any, argMax, argMin, max, min } from "./primitives/extrema.ts";
export * as fast from "./primitives/fast.ts";
export { take, takeAlongAxis } from "./primitives/gather.ts";
export { concat, concatenate, roll, split, stack, unstack } from "./primitives/joining.ts";
export * as linalg from "./primitives/linalg.ts";
export {
  bitwiseAnd,
  bitwiseInvert,
  bitwiseLeftShift,
  bitwiseOr,
  bitwiseRightShift,
  bitwiseXor,
  leftShift,
  logicalAnd,
  logicalNot,
  logicalOr,
  logicalXor,
  rightShift,
} from "./primitives/logical.ts";
export { abs, maximum, minimum, sign } from "./primitives/magnitude.ts";
export type { ArrayLike, ArrayReference, UnaryOperation } from "./primitives/operands.ts";
export type { PadOptions, PadWidth } from "./primitives/padding.ts";
export { pad } from "./primitives/padding.ts";
export { prod } from "./primitives/products.ts";
export type { QuantizationOptions } from "./primitives/quantization.ts";
export { dequantize, quantize, quantizedMatmul } from "./primitives/quantization.ts";
export type { AxisArgument, AxisOrOptions, ReduceOptions } from "./primitives/reductions.ts";
export { sum } from "./primitives/reductions.ts";
export { view } from "./primitives/reinterpretation.ts";
export { ceil, floor, round, trunc } from "./primitives/rounding.ts";
export type { ScanOptions } from "./primitives/scanning.ts";
export {
  cummax,
  cummin,
  cumprod,
  cumsum,
  cumulativeProd,
  cumulativeSum,
  diff,
  logCumsumExp,
} from "./primitives/scanning.ts";
export { putAlongAxis } from "./primitives/scatter.ts";
export { clip, nanToNum, stopGradient, where, which } from "./primitives/selection.ts";
export {
  atLeast1d,
  atLeast2d,
  atLeast3d,
  broadcastArrays,
  broadcastShapes,
  contiguous,
  expandDims,
  flatten,
  matrixTranspose,
  repeat,
  squeeze,
  swapAxes,
  tile,
  unflatten,
} from "./primitives/shaping.ts";
export { flip } from "./primitives/slicing.ts";
export { argPartition, argSort, partition, searchSorted, sort, topK } from "./primitives/sorting.ts";
export type { VarianceOptions } from "./primitives/statistics.ts";
export { countNonzero, logSumExp, mean, median, softmax, std, variance } from "./primitives/statistics.ts";
export {
  acos,
  acosh,
  arccos,
  arccosh,
  arcsin,
  arcsinh,
  arctan,
  arctan2,
  arctanh,
  asin,
  asinh,
  atan,
  atan2,
  atanh,
  cos,
  cosh,
  sin,
  sinh,
  tan,
  tanh,
} from "./primitives/trigonometry.ts";
export { broadcastTo, moveAxis, permuteDims, reshape, transpose } from "./primitives/views.ts";
export type { SlidingWindowOptions } from "./primitives/windowing.ts";
export { asStrided, slidingWindows } from "./primitives/windowing.ts";
export { bartlett, blackman, hamming, hanning } from "./primitives/windows.ts";
export { checkpoint } from "./transforms/checkpoint.ts";
export type { CustomRules } from "./transforms/custom-function.ts";
export { customFunction } from "./transforms/custom-function.ts";
export type { Differentiable, GradientOf, GradOptions } from "./transforms/grad.ts";
export { grad, jvp, valueAndGrad, valueAndGrad as valueAndGradient, vjp } from "./transforms/grad.ts";
export type { BatchAxes, VmapOptions } from "./transforms/vectorize.ts";
export { vmap } from "./transforms/vectorize.ts";
