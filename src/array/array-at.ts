/** What `x.at(…)` and `x.get(…)` give: a place in an array to read or to update, and the elements there. */
import type { Dtype, ElementsOf, TypedArray } from "../base/dtype.ts";
import type { Scalar } from "../base/elements.ts";
import { ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { formatShape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { ArrayLike } from "../primitives/operands.ts";
import { ArrayReference } from "../primitives/operands.ts";
import { format } from "./format.ts";
import type { IndexItem } from "./index-items.ts";
import { maskOf } from "./index-items.ts";
import type { IndexPlan, IndexUpdate } from "./indexing.ts";
import { planOf, readAt, updatedAt } from "./indexing.ts";
import type { NestedList } from "./reading.ts";
import { copyElements, item, tolist } from "./reading.ts";

/**
 * A place in an array, as `x.at(…)` gives it. Its updates (`set`, `add`, `subtract`, `multiply`, `divide`, `maximum`,
 * `minimum`) give the *whole* array `x` with the elements at the place changed. It is no array itself, so that nobody can take
 * an update for arithmetic: to calculate with the elements, `get()` them, or pass it where a function takes an operand.
 *
 * @example
 * const x = array([[1, 2, 3], [4, 5, 6]]);
 * const place = x.at("..., ::2");
 * await place.add(10).tolist(); // [[11, 2, 13], [14, 5, 16]]
 * await place.tolist(); // [[1, 3], [4, 6]]
 * await place.get().add(10).tolist(); // [[11, 13], [14, 16]]
 * await sum(place).item(); // 14
 */
export class ArrayAt extends ArrayReference {
  readonly #x: MLXArray;
  readonly #target: IndexPlan | { readonly mask: MLXArray };
  #read: MLXArray | null = null;

  constructor(x: MLXArray, items: readonly IndexItem[]) {
    super();
    this.#x = x;
    const mask = maskOf(items);
    this.#target = mask ? { mask } : planOf(x.shape, items);
  }

  /**
   * The elements at the place, an array.
   *
   * @throws {ShapeError} for a boolean mask: how many elements it selects is not known when the graph is built
   */
  override get(): MLXArray {
    this.#read ??= readAt(this.#x, this.#plan());
    return this.#read;
  }

  /** The dtype of the array. */
  override get dtype(): Dtype {
    return this.#x.dtype;
  }

  /** The shape of the elements at the place. */
  get shape(): Shape {
    return this.#plan().shape;
  }

  /** The whole array with `value` at the place; of several values for one element the last one stays. */
  set(value: ArrayLike): MLXArray {
    return this.update("set", value);
  }

  /** The whole array with `value` added at the place, once for every time an element is named. */
  add(value: ArrayLike): MLXArray {
    return this.update("add", value);
  }

  /** The whole array with `value` subtracted at the place. */
  subtract(value: ArrayLike): MLXArray {
    return this.update("subtract", value);
  }

  /** As `subtract`. */
  sub(value: ArrayLike): MLXArray {
    return this.update("subtract", value);
  }

  /** The whole array multiplied by `value` at the place. */
  multiply(value: ArrayLike): MLXArray {
    return this.update("multiply", value);
  }

  /** As `multiply`. */
  mul(value: ArrayLike): MLXArray {
    return this.update("multiply", value);
  }

  /** The whole array divided by `value` at the place. @throws {DtypeError} for integers */
  divide(value: ArrayLike): MLXArray {
    return this.update("divide", value);
  }

  /** As `divide`. */
  div(value: ArrayLike): MLXArray {
    return this.update("divide", value);
  }

  /** The whole array with the larger of `value` and what is there at the place. */
  maximum(value: ArrayLike): MLXArray {
    return this.update("maximum", value);
  }

  /** The whole array with the smaller of `value` and what is there at the place. */
  minimum(value: ArrayLike): MLXArray {
    return this.update("minimum", value);
  }

  /** The update named `how`. */
  update(how: IndexUpdate, value: ArrayLike): MLXArray {
    return updatedAt(this.#x, this.#target, how, value);
  }

  /** The only element at the place. */
  item(): Promise<Scalar> {
    return item(this.get());
  }

  /** The elements at the place as nested lists. */
  tolist(): Promise<NestedList> {
    return tolist(this.get());
  }

  /** A copy of the elements at the place, in row-major order. */
  data(): Promise<TypedArray>;
  /** The same, converted to `dtype`. */
  data<D extends Dtype>(dtype: D): Promise<ElementsOf<D>>;
  data(dtype?: Dtype): Promise<TypedArray> {
    return copyElements(this.get(), dtype);
  }

  /** The elements at the place as MLX prints them, if they are computed. */
  override toString(): string {
    return "mask" in this.#target
      ? `at(a mask of array(${this.dtype} ${formatShape(this.#x.shape)}))`
      : format(this.get());
  }

  #plan(): IndexPlan {
    if (!("mask" in this.#target)) return this.#target;
    throw new ShapeError(
      "at",
      `how many elements the mask ${formatShape(this.#target.mask.shape)} selects is not known when the graph is built; read with where(mask, x, other), or update with at(mask).set(value)`,
    );
  }
}

/**
 * The place in `x` at an index: positions, texts like `"1:5"` or `"..., ::2"`, `null` for a new axis, slices, integer arrays
 * and lists, by NumPy's rules. See `ArrayAt` for updates and reads.
 *
 * @throws {ShapeError} for a position out of range, or more parts than axes
 * @throws {DtypeError} for an index array that is not of an integer dtype or bool
 * @example
 * const x = array([[1, 2, 3], [4, 5, 6]]);
 * await x.at(1).tolist(); // [4, 5, 6]
 * await x.at("..., ::2").tolist(); // [[1, 3], [4, 6]]
 * await x.at([0, 1], [2, 0]).tolist(); // [3, 4]
 * await x.at(0, "1:").set(9).tolist(); // [[1, 9, 9], [4, 5, 6]]
 * await x.at([0, 0]).add(1).tolist(); // [[3, 4, 5], [4, 5, 6]]
 */
export function at(x: MLXArray, ...items: readonly IndexItem[]): ArrayAt {
  return new ArrayAt(x, items);
}

/**
 * The elements of `x` at an index, as an array.
 *
 * @throws {ShapeError} as `at`, and for a boolean mask
 * @example
 * await array([1, 2, 3]).get("1:").add(1).tolist(); // [3, 4]
 */
export function get(x: MLXArray, ...items: readonly IndexItem[]): MLXArray {
  return new ArrayAt(x, items).get();
}
