/** Installs the methods of arrays: each is the public function of the same name with the array as its first argument. */
import type { Dtype, TypedArray } from "../base/dtype.ts";
import { requireDtype } from "../base/dtype.ts";
import type { Scalar } from "../base/elements.ts";
import { ArgumentError } from "../base/errors.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import {
  abs,
  add,
  divide,
  floorDivide,
  maximum,
  minimum,
  multiply,
  negative,
  reciprocal,
  remainder,
  sign,
  square,
  subtract,
} from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { allClose, arrayEqual } from "../primitives/closeness.ts";
import { equal, greater, greaterEqual, isInf, less, lessEqual, notEqual } from "../primitives/comparison.ts";
import { matmul } from "../primitives/contraction.ts";
import { view } from "../primitives/conversion.ts";
import { diag, diagonal, trace, tril, triu } from "../primitives/diagonals.ts";
import { erf, exp, expm1, log, log1p, log2, log10, power, rsqrt, sigmoid, sqrt } from "../primitives/exponential.ts";
import { all, any, argMax, argMin, max, min } from "../primitives/extrema.ts";
import { take, takeAlongAxis } from "../primitives/gather.ts";
import { repeat, roll, split, tile } from "../primitives/joining.ts";
import { logicalAnd, logicalNot, logicalOr } from "../primitives/logical.ts";
import { prod } from "../primitives/products.ts";
import { sum } from "../primitives/reductions.ts";
import { ceil, floor, round, trunc } from "../primitives/rounding.ts";
import { cummax, cummin, cumprod, cumsum, logCumsumExp } from "../primitives/scanning.ts";
import { putAlongAxis } from "../primitives/scatter.ts";
import { clip } from "../primitives/selection.ts";
import { expandDims, flatten, squeeze, swapAxes, unflatten } from "../primitives/shaping.ts";
import { flip } from "../primitives/slicing.ts";
import { argSort, sort, topK } from "../primitives/sorting.ts";
import { logSumExp, mean, softmax, std, variance } from "../primitives/statistics.ts";
import { cos, sin, tan, tanh } from "../primitives/trigonometry.ts";
import { broadcastTo, moveAxis, reshape, transpose } from "../primitives/views.ts";
import { ArrayAt, at, get } from "./array-at.ts";
import { format } from "./format.ts";
import type { IndexItem } from "./index-items.ts";
import type { NestedList } from "./reading.ts";
import { copyElements, item, lendElements, tolist } from "./reading.ts";

/** The function `F` as a method: its first argument is the array. */
export type Method<F> = F extends (x: never, ...rest: infer R) => infer Q ? (...rest: R) => Q : never;

/** The methods of arrays that are public functions, too; see the function of the same name. */
export interface ArrayMethods {
  abs: Method<typeof abs>;
  add: Method<typeof add>;
  sub: Method<typeof subtract>;
  subtract: Method<typeof subtract>;
  mul: Method<typeof multiply>;
  multiply: Method<typeof multiply>;
  div: Method<typeof divide>;
  divide: Method<typeof divide>;
  floorDivide: Method<typeof floorDivide>;
  remainder: Method<typeof remainder>;
  neg: Method<typeof negative>;
  negative: Method<typeof negative>;
  pow: Method<typeof power>;
  power: Method<typeof power>;
  maximum: Method<typeof maximum>;
  minimum: Method<typeof minimum>;
  square: Method<typeof square>;
  sqrt: Method<typeof sqrt>;
  rsqrt: Method<typeof rsqrt>;
  reciprocal: Method<typeof reciprocal>;
  sign: Method<typeof sign>;
  exp: Method<typeof exp>;
  expm1: Method<typeof expm1>;
  log: Method<typeof log>;
  log2: Method<typeof log2>;
  log10: Method<typeof log10>;
  log1p: Method<typeof log1p>;
  sigmoid: Method<typeof sigmoid>;
  erf: Method<typeof erf>;
  sin: Method<typeof sin>;
  cos: Method<typeof cos>;
  tan: Method<typeof tan>;
  tanh: Method<typeof tanh>;
  floor: Method<typeof floor>;
  ceil: Method<typeof ceil>;
  round: Method<typeof round>;
  trunc: Method<typeof trunc>;
  equal: Method<typeof equal>;
  notEqual: Method<typeof notEqual>;
  less: Method<typeof less>;
  lessEqual: Method<typeof lessEqual>;
  greater: Method<typeof greater>;
  greaterEqual: Method<typeof greaterEqual>;
  logicalAnd: Method<typeof logicalAnd>;
  logicalOr: Method<typeof logicalOr>;
  logicalNot: Method<typeof logicalNot>;
  isInf: Method<typeof isInf>;
  allClose: Method<typeof allClose>;
  arrayEqual: Method<typeof arrayEqual>;
  clip: Method<typeof clip>;
  sum: Method<typeof sum>;
  prod: Method<typeof prod>;
  mean: Method<typeof mean>;
  max: Method<typeof max>;
  min: Method<typeof min>;
  variance: Method<typeof variance>;
  std: Method<typeof std>;
  any: Method<typeof any>;
  all: Method<typeof all>;
  argMax: Method<typeof argMax>;
  argMin: Method<typeof argMin>;
  logSumExp: Method<typeof logSumExp>;
  softmax: Method<typeof softmax>;
  cumsum: Method<typeof cumsum>;
  cumprod: Method<typeof cumprod>;
  cummax: Method<typeof cummax>;
  cummin: Method<typeof cummin>;
  logCumsumExp: Method<typeof logCumsumExp>;
  matmul: Method<typeof matmul>;
  reshape: Method<typeof reshape>;
  flatten: Method<typeof flatten>;
  unflatten: Method<typeof unflatten>;
  squeeze: Method<typeof squeeze>;
  expandDims: Method<typeof expandDims>;
  transpose: Method<typeof transpose>;
  swapAxes: Method<typeof swapAxes>;
  moveAxis: Method<typeof moveAxis>;
  broadcastTo: Method<typeof broadcastTo>;
  split: Method<typeof split>;
  repeat: Method<typeof repeat>;
  tile: Method<typeof tile>;
  roll: Method<typeof roll>;
  flip: Method<typeof flip>;
  diag: Method<typeof diag>;
  diagonal: Method<typeof diagonal>;
  trace: Method<typeof trace>;
  tril: Method<typeof tril>;
  triu: Method<typeof triu>;
  take: Method<typeof take>;
  takeAlongAxis: Method<typeof takeAlongAxis>;
  putAlongAxis: Method<typeof putAlongAxis>;
  sort: Method<typeof sort>;
  argSort: Method<typeof argSort>;
  topK: Method<typeof topK>;
}

