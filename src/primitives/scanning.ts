/** Cumulative operations along an axis. */
import type { Dtype } from "../base/dtype.ts";
import { atLeastFloat, integerLimits, isFloating } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { formatShape, normalizeAxis } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { withOptions } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { requireArray } from "../graph/require-array.ts";
import { add, multiply, subtract } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { equal, isInf, notEqual } from "./comparison.ts";
import { filledLike, pair } from "./elementwise.ts";
import { exp } from "./exponential.ts";
import { alignBatch, batchToFront, only } from "./families.ts";
import { gatherAt } from "./gather.ts";
import { iota } from "./generate.ts";
import { joinAlong } from "./joining.ts";
import { constant } from "./leaf.ts";
import { routines } from "./routines.ts";
import { addAlongLastAxis } from "./scatter.ts";
import { where } from "./selection.ts";
import { sliceAxis } from "./slicing.ts";
import { broadcastTo, moveAxis, reshape } from "./views.ts";

/** How a scan combines an element with those before it. */
export type ScanOp = "sum" | "product" | "maximum" | "minimum" | "logSumExp";

/** The parameters of a scan. */
export interface ScanParams {
  readonly op: ScanOp;
  /** From the last element to the first. */
  readonly reverse: boolean;
}

/** Each element along the last axis combined with all before it (after it, `reverse`). */
export const scanRow: Primitive<ScanParams> = {
  name: "scan",
  aval: ([x]) => only("scan", x),
  lowering: {
    kind: "routine",
    part: routines,
    run: (call) => routines.get().scan(call),
  },
  derivative: {
    kind: "custom",
    jvp([tangent], inputs, output, params) {
      const t = only("scan", tangent);
      const x = only("scan", inputs[0]);
      switch (params.op) {
        case "sum":
          return scan(t, params);
        case "maximum":
        case "minimum":
          return gatherAt(t, [extremumPlaces(x, output, params.reverse)], lastAxis(x));
        default: {
          const [carry, own] = recurrenceOf(x, output, params);
          return recurrence(carry, multiply(own, t), params.reverse);
        }
      }
    },
    vjp(cotangent, inputs, output, params) {
      const x = only("scan", inputs[0]);
      const { op, reverse } = params;
      switch (op) {
        case "sum":
          return [scan(cotangent, { op, reverse: !reverse })];
        case "maximum":
        case "minimum":
          return [addAlongLastAxis(filledLike(x, 0), extremumPlaces(x, output, reverse), cotangent)];
        default: {
          const [carry, own] = recurrenceOf(x, output, params);
          return [multiply(own, recurrence(previous(carry, 0, !reverse), cotangent, !reverse))];
        }
      }
    },
  },
  batch: ([x], [axis], params) => [scan(batchToFront(only("scan", x), axis ?? 0), params), 0],
};

/** Inputs a and b: y[i] = a[i] · y[i - 1] + b[i] along the last axis, y[-1] being 0 (from the last to the first, `reverse`). */
export const recurrenceRow: Primitive<{ readonly reverse: boolean }> = {
  name: "recurrence",
  aval: ([a]) => only("recurrence", a),
  lowering: {
    kind: "routine",
    part: routines,
    run: (call) => routines.get().recur(call),
  },
  derivative: {
    kind: "custom",
    jvp([tangentA, tangentB], inputs, output, { reverse }) {
      const [a] = pair("recurrence", inputs);
      const viaA = tangentA ? multiply(tangentA, previous(output, 0, reverse)) : null;
      const change = viaA && tangentB ? add(viaA, tangentB) : (viaA ?? tangentB);
      return change ? recurrence(a, change, reverse) : null;
    },
    vjp(cotangent, inputs, output, { reverse }) {
      const [a] = pair("recurrence", inputs);
      const toB = recurrence(previous(a, 0, !reverse), cotangent, !reverse);
      return [multiply(toB, previous(output, 0, reverse)), toB];
    },
  },
  batch: (inputs, axes, params) => [apply(recurrenceRow, alignBatch(inputs, axes), params), 0],
};

function scan(x: MLXArray, params: ScanParams): MLXArray {
  return apply(scanRow, [x], params);
}

