/** Convolution, channels last: an implicit product of the input's windows with the weights. */
import { isFloating } from "../base/dtype.ts";
import { ArgumentError, DtypeError, ShapeError } from "../base/errors.ts";
import type { Shape } from "../base/shape.ts";
import { formatShape, sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { add } from "./arithmetic.ts";
import { matmul } from "./contraction.ts";
import { pair } from "./elementwise.ts";
import { batchToFront } from "./families.ts";
import { promoted } from "./operands.ts";
import { flip, padded, spaced } from "./slicing.ts";
import { moveAxis, reshape, transpose } from "./views.ts";
import { perAxis, windowsOf } from "./windowing.ts";

/** Everything has one entry per spatial axis, but `groups`. */
interface ConvolutionParams {
  readonly strides: readonly number[];
  /** Zeros before and after each axis; negative ones cut off. */
  readonly low: readonly number[];
  readonly high: readonly number[];
  readonly kernelDilations: readonly number[];
  readonly inputDilations: readonly number[];
  readonly groups: number;
  /** Whether the weights are read backwards along the spatial axes: a convolution in the mathematical sense. */
  readonly flip: boolean;
}

/** Inputs [batch, lengths…, channels] and weights [outputs, sizes…, channels / groups] → [batch, counts…, outputs]. */
export const convolutionRow: Primitive<ConvolutionParams> = /* @__PURE__ */ {
  name: "convolution",
  aval(inputs, params) {
    const [x, weights] = pair("convolution", inputs);
    const counts = params.strides.map((stride, k) => {
      const span = ((weights.shape[k + 1] ?? 1) - 1) * (params.kernelDilations[k] ?? 1) + 1;
      return Math.floor((paddedLength(x.shape, params, k) - span) / stride) + 1;
    });
    return { shape: [x.shape[0] ?? 1, ...counts, weights.shape[0] ?? 1], dtype: x.dtype };
  },
  lowering: {
    kind: "composite",
    define: (inputs, params) => defineConvolution(...pair("convolution", inputs), params),
  },
  derivative: {
    kind: "custom",
    jvp([tangentX = null, tangentW = null], inputs, _, params) {
      const [x, weights] = pair("convolution", inputs);
      const viaX = tangentX ? apply(convolutionRow, [tangentX, weights], params) : null;
      const viaW = tangentW ? apply(convolutionRow, [x, tangentW], params) : null;
      return viaX && viaW ? add(viaX, viaW) : (viaX ?? viaW);
    },
    vjp(cotangent, inputs, _, params) {
      const [x, weights] = pair("convolution", inputs);
      return [
        inputCotangent(cotangent, x.shape, weights, params),
        weightCotangent(cotangent, x, weights.shape, params),
      ];
    },
  },
  batch(inputs, [axisX = null, axisW = null], params) {
    const [x, weights] = pair("convolution", inputs);
    if (axisW === null) {
      // [many, batch, …] is one larger batch.
      const front = batchToFront(x, axisX ?? 0);
      const [many = 1, batch = 1, ...rest] = front.shape;
      const result = apply(convolutionRow, [reshape(front, [many * batch, ...rest]), weights], params);
      return [reshape(result, [many, batch, ...result.shape.slice(1)]), 0];
    }
    return batchedWeights(
      axisX === null ? x : batchToFront(x, axisX),
      axisX !== null,
      batchToFront(weights, axisW),
      params,
    );
  },
};

/** Weights [many, outputs, sizes…, inner]: the many become groups where the input differs too, more outputs where not. */
function batchedWeights(
  x: MLXArray,
  isBatched: boolean,
  weights: MLXArray,
  params: ConvolutionParams,
): readonly [MLXArray, number] {
  const [many = 1, outputs = 1, ...rest] = weights.shape;
  const { groups } = params;
  if (isBatched) {
    const channels = moveAxis(x, 0, -2); // [batch, lengths…, many, channels]
    const shape = channels.shape;
    const joined = reshape(channels, [...shape.slice(0, -2), many * (shape.at(-1) ?? 1)]);
    const result = apply(convolutionRow, [joined, reshape(weights, [many * outputs, ...rest])], {
      ...params,
      groups: many * groups,
    });
    return [moveAxis(reshape(result, [...result.shape.slice(0, -1), many, outputs]), -2, 0), 0];
  }
  // Outputs are ordered by group first, so that each group's weights stay together.
  const grouped = reshape(weights, [many, groups, outputs / groups, ...rest]);
  const all = reshape(moveAxis(grouped, 0, 1), [many * outputs, ...rest]);
  const result = apply(convolutionRow, [x, all], params);
  const apart = reshape(result, [...result.shape.slice(0, -1), groups, many, outputs / groups]);
  const front = moveAxis(apart, -2, 0);
  return [reshape(front, [many, ...result.shape.slice(0, -1), outputs]), 0];
}

/** The length of spatial axis k of an input once it is dilated and padded. */
function paddedLength(shape: Shape, { low, high, inputDilations }: ConvolutionParams, k: number): number {
  return ((shape[k + 1] ?? 1) - 1) * (inputDilations[k] ?? 1) + 1 + (low[k] ?? 0) + (high[k] ?? 0);
}

/** The windows of the input as [groups, batch · counts…, sizes… · channels / groups]. */
function windowMatrix(x: MLXArray, sizes: readonly number[], params: ConvolutionParams): MLXArray {
  const { groups, strides, kernelDilations } = params;
  const wide = padded(spaced(x, [1, ...params.inputDilations, 1]), [0, ...params.low, 0], [0, ...params.high, 0]);
  const windows = windowsOf("convolution", wide, sizes, strides, kernelDilations);
  const channels = x.shape.at(-1) ?? 1;
  const rows = sizeOf(windows.shape.slice(0, -1 - sizes.length));
  if (groups === 1) return reshape(windows, [1, rows, sizeOf(sizes) * channels]);
  const apart = reshape(windows, [rows, sizeOf(sizes), groups, channels / groups]);
  return reshape(transpose(apart, [2, 0, 1, 3]), [groups, rows, (sizeOf(sizes) * channels) / groups]);
}

function defineConvolution(x: MLXArray, weights: MLXArray, params: ConvolutionParams): MLXArray {
  const { groups } = params;
  const sizes = weights.shape.slice(1, -1);
  const outputs = weights.shape[0] ?? 1;
  const { shape } = convolutionRow.aval([x, weights], params);
  const right = transpose(
    reshape(turned(weights, params), [groups, outputs / groups, sizeOf(weights.shape.slice(1))]),
    [0, 2, 1],
  );
  const left = windowMatrix(x, sizes, params);
  if (groups === 1)
    return reshape(matmul(reshape(left, left.shape.slice(1)), reshape(right, right.shape.slice(1))), shape);
  return reshape(transpose(matmul(left, right), [1, 0, 2]), shape); // [batch · counts…, groups, outputs / groups]
}

/** The weights as the windows meet them. */
function turned(weights: MLXArray, params: ConvolutionParams): MLXArray {
  return params.flip
    ? flip(
        weights,
        params.strides.map((_, k) => k + 1),
      )
    : weights;
}

/** A convolution of the cotangent, spaced by the strides, with the weights turned and their channels exchanged. */
function inputCotangent(cotangent: MLXArray, shape: Shape, weights: MLXArray, params: ConvolutionParams): MLXArray {
  const { groups, strides, kernelDilations, inputDilations } = params;
  const [outputs = 1, ...rest] = weights.shape;
  const inner = rest.at(-1) ?? 1;
  const grouped = reshape(weights, [groups, outputs / groups, ...rest]);
  const exchanged = reshape(swapped(grouped, 1, grouped.ndim - 1), [
    groups * inner,
    ...rest.slice(0, -1),
    outputs / groups,
  ]);
  const low = strides.map((_, k) => ((rest[k] ?? 1) - 1) * (kernelDilations[k] ?? 1) - (params.low[k] ?? 0));
  const high = strides.map((stride, k) => {
    const dilated = ((shape[k + 1] ?? 1) - 1) * (inputDilations[k] ?? 1) + 1;
    return dilated - (((cotangent.shape[k + 1] ?? 1) - 1) * stride + 1) + (params.low[k] ?? 0);
  });
  return apply(convolutionRow, [cotangent, exchanged], {
    strides: inputDilations,
    low,
    high,
    kernelDilations,
    inputDilations: strides,
    groups,
    flip: !params.flip,
  });
}

/** The product of the cotangent with the windows, over all places of the output. */
function weightCotangent(cotangent: MLXArray, x: MLXArray, shape: Shape, params: ConvolutionParams): MLXArray {
  const { groups } = params;
  const [outputs = 1] = shape;
  const windows = windowMatrix(x, shape.slice(1, -1), params);
  const rows = windows.shape[1] ?? 1;
  const columns = reshape(cotangent, [rows, groups, outputs / groups]);
  const left = transpose(columns, [1, 2, 0]); // [groups, outputs / groups, batch · counts…]
  const flat = (matrix: MLXArray): MLXArray => (groups === 1 ? reshape(matrix, matrix.shape.slice(1)) : matrix);
  return turned(reshape(matmul(flat(left), flat(windows)), shape), params);
}

function swapped(x: MLXArray, a: number, b: number): MLXArray {
  return transpose(
    x,
    x.shape.map((_, axis) => (axis === a ? b : axis === b ? a : axis)),
  );
}

/** The options of a convolution; each is a number for all spatial axes or one per axis. */
export interface ConvolutionOptions {
  /** How far the window moves; 1 unless given. */
  readonly stride?: number | readonly number[];
  /** Zeros before and after each axis; 0 unless given. */
  readonly padding?: number | readonly number[];
  /** Distance of neighbours within the window; 1 unless given. */
  readonly dilation?: number | readonly number[];
  /** Into how many groups the channels are divided, each with its own outputs; 1 unless given. */
  readonly groups?: number;
}

/** The options of `convGeneral`. */
export interface GeneralConvolutionOptions {
  readonly stride?: number | readonly number[];
  /** Zeros per axis on both sides, or `[before, after]` with a list of each. */
  readonly padding?: number | readonly number[] | readonly [readonly number[], readonly number[]];
  readonly kernelDilation?: number | readonly number[];
  /** Distance that neighbours of the input are moved apart to, with zeros between them. */
  readonly inputDilation?: number | readonly number[];
  readonly groups?: number;
  /** Read the weights backwards: a convolution in the mathematical sense instead of a correlation. */
  readonly flip?: boolean;
}

function convolution(operation: string, x: MLXArray, weights: MLXArray, params: ConvolutionParams): MLXArray {
  const { groups } = params;
  const [input, kernel] = pair(operation, promoted(operation, [x, weights]));
  if (!isFloating(input.dtype)) {
    throw new DtypeError(
      operation,
      `needs floating-point arrays, got ${x.dtype} and ${weights.dtype}; convert them with asType`,
    );
  }
  if (!Number.isInteger(groups) || groups < 1)
    throw new ArgumentError(operation, `groups is a whole number from 1, got ${groups}`);
  const [outputs = 1, channels = 1, inner = 1] = [kernel.shape[0], input.shape.at(-1), kernel.shape.at(-1)];
  if (inner * groups !== channels || outputs % groups !== 0) {
    throw new ShapeError(
      operation,
      `input ${formatShape(x.shape)} and weights ${formatShape(weights.shape)} do not fit with ${groups} groups: ` +
        "weights are [outputs, sizes…, channels / groups], and the groups divide the outputs",
    );
  }
  params.strides.forEach((_, k) => {
    const span = ((kernel.shape[k + 1] ?? 1) - 1) * (params.kernelDilations[k] ?? 1) + 1;
    const length = paddedLength(input.shape, params, k);
    if (span <= length) return;
    throw new ShapeError(
      operation,
      `the weights ${formatShape(weights.shape)} span ${span} of axis ${k + 1} of ${formatShape(x.shape)}, which has ${length} with its padding`,
    );
  });
  return apply(convolutionRow, [input, kernel], params);
}

function checkRank(operation: string, x: MLXArray, weights: MLXArray, rank: number): void {
  if (x.ndim === rank + 2 && weights.ndim === rank + 2) return;
  throw new ShapeError(
    operation,
    `needs an input [batch, ${rank} axes, channels] and weights [outputs, ${rank} axes, channels], ` +
      `got ${formatShape(x.shape)} and ${formatShape(weights.shape)}`,
  );
}

function plain(operation: string, x: MLXArray, weights: MLXArray, rank: number, options: ConvolutionOptions): MLXArray {
  checkRank(operation, x, weights, rank);
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  const low = perAxis(operation, "padding", padding, rank, 0);
  return convolution(operation, x, weights, {
    strides: perAxis(operation, "stride", stride, rank),
    low,
    high: low,
    kernelDilations: perAxis(operation, "dilation", dilation, rank),
    inputDilations: new Array<number>(rank).fill(1),
    groups,
    flip: false,
  });
}

/**
 * The one-dimensional convolution (as MLX has it, without turning the weights) of each sequence with the weights.
 *
 * @param x [batch, length, channels]
 * @param weights [outputs, size, channels / groups]
 * @returns [batch, count, outputs] with count `floor((length + 2 · padding - dilation · (size - 1) - 1) / stride) + 1`
 * @throws {ShapeError} if shapes do not fit
 * @example
 * const x = reshape(array([1, 2, 3, 4]), [1, 4, 1]);
 * await conv1d(x, reshape(array([1, 1]), [1, 2, 1])).tolist(); // [[[3], [5], [7]]]
 */
export function conv1d(x: MLXArray, weights: MLXArray, options: ConvolutionOptions = {}): MLXArray {
  return plain("conv1d", x, weights, 1, options);
}

/**
 * The two-dimensional convolution of each image with the weights.
 *
 * @param x [batch, height, width, channels]
 * @param weights [outputs, sizeY, sizeX, channels / groups]
 * @returns [batch, countY, countX, outputs]
 * @throws {ShapeError} if shapes do not fit
 * @example
 * conv2d(zeros([1, 8, 8, 3]), zeros([4, 3, 3, 3]), { stride: 2, padding: 1 }).shape; // [1, 4, 4, 4]
 */
export function conv2d(x: MLXArray, weights: MLXArray, options: ConvolutionOptions = {}): MLXArray {
  return plain("conv2d", x, weights, 2, options);
}

/** The three-dimensional convolution: [batch, depth, height, width, channels] with [outputs, sizes…, channels / groups]. @throws {ShapeError} if shapes do not fit. */
export function conv3d(x: MLXArray, weights: MLXArray, options: ConvolutionOptions = {}): MLXArray {
  return plain("conv3d", x, weights, 3, options);
}

/**
 * The convolution over any number of spatial axes with everything to choose.
 *
 * @param x [batch, lengths…, channels]
 * @param weights [outputs, sizes…, channels / groups]
 * @throws {ShapeError} if shapes do not fit
 * @example
 * const x = reshape(array([1, 2]), [1, 2, 1]);
 * await convGeneral(x, ones([1, 2, 1]), { padding: [[1], [0]], inputDilation: 2 }).tolist(); // [[[1], [1], [2]]]
 */
export function convGeneral(x: MLXArray, weights: MLXArray, options: GeneralConvolutionOptions = {}): MLXArray {
  const rank = x.ndim - 2;
  if (rank < 1) throw new ShapeError("convGeneral", `needs [batch, lengths…, channels], got ${formatShape(x.shape)}`);
  checkRank("convGeneral", x, weights, rank);
  const {
    stride = 1,
    padding = 0,
    kernelDilation = 1,
    inputDilation = 1,
    groups = 1,
    flip: isFlipped = false,
  } = options;
  const [low, high] = bothEnds(padding);
  return convolution("convGeneral", x, weights, {
    strides: perAxis("convGeneral", "stride", stride, rank),
    low: perAxis("convGeneral", "padding", low, rank, Number.NEGATIVE_INFINITY),
    high: perAxis("convGeneral", "padding", high, rank, Number.NEGATIVE_INFINITY),
    kernelDilations: perAxis("convGeneral", "kernelDilation", kernelDilation, rank),
    inputDilations: perAxis("convGeneral", "inputDilation", inputDilation, rank),
    groups,
    flip: isFlipped,
  });
}

type Widths = number | readonly number[];

function bothEnds(padding: Widths | readonly [readonly number[], readonly number[]]): readonly [Widths, Widths] {
  if (typeof padding === "number" || isPlainList(padding)) return [padding, padding];
  return padding;
}

function isPlainList(
  list: readonly number[] | readonly [readonly number[], readonly number[]],
): list is readonly number[] {
  return typeof list[0] === "number";
}

/** The options of a transposed convolution. */
export interface TransposedConvolutionOptions extends ConvolutionOptions {
  /** Positions added at the end of each axis of the result; 0 unless given. */
  readonly outputPadding?: number | readonly number[];
}

function transposed(
  operation: string,
  x: MLXArray,
  weights: MLXArray,
  rank: number,
  options: TransposedConvolutionOptions,
): MLXArray {
  checkRank(operation, x, weights, rank);
  const { stride = 1, padding = 0, dilation = 1, outputPadding = 0, groups = 1 } = options;
  const paddings = perAxis(operation, "padding", padding, rank, 0);
  const extra = perAxis(operation, "outputPadding", outputPadding, rank, 0);
  const dilations = perAxis(operation, "dilation", dilation, rank);
  const low = paddings.map((width, k) => (dilations[k] ?? 1) * ((weights.shape[k + 1] ?? 1) - 1) - width);
  return convolution(operation, x, weights, {
    strides: new Array<number>(rank).fill(1),
    low,
    high: low.map((width, k) => width + (extra[k] ?? 0)),
    kernelDilations: dilations,
    inputDilations: perAxis(operation, "stride", stride, rank),
    groups,
    flip: true,
  });
}

/**
 * The transposed convolution of each sequence: every element adds the weights, scaled by it, to the result.
 *
 * @param x [batch, length, channels]
 * @param weights [outputs, size, channels / groups]
 * @returns [batch, `(length - 1) · stride - 2 · padding + dilation · (size - 1) + outputPadding + 1`, outputs]
 * @throws {ShapeError} if shapes do not fit
 * @example
 * const x = reshape(array([1, 2]), [1, 2, 1]);
 * await convTransposed1d(x, reshape(array([1, 3]), [1, 2, 1])).tolist(); // [[[1], [5], [6]]]
 */
export function convTransposed1d(x: MLXArray, weights: MLXArray, options: TransposedConvolutionOptions = {}): MLXArray {
  return transposed("convTransposed1d", x, weights, 1, options);
}

/** The transposed convolution of each image: [batch, height, width, channels] with [outputs, sizeY, sizeX, channels / groups]. @throws {ShapeError} if shapes do not fit. */
export function convTransposed2d(x: MLXArray, weights: MLXArray, options: TransposedConvolutionOptions = {}): MLXArray {
  return transposed("convTransposed2d", x, weights, 2, options);
}

/** The transposed convolution over three spatial axes. @throws {ShapeError} if shapes do not fit. */
export function convTransposed3d(x: MLXArray, weights: MLXArray, options: TransposedConvolutionOptions = {}): MLXArray {
  return transposed("convTransposed3d", x, weights, 3, options);
}

/**
 * The discrete convolution of two vectors.
 *
 * @param mode which part of the whole result of length n + m - 1: all of it, the middle of the longer one's length, or where they overlap fully
 * @throws {ShapeError} if either is no vector or empty
 * @example
 * await convolve(array([1, 2, 3]), array([0, 1, 0.5])).tolist(); // [0, 1, 2.5, 4, 1.5]
 */
export function convolve(
  a: MLXArray,
  b: MLXArray,
  { mode = "full" }: { readonly mode?: "full" | "same" | "valid" } = {},
): MLXArray {
  if (a.ndim !== 1 || b.ndim !== 1 || a.size === 0 || b.size === 0) {
    throw new ShapeError(
      "convolve",
      `needs two vectors with elements, got ${formatShape(a.shape)} and ${formatShape(b.shape)}`,
    );
  }
  const [longer, shorter] = a.size >= b.size ? [a, b] : [b, a];
  const overlap = shorter.size - 1;
  const low = mode === "full" ? overlap : mode === "same" ? Math.floor(shorter.size / 2) : 0;
  const high = mode === "full" ? overlap : mode === "same" ? overlap - low : 0;
  const x = reshape(longer, [1, longer.size, 1]);
  const result = convGeneral(x, reshape(shorter, [1, shorter.size, 1]), { padding: [[low], [high]], flip: true });
  return reshape(result, [result.size]);
}