declare module "../graph/mlx-array.ts" {
  interface MLXArray extends ArrayMethods {
    /** The array with its axes reversed. */
    readonly T: MLXArray;
    /** The place at an index, to update or to read; see the function `at`. */
    at(...items: readonly IndexItem[]): ArrayAt;
    /** The elements at an index; see the function `get`. */
    get(...items: readonly IndexItem[]): MLXArray;
    /** The elements converted to `dtype`. */
    asType(dtype: Dtype): MLXArray;
    /** The only element of an array of size 1. */
    item(): Promise<Scalar>;
    /** The elements as nested lists. */
    tolist(): Promise<NestedList>;
    /** A copy of the elements in row-major order; float16 and bfloat16 as a `Float32Array`. */
    data(): Promise<TypedArray>;
    /** The elements where they lie, without a copy. */
    view(): Promise<TypedArray>;
    /** The same bits read as elements of another dtype. */
    view(dtype: Dtype): MLXArray;
    /** The array as MLX prints it, if it is computed. */
    toString(): string;
  }
}

const methods: Record<keyof ArrayMethods, (x: never, ...rest: never[]) => unknown> = {
  abs,
  add,
  sub: subtract,
  subtract,
  mul: multiply,
  multiply,
  div: divide,
  divide,
  floorDivide,
  remainder,
  neg: negative,
  negative,
  pow: power,
  power,
  maximum,
  minimum,
  square,
  sqrt,
  rsqrt,
  reciprocal,
  sign,
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
  equal,
  notEqual,
  less,
  lessEqual,
  greater,
  greaterEqual,
  logicalAnd,
  logicalOr,
  logicalNot,
  isInf,
  allClose,
  arrayEqual,
  clip,
  sum,
  prod,
  mean,
  max,
  min,
  variance,
  std,
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
  matmul,
  reshape,
  flatten,
  unflatten,
  squeeze,
  expandDims,
  transpose,
  swapAxes,
  moveAxis,
  broadcastTo,
  split,
  repeat,
  tile,
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
};

for (const [name, method] of Object.entries(methods)) {
  define(name, function (this: MLXArray, ...rest: unknown[]): unknown {
    return Reflect.apply(method, undefined, [this, ...rest]);
  });
}
define("at", function (this: MLXArray, ...items: readonly IndexItem[]): ArrayAt {
  return at(this, ...items);
});
define("get", function (this: MLXArray, ...items: readonly IndexItem[]): MLXArray {
  return get(this, ...items);
});
define("asType", function (this: MLXArray, dtype: Dtype): MLXArray {
  return castTo(this, requireDtype("asType", dtype));
});
define("item", function (this: MLXArray): Promise<Scalar> {
  return item(this);
});
define("tolist", function (this: MLXArray): Promise<NestedList> {
  return tolist(this);
});
define("data", function (this: MLXArray): Promise<TypedArray> {
  return copyElements(this);
});
define("view", function (this: MLXArray, dtype?: Dtype): unknown {
  return dtype === undefined ? lendElements(this) : view(this, dtype);
});
define("toString", function (this: MLXArray): string {
  return format(this);
});
define("toJSON", function (this: MLXArray): string {
  return format(this);
});
define(Symbol.toPrimitive, function (this: MLXArray, hint: string): string {
  if (hint !== "number") return format(this);
  throw new ArgumentError("MLXArray", "JavaScript's operators do not work on arrays; use methods or mx.expr");
});
// Where engines have no `using` yet, compilers agree on this other symbol.
define(Symbol.dispose ?? Symbol.for("Symbol.dispose"), MLXArray.prototype.dispose);
const inspect = Symbol.for("nodejs.util.inspect.custom");
define(inspect, function (this: MLXArray): string {
  return format(this);
});
Object.defineProperty(ArrayAt.prototype, inspect, {
  value(this: ArrayAt): string {
    return this.toString();
  },
});
Object.defineProperty(MLXArray.prototype, "T", {
  get(this: MLXArray): MLXArray {
    return transpose(this);
  },
});

function define(name: string | symbol, value: (this: MLXArray, ...args: never[]) => unknown): void {
  Object.defineProperty(MLXArray.prototype, name, { value, configurable: true, writable: true });
}
