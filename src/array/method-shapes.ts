/**
 * What methods answer at once where their operations are loaded later: the shape and dtype of the result, or a typed error.
 * An operation that computes is in `method-meanings-part.ts` under the same name; a test holds the two together.
 */
import type { Dtype } from "../base/dtype.ts";
import { accumulatedDtype, atLeastFloat } from "../base/dtype.ts";
import { requireOptions } from "../base/options.ts";
import type { Shape } from "../base/shape.ts";
import { broadcastShapes, checkShape, normalizeAxes, normalizeAxis } from "../base/shape.ts";
import type { Aval, MLXArray } from "../graph/mlx-array.ts";
import { requireArray } from "../graph/require-array.ts";
import type { TraceOptions } from "../primitives/diagonals.ts";
import type { ArrayLike } from "../primitives/operands.ts";
import { asArray, commonDtype, dtypeBeside } from "../primitives/operands.ts";
import type { AxisArgument, AxisOrOptions, ReduceOptions } from "../primitives/reductions.ts";
import { reduceOptions, splitAxis } from "../primitives/reductions.ts";
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
  (_: string, { shape, dtype }: Aval): Aval => ({ shape, dtype: result(dtype) });

const binary =
  (result: Result = same) =>
  (name: string, x: Aval, other: ArrayLike): Aval => ({
    dtype: result(dtypeBeside(name, x.dtype, other)),
    shape: broadcastShapes(name, x.shape, asArray(name, other).shape),
  });

/** Axes are normalized, or picked from, under the name of the operation that does it. */
const reduction =
  (result: Result, axesOf: typeof pickAxes = axesIn, names: readonly string[] = reduceOptions) =>
  (name: string, { shape, dtype }: MLXArray, axis?: AxisOrOptions, options: ReduceOptions = {}): Aval => {
    const [list, given] = splitAxis(axis, options);
    requireOptions(name, given, names);
    const axes = axesOf(name, shape, list);
    return {
      shape: shape.flatMap((length, k) => (!axes.includes(k) ? length : given.keepAxes ? 1 : [])),
      dtype: result(dtype),
    };
  };

function axesIn(name: string, shape: Shape, axis: AxisArgument): readonly number[] {
  return normalizeAxes(name, axis, shape.length);
}

const scan =
  (result: Result = same) =>
  (name: string, { shape, size, dtype }: MLXArray, axis?: number | null | ScanOptions): Aval => {
    if (typeof axis !== "number") return { shape: flat(size), dtype: result(dtype) };
    normalizeAxis(name, axis, shape.length);
    return { shape, dtype: result(dtype) };
  };

const sorted =
  (result: Result) =>
  (name: string, { shape, size, dtype }: MLXArray, axis: number | null = -1): Aval => {
    if (axis === null || shape.length === 0) return { shape: flat(size), dtype: result(dtype) };
    normalizeAxis(name, axis, shape.length);
    return { shape, dtype: result(dtype) };
  };

function triangle(name: string, { shape, dtype }: MLXArray): Aval {
  requireMatrices(name, shape);
  return { shape, dtype };
}

function flat(size: number): Shape {
  checkShape("reshape", [size]);
  return [size];
}

const floating = unary(atLeastFloat);
const matched = binary();
const compared = binary(truth);
const averaged = reduction(atLeastFloat);
const varying = reduction(atLeastFloat, axesIn, ["keepAxes", "ddof", "device"]);
const picked = reduction(same, pickAxes);
const extremePlace = reduction(position, pickAxes);
const sort = sorted(same);

function diagonal(_: string, { shape, dtype }: MLXArray, { offset = 0, axis1, axis2 }: TraceOptions = {}): Aval {
  const [rows, columns] = matrixAxes(shape, axis1, axis2);
  const others = shape.filter((_, axis) => axis !== rows && axis !== columns);
  return { shape: [...others, diagonalLength(shape[rows] ?? 1, shape[columns] ?? 1, offset)], dtype };
}

