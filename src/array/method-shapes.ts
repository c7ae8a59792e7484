/**
 * What methods answer at once where their operations are loaded later: the shape and dtype of the result, or a typed error.
 * An operation that computes is in `method-meanings-part.ts` under the same name; a test holds the two together.
 */
import type { Dtype } from "../base/dtype.ts";
import { accumulatedDtype, atLeastFloat } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import { broadcastShapes, checkShape, normalizeAxes, normalizeAxis } from "../base/shape.ts";
import type { Aval, MLXArray } from "../graph/mlx-array.ts";
import type { TraceOptions } from "../primitives/diagonals.ts";
import type { ArrayLike } from "../primitives/operands.ts";
import { asArray, dtypeBeside } from "../primitives/operands.ts";
import type { AxisArgument, AxisOrOptions, ReduceOptions } from "../primitives/reductions.ts";
import { splitAxis } from "../primitives/reductions.ts";
import type { ScanOptions } from "../primitives/scanning.ts";
import {
  axesBeside,
  checkIndex,
  checkIndices,
  checkPlaces,
  checkTop,
  diagonalLength,
  diagonalMatrixLength,
  matrixAxes,
  pickAxes,
  piecesOf,
  productDtype,
  productShape,
  requireBound,
  requireMatrices,
  shiftsAlong,
} from "../primitives/shape-rules.ts";
import { broadcastTo, reshape } from "../primitives/views.ts";
import type { LaterMethods } from "./later-methods.ts";

type Result = (dtype: Dtype) => Dtype;
const same: Result = (dtype) => dtype;
const truth: Result = () => "bool";
const position: Result = () => "uint32";

const unary =
  (result: Result) =>
  ({ shape, dtype }: Aval): Aval => ({ shape, dtype: result(dtype) });

const binary =
  (name: string, result: Result = same) =>
  (x: Aval, other: ArrayLike): Aval => ({
    dtype: result(dtypeBeside(name, x.dtype, other)),
    shape: broadcastShapes(name, x.shape, asArray(name, other).shape),
  });

/** Axes are normalized, or picked from, under `name`, the operation that does it. */
const reduction =
  (name: string, result: Result, axesOf: typeof pickAxes = axesIn) =>
  ({ shape, dtype }: MLXArray, axis?: AxisOrOptions, options: ReduceOptions = {}): Aval => {
    const [list, { keepAxes }] = splitAxis(axis, options);
    const axes = axesOf(name, shape, list);
    return {
      shape: shape.flatMap((length, k) => (!axes.includes(k) ? length : keepAxes ? 1 : [])),
      dtype: result(dtype),
    };
  };

function axesIn(name: string, shape: Shape, axis: AxisArgument): readonly number[] {
  return normalizeAxes(name, axis, shape.length);
}

const scan =
  (name: string, result: Result = same) =>
  ({ shape, size, dtype }: MLXArray, axis?: number | null | ScanOptions): Aval => {
    if (typeof axis !== "number") return { shape: flat(size), dtype: result(dtype) };
    normalizeAxis(name, axis, shape.length);
    return { shape, dtype: result(dtype) };
  };

const sorted =
  (name: string, result: Result) =>
  ({ shape, size, dtype }: MLXArray, axis: number | null = -1): Aval => {
    if (axis === null || shape.length === 0) return { shape: flat(size), dtype: result(dtype) };
    normalizeAxis(name, axis, shape.length);
    return { shape, dtype: result(dtype) };
  };

const triangle =
  (name: string) =>
  ({ shape, dtype }: MLXArray): Aval => {
    requireMatrices(name, shape);
    return { shape, dtype };
  };

function flat(size: number): Shape {
  checkShape("reshape", [size]);
  return [size];
}

const floating = unary(atLeastFloat);
const maximum = binary("maximum");
const minimum = binary("minimum");
const isClose = binary("isClose");
const sort = sorted("sort", same);

function diagonal({ shape, dtype }: MLXArray, { offset = 0, axis1, axis2 }: TraceOptions = {}): Aval {
  const [rows, columns] = matrixAxes(shape, axis1, axis2);
  const others = shape.filter((_, axis) => axis !== rows && axis !== columns);
  return { shape: [...others, diagonalLength(shape[rows] ?? 1, shape[columns] ?? 1, offset)], dtype };
}

/** What each method answers from the array and its arguments: one array, or a list of them. */
export type MethodShapes = {
  readonly [K in keyof LaterMethods]: (...args: [MLXArray, ...Parameters<LaterMethods[K]>]) => Aval | readonly Aval[];
};

