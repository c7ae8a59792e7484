/** Reading and updating parts of arrays by index. */
import { isFloating } from "../base/dtype.ts";
import { DtypeError, MLXError, ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { broadcastShapes, formatShape, sameShape, sizeOf } from "../base/shape.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { Allocation } from "../ir/backend.ts";
import { add, divide, maximum, minimum, multiply, negative, reciprocal, subtract } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { gatherAt, take } from "../primitives/gather.ts";
import type { ArrayLike } from "../primitives/operands.ts";
import { asArray } from "../primitives/operands.ts";
import { cumsum } from "../primitives/scanning.ts";
import type { ScatterOp } from "../primitives/scatter.ts";
import { scatterInto } from "../primitives/scatter.ts";
import { where } from "../primitives/selection.ts";
import type { Region } from "../primitives/slicing.ts";
import { replaceRegion, sliceRegion } from "../primitives/slicing.ts";
import { broadcastTo, identity, identityRow, inverseOrder, reshape, transpose } from "../primitives/views.ts";
import type { IndexItem, Selection } from "./index-items.ts";
import { maskOf, selectionsOf } from "./index-items.ts";

/** How an update combines with what is there. */
export type IndexUpdate = "set" | "add" | "subtract" | "multiply" | "divide" | "maximum" | "minimum";

/** An index taken apart: a region, the axes of it that are dropped or indexed by arrays, and how the result is put together. */
interface Plan {
  readonly region: Region;
  /** The region without the axes indexed by one position. */
  readonly kept: Shape;
  /** Index arrays, broadcast, and the axes of `kept` they select from. */
  readonly indices: readonly MLXArray[];
  readonly axes: readonly number[];
  /** From [positions…, other axes…] to the result's order. */
  readonly order: readonly number[];
  /** The result, new axes included. */
  readonly shape: Shape;
}

function planOf(shape: Shape, items: readonly IndexItem[]): Plan {
  const selections = selectionsOf(items, shape);
  const ranges = selections.filter((one) => one.kind !== "newAxis").map((one, axis) => rangeFor(one, shape[axis] ?? 1));
  const region = {
    starts: ranges.map(({ start }) => start),
    steps: ranges.map(({ step }) => step),
    lengths: ranges.map(({ length }) => length),
  };
  const ofAxes = selections.filter(({ kind }) => kind !== "newAxis");
  const keptAxes = ofAxes.flatMap(({ kind }, axis) => (kind === "position" ? [] : [axis]));
  const kept = keptAxes.map((axis) => region.lengths[axis] ?? 1);
  const axes = keptAxes.flatMap((axis, k) => (ofAxes[axis]?.kind === "array" ? [k] : []));
  const arrays = selections.flatMap((one) => (one.kind === "array" ? [one.indices] : []));
  const positions = arrays.reduce<Shape>((common, { shape: one }) => broadcastShapes("at", common, one), []);
  const before = axes.length === 0 ? 0 : arraysPlace(selections);
  const others = selections.flatMap((one) => (one.kind === "range" ? [one.length] : one.kind === "newAxis" ? [1] : []));
  const ranges0 = selections.filter(({ kind }) => kind === "range" || kind === "newAxis").slice(0, before);
  const rangesBefore = ranges0.filter(({ kind }) => kind === "range").length;
  const rank = positions.length;
  const places = Array.from({ length: rank + kept.length - axes.length }, (_, k) => k);
  return {
    region,
    kept,
    indices: arrays.map((one) => broadcastTo(one, positions)),
    axes,
    order: [...places.slice(rank, rank + rangesBefore), ...places.slice(0, rank), ...places.slice(rank + rangesBefore)],
    shape: others.toSpliced(before, 0, ...positions),
  };
}

function rangeFor(selection: Selection, length: number): { start: number; step: number; length: number } {
  switch (selection.kind) {
    case "position":
      return { start: selection.start, step: 1, length: 1 };
    case "range":
      return selection;
    default:
      return { start: 0, step: 1, length };
  }
}

/**
 * Before how many of the other axes those of the index arrays come: in place where arrays and positions stand side by side,
 * first otherwise (NumPy's rule).
 */
function arraysPlace(selections: readonly Selection[]): number {
  const isAdvanced = ({ kind }: Selection): boolean => kind === "array" || kind === "position";
  const first = selections.findIndex(isAdvanced);
  const last = selections.findLastIndex(isAdvanced);
  return selections.slice(first, last).every(isAdvanced) ? first : 0;
}

function read(x: MLXArray, { region, kept, indices, axes, order, shape }: Plan): MLXArray {
  const part = reshape(sliceRegion(x, region), kept);
  const gathered = indices.length > 0 ? transpose(gatherAt(part, indices, { batchRank: 0, axes }), order) : part;
  return reshape(gathered, shape);
}

function updated(x: MLXArray, items: readonly IndexItem[], how: IndexUpdate, value: ArrayLike): MLXArray {
  const given = asArray("at", value);
  if (how === "divide" && !isFloating(x.dtype)) {
    throw new DtypeError(
      "at",
      `divide needs a floating-point array, got ${x.dtype}; convert it with asType("float32")`,
    );
  }
  const operand = castTo(given, x.dtype);
  const mask = maskOf(items);
  if (mask) return updateMasked(x, mask, how, operand);
  const plan = planOf(x.shape, items);
  const wide = assigned(operand, plan.shape);
  if (wide.size === 0) return x;
  if (plan.indices.length === 0) {
    const current = sliceRegion(x, plan.region);
    const next = combined(how, current, reshape(wide, plan.region.lengths));
    return replaceRegion(x, plan.region, next);
  }
  const { region, kept, indices, axes, order } = plan;
  const rank = indices[0]?.ndim ?? 0;
  const positions = indices[0]?.shape ?? [];
  const others = kept.filter((_, axis) => !axes.includes(axis));
  const moved = [...positions, ...others];
  const updates = transpose(
    reshape(
      wide,
      order.map((place) => moved[place] ?? 1),
    ),
    inverseOrder(order),
  );
  if (updates.ndim !== rank + others.length) throw new MLXError("at", "updates do not fit the index");
  const part = reshape(sliceRegion(x, region), kept);
  const [op, scattered] = asScatter(how, updates);
  return replaceRegion(
    x,
    region,
    reshape(scatterInto(op, part, scattered, indices, { batchRank: 0, axes }), region.lengths),
  );
}

/** `value` in `shape`; leading axes of length 1 that `shape` does not have are dropped. */
function assigned(value: MLXArray, shape: Shape): MLXArray {
  const extra = Math.max(value.ndim - shape.length, 0);
  const isSpare = value.shape.slice(0, extra).every((length) => length === 1);
  return broadcastTo(isSpare ? reshape(value, value.shape.slice(extra)) : value, shape);
}

function combined(how: IndexUpdate, current: MLXArray, value: MLXArray): MLXArray {
  switch (how) {
    case "set":
      return value;
    case "add":
      return add(current, value);
    case "subtract":
      return subtract(current, value);
    case "multiply":
      return multiply(current, value);
    case "divide":
      return divide(current, value);
    case "maximum":
      return maximum(current, value);
    case "minimum":
      return minimum(current, value);
  }
}

function asScatter(how: IndexUpdate, updates: MLXArray): readonly [ScatterOp, MLXArray] {
  switch (how) {
    case "subtract":
      return ["add", negative(updates)];
    case "divide":
      return ["multiply", reciprocal(updates)];
    default:
      return [how, updates];
  }
}

/** Elements where the mask, which covers the leading axes, is true: all take the value, or each the next part of it. */
function updateMasked(x: MLXArray, mask: MLXArray, how: IndexUpdate, value: MLXArray): MLXArray {
  const rank = mask.ndim;
  const rest = x.shape.slice(rank);
  if (!sameShape(mask.shape, x.shape.slice(0, rank))) {
    throw new ShapeError(
      "at",
      `the mask ${formatShape(mask.shape)} does not cover leading axes of ${formatShape(x.shape)}`,
    );
  }
  const isTrue = broadcastTo(reshape(mask, [...mask.shape, ...rest.map(() => 1)]), x.shape);
  return where(isTrue, combined(how, x, maskedValues(x, mask, value, rest)), x);
}

function maskedValues(x: MLXArray, mask: MLXArray, value: MLXArray, rest: Shape): MLXArray {
  if (value.ndim <= rest.length) return broadcastTo(value, x.shape);
  // The n-th true element takes the n-th part of the value.
  const lead = value.ndim - rest.length;
  const parts = reshape(value, [sizeOf(value.shape.slice(0, lead)), ...value.shape.slice(lead)]);
  const wide = broadcastTo(parts, [parts.shape[0] ?? 0, ...rest]);
  if (wide.size === 0) return x;
  const numbers = cumsum(castTo(reshape(mask, [mask.size]), "int32"), 0, { inclusive: false });
  return reshape(take(wide, numbers, 0), x.shape);
}

/**
 * What `x.at(…)` gives: the elements at an index, readable like any array, and the way to update them. Its methods `set`,
 * `add`, `subtract` (`sub`), `multiply` (`mul`), `divide` (`div`), `maximum` and `minimum` give the *whole* array `x` with the
 * indexed elements updated; all other methods, and all functions (`mx.add(x.at(0), 1)`), work on the elements read. For a read
 * on which every method is the ordinary one, to keep or to hand to a function that calls such methods, use `x.get(…)`; calling a
 * module takes care of that by itself.
 */
export class ArrayAt extends MLXArray {
  #source: { readonly x: MLXArray; readonly items: readonly IndexItem[] } | null;

  constructor(x: MLXArray, items: readonly IndexItem[]) {
    const mask = maskOf(items);
    const part = mask ? x : read(x, planOf(x.shape, items));
    super(identityRow, [part], null, part);
    this.#source = { x, items };
    // How many elements a mask selects is not known before it is computed.
    if (mask) Object.defineProperty(this, "shape", { get: refuseMaskedRead });
  }

  override settle(allocation: Allocation): void {
    super.settle(allocation);
    this.#source = null;
  }

  /** The whole array with the indexed elements replaced by `value`; of several values for one element the last one stays. */
  set(value: ArrayLike): MLXArray {
    return this.update("set", value);
  }

  /** The whole array with the indexed elements combined with `value`; the methods named after `how` do the same. */
  update(how: IndexUpdate, value: ArrayLike): MLXArray {
    if (this.#source) return updated(this.#source.x, this.#source.items, how, value);
    throw new MLXError(
      `at(…).${how}`,
      "the elements were computed, and the array they came from let go; write x.at(…) anew to update, or x.get(…) to calculate",
    );
  }
}

const updateMethods: Readonly<Record<string, IndexUpdate>> = {
  add: "add",
  sub: "subtract",
  subtract: "subtract",
  mul: "multiply",
  multiply: "multiply",
  div: "divide",
  divide: "divide",
  maximum: "maximum",
  minimum: "minimum",
};

for (const [name, how] of Object.entries(updateMethods)) {
  Object.defineProperty(ArrayAt.prototype, name, {
    value(this: ArrayAt, value: ArrayLike): MLXArray {
      return this.update(how, value);
    },
  });
}

function refuseMaskedRead(): never {
  throw new ShapeError(
    "at",
    "how many elements a mask selects is not known when the graph is built; read with where(mask, x, other), or update with at(mask).set(value)",
  );
}

/** `value`, or for what `x.at(…)` gives a plain array of the elements read: what is passed on is there to calculate with. */
export function plainRead(value: unknown): unknown {
  return value instanceof ArrayAt ? identity(value) : value;
}

/**
 * The elements of `x` at an index: positions, texts like `"1:5"` or `"..., ::2"`, `null` for a new axis, slices, integer arrays
 * and lists, by NumPy's rules. See `ArrayAt` for updates.
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
 * The elements of `x` at an index, as a plain array.
 *
 * @throws {ShapeError} as `at`, and for a boolean mask
 * @example
 * await array([1, 2, 3]).get("1:").add(1).tolist(); // [3, 4]
 */
export function get(x: MLXArray, ...items: readonly IndexItem[]): MLXArray {
  if (maskOf(items)) refuseMaskedRead();
  return read(x, planOf(x.shape, items));
}