/** What each method answers from its name, the array and its arguments: one array, or a list of them. */
export type MethodShapes = {
  readonly [K in keyof LaterMethods]: (
    name: K,
    ...args: [MLXArray, ...Parameters<LaterMethods[K]>]
  ) => Aval | readonly Aval[];
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
  floorDivide: matched,
  remainder: matched,
  power: matched,
  maximum: matched,
  minimum: matched,
  equal: compared,
  notEqual: compared,
  less: compared,
  lessEqual: compared,
  greater: compared,
  greaterEqual: compared,
  logicalAnd: compared,
  logicalOr: compared,
  allClose(name: string, x: MLXArray, other: ArrayLike): Aval {
    asArray(name, other);
    matched("isClose", x, other);
    return { shape: [], dtype: "bool" };
  },
  arrayEqual(name: string, _: MLXArray, other: ArrayLike): Aval {
    asArray(name, other);
    return { shape: [], dtype: "bool" };
  },
  prod(name: string, x: MLXArray, axis?: AxisOrOptions, options?: ReduceOptions): Aval {
    const isNone = axis instanceof Object && "length" in axis && axis.length === 0;
    return isNone ? x : reduction(accumulatedDtype)(name, x, axis, options);
  },
  mean: averaged,
  variance: varying,
  std: (_: string, x: MLXArray, axis?: AxisOrOptions, options?: ReduceOptions): Aval =>
    varying("variance", x, axis, options),
  max: picked,
  min: picked,
  any: reduction(truth),
  all: reduction(truth),
  argMax: extremePlace,
  argMin: extremePlace,
  logSumExp: reduction(atLeastFloat, (name, shape, axis) => pickAxes("max", shape, axesIn(name, shape, axis))),
  softmax(name: string, { shape, dtype }: MLXArray, axis?: AxisArgument): Aval {
    axesIn(name, shape, axis);
    return { shape, dtype: atLeastFloat(dtype) };
  },
  cumsum: scan((dtype) => (dtype === "bool" ? "int32" : dtype)),
  cumprod: scan(),
  cummax: scan(),
  cummin: scan(),
  logCumsumExp: scan(atLeastFloat),
  clip(name: string, x: MLXArray, min?: ArrayLike | null, max?: ArrayLike | null): Aval {
    requireBound(min, max);
    commonDtype(name, [x, min ?? 0, max ?? 0]);
    const raised = min === undefined || min === null ? x : matched("maximum", x, min);
    return max === undefined || max === null ? raised : matched("minimum", raised, max);
  },
  matmul(name: string, x: MLXArray, other: ArrayLike): Aval {
    const dtype = productDtype(name, [x, other]);
    return { shape: productShape(x.shape, asArray(name, other).shape), dtype };
  },
  split(name: string, { shape, dtype }: MLXArray, parts: number | readonly number[], axis = 0): readonly Aval[] {
    const along = normalizeAxis(name, axis, shape.length);
    return piecesOf(shape, along, parts).map(({ length }) => ({ shape: shape.with(along, length), dtype }));
  },
  roll(
    _: string,
    { shape, dtype }: MLXArray,
    shift: number | readonly number[],
    axis?: number | readonly number[],
  ): Aval {
    if (axis !== undefined) shiftsAlong(shape, typeof shift === "number" ? [shift] : shift, axis);
    return { shape, dtype };
  },
  flip(name: string, { shape, dtype }: MLXArray, axis?: number | readonly number[]): Aval {
    axesIn(name, shape, axis);
    return { shape, dtype };
  },
  diag(name: string, x: MLXArray, offset = 0): Aval {
    if (x.ndim === 2) return diagonal(name, x, { offset });
    const length = diagonalMatrixLength(x.shape, offset);
    checkShape("broadcastTo", [length]);
    return { shape: [length, length], dtype: x.dtype };
  },
  diagonal,
  trace(name: string, x: MLXArray, { dtype, ...place }: TraceOptions = {}): Aval {
    const { shape } = diagonal(name, x, place);
    return { shape: shape.slice(0, -1), dtype: dtype ?? accumulatedDtype(x.dtype) };
  },
  tril: triangle,
  triu: triangle,
  take(name: string, { shape, size, dtype }: MLXArray, indices: MLXArray | number, axis?: number): Aval {
    const source = axis === undefined ? flat(size) : shape;
    const along = normalizeAxis(name, axis ?? 0, source.length);
    if (typeof indices === "number") checkIndex(name, indices, source, along);
    else checkIndices(name, indices, source, along);
    return { shape: source.toSpliced(along, 1, ...(typeof indices === "number" ? [] : indices.shape)), dtype };
  },
  takeAlongAxis: takenAlongAxis,
  putAlongAxis(name: string, x: MLXArray, indices: MLXArray, values: ArrayLike, axis?: number | null): Aval {
    const { shape, dtype } = x;
    requireArray(name, indices);
    if (axis === undefined || axis === null) {
      broadcastTo(asArray(name, values), indices.shape);
      const { along, shared } = axesBeside(name, flat(x.size), reshape(indices, [indices.size]), 0);
      checkPlaces([x.size], [indices.size], along, shared);
      return { shape, dtype };
    }
    const { along, shared } = axesBeside(name, shape, indices, axis);
    checkPlaces(shape, indices.shape, along, shared);
    broadcastTo(asArray(name, values), shared.toSpliced(along, 0, indices.shape[along] ?? 1));
    return { shape, dtype };
  },
  sort,
  argSort: sorted(position),
  topK(name: string, x: MLXArray, k: number, axis: number | null = -1): Aval {
    checkTop(x, k, axis);
    const { shape, dtype } = sort("sort", x, axis);
    return { shape: shape.with(axis === null ? 0 : normalizeAxis(name, axis, shape.length), k), dtype };
  },
};

function takenAlongAxis(name: string, x: MLXArray, indices: MLXArray, axis?: number | null): Aval {
  requireArray(name, indices);
  if (axis === undefined || axis === null) {
    return takenAlongAxis(name, reshape(x, [x.size]), reshape(indices, [indices.size]), 0);
  }
  const { along, shared } = axesBeside(name, x.shape, indices, axis);
  return { shape: shared.toSpliced(along, 0, indices.shape[along] ?? 1), dtype: x.dtype };
}
