/** Operations that move elements without computing: identity, broadcasting, reshaping, transposition. */
import { ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { checkShape, formatShape, normalizeAxis, sameShape, sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { requireArray } from "../graph/require-array.ts";
import { provideBatchMoves, view } from "./families.ts";
import { sumTo } from "./reductions.ts";

/** The input itself under a new identity; transforms mark their inputs with it. */
export const identityRow: Primitive<null> = /* @__PURE__ */ view<null>("identity", {
  aval: (input) => input,
  source: ({ index }) => index,
  transpose: (cotangent) => cotangent,
  batchParams: () => null,
  lowering: { sameElements: true },
});

/** Length-1 and missing leading axes repeated up to `shape`. */
export const broadcastRow: Primitive<{ readonly shape: Shape }> = /* @__PURE__ */ view<{ readonly shape: Shape }>(
  "broadcastTo",
  {
    aval: ({ dtype }, { shape }) => ({ shape, dtype }),
    source: ({ e, index, params }, input) =>
      input.map((length, axis) =>
        length === 1 ? e.index(0) : (index[axis + params.shape.length - input.length] ?? e.index(0)),
      ),
    transpose: (cotangent, input) => sumTo(cotangent, input.shape),
    batchParams: ({ shape }, input) => ({ shape: [input.shape[0] ?? 1, ...shape] }),
    batchInput(input, { shape }) {
      const [batch = 1, ...rest] = input.shape;
      return reshape(input, [batch, ...new Array<number>(shape.length - rest.length).fill(1), ...rest]);
    },
  },
);

/** The same elements in row-major order under another shape. */
export const reshapeRow: Primitive<{ readonly shape: Shape }> = /* @__PURE__ */ view<{ readonly shape: Shape }>(
  "reshape",
  {
    aval: ({ dtype }, { shape }) => ({ shape, dtype }),
    source: ({ e, index, params }, input) => e.unravel(e.ravel(index, params.shape), input),
    transpose: (cotangent, input) => reshape(cotangent, input.shape),
    batchParams: ({ shape }, input) => ({ shape: [input.shape[0] ?? 1, ...shape] }),
    lowering: { sameElements: true },
  },
);

/** Axis k of the result is axis `order[k]` of the input. */
export const transposeRow: Primitive<{ readonly order: readonly number[] }> = /* @__PURE__ */ view<{
  readonly order: readonly number[];
}>("transpose", {
  aval: ({ shape, dtype }, { order }) => ({ shape: order.map((axis) => shape[axis] ?? 1), dtype }),
  source({ e, index, params }, input) {
    const source = input.map(() => e.index(0));
    params.order.forEach((axis, k) => {
      source[axis] = index[k] ?? e.index(0);
    });
    return source;
  },
  transpose: (cotangent, _, { order }) => transpose(cotangent, inverseOrder(order)),
  batchParams: ({ order }) => ({ order: [0, ...order.map((axis) => axis + 1)] }),
});

/** `x` under a new identity in the graph. */
export function identity(x: MLXArray): MLXArray {
  return apply(identityRow, [x], null);
}

/**
 * `x` repeated along its axes of length 1 and along new leading axes up to `shape`. Nothing is copied.
 *
 * @throws {ShapeError} if an axis has another length, neither that of `shape` nor 1
 * @example
 * await broadcastTo(array([1, 2]), [2, 2]).tolist(); // [[1, 2], [1, 2]]
 */
export function broadcastTo(x: MLXArray, shape: Shape, options?: OperationOptions): MLXArray {
  if (options) return placed("broadcastTo", options, () => broadcastTo(x, shape));
  requireArray("broadcastTo", x);
  checkShape("broadcastTo", shape);
  if (sameShape(x.shape, shape)) return x;
  const extra = shape.length - x.shape.length;
  const fits = extra >= 0 && x.shape.every((length, axis) => length === 1 || length === shape[axis + extra]);
  if (!fits)
    throw new ShapeError("broadcastTo", `${formatShape(x.shape)} cannot be broadcast to ${formatShape(shape)}`);
  return apply(broadcastRow, [x], { shape });
}

/**
 * The elements of `x` in row-major order under `shape`; one length may be -1 and is inferred.
 *
 * @throws {ShapeError} if the sizes differ
 * @example
 * await reshape(array([1, 2, 3, 4]), [2, -1]).tolist(); // [[1, 2], [3, 4]]
 */
export function reshape(x: MLXArray, shape: Shape, options?: OperationOptions): MLXArray {
  if (options) return placed("reshape", options, () => reshape(x, shape));
  requireArray("reshape", x);
  const target = inferShape(x.shape, shape);
  return sameShape(x.shape, target) ? x : apply(reshapeRow, [x], { shape: target });
}

/**
 * `x` with its axes in the given order, reversed unless given. Nothing is copied.
 *
 * @param order axis k of the result is axis `order[k]` of `x`
 * @throws {ShapeError} if `order` is no permutation of the axes
 * @example
 * await transpose(array([[1, 2], [3, 4]])).tolist(); // [[1, 3], [2, 4]]
 */
export function transpose(x: MLXArray, order?: readonly number[], options?: OperationOptions): MLXArray {
  if (options) return placed("transpose", options, () => transpose(x, order));
  requireArray("transpose", x);
  const rank = x.shape.length;
  if (order !== undefined && !Array.isArray(order)) {
    throw new ShapeError("transpose", `the order is a list of axes, as in transpose([1, 0]); got ${String(order)}`);
  }
  const full = order
    ? order.map((axis) => normalizeAxis("transpose", axis, rank))
    : x.shape.map((_, axis) => rank - 1 - axis);
  if (full.length !== rank || new Set(full).size !== rank) {
    throw new ShapeError(
      "transpose",
      `${formatShape(order ?? full)} is no permutation of the ${rank} axes of ${formatShape(x.shape)}`,
    );
  }
  const inner = transposedOrder(x);
  const [source] = x.inputs;
  // Axes exchanged twice are exchanged once; then perhaps not at all.
  if (inner && source) {
    return transpose(
      source,
      full.map((axis) => inner[axis] ?? axis),
    );
  }
  return full.every((axis, k) => axis === k) ? x : apply(transposeRow, [x], { order: full });
}

/** Which axis of its input each axis of `x` is, if `x` is a transposed array that is not evaluated; else null. */
export function transposedOrder(x: MLXArray): readonly number[] | null {
  return x.primitive === transposeRow && x.inputs.length > 0 && isTransposition(x.params) ? x.params.order : null;
}

function isTransposition(params: unknown): params is { readonly order: readonly number[] } {
  return typeof params === "object" && params !== null && "order" in params;
}

/**
 * `x` with axis `source` moved to `destination`, the others in their order.
 *
 * @throws {ShapeError} if one is out of range
 * @example
 * moveAxis(zeros([2, 3, 4]), 0, -1).shape; // [3, 4, 2]
 */
export function moveAxis(x: MLXArray, source: number, destination: number, options?: OperationOptions): MLXArray {
  if (options) return placed("moveAxis", options, () => moveAxis(x, source, destination));
  requireArray("moveAxis", x);
  const rank = x.shape.length;
  const from = normalizeAxis("moveAxis", source, rank);
  const to = normalizeAxis("moveAxis", destination, rank);
  const order = x.shape.map((_, axis) => axis).filter((axis) => axis !== from);
  order.splice(to, 0, from);
  return transpose(x, order);
}

/** `order` undone. */
export function inverseOrder(order: readonly number[]): number[] {
  const inverse = new Array<number>(order.length);
  order.forEach((axis, k) => {
    inverse[axis] = k;
  });
  return inverse;
}

function inferShape(from: Shape, shape: Shape): Shape {
  const unknown = Array.isArray(shape) ? shape.indexOf(-1) : -1;
  if (unknown === -1) {
    checkShape("reshape", shape);
    if (sizeOf(shape) !== sizeOf(from)) throw sizesDiffer(from, shape);
    return shape;
  }
  const rest = sizeOf(shape.toSpliced(unknown, 1));
  const size = sizeOf(from);
  if (rest <= 0 || size % rest !== 0 || shape.indexOf(-1, unknown + 1) !== -1) throw sizesDiffer(from, shape);
  const inferred = shape.map((length, axis) => (axis === unknown ? size / rest : length));
  checkShape("reshape", inferred);
  return inferred;
}

function sizesDiffer(from: Shape, to: Shape): ShapeError {
  return new ShapeError(
    "reshape",
    `${formatShape(from)} with ${sizeOf(from)} elements cannot become ${formatShape(to)}`,
  );
}

provideBatchMoves({
  toFront: (x, axis) => moveAxis(x, axis, 0),
  repeat: (x, length) => broadcastTo(x, [length, ...x.shape]),
});

/** The name of the array API standard. */
export { transpose as permuteDims };