function recurrence(a: MLXArray, b: MLXArray, reverse: boolean): MLXArray {
  return apply(recurrenceRow, [a, b], { reverse });
}

/** `x` one step later along the last axis (earlier, `reverse`), beginning with `initial`. */
function previous(x: MLXArray, initial: number | bigint, reverse: boolean): MLXArray {
  const length = x.shape.at(-1) ?? 1;
  if (length === 0) return x;
  const axis = x.ndim - 1;
  const first = broadcastTo(constant(initial, x.dtype), x.shape.with(-1, 1));
  const rest = sliceAxis(x, axis, reverse ? 1 : 0, length - 1);
  return joinAlong(reverse ? [rest, first] : [first, rest], axis);
}

/** The tangent of a scan as y[i] = carry[i] · y[i - 1] + own[i] · t[i]; products hold with zeros among the elements. */
function recurrenceOf(x: MLXArray, output: MLXArray, { op, reverse }: ScanParams): [MLXArray, MLXArray] {
  if (op === "product") return [x, previous(output, 1, reverse)];
  const before = previous(output, Number.NEGATIVE_INFINITY, reverse);
  // Where the result is infinite, the latest element that is so has all of it.
  const isOwn = equal(x, output);
  const isInfinite = isInf(output);
  // Two numbers alone would be float32, and a routine reads its inputs in one dtype.
  const [whole, none] = [constant(0, x.dtype), constant(Number.NEGATIVE_INFINITY, x.dtype)];
  const shareOf = (part: MLXArray, isWhole: MLXArray): MLXArray =>
    exp(where(isInfinite, where(isWhole, whole, none), subtract(part, output)));
  return [shareOf(before, notEqual(x, output)), shareOf(x, isOwn)];
}

/** Where along the last axis each running extremum was last met. */
function extremumPlaces(x: MLXArray, output: MLXArray, reverse: boolean): MLXArray {
  const length = x.shape.at(-1) ?? 1;
  const place = iota(x.shape, x.ndim - 1, "int32");
  const isMet = where(notEqual(x, x), notEqual(output, output), equal(x, output));
  const none = filledLike(place, reverse ? Math.max(length - 1, 0) : 0);
  return scan(where(isMet, place, none), { op: reverse ? "minimum" : "maximum", reverse });
}

function lastAxis({ ndim }: MLXArray): { batchRank: number; axes: readonly number[] } {
  return { batchRank: ndim - 1, axes: [ndim - 1] };
}

/** The options of cumulative operations. */
export interface ScanOptions extends OperationOptions {
  /** Begin at the end of the axis; false unless given. */
  readonly reverse?: boolean | undefined;
  /** Whether an element is part of its own result (the default); otherwise the first result is the operation's neutral value. */
  readonly inclusive?: boolean | undefined;
}

function cumulative(
  operation: string,
  op: ScanOp,
  given: MLXArray,
  axis: number | null | ScanOptions | undefined,
  options: ScanOptions,
): MLXArray {
  if (typeof axis === "object" && axis !== null) return cumulative(operation, op, given, undefined, axis);
  return withOptions(operation, options, ["reverse", "inclusive", "device"], () => {
    requireArray(operation, given);
    const converted = castTo(given, scannedDtype(op, given.dtype));
    const x = typeof axis === "number" ? converted : reshape(converted, [given.size]);
    const { reverse = false, inclusive = true } = options;
    const place = normalizeAxis(operation, axis ?? 0, x.ndim);
    const scanned = scan(moveAxis(x, place, -1), { op, reverse });
    return moveAxis(inclusive ? scanned : previous(scanned, neutral(op, x.dtype), reverse), -1, place);
  });
}

/** The dtype in which `op` combines elements of `dtype`. */
function scannedDtype(op: ScanOp, dtype: Dtype): Dtype {
  if (op === "sum" && dtype === "bool") return "int32";
  return op === "logSumExp" ? atLeastFloat(dtype) : dtype;
}

