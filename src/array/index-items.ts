/** What users write between the brackets of an index, parsed and matched with the axes it selects from. */
import { isFloating } from "../base/dtype.ts";
import { ArgumentError, DtypeError, ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { formatShape } from "../base/shape.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { checkIndex, checkIndices } from "../primitives/shape-rules.ts";
import { array } from "./from-data.ts";

/** A range of positions; see `slice`. */
export interface Slice {
  readonly start: number | null;
  readonly stop: number | null;
  readonly step: number | null;
}

/**
 * One part of an index: a position (negative counts from the end), a text such as `"1:5"`, `"::2"`, `"..., 0"` or `"None"`,
 * `null` for a new axis, a `slice`, an integer array or list of positions, or a boolean mask.
 */
export type IndexItem =
  | number
  | string
  | null
  | Slice
  | MLXArray
  | readonly number[]
  | readonly (readonly number[])[]
  | readonly boolean[];

/** What one part of an index does, axis by axis. */
export type Selection =
  | { readonly kind: "position"; readonly start: number }
  | { readonly kind: "range"; readonly start: number; readonly step: number; readonly length: number }
  | { readonly kind: "array"; readonly indices: MLXArray }
  | { readonly kind: "newAxis" };

type Parsed = number | null | Slice | MLXArray | "...";

/** The mask, if the index is one boolean array. @throws {ShapeError} if it stands beside other parts. */
export function maskOf(items: readonly IndexItem[]): MLXArray | null {
  const masks = items.filter(isMask);
  const [mask] = masks;
  if (!mask) return null;
  if (items.length > 1) throw new ShapeError("at", "a boolean mask is the whole index; combine masks with logicalAnd");
  return mask instanceof MLXArray ? mask : array([...mask], "bool");
}

function isMask(item: IndexItem): item is MLXArray | readonly boolean[] {
  if (item instanceof MLXArray) return item.dtype === "bool";
  return Array.isArray(item) && typeof item[0] === "boolean";
}

/**
 * What the parts of an index do to an array of `shape`, all of its axes included.
 *
 * @throws {ShapeError} for a position out of range, or more parts than axes
 * @throws {ArgumentError} for text that is no index
 */
export function selectionsOf(items: readonly IndexItem[], shape: Shape): Selection[] {
  const parsed = items.flatMap(parseItem);
  const used = parsed.filter((item) => item !== null && item !== "...").length;
  const ellipses = parsed.filter((item) => item === "...").length;
  if (ellipses > 1) throw new ShapeError("at", "an index has one ellipsis at most");
  if (used > shape.length) {
    throw new ShapeError("at", `${used} parts of an index for the ${shape.length} axes of ${formatShape(shape)}`);
  }
  const rest = new Array<Parsed>(shape.length - used).fill({ start: null, stop: null, step: null });
  const place = parsed.indexOf("...");
  const full = place === -1 ? [...parsed, ...rest] : parsed.toSpliced(place, 1, ...rest);
  let axis = 0;
  return full.map((item) => (item === null || item === "..." ? { kind: "newAxis" } : select(item, shape, axis++)));
}

function select(item: number | Slice | MLXArray, shape: Shape, axis: number): Selection {
  const length = shape[axis] ?? 1;
  if (typeof item === "number") {
    checkIndex("at", item, shape, axis);
    return { kind: "position", start: item < 0 ? item + length : item };
  }
  if (item instanceof MLXArray) {
    checkIndices("at", item, shape, axis);
    return { kind: "array", indices: item };
  }
  return rangeOf(item, length);
}

/** Python's rules for the ends of a slice. */
function rangeOf({ start, stop, step }: Slice, length: number): Selection {
  const stride = step ?? 1;
  if (stride === 0) throw new ArgumentError("at", "the step of a slice cannot be 0");
  const [low, high] = stride > 0 ? [0, length] : [-1, length - 1];
  const within = (end: number | null, open: number): number => {
    if (end === null) return open;
    return Math.min(Math.max(end < 0 ? end + length : end, low), high);
  };
  const first = within(start, stride > 0 ? low : high);
  const last = within(stop, stride > 0 ? high : low);
  const count = Math.max(Math.ceil((last - first) / stride), 0);
  return { kind: "range", start: count === 0 ? 0 : first, step: count <= 1 ? 1 : stride, length: count };
}

function parseItem(item: IndexItem): Parsed[] {
  if (typeof item === "string") return item.split(",").map((part) => parseText(part.trim(), item));
  if (item === null) return [null];
  if (typeof item === "number") {
    if (!Number.isInteger(item)) throw new ArgumentError("at", `positions are whole numbers, got ${item}`);
    return [item];
  }
  if (item instanceof MLXArray) return [integers(item)];
  if (isSlice(item)) {
    for (const end of [item.start, item.stop, item.step]) {
      if (end !== null && !Number.isInteger(end))
        throw new ArgumentError("at", `a slice has whole numbers, got ${end}`);
    }
    return [item];
  }
  return [array([...item], "int32")];
}

function integers(item: MLXArray): MLXArray {
  if (!isFloating(item.dtype)) return item;
  throw new DtypeError(
    "at",
    `an index array is of an integer dtype or bool, got ${item.dtype}; convert it with asType("int32")`,
  );
}

function isSlice(item: Slice | readonly unknown[]): item is Slice {
  return !Array.isArray(item);
}

function parseText(part: string, whole: string): Parsed {
  if (part === "...") return "...";
  if (part === "None" || part === "null" || part === "newaxis") return null;
  const ends = part.split(":").map((end) => {
    const text = end.trim();
    if (text === "") return null;
    if (/^[+-]?\d+$/.test(text)) return Number(text);
    throw noIndex(part, whole);
  });
  const [start = null, stop = null, step = null] = ends;
  if (ends.length === 1 && start !== null) return start;
  if (ends.length === 2 || ends.length === 3) return { start, stop, step };
  throw noIndex(part, whole);
}

function noIndex(part: string, whole: string): ArgumentError {
  return new ArgumentError("at", `"${part}" in "${whole}" is no index: write 3, -1, 1:5, ::2, ... or None`);
}
