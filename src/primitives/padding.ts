/** Padding by the rules that users name. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { formatShape } from "../base/shape.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { withOptions } from "../graph/placement.ts";
import { requireArray } from "../graph/require-array.ts";
import { castTo } from "./cast.ts";
import { concatenate } from "./joining.ts";
import { constant } from "./leaf.ts";
import { flip, padded, sliceAxis } from "./slicing.ts";
import { broadcastTo } from "./views.ts";

/** How many positions `pad` adds before and after each axis: a number for all, one pair for all, or a pair per axis. */
export type PadWidth = number | readonly [number, number] | readonly (readonly [number, number])[];

/** The options of `pad`. */
export interface PadOptions extends OperationOptions {
  /**
   * What the new positions hold: one value ("constant", unless given), the nearest element, or the array mirrored without
   * ("reflect") or with its edge.
   */
  readonly mode?: "constant" | "edge" | "reflect" | "symmetric" | undefined;
  /** The value for mode `constant`; 0 unless given. */
  readonly constantValues?: number | bigint | boolean | MLXArray | undefined;
}

/**
 * `x` made longer at both ends of its axes.
 *
 * @param width positions before and after: a number for every end, one pair for every axis, or a pair per axis
 * @returns the dtype of `x`
 * @throws {ShapeError} if there are neither one nor as many pairs as axes, or an axis is too short to be mirrored
 * @throws {ArgumentError} for a negative width
 * @example
 * await pad(array([1, 2]), 1).tolist(); // [0, 1, 2, 0]
 * await pad(array([1, 2, 3]), [[0, 2]], { mode: "edge" }).tolist(); // [1, 2, 3, 3, 3]
 * await pad(array([1, 2, 3]), [[2, 0]], { mode: "reflect" }).tolist(); // [3, 2, 1, 2, 3]
 */
export function pad(x: MLXArray, width: PadWidth, options: PadOptions = {}): MLXArray {
  return withOptions("pad", options, ["mode", "constantValues", "device"], () => {
    requireArray("pad", x);
    const widths = widthsOf(x, width);
    const { mode = "constant", constantValues = 0 } = options;
    if (mode === "constant") {
      const isArray = constantValues instanceof MLXArray;
      const fill = isArray ? castTo(constantValues, x.dtype) : constant(constantValues, x.dtype);
      return padded(
        x,
        widths.map(([low]) => low),
        widths.map(([, high]) => high),
        fill,
      );
    }
    if (mode !== "edge" && mode !== "reflect" && mode !== "symmetric")
      throw new ArgumentError("pad", `mode is "constant", "edge", "reflect" or "symmetric", got ${String(mode)}`);
    return widths.reduce((result, [low, high], axis) => padAxis(result, axis, low, high, mode), x);
  });
}

function padAxis(
  x: MLXArray,
  axis: number,
  low: number,
  high: number,
  mode: "edge" | "reflect" | "symmetric",
): MLXArray {
  const length = x.shape[axis] ?? 1;
  const skipped = mode === "reflect" ? 1 : 0;
  const available = mode === "edge" ? (length > 0 ? Number.POSITIVE_INFINITY : 0) : length - skipped;
  if (Math.max(low, high) > available) {
    throw new ShapeError(
      "pad",
      `mode ${mode} cannot add ${Math.max(low, high)} positions to axis ${axis} of ${formatShape(x.shape)}`,
    );
  }
  const piece = (start: number, count: number): MLXArray => {
    if (mode !== "edge") return flip(sliceAxis(x, axis, start, count), axis);
    const shape = x.shape.map((old, k) => (k === axis ? count : old));
    return broadcastTo(sliceAxis(x, axis, start === 0 ? 0 : length - 1, 1), shape);
  };
  const parts = [x];
  if (low > 0) parts.unshift(piece(mode === "edge" ? 0 : skipped, low));
  if (high > 0) parts.push(piece(mode === "edge" ? 1 : length - skipped - high, high));
  return concatenate(parts, axis);
}

function widthsOf({ shape }: MLXArray, width: PadWidth): (readonly [number, number])[] {
  const pairs: readonly (readonly [number, number])[] =
    typeof width === "number" ? [[width, width]] : isPair(width) ? [width] : width;
  const [first] = pairs;
  const widths = pairs.length === 1 && first ? shape.map(() => first) : pairs;
  if (widths.length !== shape.length) {
    throw new ShapeError(
      "pad",
      `${pairs.length} pairs of widths for the ${shape.length} axes of ${formatShape(shape)}; give one pair, or one per axis`,
    );
  }
  for (const [low, high] of widths) {
    if (![low, high].every((count) => Number.isInteger(count) && count >= 0)) {
      throw new ArgumentError("pad", `widths are whole numbers from 0, got [${low}, ${high}]`);
    }
  }
  return [...widths];
}

function isPair(width: Exclude<PadWidth, number>): width is readonly [number, number] {
  return typeof width[0] === "number";
}
