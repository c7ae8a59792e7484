/** The public surface of `mlx-ts`: arrays, operations and transforms. */
import "./array/methods.ts";

export { evaluate } from "./array/evaluate.ts";
export type { ArrayData } from "./array/from-data.ts";
export { array, fromTypedArray } from "./array/from-data.ts";
export type { Dtype, TypedArray } from "./base/dtype.ts";
export * from "./base/errors.ts";
export { MLXArray } from "./graph/mlx-array.ts";
export {
  abs,
  add,
  conj,
  conjugate,
  degrees,
  divide,
  divmod,
  floorDivide,
  imag,
  maximum,
  minimum,
  multiply,
  negative,
  positive,
  radians,
  real,
  reciprocal,
  remainder,
  sign,
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
export { asType, view } from "./primitives/conversion.ts";
export type { DiagonalOptions, DtypeOption, LinspaceOptions, MeshgridOptions } from "./primitives/creation.ts";
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
export type { ArrayLike } from "./primitives/operands.ts";
export { prod } from "./primitives/products.ts";
export type { AxisArgument, AxisOrOptions, ReduceOptions } from "./primitives/reductions.ts";
export { sum } from "./primitives/reductions.ts";
export { ceil, floor, round, trunc } from "./primitives/rounding.ts";
export { clip, nanToNum, stopGradient, where, which } from "./primitives/selection.ts";
export type { VarianceOptions } from "./primitives/statistics.ts";
export { countNonzero, logSumExp, mean, softmax, std, variance } from "./primitives/statistics.ts";
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
export { broadcastTo, moveAxis, reshape, transpose } from "./primitives/views.ts";
export { bartlett, blackman, hamming, hanning } from "./primitives/windows.ts";