function neutral(op: ScanOp, dtype: Dtype): number | bigint {
  switch (op) {
    case "sum":
      return 0;
    case "product":
      return 1;
    case "logSumExp":
      return Number.NEGATIVE_INFINITY;
    default: {
      const sign = op === "maximum" ? -1 : 1;
      if (isFloating(dtype)) return sign * Number.POSITIVE_INFINITY;
      if (dtype === "bool") return sign < 0 ? 0 : 1;
      return integerLimits(dtype)[sign < 0 ? 0 : 1];
    }
  }
}

/**
 * The sum of each element and those before it along `axis`, of the flattened array unless given. Bool sums as int32.
 *
 * @throws {ShapeError} if `axis` is out of range
 * @example
 * await cumsum(array([1, 2, 3])).tolist(); // [1, 3, 6]
 * await cumsum(array([1, 2, 3]), 0, { reverse: true, inclusive: false }).tolist(); // [5, 3, 0]
 */
export function cumsum(x: MLXArray, axis?: number | null | ScanOptions, options: ScanOptions = {}): MLXArray {
  return cumulative("cumsum", "sum", x, axis, options);
}

/**
 * The product of each element and those before it along `axis`, of the flattened array unless given.
 *
 * @throws {ShapeError} if `axis` is out of range
 * @example
 * await cumprod(array([1, 2, 3])).tolist(); // [1, 2, 6]
 */
export function cumprod(x: MLXArray, axis?: number | null | ScanOptions, options: ScanOptions = {}): MLXArray {
  return cumulative("cumprod", "product", x, axis, options);
}

/**
 * The greatest of each element and those before it along `axis`, of the flattened array unless given. NaN stays.
 *
 * @throws {ShapeError} if `axis` is out of range
 * @example
 * await cummax(array([1, 3, 2])).tolist(); // [1, 3, 3]
 */
export function cummax(x: MLXArray, axis?: number | null | ScanOptions, options: ScanOptions = {}): MLXArray {
  return cumulative("cummax", "maximum", x, axis, options);
}

/**
 * The least of each element and those before it along `axis`, of the flattened array unless given. NaN stays.
 *
 * @throws {ShapeError} if `axis` is out of range
 * @example
 * await cummin(array([2, 3, 1])).tolist(); // [2, 2, 1]
 */
export function cummin(x: MLXArray, axis?: number | null | ScanOptions, options: ScanOptions = {}): MLXArray {
  return cumulative("cummin", "minimum", x, axis, options);
}

/**
 * `log(Σ exp)` of each element and those before it along `axis`, of the flattened array unless given, without overflow.
 *
 * @throws {ShapeError} if `axis` is out of range
 * @example
 * await logCumsumExp(array([0, 0, 0])).tolist(); // ≈ [0, 0.6931, 1.0986]
 */
export function logCumsumExp(x: MLXArray, axis?: number | null | ScanOptions, options: ScanOptions = {}): MLXArray {
  return cumulative("logCumsumExp", "logSumExp", x, axis, options);
}

/**
 * The differences of neighbours along `axis` (the last unless given), taken `n` times.
 *
 * @throws {ArgumentError} if `n` is negative or fractional
 * @example
 * await diff(array([1, 4, 9])).tolist(); // [3, 5]
 */
export function diff(
  x: MLXArray,
  options: OperationOptions & { readonly n?: number | undefined; readonly axis?: number | undefined } = {},
): MLXArray {
  return withOptions("diff", options, ["n", "axis", "device"], () => {
    const { n = 1, axis = -1 } = options;
    requireArray("diff", x);
    if (!Number.isInteger(n) || n < 0) throw new ArgumentError("diff", `n is a whole number from 0, got ${n}`);
    if (x.ndim === 0) throw new ShapeError("diff", `needs at least one axis, got ${formatShape(x.shape)}`);
    const place = normalizeAxis("diff", axis, x.ndim);
    let result = x;
    for (let round = 0; round < n; round++) {
      const length = Math.max((result.shape[place] ?? 1) - 1, 0);
      const offset = Math.min(1, result.shape[place] ?? 0);
      const [later, earlier] = [sliceAxis(result, place, offset, length), sliceAxis(result, place, 0, length)];
      result = x.dtype === "bool" ? notEqual(later, earlier) : subtract(later, earlier);
    }
    return result;
  });
}

/** The names of the array API standard. */
export { cumprod as cumulativeProd, cumsum as cumulativeSum };
