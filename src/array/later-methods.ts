/** Methods of arrays whose operations are loaded when an evaluation first needs one; until then they are deferred. */
import { Part } from "../base/part.ts";
import type { Pieces } from "../graph/array-lists.ts";
import type { Aval } from "../graph/mlx-array.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placedAt } from "../graph/placement.ts";
import type { Derivative } from "../graph/primitive.ts";
import { requireArray } from "../graph/require-array.ts";
import type * as closeness from "../primitives/closeness.ts";
import type * as comparison from "../primitives/comparison.ts";
import type * as contraction from "../primitives/contraction.ts";
import type * as diagonals from "../primitives/diagonals.ts";
import type * as division from "../primitives/division.ts";
import type * as exponential from "../primitives/exponential.ts";
import type * as extrema from "../primitives/extrema.ts";
import type * as gather from "../primitives/gather.ts";
import type * as joining from "../primitives/joining.ts";
import type * as logical from "../primitives/logical.ts";
import type * as magnitude from "../primitives/magnitude.ts";
import { ArrayReference, asArray } from "../primitives/operands.ts";
import type * as products from "../primitives/products.ts";
import type * as rounding from "../primitives/rounding.ts";
import type * as scanning from "../primitives/scanning.ts";
import type * as scatter from "../primitives/scatter.ts";
import type * as selection from "../primitives/selection.ts";
import type * as slicing from "../primitives/slicing.ts";
import type * as sorting from "../primitives/sorting.ts";
import type * as statistics from "../primitives/statistics.ts";
import type * as trigonometry from "../primitives/trigonometry.ts";
import { deferred } from "../transforms/deferred.ts";

/** The function `F` as a method: its first argument is the array. */
export type Method<F> = F extends (x: never, ...rest: infer R) => infer Q ? (...rest: R) => Q : never;

/** A `UnaryOperation` as a method. */
export type UnaryMethod = (options?: OperationOptions) => MLXArray;

/** The functions `Names` of a file as methods, which keep their docstrings. */
export type Methods<File, Names extends keyof File> = { [Name in Names]: Method<File[Name]> };

/** The same of functions that are a `UnaryOperation`, of whose signatures `Method` sees the last alone. */
export type UnaryMethods<File, Names extends keyof File> = { [Name in Names]: UnaryMethod };

/** The methods whose operations are loaded later; see the function of the same name. */
export interface LaterMethods
  extends UnaryMethods<typeof magnitude, "abs" | "sign">,
    UnaryMethods<
      typeof exponential,
      "sqrt" | "rsqrt" | "exp" | "expm1" | "log" | "log2" | "log10" | "log1p" | "sigmoid" | "erf"
    >,
    UnaryMethods<typeof trigonometry, "sin" | "cos" | "tan" | "tanh">,
    UnaryMethods<typeof rounding, "floor" | "ceil" | "trunc">,
    UnaryMethods<typeof logical, "logicalNot">,
    UnaryMethods<typeof comparison, "isInf">,
    Methods<typeof magnitude, "maximum" | "minimum">,
    Methods<typeof exponential, "power">,
    Methods<typeof rounding, "round">,
    Methods<typeof division, "floorDivide" | "remainder">,
    Methods<typeof comparison, "equal" | "notEqual" | "less" | "lessEqual" | "greater" | "greaterEqual">,
    Methods<typeof logical, "logicalAnd" | "logicalOr">,
    Methods<typeof closeness, "allClose" | "arrayEqual">,
    Methods<typeof selection, "clip">,
    Methods<typeof products, "prod">,
    Methods<typeof statistics, "mean" | "variance" | "std" | "logSumExp" | "softmax">,
    Methods<typeof extrema, "max" | "min" | "any" | "all" | "argMax" | "argMin">,
    Methods<typeof scanning, "cumsum" | "cumprod" | "cummax" | "cummin" | "logCumsumExp">,
    Methods<typeof contraction, "matmul">,
    Methods<typeof joining, "roll">,
    Methods<typeof slicing, "flip">,
    Methods<typeof diagonals, "diag" | "diagonal" | "trace" | "tril" | "triu">,
    Methods<typeof gather, "take" | "takeAlongAxis">,
    Methods<typeof scatter, "putAlongAxis">,
    Methods<typeof sorting, "sort" | "argSort" | "topK"> {
  /** The array cut along `axis`; see the function `split`. */
  split<const P extends number | readonly number[]>(parts: P, axis?: number, options?: OperationOptions): Pieces<P>;
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
 * @param answer from the name and the arguments the shape and dtype of the result, or of each of several; or the typed error
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
  const later = (): unknown => deferCall(name, Reflect.apply(answer, undefined, [name, ...args]), args, derivative);
  return isOptions(last) ? placedAt(name, last.device, later) : later();
}

/** As `callLater`, of an operation with one result, which is known to be `aval`. */
export function callLaterOne(
  name: LaterName,
  aval: Aval,
  args: readonly unknown[],
  derivative?: Derivative<null>,
): MLXArray {
  const result = callLater(name, () => aval, args, derivative);
  requireArray(name, result);
  return result;
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
        const value: unknown = Array.isArray(result) ? result[which] : result;
        requireArray(name, value);
        return value;
      },
      derivative,
    );
  return isList(known) ? known.map(part) : part(known, 0);
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
