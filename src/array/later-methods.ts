/** Methods of arrays whose operations are loaded when an evaluation first needs one; until then they are deferred. */
import { MLXError } from "../base/errors.ts";
import { Part } from "../base/part.ts";
import type { Aval } from "../graph/mlx-array.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed } from "../graph/placement.ts";
import type { Derivative } from "../graph/primitive.ts";
import type { allClose, arrayEqual } from "../primitives/closeness.ts";
import type { equal, greater, greaterEqual, isInf, less, lessEqual, notEqual } from "../primitives/comparison.ts";
import type { matmul } from "../primitives/contraction.ts";
import type { diag, diagonal, trace, tril, triu } from "../primitives/diagonals.ts";
import type { floorDivide, remainder } from "../primitives/division.ts";
import type {
  erf,
  exp,
  expm1,
  log,
  log1p,
  log2,
  log10,
  power,
  rsqrt,
  sigmoid,
  sqrt,
} from "../primitives/exponential.ts";
import type { all, any, argMax, argMin, max, min } from "../primitives/extrema.ts";
import type { take, takeAlongAxis } from "../primitives/gather.ts";
import type { roll, split } from "../primitives/joining.ts";
import type { logicalAnd, logicalNot, logicalOr } from "../primitives/logical.ts";
import type { abs, maximum, minimum, sign } from "../primitives/magnitude.ts";
import { ArrayReference, asArray } from "../primitives/operands.ts";
import type { prod } from "../primitives/products.ts";
import type { ceil, floor, round, trunc } from "../primitives/rounding.ts";
import type { cummax, cummin, cumprod, cumsum, logCumsumExp } from "../primitives/scanning.ts";
import type { putAlongAxis } from "../primitives/scatter.ts";
import type { clip } from "../primitives/selection.ts";
import type { flip } from "../primitives/slicing.ts";
import type { argSort, sort, topK } from "../primitives/sorting.ts";
import type { logSumExp, mean, softmax, std, variance } from "../primitives/statistics.ts";
import type { cos, sin, tan, tanh } from "../primitives/trigonometry.ts";
import { deferred } from "../transforms/deferred.ts";

/** The function `F` as a method: its first argument is the array. */
export type Method<F> = F extends (x: never, ...rest: infer R) => infer Q ? (...rest: R) => Q : never;

/** The methods whose operations are loaded later; see the function of the same name. */
export interface LaterMethods {
  abs: Method<typeof abs>;
  floorDivide: Method<typeof floorDivide>;
  remainder: Method<typeof remainder>;
  power: Method<typeof power>;
  maximum: Method<typeof maximum>;
  minimum: Method<typeof minimum>;
  sqrt: Method<typeof sqrt>;
  rsqrt: Method<typeof rsqrt>;
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
  split: Method<typeof split>;
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

/** The operations of those methods, each with the array as its first argument, and others that need them. */
export type MethodMeanings = {
  readonly [K in LaterName]: (x: never, ...rest: never[]) => unknown;
};

/** What is loaded later. */
export type LaterName = keyof LaterMethods | "readAt" | "writeAt" | "writeMasked" | "stackAll" | "view";

/** The operations, once they are loaded. */
export const methodMeanings: Part<MethodMeanings> = /* @__PURE__ */ new Part(
  "methods",
  () => import("./method-meanings-part.ts"),
);

/**
 * The result of an operation: computed if that is loaded, deferred otherwise.
 *
 * @param answer the shape and dtype of the result, or of each of several; or the typed error
 */
export function callLater(
  name: LaterName,
  answer: (...args: never[]) => Aval | readonly Aval[],
  args: readonly unknown[],
  derivative?: Derivative<null>,
): unknown {
  const meanings = methodMeanings.peek();
  if (meanings) return Reflect.apply(meanings[name], undefined, args);
  methodMeanings.prefetch();
  return callDeferred(name, answer, args, derivative);
}

/** As `callLater`, deferred whether the operation is loaded or not. */
export function callDeferred(
  name: LaterName,
  answer: (...args: never[]) => Aval | readonly Aval[],
  args: readonly unknown[],
  derivative?: Derivative<null>,
): unknown {
  const last = args.at(-1);
  const later = (): unknown => deferCall(name, Reflect.apply(answer, undefined, args), args, derivative);
  return isOptions(last) ? placed(name, last, later) : later();
}

/** As `callLater`, of an operation with one result, which is known to be `aval`. */
export function callLaterOne(
  name: LaterName,
  aval: Aval,
  args: readonly unknown[],
  derivative?: Derivative<null>,
): MLXArray {
  return requireArray(
    name,
    callLater(name, () => aval, args, derivative),
  );
}

/** The result of an operation, which is asked for when it is evaluated. */
export function deferCall(
  name: LaterName,
  known: Aval | readonly Aval[],
  args: readonly unknown[],
  derivative?: Derivative<null>,
): MLXArray | MLXArray[] {
  const inputs = args.flatMap((arg) => (isOperand(arg) ? asArray(name, arg) : []));
  const part = (aval: Aval, which: number): MLXArray =>
    deferred(
      name,
      aval,
      inputs,
      (given) => {
        let next = 0;
        const own = args.map((arg) => (isOperand(arg) ? given[next++] : arg));
        const result: unknown = Reflect.apply(methodMeanings.get()[name], undefined, own);
        return requireArray(name, Array.isArray(result) ? result[which] : result);
      },
      derivative,
    );
  return isList(known) ? known.map(part) : part(known, 0);
}

function requireArray(name: string, value: unknown): MLXArray {
  if (value instanceof MLXArray) return value;
  throw new MLXError(name, "gives no array");
}

function isOperand(value: unknown): value is MLXArray | ArrayReference {
  return value instanceof MLXArray || value instanceof ArrayReference;
}

function isOptions(value: unknown): value is OperationOptions {
  return typeof value === "object" && value !== null && !isOperand(value);
}

function isList(known: Aval | readonly Aval[]): known is readonly Aval[] {
  return Array.isArray(known);
}
