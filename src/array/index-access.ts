/** Reading and writing what an index selects, once it is taken apart. */
import { windowOf } from "../backends/wasm/window.ts";
import type { Shape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { add, divide, multiply, negative, reciprocal, subtract } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { gatherAt, take } from "../primitives/gather.ts";
import { maximum, minimum } from "../primitives/magnitude.ts";
import { cumsum } from "../primitives/scanning.ts";
import type { ScatterOp } from "../primitives/scatter.ts";
import { scatterInto } from "../primitives/scatter.ts";
import { where } from "../primitives/selection.ts";
import type { Region } from "../primitives/slicing.ts";
import { replaceRegion, sliceRegion } from "../primitives/slicing.ts";
import { broadcastTo, inverseOrder, reshape, transpose } from "../primitives/views.ts";
import type { Selection } from "./index-items.ts";
import type { IndexPlan, IndexUpdate } from "./indexing.ts";
import { apart, joinedIndices } from "./joined-indices.ts";

/** An index taken apart; its arrays go beside it. */
export type IndexForm = Omit<IndexPlan, "indices">;

/** A region of an array, the axes of it that are dropped or indexed by arrays, and how the result is put together. */
interface IndexPlaces {
  readonly region: Region;
  /** The region without the axes indexed by one position. */
  readonly kept: Shape;
  /** The axes of `kept` that index arrays select from. */
  readonly axes: readonly number[];
  /** From [positions…, other axes…] to the result's order. */
  readonly order: readonly number[];
}

/** `rank` axes come from the index arrays. */
function placesOf(shape: Shape, { selections, before }: IndexForm, rank: number): IndexPlaces {
  const ofAxes = selections.filter(({ kind }) => kind !== "newAxis");
  const ranges = ofAxes.map((one, axis) => rangeFor(one, shape[axis] ?? 1));
  const lengths = ranges.map(({ length }) => length);
  const keptAxes = ofAxes.flatMap(({ kind }, axis) => (kind === "position" ? [] : [axis]));
  const kept = keptAxes.map((axis) => lengths[axis] ?? 1);
  const axes = keptAxes.flatMap((axis, k) => (ofAxes[axis]?.kind === "array" ? [k] : []));
  const others = selections.filter(({ kind }) => kind === "range" || kind === "newAxis").slice(0, before);
  const first = rank + others.filter(({ kind }) => kind === "range").length;
  const places = Array.from({ length: rank + kept.length - axes.length }, (_, k) => k);
  return {
    region: { starts: ranges.map(({ start }) => start), steps: ranges.map(({ step }) => step), lengths },
    kept,
    axes,
    order: [...places.slice(rank, first), ...places.slice(0, rank), ...places.slice(first)],
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

/** The elements of `x` that a plan selects. */
export function readAt(x: MLXArray, form: IndexForm, ...indices: readonly MLXArray[]): MLXArray {
  const { region, kept, axes, order } = placesOf(x.shape, form, indices[0]?.ndim ?? 0);
  const users = x.pendingUses;
  const part = reshape(sliceRegion(x, region), kept);
  if (indices.length === 0) {
    const result = reshape(part, form.shape);
    // Where no user is counted nothing is taken, or a plan is made, for other arrays too.
    if (x.pendingUses > users) lookAt(result, x, region);
    return result;
  }
  const joined = joinedIndices({ source: part, indices, axes }, true);
  const gathered = gatherAt(joined.source, joined.indices, { batchRank: 0, axes: joined.axes });
  return reshape(transpose(gathered, order), form.shape);
}

/**
 * Computes `part` at once, without a kernel, if `x` is computed, and the region lies in one piece of the CPU's memory: a loop over
 * the rows or the batches of its data plans and compiles nothing for each of them. On the GPU such a part alone moves there, when
 * something needs it.
 */
function lookAt(part: MLXArray, x: MLXArray, { starts, steps, lengths }: Region): void {
  if (!x.allocation) return;
  // Single positions, then one range, then whole axes.
  const range = lengths.findIndex((length) => length !== 1);
  const isInOnePiece = lengths.every(
    (length, axis) =>
      range < 0 ||
      axis < range ||
      ((axis === range || length === x.shape[axis]) && (length === 1 || steps[axis] === 1)),
  );
  if (!isInOnePiece) return;
  const start = starts.reduce((sofar, position, axis) => sofar * (x.shape[axis] ?? 1) + position, 0);
  const window = windowOf(x.allocation, start * x.itemSize, part.nbytes);
  if (window) part.settle(window);
}

/** `x` with what a plan selects combined with `value`, which has the shape and dtype of it. */
export function writeAt(
  x: MLXArray,
  form: IndexForm,
  how: IndexUpdate,
  value: MLXArray,
  ...indices: readonly MLXArray[]
): MLXArray {
  const [first] = indices;
  const { region, kept, axes, order } = placesOf(x.shape, form, first?.ndim ?? 0);
  if (!first) {
    const given = reshape(value, region.lengths);
    // A read that nobody needs would be pending, and hold the memory of a disposed `x`.
    return replaceRegion(x, region, how === "set" ? given : combined(how, sliceRegion(x, region), given));
  }
  const moved = [...first.shape, ...kept.filter((_, axis) => !axes.includes(axis))];
  const updates = transpose(
    reshape(
      value,
      order.map((place) => moved[place] ?? 1),
    ),
    inverseOrder(order),
  );
  const given = { source: reshape(sliceRegion(x, region), kept), indices, axes };
  const joined = joinedIndices(given, false);
  const [op, scattered] = asScatter(how, updates);
  const written = scatterInto(op, joined.source, scattered, joined.indices, { batchRank: 0, axes: joined.axes });
  return replaceRegion(x, region, reshape(apart(written, given), region.lengths));
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

/**
 * `x` where the mask, which covers its leading axes, is false, combined with values elsewhere: `value` in the shape of `x` if
 * all share it, else its n-th part for the n-th true element.
 */
export function writeMasked(
  x: MLXArray,
  mask: MLXArray,
  how: IndexUpdate,
  value: MLXArray,
  isShared: boolean,
): MLXArray {
  const rest = x.shape.slice(mask.ndim);
  const isTrue = broadcastTo(reshape(mask, [...mask.shape, ...rest.map(() => 1)]), x.shape);
  return where(isTrue, combined(how, x, isShared ? value : partsFor(x, mask, value)), x);
}

function partsFor(x: MLXArray, mask: MLXArray, parts: MLXArray): MLXArray {
  if (parts.size === 0) return x;
  const numbers = cumsum(castTo(reshape(mask, [mask.size]), "int32"), 0, { inclusive: false });
  return reshape(take(parts, numbers, 0), x.shape);
}
