/**
 * Parts of arrays by index: how an index is taken apart, and what reading and writing there answer at once. `array-at.ts` is
 * what users see of it, `index-access.ts` does it.
 */
import { isFloating } from "../base/dtype.ts";
import { DtypeError, ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { broadcastShapes, formatShape, sameShape, sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { only } from "../primitives/families.ts";
import type { ArrayLike } from "../primitives/operands.ts";
import { promoted } from "../primitives/operands.ts";
import { broadcastTo, reshape } from "../primitives/views.ts";
import type { IndexItem, Selection } from "./index-items.ts";
import { selectionsOf } from "./index-items.ts";
import { callLaterOne } from "./later-methods.ts";

/** How an update combines with what is there. */
export type IndexUpdate = "set" | "add" | "subtract" | "multiply" | "divide" | "maximum" | "minimum";

/** An index taken apart, as far as the shape of what it selects goes; `index-access.ts` knows the rest. */
export interface IndexPlan {
  /** What its parts do, all axes of the array included. */
  readonly selections: readonly Selection[];
  /** The index arrays, broadcast. */
  readonly indices: readonly MLXArray[];
  /** Before how many of the other axes those of the index arrays come. */
  readonly before: number;
  /** The result, new axes included. */
  readonly shape: Shape;
}

/** How to read or write what `items` select of an array of `shape`. @throws {ShapeError} for what is not in it */
export function planOf(shape: Shape, items: readonly IndexItem[]): IndexPlan {
  const selections = selectionsOf(items, shape);
  const arrays = selections.flatMap((one) => (one.kind === "array" ? [one.indices] : []));
  const positions = arrays.reduce<Shape>((common, { shape: one }) => broadcastShapes("at", common, one), []);
  const before = arrays.length === 0 ? 0 : arraysPlace(selections);
  const others = selections.flatMap((one) => (one.kind === "range" ? [one.length] : one.kind === "newAxis" ? [1] : []));
  return {
    selections,
    indices: arrays.map((one) => broadcastTo(one, positions)),
    before,
    shape: others.toSpliced(before, 0, ...positions),
  };
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
export function readAt(x: MLXArray, { indices, ...plan }: IndexPlan): MLXArray {
  return callLaterOne("readAt", { shape: plan.shape, dtype: x.dtype }, [x, plan, ...indices]);
}

/** The whole of `x` with what `target` selects, by a plan or a mask, combined with `value`. */
export function updatedAt(
  x: MLXArray,
  target: IndexPlan | { readonly mask: MLXArray },
  how: IndexUpdate,
  value: ArrayLike,
): MLXArray {
  if (how === "divide" && !isFloating(x.dtype)) {
    throw new DtypeError(
      "at",
      `divide needs a floating-point array, got ${x.dtype}; convert it with asType("float32")`,
    );
  }
  const operand = only("at", promoted("at", [value], x.dtype)[0]);
  if ("mask" in target) return updateMasked(x, target.mask, how, operand);
  const { indices, ...plan } = target;
  const wide = assigned(operand, plan.shape);
  return wide.size === 0 ? x : callLaterOne("writeAt", x, [x, plan, how, wide, ...indices]);
}

/** `value` in `shape`; leading axes of length 1 that `shape` does not have are dropped. */
function assigned(value: MLXArray, shape: Shape): MLXArray {
  const extra = Math.max(value.ndim - shape.length, 0);
  const isSpare = value.shape.slice(0, extra).every((length) => length === 1);
  return broadcastTo(isSpare ? reshape(value, value.shape.slice(extra)) : value, shape);
}

/** Elements where the mask, which covers the leading axes, is true: all take the value, or each the next part of it. */
function updateMasked(x: MLXArray, mask: MLXArray, how: IndexUpdate, value: MLXArray): MLXArray {
  const rest = x.shape.slice(mask.ndim);
  if (!sameShape(mask.shape, x.shape.slice(0, mask.ndim))) {
    throw new ShapeError(
      "at",
      `the mask ${formatShape(mask.shape)} does not cover leading axes of ${formatShape(x.shape)}`,
    );
  }
  const isShared = value.ndim <= rest.length;
  const wide = isShared ? broadcastTo(value, x.shape) : partsOf(value, rest);
  return callLaterOne("writeMasked", x, [x, mask, how, wide, isShared]);
}

/** The parts of a value that one element of a mask takes each, [parts, ...rest]. */
function partsOf(value: MLXArray, rest: Shape): MLXArray {
  const lead = value.ndim - rest.length;
  const parts = reshape(value, [sizeOf(value.shape.slice(0, lead)), ...value.shape.slice(lead)]);
  return broadcastTo(parts, [parts.shape[0] ?? 0, ...rest]);
}
