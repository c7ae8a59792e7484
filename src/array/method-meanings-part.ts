/** Provides the operations of methods of arrays. */
import "./methods.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { allClose, arrayEqual } from "../primitives/closeness.ts";
import { equal, greater, greaterEqual, isInf, less, lessEqual, notEqual } from "../primitives/comparison.ts";
import { matmul } from "../primitives/contraction.ts";
import { diag, diagonal, trace, tril, triu } from "../primitives/diagonals.ts";
import { floorDivide, remainder } from "../primitives/division.ts";
import { erf, exp, expm1, log, log1p, log2, log10, power, rsqrt, sigmoid, sqrt } from "../primitives/exponential.ts";
import { all, any, argMax, argMin, max, min } from "../primitives/extrema.ts";
import { take, takeAlongAxis } from "../primitives/gather.ts";
import { roll, split, stack } from "../primitives/joining.ts";
import { logicalAnd, logicalNot, logicalOr } from "../primitives/logical.ts";
import { abs, maximum, minimum, sign } from "../primitives/magnitude.ts";
import { prod } from "../primitives/products.ts";
import { view } from "../primitives/reinterpretation.ts";
import { ceil, floor, round, trunc } from "../primitives/rounding.ts";
import { cummax, cummin, cumprod, cumsum, logCumsumExp } from "../primitives/scanning.ts";
import { putAlongAxis } from "../primitives/scatter.ts";
import { clip } from "../primitives/selection.ts";
import { flip } from "../primitives/slicing.ts";
import { argSort, sort, topK } from "../primitives/sorting.ts";
import { logSumExp, mean, softmax, std, variance } from "../primitives/statistics.ts";
import { cos, sin, tan, tanh } from "../primitives/trigonometry.ts";
import { readAt, writeAt, writeMasked } from "./index-access.ts";
import { methodMeanings } from "./later-methods.ts";

methodMeanings.provide({
  abs,
  sign,
  sqrt,
  rsqrt,
  exp,
  expm1,
  log,
  log2,
  log10,
  log1p,
  sigmoid,
  erf,
  sin,
  cos,
  tan,
  tanh,
  floor,
  ceil,
  round,
  trunc,
  logicalNot,
  isInf,
  floorDivide,
  remainder,
  power,
  maximum,
  minimum,
  equal,
  notEqual,
  less,
  lessEqual,
  greater,
  greaterEqual,
  logicalAnd,
  logicalOr,
  allClose,
  arrayEqual,
  prod,
  mean,
  variance,
  std,
  max,
  min,
  any,
  all,
  argMax,
  argMin,
  logSumExp,
  softmax,
  cumsum,
  cumprod,
  cummax,
  cummin,
  logCumsumExp,
  clip,
  matmul,
  split,
  roll,
  flip,
  diag,
  diagonal,
  trace,
  tril,
  triu,
  take,
  takeAlongAxis,
  putAlongAxis,
  sort,
  argSort,
  topK,
  readAt,
  writeAt,
  writeMasked,
  view,
  stackAll: (...arrays: readonly MLXArray[]) => stack(arrays),
});
