/** Arrays made from numbers: constants, ranges, grids, identity and triangular matrices, windows. */
import type { Dtype } from "../base/dtype.ts";
import { isFloating, isHalf, requireDtype } from "../base/dtype.ts";
import { ArgumentError, DtypeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { checkShape } from "../base/shape.ts";
import type { ArrayForEach } from "../graph/array-lists.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { withOptions } from "../graph/placement.ts";
import { requireArrays } from "../graph/require-array.ts";
import { add, divide, multiply, subtract } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { equal, greaterEqual } from "./comparison.ts";
import { only } from "./families.ts";
import { iota } from "./generate.ts";
import { constant, literalDtype } from "./leaf.ts";
import type { ArrayLike } from "./operands.ts";
import { asArray, promoted } from "./operands.ts";
import { broadcastTo, reshape } from "./views.ts";

/** The options of what is created. */
export interface CreationOptions extends OperationOptions {
  /** What the function says unless given. */
  readonly dtype?: Dtype | undefined;
}

/** The dtype of what is created, alone or as an option. */
export type DtypeOption = Dtype | CreationOptions;

/** What `body` makes, on the device that the options name. */
function created(operation: string, option: DtypeOption | undefined, body: () => MLXArray): MLXArray {
  return withOptions(operation, typeof option === "object" ? option : {}, ["dtype", "device"], body);
}

/** The dtype that `option` names. @throws {DtypeError} if it names none that exists */
function dtypeOf(operation: string, option: DtypeOption | undefined): Dtype | undefined {
  const dtype = typeof option === "object" ? option.dtype : option;
  return dtype === undefined ? dtype : requireDtype(operation, dtype);
}

function toShape(operation: string, shape: number | Shape): Shape {
  const list = typeof shape === "number" ? [shape] : shape;
  checkShape(operation, list);
  return list;
}

/**
 * An array of zeros, float32 unless a dtype is given.
 *
 * @param shape lengths of the axes; a number for one axis
 * @throws {ShapeError} for a length that is no natural number
 * @example
 * await zeros([2, 2]).tolist(); // [[0, 0], [0, 0]]
 * zeros(3, "int32"); // array([0, 0, 0], dtype=int32)
 */
export function zeros(shape: number | Shape, dtype?: DtypeOption): MLXArray {
  return filled("zeros", shape, 0, dtype);
}

/**
 * An array of ones, float32 unless a dtype is given.
 *
 * @throws {ShapeError} for a length that is no natural number
 * @example
 * await ones([2, 2]).tolist(); // [[1, 1], [1, 1]]
 */
export function ones(shape: number | Shape, dtype?: DtypeOption): MLXArray {
  return filled("ones", shape, 1, dtype);
}

function filled(operation: string, shape: number | Shape, value: number, dtype: DtypeOption | undefined): MLXArray {
  return created(operation, dtype, () =>
    broadcastTo(constant(value, dtypeOf(operation, dtype) ?? "float32"), toShape(operation, shape)),
  );
}

/**
 * An array of `shape` with `value` in it, which may be an array that broadcasts to it. Dtype of `value` unless given:
 * int32 for a whole number, float32 for another one, bool for a boolean.
 *
 * @throws {ShapeError} if `value` cannot be broadcast to `shape`
 * @example
 * await full([2, 2], array([1, 2])).tolist(); // [[1, 2], [1, 2]]
 */
export function full(shape: number | Shape, value: ArrayLike, dtype?: DtypeOption): MLXArray {
  return created("full", dtype, () =>
    broadcastTo(fillValue("full", value, dtypeOf("full", dtype)), toShape("full", shape)),
  );
}

/**
 * Zeros in the shape and dtype of `x`, or in the dtype given.
 *
 * @example
 * await zerosLike(array([1, 2])).tolist(); // [0, 0]
 */
export function zerosLike(x: ArrayLike, dtype?: DtypeOption): MLXArray {
  return created("zerosLike", dtype, () => fullLike(asArray("zerosLike", x), 0, dtype));
}

/**
 * Ones in the shape and dtype of `x`, or in the dtype given.
 *
 * @example
 * await onesLike(array([1, 2])).tolist(); // [1, 1]
 */
export function onesLike(x: ArrayLike, dtype?: DtypeOption): MLXArray {
  return created("onesLike", dtype, () => fullLike(asArray("onesLike", x), 1, dtype));
}

/**
 * An array in the shape and dtype of `x`, or in the dtype given, with `value` in it.
 *
 * @throws {ShapeError} if `value` cannot be broadcast to the shape of `x`
 * @example
 * await fullLike(array([1, 2]), 7).tolist(); // [7, 7]
 */
export function fullLike(x: ArrayLike, value: ArrayLike, dtype?: DtypeOption): MLXArray {
  return created("fullLike", dtype, () => {
    const array = asArray("fullLike", x);
    return broadcastTo(fillValue("fullLike", value, dtypeOf("fullLike", dtype) ?? array.dtype), array.shape);
  });
}

/** `value` in `dtype`, its own unless given. */
function fillValue(operation: string, value: ArrayLike, dtype: Dtype | undefined): MLXArray {
  return only(operation, promoted(operation, [value], dtype)[0]);
}

/** Another name of `zeros`, for arrays whose contents are about to be replaced. */
/** Another name of `zerosLike`, for arrays whose contents are about to be replaced. */
export { zeros as empty, zerosLike as emptyLike };

/** The options of `eye` and `tri`. */
export interface DiagonalOptions extends OperationOptions {
  /** Columns; as many as rows unless given. */
  readonly m?: number | undefined;
  /** Which diagonal: 0, the main one, unless given; positive above it, negative below. */
  readonly k?: number | undefined;
  /** Float32 unless given. */
  readonly dtype?: Dtype | undefined;
}

/**
 * An [n, m] matrix with ones on diagonal `k` and zeros elsewhere, float32 unless a dtype is given.
 *
 * @throws {ShapeError} for a length that is no natural number
 * @example
 * await eye(2, { m: 3, k: 1 }).tolist(); // [[0, 1, 0], [0, 0, 1]]
 */
export function eye(n: number, options: DiagonalOptions = {}): MLXArray {
  return fromPositions("eye", n, options, equal);
}

/**
 * The [n, n] identity matrix, float32 unless a dtype is given.
 *
 * @throws {ShapeError} if `n` is no natural number
 * @example
 * await identity(2).tolist(); // [[1, 0], [0, 1]]
 */
export function identity(n: number, dtype?: DtypeOption): MLXArray {
  return created("identity", dtype, () => {
    const chosen = dtypeOf("identity", dtype);
    return eye(n, chosen ? { dtype: chosen } : {});
  });
}

/**
 * An [n, m] matrix with ones on and below diagonal `k` and zeros above it, float32 unless a dtype is given.
 *
 * @throws {ShapeError} for a length that is no natural number
 * @example
 * await tri(3).tolist(); // [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
 */
export function tri(n: number, options: DiagonalOptions = {}): MLXArray {
  return fromPositions("tri", n, options, greaterEqual);
}

function fromPositions(
  operation: string,
  n: number,
  options: DiagonalOptions,
  holds: (row: MLXArray, column: MLXArray) => MLXArray,
): MLXArray {
  return withOptions(operation, options, ["m", "k", "dtype", "device"], () => {
    const { m = n, k = 0, dtype } = options;
    const shape = toShape(operation, [n, m]);
    const result = holds(add(iota(shape, 0, "int32"), k), iota(shape, 1, "int32"));
    return castTo(result, dtypeOf(operation, dtype) ?? "float32");
  });
}

/**
 * Numbers from `start` (0 unless given) up to, but not with, `stop`, `step` (1 unless given) apart. Int32 if all three are
 * whole numbers, float32 otherwise, unless a dtype is given.
 *
 * @throws {ArgumentError} if `step` is 0 or one of them is not finite
 * @throws {DtypeError} for bool
 * @example
 * await arange(4).tolist(); // [0, 1, 2, 3]
 * await arange(1, 2, 0.25).tolist(); // [1, 1.25, 1.5, 1.75]
 */
export function arange(stop: number, options?: DtypeOption): MLXArray;
export function arange(start: number, stop: number, options?: DtypeOption): MLXArray;
export function arange(start: number, stop: number, step: number, options?: DtypeOption): MLXArray;
export function arange(...args: readonly (number | DtypeOption | undefined)[]): MLXArray {
  const numbers = args.filter((argument) => typeof argument === "number");
  const option = args.find((argument) => typeof argument === "string" || typeof argument === "object");
  const [first = 0, second, step = 1] = numbers;
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(Math.ceil((stop - start) / step), 0);
  if (step === 0 || !Number.isFinite(length)) {
    throw new ArgumentError("arange", `from ${start} to ${stop} in steps of ${step} is no finite range`);
  }
  const dtype = dtypeOf("arange", option) ?? rangeDtype([start, stop, step]);
  if (dtype === "bool") throw new DtypeError("arange", "bool cannot count; use an integer dtype");
  return created("arange", option, () => {
    if (isFloating(dtype)) return progression(length, start, step, dtype);
    const whole = Math.trunc(start);
    return progression(length, whole, Math.trunc(start + step) - whole, dtype);
  });
}

function rangeDtype(numbers: readonly number[]): Dtype {
  if (!numbers.every(Number.isInteger)) return "float32";
  return numbers.some((number) => literalDtype(number) === "int64") ? "int64" : "int32";
}

/** `start`, `start + step`, …; floating-point types are computed in at least float32. */
function progression(length: number, start: number, step: number, dtype: Dtype): MLXArray {
  const computed = isHalf(dtype) ? "float32" : dtype;
  const position = iota([length], 0, computed);
  const scaled = step === 1 ? position : multiply(position, wrapped(step, computed));
  return castTo(start === 0 ? scaled : add(scaled, wrapped(start, computed)), dtype);
}

/** A constant of `dtype`, wrapped around where an integer type cannot hold it (a negative step of unsigned numbers). */
function wrapped(value: number, dtype: Dtype): MLXArray {
  return isFloating(dtype) || value >= 0
    ? constant(value, dtype)
    : castTo(broadcastTo(constant(value, "int64"), []), dtype);
}

/** The options of `linspace`. */
export interface LinspaceOptions extends OperationOptions {
  /** How many numbers; 50 unless given. */
  readonly num?: number | undefined;
  /** Float32 unless given. */
  readonly dtype?: Dtype | undefined;
}

/**
 * `num` (50 unless given) evenly spaced numbers from `start` to `stop`, both included.
 *
 * @throws {ArgumentError} if `num` is no natural number
 * @example
 * await linspace(0, 1, 5).tolist(); // [0, 0.25, 0.5, 0.75, 1]
 */
export function linspace(start: number, stop: number, options: number | LinspaceOptions = {}): MLXArray {
  const { num = 50, dtype = "float32" } = typeof options === "number" ? { num: options } : options;
  if (!Number.isInteger(num) || num < 0) throw new ArgumentError("linspace", `num is a natural number, got ${num}`);
  return withOptions("linspace", typeof options === "number" ? {} : options, ["num", "dtype", "device"], () => {
    const computed: Dtype = dtype === "float64" ? dtype : "float32";
    const share = divide(iota([num], 0, computed), Math.max(num - 1, 1));
    return castTo(
      add(multiply(subtract(1, share), start), multiply(share, stop)),
      dtypeOf("linspace", dtype) ?? computed,
    );
  });
}

/** The options of `meshgrid`. */
export interface MeshgridOptions extends OperationOptions {
  /** Whether the first array runs along the second axis ("xy", unless given) or along the first ("ij"). */
  readonly indexing?: "xy" | "ij" | undefined;
  /** Leave the axes along which a result does not change at length 1; false unless given. */
  readonly sparse?: boolean | undefined;
}

/**
 * The coordinates of a grid: one array per vector, all of one shape, each constant along the axes of the others.
 *
 * @param args vectors, and at the end the options
 * @throws {ArgumentError} for an indexing other than "xy" and "ij"
 * @example
 * const [x, y] = meshgrid(array([1, 2]), array([3, 4, 5]));
 * await x.tolist(); // [[1, 2], [1, 2], [1, 2]]
 * await y.tolist(); // [[3, 3], [4, 4], [5, 5]]
 */
export function meshgrid<A extends readonly MLXArray[]>(...args: A): ArrayForEach<A>;
export function meshgrid<A extends readonly MLXArray[]>(...args: [...A, MeshgridOptions]): ArrayForEach<A>;
export function meshgrid(...args: readonly (MLXArray | MeshgridOptions)[]): MLXArray[] {
  const last = args.at(-1);
  const options = isPlain(last) ? last : {};
  const given = isPlain(last) ? args.slice(0, -1) : args;
  if (Array.isArray(last)) throw new ArgumentError("meshgrid", "takes arrays one by one, as in meshgrid(a, b)");
  requireArrays("meshgrid", given);
  const arrays = given.filter((argument) => argument instanceof MLXArray);
  const { indexing = "xy", sparse = false } = options;
  if (indexing !== "xy" && indexing !== "ij") {
    throw new ArgumentError("meshgrid", `indexing is "xy" or "ij", got ${String(indexing)}`);
  }
  const axisOf = (position: number): number =>
    indexing === "xy" && arrays.length > 1 && position < 2 ? 1 - position : position;
  const shape = new Array<number>(arrays.length);
  arrays.forEach((array, position) => {
    shape[axisOf(position)] = array.size;
  });
  return withOptions("meshgrid", options, ["indexing", "sparse", "device"], () =>
    arrays.map((array, position) => {
      const own = shape.map((length, axis) => (axis === axisOf(position) ? length : 1));
      const column = reshape(array, own);
      return sparse ? column : broadcastTo(column, shape);
    }),
  );
}

function isPlain(argument: MLXArray | MeshgridOptions | undefined): argument is MeshgridOptions {
  return argument !== undefined && Object.getPrototypeOf(argument) === Object.prototype;
}
