/** Installs the methods of arrays: each is the public function of the same name with the array as its first argument. */
import type { Dtype, ElementsOf, TypedArray } from "../base/dtype.ts";
import { requireDtype } from "../base/dtype.ts";
import type { Scalar } from "../base/elements.ts";
import { ArgumentError } from "../base/errors.ts";
import { printedAs } from "../base/printing.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import type * as arithmetic from "../primitives/arithmetic.ts";
import { add, divide, multiply, negative, reciprocal, square, subtract } from "../primitives/arithmetic.ts";
import { asType } from "../primitives/conversion.ts";
import type * as reductions from "../primitives/reductions.ts";
import { sum } from "../primitives/reductions.ts";
import { noViewTangent, viewShape } from "../primitives/shape-rules.ts";
import type * as shaping from "../primitives/shaping.ts";
import { expandDims, flatten, repeat, squeeze, swapAxes, tile, unflatten } from "../primitives/shaping.ts";
import type * as views from "../primitives/views.ts";
import { broadcastTo, moveAxis, reshape, transpose } from "../primitives/views.ts";
import { ArrayAt, at, get } from "./array-at.ts";
import { format } from "./format.ts";
import type { IndexItem } from "./index-items.ts";
import type { LaterMethods, Method, Methods, UnaryMethod, UnaryMethods } from "./later-methods.ts";
import { callLater, callLaterOne } from "./later-methods.ts";
import { methodShapes } from "./method-shapes.ts";
import type { NestedList } from "./reading.ts";
import { copyElements, item, lendElements, tolist } from "./reading.ts";

/** The methods that are there from the start: what gradients are made of, and what only moves axes. */
export interface PresentMethods
  extends UnaryMethods<typeof arithmetic, "negative" | "square" | "reciprocal">,
    Methods<typeof arithmetic, "add" | "subtract" | "multiply" | "divide">,
    Methods<typeof reductions, "sum">,
    Methods<typeof shaping, "flatten" | "unflatten" | "squeeze" | "expandDims" | "swapAxes" | "repeat" | "tile">,
    Methods<typeof views, "reshape" | "transpose" | "moveAxis" | "broadcastTo"> {
  /** Short for `subtract`. */
  sub: Method<typeof subtract>;
  /** Short for `multiply`. */
  mul: Method<typeof multiply>;
  /** Short for `divide`. */
  div: Method<typeof divide>;
  /** Short for `negative`. */
  neg: UnaryMethod;
}

/** The methods of arrays that are public functions, too; see the function of the same name. */
export interface ArrayMethods extends PresentMethods, LaterMethods {
  /** Short for `power`. */
  pow: LaterMethods["power"];
}

declare module "../graph/mlx-array.ts" {
  interface MLXArray extends ArrayMethods {
    /**
     * The array with its axes reversed.
     *
     * @example
     * await array([[1, 2], [3, 4]]).T.tolist(); // [[1, 3], [2, 4]]
     */
    readonly T: MLXArray;
    /**
     * The place at an index, to update or to read; see the function `at`.
     *
     * @example
     * await array([1, 2, 3]).at("1:").add(10).tolist(); // [1, 12, 13]
     */
    at(...items: readonly IndexItem[]): ArrayAt;
    /**
     * The elements at an index: numbers, texts in Python's notation, `null` for a new axis, arrays; see the function `get`.
     *
     * @throws {ShapeError} for an index out of range
     * @example
     * await array([[1, 2], [3, 4]]).get(":, -1").tolist(); // [2, 4]
     */
    get(...items: readonly IndexItem[]): MLXArray;
    /**
     * The elements converted to `dtype`; see the function `asType`.
     *
     * @example
     * await array([1.5, -1.5]).asType("int32").tolist(); // [1, -1]
     */
    asType(dtype: Dtype, options?: OperationOptions): MLXArray;
    /**
     * The only element of an array of size 1.
     *
     * @throws {ShapeError} for an array of another size
     * @example
     * await array([1, 2]).sum().item(); // 3
     */
    item(): Promise<Scalar>;
    /**
     * The elements as nested lists.
     *
     * @example
     * await array([[1, 2], [3, 4]]).add(1).tolist(); // [[2, 3], [4, 5]]
     */
    tolist(): Promise<NestedList>;
    /**
     * A copy of the elements in row-major order; float16 and bfloat16 as a `Float32Array`.
     *
     * @example
     * [...(await array([[1, 2], [3, 4]]).data())]; // [1, 2, 3, 4]
     */
    data(): Promise<TypedArray>;
    /**
     * The same, converted to `dtype`, which types it.
     *
     * @example
     * const elements: Float32Array = await array([1, 2], "int64").data("float32");
     * elements.length; // 2
     */
    data<D extends Dtype>(dtype: D): Promise<ElementsOf<D>>;
    /**
     * The elements where they lie, without a copy, float16 and bfloat16 as their bits: to be read, as long as the array is
     * kept.
     *
     * @example
     * (await array([1, 2]).view()).length; // 2
     */
    view(): Promise<TypedArray>;
    /**
     * The same bits read as elements of another dtype; see the function `view`.
     *
     * @example
     * await array([1]).view("int32").tolist(); // [1065353216]
     */
    view(dtype: Dtype, options?: OperationOptions): MLXArray;
    /**
     * The array as MLX prints it, if it is computed.
     *
     * @example
     * String(array([1, 2])); // "array([1, 2], dtype=float32)"
     * String(array([1, 2]).add(1)); // "array(float32 [2], not yet computed)"
     */
    toString(): string;
  }
}

