/** Parts of arrays by index: how an index is taken apart, read from, and written to. `array-at.ts` is what users see of it. */
import { isFloating } from "../base/dtype.ts";
import { DtypeError, MLXError, ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { broadcastShapes, formatShape, sameShape, sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
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
import { broadcastTo, inverseOrder, reshape, transpose } from "../primitives/views.ts";
import type { IndexItem, Selection } from "./index-items.ts";
import { selectionsOf } from "./index-items.ts";

/** How an update combines with what is there. */
export type IndexUpdate = "set" | "add" | "subtract" | "multiply" | "divide" | "maximum" | "minimum";

/** An index taken apart: a region, the axes of it that are dropped or indexed by arrays, and how the result is put together. */
export interface IndexPlan {
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

/** How to read or write what `items` select of an array of `shape`. @throws {ShapeError} for what is not in it */
export function planOf(shape: Shape, items: readonly IndexItem[]): IndexPlan {
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

/** The elements that a plan selects. */
export function readAt(x: MLXArray, { region, kept, indices, axes, order, shape }: IndexPlan): MLXArray {
  const part = reshape(sliceRegion(x, region), kept);
  const gathered = indices.length > 0 ? transpose(gatherAt(part, indices, { batchRank: 0, axes }), order) : part;
  return reshape(gathered, shape);
}

/** The whole of `x` with what `target` selects, by a plan or a mask, combined with `value`. */
export function updatedAt(
  x: MLXArray,
  target: IndexPlan | { readonly mask: MLXArray },
  how: IndexUpdate,
  value: ArrayLike,
): MLXArray {
  const given = asArray("at", value);
  if (how === "divide" && !isFloating(x.dtype)) {
    throw new DtypeError(
      "at",
      `divide needs a floating-point array, got ${x.dtype}; convert it with asType("float32")`,
    );
  }
  const operand = castTo(given, x.dtype);
  if ("mask" in target) return updateMasked(x, target.mask, how, operand);
  const wide = assigned(operand, target.shape);
  if (wide.size === 0) return x;
  const { region, kept, indices, axes, order } = target;
  if (indices.length === 0) {
    const next = combined(how, sliceRegion(x, region), reshape(wide, region.lengths));
    return replaceRegion(x, region, next);
  }
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
