/** Regular regions of an array: reading them, replacing them, and what follows from that. */
import type { Shape } from "../base/shape.ts";
import { normalizeAxes, sameShape, sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed } from "../graph/placement.ts";
import type { Primitive, Site } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { requireArray } from "../graph/require-array.ts";
import type { Expr } from "../ir/expr.ts";
import { filledLike, pair } from "./elementwise.ts";
import { alignBatch, view } from "./families.ts";
import { constant } from "./leaf.ts";
import { broadcastTo } from "./views.ts";

/** Along each axis the positions `starts + steps · i` for i from 0 to `lengths - 1`; steps may be negative, never 0. */
export interface Region {
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly lengths: readonly number[];
}

/** The elements of a region. */
export const sliceRow: Primitive<Region> = /* @__PURE__ */ view<Region>("slice", {
  aval: ({ dtype }, { lengths }) => ({ shape: lengths, dtype }),
  source: (site, shape) =>
    site.index.map((position, axis) =>
      site.e.add(site.e.scale(position, site.params.steps[axis] ?? 1), startIn(site, axis, shape)),
    ),
  lowering: { positions: ({ starts }) => starts },
  transpose: (cotangent, input, region) => replaceRegion(filledLike(input, 0), region, cotangent),
  batchParams: withBatchAxis,
});

/** Input 0 with the elements of a region replaced by input 1. */
export const sliceUpdateRow: Primitive<Region> = {
  name: "sliceUpdate",
  aval: (inputs) => {
    const [{ shape, dtype }] = pair("sliceUpdate", inputs);
    return { shape, dtype };
  },
  lowering: {
    kind: "map",
    positions: ({ starts }) => starts,
    element(site) {
      const { e, index, read, params, output } = site;
      let isInside = e.constant(true, "bool");
      const source = index.map((position, axis) => {
        const [step = 1, length = 1] = [params.steps[axis], params.lengths[axis]];
        const last = length - 1;
        const stride = Math.abs(step);
        const first = e.scale(startIn(site, axis, output.shape), 1, Math.min(last * step, 0));
        const offset = e.sub(position, first);
        isInside = e.and(isInside, e.le(e.index(0), offset));
        isInside = e.and(isInside, e.le(offset, e.index(last * stride)));
        if (stride > 1) isInside = e.and(isInside, e.eq(e.floorModulo(offset, stride), e.index(0)));
        const place = e.max(e.min(e.floorDivide(offset, stride), e.index(last)), e.index(0));
        return step > 0 ? place : e.scale(place, -1, last);
      });
      return e.select(isInside, read(1, source), read(0, index));
    },
  },
  derivative: {
    kind: "linear",
    transpose(cotangent, inputs, region) {
      const [, update] = pair("sliceUpdate", inputs);
      return [replaceRegion(cotangent, region, filledLike(update, 0)), sliceRegion(cotangent, region)];
    },
  },
  batch(inputs, axes, region) {
    const [base, update] = pair("sliceUpdate", alignBatch(inputs, axes));
    return [apply(sliceUpdateRow, [base, update], withBatchAxis(region, base)), 0];
  },
};

/** Where the region begins along `axis` of an array of `shape`: it lies within it, wherever it is moved to. */
function startIn({ e, position, params: { starts, steps, lengths } }: Site<Region>, axis: number, shape: Shape): Expr {
  const start = position?.(axis);
  if (!start) return e.index(starts[axis] ?? 0);
  const reach = ((lengths[axis] ?? 1) - 1) * (steps[axis] ?? 1);
  const last = (shape[axis] ?? 1) - 1 - Math.max(reach, 0);
  return e.max(e.min(start, e.index(last)), e.index(Math.max(-reach, 0)));
}

function withBatchAxis({ starts, steps, lengths }: Region, input: MLXArray): Region {
  return { starts: [0, ...starts], steps: [1, ...steps], lengths: [input.shape[0] ?? 1, ...lengths] };
}

/** The elements of `x` in `region`, which lies within `x`. */
export function sliceRegion(x: MLXArray, region: Region): MLXArray {
  return isWhole(region, x.shape) ? x : apply(sliceRow, [x], region);
}

/** `x` with `region`, which lies within it, replaced by `update` of that shape and of the dtype of `x`. */
export function replaceRegion(x: MLXArray, region: Region, update: MLXArray): MLXArray {
  if (isWhole(region, x.shape)) return update;
  return sizeOf(region.lengths) === 0 ? x : apply(sliceUpdateRow, [x, update], region);
}

/** `length` positions of `x` along `axis` from `start`. */
export function sliceAxis(x: MLXArray, axis: number, start: number, length: number, step = 1): MLXArray {
  const perAxis = (along: number, elsewhere: (whole: number) => number): number[] =>
    x.shape.map((whole, k) => (k === axis ? along : elsewhere(whole)));
  return sliceRegion(x, {
    starts: perAxis(start, () => 0),
    steps: perAxis(step, () => 1),
    lengths: perAxis(length, (whole) => whole),
  });
}

function isWhole({ starts, steps, lengths }: Region, shape: Shape): boolean {
  return sameShape(lengths, shape) && starts.every((start) => start === 0) && steps.every((step) => step === 1);
}

/**
 * `x` with the order of its elements reversed along `axis` (one, several, or all).
 *
 * @throws {ShapeError} if an axis is out of range or named twice
 * @example
 * await flip(array([[1, 2], [3, 4]]), 1).tolist(); // [[2, 1], [4, 3]]
 */
export function flip(x: MLXArray, axis?: number | readonly number[], options?: OperationOptions): MLXArray {
  if (options) return placed("flip", options, () => flip(x, axis));
  requireArray("flip", x);
  const axes = normalizeAxes("flip", axis, x.ndim);
  const isFlipped = (length: number, k: number): boolean => axes.includes(k) && length > 1;
  return sliceRegion(x, {
    starts: x.shape.map((length, k) => (isFlipped(length, k) ? length - 1 : 0)),
    steps: x.shape.map((length, k) => (isFlipped(length, k) ? -1 : 1)),
    lengths: x.shape,
  });
}

/** `x` with `low[k]` positions holding `fill` before and `high[k]` after axis k; negative counts cut positions off. */
export function padded(x: MLXArray, low: readonly number[], high: readonly number[], fill?: MLXArray): MLXArray {
  const kept = sliceRegion(x, {
    starts: low.map((count) => Math.max(-count, 0)),
    steps: low.map(() => 1),
    lengths: x.shape.map((length, k) => Math.max(length + Math.min(low[k] ?? 0, 0) + Math.min(high[k] ?? 0, 0), 0)),
  });
  const starts = low.map((count) => Math.max(count, 0));
  const shape = kept.shape.map((length, k) => length + (starts[k] ?? 0) + Math.max(high[k] ?? 0, 0));
  if (sameShape(shape, kept.shape)) return kept;
  const base = broadcastTo(fill ?? constant(0, x.dtype), shape);
  return replaceRegion(base, { starts, steps: shape.map(() => 1), lengths: kept.shape }, kept);
}

/** `x` with `steps[k] - 1` zeros between neighbours along axis k. */
export function spaced(x: MLXArray, steps: readonly number[]): MLXArray {
  if (steps.every((step) => step === 1)) return x;
  const shape = x.shape.map((length, k) => (length === 0 ? 0 : (length - 1) * (steps[k] ?? 1) + 1));
  return replaceRegion(
    broadcastTo(constant(0, x.dtype), shape),
    { starts: shape.map(() => 0), steps, lengths: x.shape },
    x,
  );
}
