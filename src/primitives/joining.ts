/** Putting arrays together and taking them apart: concatenate, stack, split, roll. */
import type { TypedArray } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { formatShape, normalizeAxis, sizeOf } from "../base/shape.ts";
import type { Pieces } from "../graph/array-lists.ts";
import type { Aval, MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed, withOptions } from "../graph/placement.ts";
import type { Derivative, Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { requireArray, requireArrays } from "../graph/require-array.ts";
import { alignBatch, only, view } from "./families.ts";
import { promoted } from "./operands.ts";
import { piecesOf, shiftsAlong, stackedAval } from "./shape-rules.ts";
import { sliceAxis } from "./slicing.ts";
import { reshape } from "./views.ts";

interface AxisParams {
  readonly axis: number;
}

/** Operands up to which joining fuses with what is around it; more are copied one after the other. */
const fusedOperands = 7;

function joinedAval(inputs: readonly Aval[], { axis }: AxisParams): Aval {
  const { shape, dtype } = only("concatenate", inputs[0]);
  for (const input of inputs) {
    const fits = input.shape.every((length, k) => k === axis || length === shape[k]);
    if (!fits || input.shape.length !== shape.length) {
      throw new ShapeError(
        "concatenate",
        `${formatShape(shape)} and ${formatShape(input.shape)} differ in more than axis ${axis}`,
      );
    }
  }
  const length = inputs.reduce((sum, input) => sum + (input.shape[axis] ?? 0), 0);
  return { shape: shape.map((old, k) => (k === axis ? length : old)), dtype };
}

const joinedDerivative: Derivative<AxisParams> = {
  kind: "linear",
  transpose(cotangent, inputs, { axis }) {
    let start = 0;
    return inputs.map(({ shape: { [axis]: length = 0 } }) => {
      start += length;
      return sliceAxis(cotangent, axis, start - length, length);
    });
  },
};

function joinedBatch(
  inputs: readonly MLXArray[],
  axes: readonly (number | null)[],
  { axis }: AxisParams,
): readonly [MLXArray, number] {
  return [joinAlong(alignBatch(inputs, axes), axis + 1), 0];
}

/** The inputs one after the other along an axis; each has elements, or none has. */
export const concatenateRow: Primitive<AxisParams> = {
  name: "concatenate",
  aval: joinedAval,
  lowering: {
    kind: "map",
    element({ e, index, read, inputs, params: { axis } }) {
      const position = only("concatenate", index[axis]);
      let start = 0;
      const parts = inputs.map(({ shape: { [axis]: length = 1 } }, k) => {
        const own = e.scale(position, 1, -start);
        const place = e.max(e.min(own, e.index(length - 1)), e.index(0));
        start += length;
        return { value: read(k, index.with(axis, place)), end: start };
      });
      const last = only("concatenate", parts.at(-1)).value;
      return parts
        .slice(0, -1)
        .reduceRight((rest, { value, end }) => e.select(e.lt(position, e.index(end)), value, rest), last);
    },
  },
  derivative: joinedDerivative,
  batch: joinedBatch,
};

/** The same for many inputs: copied block by block. */
export const joinRow: Primitive<AxisParams> = {
  name: "join",
  aval: joinedAval,
  lowering: {
    kind: "routine",
    run({ inputs, inputAvals, output, outputAval, params: { axis } }) {
      const width = output.BYTES_PER_ELEMENT;
      const target = bytesOf(output);
      const outer = sizeOf(outputAval.shape.slice(0, axis));
      const stride = sizeOf(outputAval.shape.slice(axis)) * width;
      let start = 0;
      inputs.forEach((input, k) => {
        const source = bytesOf(input);
        const block = sizeOf(only("join", inputAvals[k]).shape.slice(axis)) * width;
        for (let i = 0; i < outer; i++) target.set(source.subarray(i * block, (i + 1) * block), i * stride + start);
        start += block;
      });
    },
  },
  derivative: joinedDerivative,
  batch: joinedBatch,
};

function bytesOf({ buffer, byteOffset, byteLength }: TypedArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** `arrays`, of one dtype and fitting shapes, one after the other along `axis`. */
export function joinAlong(arrays: readonly MLXArray[], axis: number): MLXArray {
  const filled = arrays.filter(({ size }) => size > 0);
  // Where all are empty, another axis may be: their lengths add up nevertheless.
  const parts = filled.length > 0 ? filled : arrays;
  const [first] = parts;
  if (parts.length === 1 && first) return first;
  return apply(parts.length <= fusedOperands ? concatenateRow : joinRow, parts, { axis });
}

function firstOf(operation: string, arrays: readonly MLXArray[]): MLXArray {
  if (!Array.isArray(arrays)) throw new ArgumentError(operation, `takes a list of arrays, as in ${operation}([a, b])`);
  requireArrays(operation, arrays);
  const [first] = arrays;
  if (first) return first;
  throw new ShapeError(operation, "needs at least one array");
}

/**
 * The arrays one after the other along `axis`, promoted to one dtype.
 *
 * @param arrays alike in every other axis
 * @throws {ShapeError} if the list is empty, or lengths differ in another axis
 * @example
 * await concatenate([array([1, 2]), array([3])]).tolist(); // [1, 2, 3]
 */
export function concatenate(arrays: readonly MLXArray[], axis = 0, options?: OperationOptions): MLXArray {
  if (options) return placed("concatenate", options, () => concatenate(arrays, axis));
  const first = firstOf("concatenate", arrays);
  const along = normalizeAxis("concatenate", axis, first.ndim);
  const parts = promoted("concatenate", arrays);
  joinedAval(parts, { axis: along });
  return joinAlong(parts, along);
}

/**
 * The arrays along a new axis, promoted to one dtype.
 *
 * @param axis where the new axis stands in the result
 * @throws {ShapeError} if the list is empty, or shapes differ
 * @example
 * await stack([array([1, 2]), array([3, 4])], 1).tolist(); // [[1, 3], [2, 4]]
 */
export function stack(arrays: readonly MLXArray[], axis = 0, options?: OperationOptions): MLXArray {
  return placed("stack", options, () => {
    const first = firstOf("stack", arrays);
    stackedAval(arrays);
    const at = normalizeAxis("stack", axis, first.ndim + 1);
    const shape = first.shape.toSpliced(at, 0, 1);
    return concatenate(
      arrays.map((array) => reshape(array, shape)),
      at,
    );
  });
}

/**
 * `x` cut along `axis`: into `parts` equal pieces, or before each of the positions in `parts` (negative ones count from the end).
 *
 * @throws {ShapeError} if the axis does not divide into that many pieces
 * @example
 * const [left, right] = split(array([1, 2, 3, 4]), 2);
 * await left.tolist(); // [1, 2]
 * await right.tolist(); // [3, 4]
 * split(array([1, 2, 3, 4]), [1, 3]).map((piece) => piece.size); // [1, 2, 1]
 */
export function split<const P extends number | readonly number[]>(
  x: MLXArray,
  parts: P,
  axis?: number,
  options?: OperationOptions,
): Pieces<P>;
export function split(
  x: MLXArray,
  parts: number | readonly number[],
  axis = 0,
  options?: OperationOptions,
): MLXArray[] {
  if (options) return placed("split", options, () => split(x, parts, axis));
  requireArray("split", x);
  const along = normalizeAxis("split", axis, x.ndim);
  return piecesOf(x.shape, along, parts).map(({ start, length }) => sliceAxis(x, along, start, length));
}

/**
 * The parts of `x` at each position of `axis`, without that axis.
 *
 * @throws {ShapeError} if `axis` is out of range
 * @example
 * const rows = unstack(array([[1, 2], [3, 4]]));
 * await Promise.all(rows.map((row) => row.tolist())); // [[1, 2], [3, 4]]
 */
export function unstack(
  x: MLXArray,
  options: OperationOptions & { readonly axis?: number | undefined } = {},
): MLXArray[] {
  return withOptions("unstack", options, ["axis", "device"], () => {
    requireArray("unstack", x);
    const axis = normalizeAxis("unstack", options.axis ?? 0, x.ndim);
    const rest = x.shape.filter((_, k) => k !== axis);
    return Array.from({ length: x.shape[axis] ?? 0 }, (_, k) => reshape(sliceAxis(x, axis, k, 1), rest));
  });
}

/** Element i along each axis of the result is element `i - shifts[axis]` of the input, around the end. */
export const rollRow: Primitive<{ readonly shifts: readonly number[] }> = /* @__PURE__ */ view<{
  readonly shifts: readonly number[];
}>("roll", {
  aval: (input) => input,
  source: ({ e, index, params }, input) =>
    index.map((position, axis) => {
      const length = input[axis] ?? 1;
      return e.floorModulo(e.scale(position, 1, (length - (params.shifts[axis] ?? 0)) % length), length);
    }),
  transpose: (cotangent, _, { shifts }) =>
    shifted(
      cotangent,
      shifts.map((shift) => -shift),
    ),
  batchParams: ({ shifts }) => ({ shifts: [0, ...shifts] }),
});

function shifted(x: MLXArray, shifts: readonly number[]): MLXArray {
  const within = shifts.map((shift, axis) => {
    const length = Math.max(x.shape[axis] ?? 1, 1);
    return ((shift % length) + length) % length;
  });
  return x.size === 0 || within.every((shift) => shift === 0) ? x : apply(rollRow, [x], { shifts: within });
}

/**
 * `x` with its elements moved by `shift` positions towards the end of `axis`, those past it returning at the start.
 *
 * Without an axis the flattened array is rolled. Several axes take one shift each, or one shift for all.
 *
 * @throws {ShapeError} if the numbers of shifts and axes differ
 * @example
 * await roll(array([1, 2, 3]), 1).tolist(); // [3, 1, 2]
 */
export function roll(
  x: MLXArray,
  shift: number | readonly number[],
  axis?: number | readonly number[],
  options?: OperationOptions,
): MLXArray {
  if (options) return placed("roll", options, () => roll(x, shift, axis));
  requireArray("roll", x);
  const list = typeof shift === "number" ? [shift] : shift;
  if (axis === undefined) {
    return reshape(shifted(reshape(x, [x.size]), [list.reduce((sum, one) => sum + one, 0)]), x.shape);
  }
  return shifted(x, shiftsAlong(x.shape, list, axis));
}

/** The name of the array API standard. */
export { concatenate as concat };