/** Methods of the declaration above and the engine's own that are called like those. */
type OtherMethods = "asType" | "at" | "get" | "item" | "tolist" | "data" | "toString";

/** The functions behind methods: those above, and others that are called the same way. */
const present: Record<keyof PresentMethods | OtherMethods, (x: never, ...rest: never[]) => unknown> = {
  add,
  sub: subtract,
  subtract,
  mul: multiply,
  multiply,
  div: divide,
  divide,
  neg: negative,
  negative,
  square,
  reciprocal,
  sum,
  reshape,
  flatten,
  unflatten,
  squeeze,
  expandDims,
  transpose,
  swapAxes,
  moveAxis,
  broadcastTo,
  repeat,
  tile,
  asType,
  at,
  get,
  item,
  tolist,
  data: copyElements,
  toString: format,
};

for (const [name, method] of Object.entries(present)) {
  define(name, function (this: MLXArray, ...rest: unknown[]): unknown {
    return Reflect.apply(method, undefined, [this, ...rest]);
  });
}
for (const name of namesOf(methodShapes)) {
  define(name, function (this: MLXArray, ...rest: unknown[]): unknown {
    return callLater(name, methodShapes[name], [this, ...rest]);
  });
}
define("pow", MLXArray.prototype.power);
define("view", function (this: MLXArray, dtype?: Dtype, options?: OperationOptions): unknown {
  return dtype === undefined ? lendElements(this) : viewBits(this, requireDtype("view", dtype), options);
});
define(Symbol.toPrimitive, function (this: MLXArray, hint: string): string {
  return hint === "string" ? format(this) : refuse();
});
define("toJSON", refuse);
// Where engines have no `using` yet, compilers agree on this other symbol.
define(Symbol.dispose ?? Symbol.for("Symbol.dispose"), MLXArray.prototype.dispose);
for (const { prototype } of [MLXArray, ArrayAt]) printedAs(prototype, String);
Object.defineProperties(MLXArray.prototype, {
  T: {
    get(this: MLXArray): MLXArray {
      return transpose(this);
    },
  },
  0: { get: refuse },
  length: { get: refuse },
});

function define(name: string | symbol, value: (this: MLXArray, ...args: never[]) => unknown): void {
  Object.defineProperty(MLXArray.prototype, name, { value, configurable: true, writable: true });
}

/**
 * What takes an array for a number, a list or data would go on with text or nothing: `x + 1`, `x[0]`, `Array.from(x)`,
 * `JSON.stringify(x)`. There is no iterator that refuses: comparisons of test runners call it, on equal arrays too.
 */
function refuse(): never {
  throw new ArgumentError(
    "MLXArray",
    "has no operators, [0], length or JSON; use methods, mx.expr, get(0), shape, await tolist(), or String(x)",
  );
}

function namesOf<T extends object>(table: T): readonly (keyof T & string)[] {
  const names: (keyof T & string)[] = [];
  for (const name in table) names.push(name);
  return names;
}

function viewBits(x: MLXArray, dtype: Dtype, options?: OperationOptions): MLXArray {
  if (x.dtype === dtype) return x;
  return callLaterOne("view", { shape: viewShape(x, dtype), dtype }, [x, dtype, options], noViewTangent);
}