/** See `MethodShapes`. */
export const methodShapes: MethodShapes = {
  abs: unary(same),
  sign: unary(same),
  sqrt: floating,
  rsqrt: floating,
  exp: floating,
  expm1: floating,
  log: floating,
  log2: floating,
  log10: floating,
  log1p: floating,
  sigmoid: floating,
  erf: floating,
  sin: floating,
  cos: floating,
  tan: floating,
  tanh: floating,
  floor: unary(same),
  ceil: unary(same),
  round: unary(same),
  trunc: unary(same),
  logicalNot: unary(truth),
  isInf: unary(truth),
  floorDivide: binary("floorDivide"),
  remainder: binary("remainder"),
  power: binary("power"),
  maximum,
  minimum,
  equal: binary("equal", truth),
  notEqual: binary("notEqual", truth),
  less: binary("less", truth),
  lessEqual: binary("lessEqual", truth),
  greater: binary("greater", truth),
  greaterEqual: binary("greaterEqual", truth),
  logicalAnd: binary("logicalAnd", truth),
  logicalOr: binary("logicalOr", truth),
  allClose(x: MLXArray, other: ArrayLike): Aval {
    isClose(x, other);
    return { shape: [], dtype: "bool" };
  },
  arrayEqual(_: MLXArray, other: ArrayLike): Aval {
    asArray("arrayEqual", other);
    return { shape: [], dtype: "bool" };
  },
  prod(x: MLXArray, axis?: AxisOrOptions, options?: ReduceOptions): Aval {
    const isNone = typeof axis === "object" && "length" in axis && axis.length === 0;
    return isNone ? x : reduction("prod", accumulatedDtype)(x, axis, options);
  },
  mean: reduction("mean", atLeastFloat),
  variance: reduction("variance", atLeastFloat),
  std: reduction("variance", atLeastFloat),
  max: reduction("max", same, pickAxes),
  min: reduction("min", same, pickAxes),
  any: reduction("any", truth),
  all: reduction("all", truth),
  argMax: reduction("argMax", position, pickAxes),
  argMin: reduction("argMin", position, pickAxes),
  logSumExp: reduction("logSumExp", atLeastFloat, (name, shape, axis) =>
    pickAxes("max", shape, axesIn(name, shape, axis)),
  ),
  softmax({ shape, dtype }: MLXArray, axis?: AxisArgument): Aval {
    axesIn("softmax", shape, axis);
    return { shape, dtype: atLeastFloat(dtype) };
  },
  cumsum: scan("cumsum", (dtype) => (dtype === "bool" ? "int32" : dtype)),
  cumprod: scan("cumprod"),
  cummax: scan("cummax"),
  cummin: scan("cummin"),
  logCumsumExp: scan("logCumsumExp", atLeastFloat),
  clip(x: MLXArray, min?: ArrayLike | null, max?: ArrayLike | null): Aval {
    requireBound(min, max);
    const raised = min === undefined || min === null ? x : maximum(x, min);
    return max === undefined || max === null ? raised : minimum(raised, max);
  },
  matmul(x: MLXArray, other: ArrayLike): Aval {
    const dtype = productDtype("matmul", [x, other]);
    return { shape: productShape(x.shape, asArray("matmul", other).shape), dtype };
  },
  split({ shape, dtype }: MLXArray, parts: number | readonly number[], axis = 0): readonly Aval[] {
    const along = normalizeAxis("split", axis, shape.length);
    return piecesOf(shape, along, parts).map(({ length }) => ({ shape: shape.with(along, length), dtype }));
  },
  roll({ shape, dtype }: MLXArray, shift: number | readonly number[], axis?: number | readonly number[]): Aval {
    if (axis !== undefined) shiftsAlong(shape, typeof shift === "number" ? [shift] : shift, axis);
    return { shape, dtype };
  },
  flip({ shape, dtype }: MLXArray, axis?: number | readonly number[]): Aval {
    axesIn("flip", shape, axis);
    return { shape, dtype };
  },
  diag(x: MLXArray, offset = 0): Aval {
    if (x.ndim === 2) return diagonal(x, { offset });
    const length = diagonalMatrixLength(x.shape, offset);
    checkShape("broadcastTo", [length]);
    return { shape: [length, length], dtype: x.dtype };
  },
  diagonal,
  trace(x: MLXArray, { dtype, ...place }: TraceOptions = {}): Aval {
    const { shape } = diagonal(x, place);
    return { shape: shape.slice(0, -1), dtype: dtype ?? accumulatedDtype(x.dtype) };
  },
  tril: triangle("tril"),
  triu: triangle("triu"),
  take({ shape, size, dtype }: MLXArray, indices: MLXArray | number, axis?: number): Aval {
    const source = axis === undefined ? flat(size) : shape;
    const along = normalizeAxis("take", axis ?? 0, source.length);
    if (typeof indices === "number") checkIndex("take", indices, source, along);
    else checkIndices("take", indices, source, along);
    return { shape: source.toSpliced(along, 1, ...(typeof indices === "number" ? [] : indices.shape)), dtype };
  },
  takeAlongAxis: takenAlongAxis,
  putAlongAxis(x: MLXArray, indices: MLXArray, values: ArrayLike, axis?: number | null): Aval {
    const { shape, dtype } = x;
    if (axis === undefined || axis === null) {
      broadcastTo(asArray("putAlongAxis", values), indices.shape);
      const { along, shared } = axesBeside("putAlongAxis", flat(x.size), reshape(indices, [indices.size]), 0);
      checkPlaces([x.size], [indices.size], along, shared);
      return { shape, dtype };
    }
    const { along, shared } = axesBeside("putAlongAxis", shape, indices, axis);
    checkPlaces(shape, indices.shape, along, shared);
    broadcastTo(asArray("putAlongAxis", values), shared.toSpliced(along, 0, indices.shape[along] ?? 1));
    return { shape, dtype };
  },
  sort,
  argSort: sorted("argSort", position),
  topK(x: MLXArray, k: number, axis: number | null = -1): Aval {
    checkTop(x, k, axis);
    const { shape, dtype } = sort(x, axis);
    return { shape: shape.with(axis === null ? 0 : normalizeAxis("topK", axis, shape.length), k), dtype };
  },
};

function takenAlongAxis(x: MLXArray, indices: MLXArray, axis?: number | null): Aval {
  if (axis === undefined || axis === null) {
    return takenAlongAxis(reshape(x, [x.size]), reshape(indices, [indices.size]), 0);
  }
  const { along, shared } = axesBeside("takeAlongAxis", x.shape, indices, axis);
  return { shape: shared.toSpliced(along, 0, indices.shape[along] ?? 1), dtype: x.dtype };
}
