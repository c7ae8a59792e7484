/** Convolutions as users call them, channels last. */
import { isFloating } from "../base/dtype.ts";
import { ArgumentError, DtypeError, ShapeError } from "../base/errors.ts";
import { formatShape } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { withOptions } from "../graph/placement.ts";
import { apply } from "../graph/primitive.ts";
import { requireArray, requireArrays } from "../graph/require-array.ts";
import type { ConvolutionParams } from "./convolution-row.ts";
import { convolutionRow, paddedLength } from "./convolution-row.ts";
import { pair } from "./elementwise.ts";
import { promoted } from "./operands.ts";
import { reshape } from "./views.ts";
import { perAxis } from "./windowing.ts";

/** The options of a convolution; each is a number for all spatial axes or one per axis. */
export interface ConvolutionOptions extends OperationOptions {
  /** How far the window moves; 1 unless given. */
  readonly stride?: number | readonly number[] | undefined;
  /** Zeros before and after each axis; 0 unless given. */
  readonly padding?: number | readonly number[] | undefined;
  /** Distance of neighbours within the window; 1 unless given. */
  readonly dilation?: number | readonly number[] | undefined;
  /** Into how many groups the channels are divided, each with its own outputs; 1 unless given. */
  readonly groups?: number | undefined;
}

/** The options of `convGeneral`. */
export interface GeneralConvolutionOptions extends OperationOptions {
  /** How far the window moves; 1 unless given. */
  readonly stride?: number | readonly number[] | undefined;
  /** Zeros per axis on both sides, or `[before, after]` with a list of each; negative ones cut off. 0 unless given. */
  readonly padding?: number | readonly number[] | readonly [readonly number[], readonly number[]] | undefined;
  /** Distance of neighbours within the window; 1 unless given. */
  readonly kernelDilation?: number | readonly number[] | undefined;
  /** Distance that neighbours of the input are moved apart to, with zeros between them; 1 unless given. */
  readonly inputDilation?: number | readonly number[] | undefined;
  /** Into how many groups the channels are divided, each with its own outputs; 1 unless given. */
  readonly groups?: number | undefined;
  /** Read the weights backwards: a convolution in the mathematical sense instead of a correlation; false unless given. */
  readonly flip?: boolean | undefined;
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
      `input ${formatShape(x.shape)} has ${channels} channels, which are its last axis, and weights ${formatShape(weights.shape)} ` +
        `in ${groups} groups take ${inner * groups}: weights are [outputs, sizes…, channels / groups], and the groups divide the outputs`,
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
  requireArrays(operation, [x, weights]);
  if (x.ndim === rank + 2 && weights.ndim === rank + 2) return;
  throw new ShapeError(
    operation,
    `needs an input [batch, ${rank} axes, channels] and weights [outputs, ${rank} axes, channels], ` +
      `got ${formatShape(x.shape)} and ${formatShape(weights.shape)}`,
  );
}

function plain(operation: string, x: MLXArray, weights: MLXArray, rank: number, options: ConvolutionOptions): MLXArray {
  return withOptions(operation, options, ["stride", "padding", "dilation", "groups", "device"], () => {
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

/**
 * The three-dimensional convolution: [batch, depth, height, width, channels] with [outputs, sizes…, channels / groups].
 *
 * @throws {ShapeError} if shapes do not fit.
 * @example
 * await conv3d(ones([1, 2, 2, 2, 1]), ones([1, 2, 2, 2, 1])).item(); // 8
 */
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
  return withOptions(
    "convGeneral",
    options,
    ["stride", "padding", "kernelDilation", "inputDilation", "groups", "flip", "device"],
    () => {
      requireArray("convGeneral", x);
      const rank = x.ndim - 2;
      if (rank < 1)
        throw new ShapeError("convGeneral", `needs [batch, lengths…, channels], got ${formatShape(x.shape)}`);
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
    },
  );
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
  readonly outputPadding?: number | readonly number[] | undefined;
}

function transposed(
  operation: string,
  x: MLXArray,
  weights: MLXArray,
  rank: number,
  options: TransposedConvolutionOptions,
): MLXArray {
  return withOptions(operation, options, ["stride", "padding", "dilation", "outputPadding", "groups", "device"], () => {
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

/**
 * The transposed convolution of each image: [batch, height, width, channels] with [outputs, sizeY, sizeX, channels / groups].
 *
 * @throws {ShapeError} if shapes do not fit.
 * @example
 * convTransposed2d(ones([1, 2, 2, 3]), ones([4, 3, 3, 3])).shape; // [1, 4, 4, 4]
 */
export function convTransposed2d(x: MLXArray, weights: MLXArray, options: TransposedConvolutionOptions = {}): MLXArray {
  return transposed("convTransposed2d", x, weights, 2, options);
}

/**
 * The transposed convolution over three spatial axes.
 *
 * @throws {ShapeError} if shapes do not fit.
 * @example
 * convTransposed3d(ones([1, 2, 2, 2, 3]), ones([4, 3, 3, 3, 3])).shape; // [1, 4, 4, 4, 4]
 */
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
  options: OperationOptions & { readonly mode?: "full" | "same" | "valid" | undefined } = {},
): MLXArray {
  return withOptions("convolve", options, ["mode", "device"], () => {
    const { mode = "full" } = options;
    requireArrays("convolve", [a, b]);
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
  });
}
