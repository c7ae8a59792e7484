/** Sliding windows: what convolution and pooling read. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { formatShape, sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed, withOptions } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { requireArray } from "../graph/require-array.ts";
import { add, multiply } from "./arithmetic.ts";
import { batchToFront, only, view } from "./families.ts";
import { take } from "./gather.ts";
import { iota } from "./generate.ts";
import { constant } from "./leaf.ts";
import { broadcastTo, reshape } from "./views.ts";

/** The windows along some neighbouring axes. Everything has one entry per windowed axis. */
interface WindowParams {
  /** The first windowed axis. */
  readonly first: number;
  /** Lengths of the windowed axes before windowing. */
  readonly lengths: readonly number[];
  /** Positions of the window along each axis. */
  readonly counts: readonly number[];
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

/**
 * [outer…, lengths…, sizes…, inner…] → [outer…, counts…, sizes…, inner…]: position `count · stride + size · dilation`, for each
 * place in the window its own slice. With the input repeated over `sizes` these are sliding windows.
 */
export const windowRow: Primitive<WindowParams> = /* @__PURE__ */ view<WindowParams>("window", {
  aval: ({ shape, dtype }, { first, counts }) => ({ shape: shape.toSpliced(first, counts.length, ...counts), dtype }),
  source({ e, index, params: { first, counts, strides, dilations } }) {
    return index.map((position, axis) => {
      const k = axis - first;
      if (k < 0 || k >= counts.length) return position;
      const place = index[axis + counts.length] ?? e.index(0);
      return e.add(e.scale(position, strides[k] ?? 1), e.scale(place, dilations[k] ?? 1));
    });
  },
  transpose: (cotangent, _, params) => apply(unwindowRow, [cotangent], params),
  batchParams: batched,
});

/** The transpose of `window`: [outer…, counts…, sizes…, inner…] → [outer…, lengths…, sizes…, inner…], 0 where no window reads. */
export const unwindowRow: Primitive<WindowParams> = {
  name: "unwindow",
  aval([x], { first, lengths }) {
    const { shape, dtype } = only("unwindow", x);
    return { shape: shape.toSpliced(first, lengths.length, ...lengths), dtype };
  },
  lowering: {
    kind: "map",
    element({ e, index, read, output, params: { first, counts, strides, dilations } }) {
      let isRead = e.constant(true, "bool");
      const source = index.map((position, axis) => {
        const k = axis - first;
        if (k < 0 || k >= counts.length) return position;
        const [count = 1, stride = 1] = [counts[k], strides[k]];
        const place = index[axis + counts.length] ?? e.index(0);
        const offset = e.sub(position, e.scale(place, dilations[k] ?? 1));
        isRead = e.and(isRead, e.le(e.index(0), offset));
        isRead = e.and(isRead, e.le(offset, e.index((count - 1) * stride)));
        if (stride > 1) isRead = e.and(isRead, e.eq(e.floorModulo(offset, stride), e.index(0)));
        return e.max(e.min(e.floorDivide(offset, stride), e.index(count - 1)), e.index(0));
      });
      return e.select(isRead, read(0, source), e.constant(0, output.dtype));
    },
  },
  derivative: { kind: "linear", transpose: (cotangent, _, params) => [apply(windowRow, [cotangent], params)] },
  batch: ([x], [axis], params) => [
    apply(unwindowRow, [batchToFront(only("unwindow", x), axis ?? 0)], batched(params)),
    0,
  ],
};

function batched({ first, ...rest }: WindowParams): WindowParams {
  return { first: first + 1, ...rest };
}

/** How windows move over the axes between the first and the last. */
export interface SlidingWindowOptions extends OperationOptions {
  /** How far the window moves, per axis or for all; 1 unless given. */
  readonly stride?: number | readonly number[] | undefined;
  /** Distance of neighbours within the window; 1 unless given. */
  readonly dilation?: number | readonly number[] | undefined;
}

/**
 * The windows of `sizes` that slide over the axes of `x` between the first and the last. Nothing is copied: what reads them,
 * a maximum or a product, reads `x` itself.
 *
 * @param x [batch, lengths…, channels]
 * @param sizes the window's extent along each of `lengths`
 * @returns [batch, counts…, sizes…, channels] with counts `floor((length - (size - 1) · dilation - 1) / stride) + 1`
 * @throws {ShapeError} if `x` has not two axes more than there are sizes, or a window is longer than its axis
 * @example
 * const x = reshape(array([1, 2, 3, 4]), [1, 4, 1]);
 * await slidingWindows(x, [2], { stride: 2 }).tolist(); // [[[[1], [2]], [[3], [4]]]]
 */
export function slidingWindows(x: MLXArray, sizes: readonly number[], options: SlidingWindowOptions = {}): MLXArray {
  return withOptions("slidingWindows", options, ["stride", "dilation", "device"], () => {
    requireArray("slidingWindows", x);
    const rank = sizes.length;
    if (x.ndim !== rank + 2) {
      throw new ShapeError(
        "slidingWindows",
        `windows of ${formatShape(sizes)} need [batch, ${rank} axes, channels], got ${formatShape(x.shape)}`,
      );
    }
    const strides = perAxis("slidingWindows", "stride", options.stride ?? 1, rank);
    const dilations = perAxis("slidingWindows", "dilation", options.dilation ?? 1, rank);
    return windowsOf("slidingWindows", x, sizes, strides, dilations);
  });
}

/** Windows over [outer, lengths…, inner] with an entry of everything per axis. */
export function windowsOf(
  operation: string,
  x: MLXArray,
  sizes: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): MLXArray {
  const rank = sizes.length;
  const lengths = x.shape.slice(1, rank + 1);
  const counts = lengths.map((length, k) => {
    const span = ((sizes[k] ?? 1) - 1) * (dilations[k] ?? 1) + 1;
    if (span > length) {
      throw new ShapeError(
        operation,
        `a window spanning ${span} does not fit into axis ${k + 1} of ${formatShape(x.shape)}`,
      );
    }
    return Math.floor((length - span) / (strides[k] ?? 1)) + 1;
  });
  const [outer = 1] = x.shape;
  const inner = x.shape.slice(rank + 1);
  const apart = reshape(x, [outer, ...lengths, ...sizes.map(() => 1), ...inner]);
  const repeated = broadcastTo(apart, [outer, ...lengths, ...sizes, ...inner]);
  return apply(windowRow, [repeated], { first: 1, lengths, counts, sizes, strides, dilations });
}

/** One whole number from `least` per axis. @throws {ArgumentError} */
export function perAxis(
  operation: string,
  name: string,
  value: number | readonly number[],
  rank: number,
  least = 1,
): readonly number[] {
  const list = typeof value === "number" ? new Array<number>(rank).fill(value) : value;
  if (list.length === rank && list.every((one) => Number.isInteger(one) && one >= least)) return list;
  throw new ArgumentError(
    operation,
    `${name} is a whole number from ${least}, or ${rank} of them, got ${typeof value === "number" ? value : `[${value}]`}`,
  );
}

/**
 * The elements of `x`, taken as a vector in row-major order, at `offset + Σ index[k] · strides[k]` for every index of `shape`.
 *
 * @throws {ShapeError} if there is not one stride per axis, or an element would lie outside of `x`
 * @example
 * await asStrided(array([1, 2, 3, 4]), [3, 2], [1, 1]).tolist(); // [[1, 2], [2, 3], [3, 4]]
 */
export function asStrided(
  x: MLXArray,
  shape: Shape,
  strides: readonly number[],
  offset = 0,
  options?: OperationOptions,
): MLXArray {
  if (options) return placed("asStrided", options, () => asStrided(x, shape, strides, offset));
  requireArray("asStrided", x);
  const spans = shape.map((length, axis) => (length - 1) * (strides[axis] ?? 0));
  const low = spans.reduce((sum, span) => sum + Math.min(span, 0), offset);
  const high = spans.reduce((sum, span) => sum + Math.max(span, 0), offset);
  if (strides.length !== shape.length || (sizeOf(shape) > 0 && (low < 0 || high >= x.size))) {
    throw new ShapeError(
      "asStrided",
      `${formatShape(shape)} with strides [${strides}] from ${offset} reaches elements ${low} to ${high} of ${x.size}`,
    );
  }
  const places = shape.map((_, axis) => multiply(iota(shape, axis, "int32"), strides[axis] ?? 0));
  const first = broadcastTo(constant(offset, "int32"), shape);
  return take(
    x,
    places.reduce((sum, place) => add(sum, place), first),
  );
}
