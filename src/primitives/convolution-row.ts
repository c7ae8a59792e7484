/** The row of convolution, channels last: an implicit product of the input's windows with the weights, and its derivative. */
import { isHalf } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import { sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { add, multiply } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { matmul } from "./contraction.ts";
import { pair } from "./elementwise.ts";
import { alignBatch, batchToFront } from "./families.ts";
import { stack } from "./joining.ts";
import { constant } from "./leaf.ts";
import { sum } from "./reductions.ts";
import { flip, padded, sliceAxis, spaced } from "./slicing.ts";
import { broadcastTo, moveAxis, reshape, transpose } from "./views.ts";
import { windowsOf } from "./windowing.ts";

/** How a convolution runs; everything has one entry per spatial axis, but `groups`. */
export interface ConvolutionParams {
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
export const convolutionRow: Primitive<ConvolutionParams> = {
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
export function paddedLength(shape: Shape, { low, high, inputDilations }: ConvolutionParams, k: number): number {
  return ((shape[k + 1] ?? 1) - 1) * (inputDilations[k] ?? 1) + 1 + (low[k] ?? 0) + (high[k] ?? 0);
}

/** The windows of the input: [batch, counts…, sizes…, channels]. */
function windowsIn(x: MLXArray, sizes: readonly number[], params: ConvolutionParams): MLXArray {
  const wide = padded(spaced(x, [1, ...params.inputDilations, 1]), [0, ...params.low, 0], [0, ...params.high, 0]);
  return windowsOf("convolution", wide, sizes, params.strides, params.kernelDilations);
}

/** The windows of the input as [groups, batch · counts…, sizes… · channels / groups]. */
function windowMatrix(x: MLXArray, sizes: readonly number[], params: ConvolutionParams): MLXArray {
  const { groups } = params;
  const windows = windowsIn(x, sizes, params);
  const channels = x.shape.at(-1) ?? 1;
  const rows = sizeOf(windows.shape.slice(0, -1 - sizes.length));
  if (groups === 1) return reshape(windows, [1, rows, sizeOf(sizes) * channels]);
  const apart = reshape(windows, [rows, sizeOf(sizes), groups, channels / groups]);
  return reshape(transpose(apart, [2, 0, 1, 3]), [groups, rows, (sizeOf(sizes) * channels) / groups]);
}

/** Whether each channel is a group of its own: products of one column, which are sums of scaled windows instead. */
function isDepthwise(weightShape: Shape, { groups }: ConvolutionParams): boolean {
  return groups > 1 && weightShape.at(-1) === 1;
}

/** The windows of a depthwise convolution as [batch, counts…, sizes…, channels, 1], halves as float32. */
function channelWindows(x: MLXArray, sizes: readonly number[], params: ConvolutionParams): MLXArray {
  const windows = asSummed(windowsIn(x, sizes, params));
  return reshape(windows, [...windows.shape, 1]);
}

/** Halves are summed in float32. */
function asSummed(x: MLXArray): MLXArray {
  return isHalf(x.dtype) ? castTo(x, "float32") : x;
}

function defineConvolution(x: MLXArray, weights: MLXArray, params: ConvolutionParams): MLXArray {
  const { groups } = params;
  const spacedAxis = params.inputDilations.findIndex((dilation, k) => dilation > 1 && params.strides[k] === 1);
  if (spacedAxis >= 0) return interleaved(x, weights, params, spacedAxis);
  const sizes = weights.shape.slice(1, -1);
  const outputs = weights.shape[0] ?? 1;
  const { shape } = convolutionRow.aval([x, weights], params);
  if (isDepthwise(weights.shape, params)) {
    const factors = reshape(asSummed(turned(weights, params)), [groups, outputs / groups, ...sizes]);
    const last = moveAxis(moveAxis(factors, 0, -1), 0, -1); // [sizes…, groups, outputs / groups]
    const axes = sizes.map((_, k) => k + 1 + sizes.length);
    return castTo(reshape(sum(multiply(channelWindows(x, sizes, params), last), axes), shape), x.dtype);
  }
  const right = transpose(
    reshape(turned(weights, params), [groups, outputs / groups, sizeOf(weights.shape.slice(1))]),
    [0, 2, 1],
  );
  const left = windowMatrix(x, sizes, params);
  if (groups === 1)
    return reshape(matmul(reshape(left, left.shape.slice(1)), reshape(right, right.shape.slice(1))), shape);
  return reshape(transpose(matmul(left, right), [1, 0, 2]), shape); // [batch · counts…, groups, outputs / groups]
}

/**
 * A convolution of an input whose elements lie `dilation` apart along spatial axis `k`. Places of the output that are equal
 * modulo that dilation meet the same part of the weights: each remainder is a convolution of the plain input with its part,
 * and no product with the zeros between is formed.
 */
function interleaved(x: MLXArray, weights: MLXArray, params: ConvolutionParams, k: number): MLXArray {
  const axis = k + 1;
  const { shape } = convolutionRow.aval([x, weights], params);
  const length = shape[axis] ?? 1;
  const taps = turned(weights, params);
  const [step = 1, spread = 1, low = 0] = [params.inputDilations[k], params.kernelDilations[k], params.low[k]];
  const count = Math.ceil(length / step);
  const put = (list: readonly number[], value: number): number[] => list.map((old, i) => (i === k ? value : old));
  const parts = Array.from({ length: step }, (_, remainder) => {
    const all = Array.from({ length: taps.shape[axis] ?? 1 }, (_, tap) => tap);
    const met = all.filter((tap) => (remainder + tap * spread - low) % step === 0);
    const [first, second = first] = met;
    if (first === undefined || second === undefined)
      return broadcastTo(constant(0, x.dtype), shape.toSpliced(axis, 1, count));
    const distance = Math.max(second - first, 1);
    const dilation = met.length > 1 ? (distance * spread) / step : 1;
    const begin = (remainder + first * spread - low) / step;
    return apply(convolutionRow, [x, sliceAxis(taps, axis, first, met.length, distance)], {
      ...params,
      low: put(params.low, -begin),
      high: put(params.high, count + (met.length - 1) * dilation + begin - (x.shape[axis] ?? 1)),
      kernelDilations: put(params.kernelDilations, dilation),
      inputDilations: put(params.inputDilations, 1),
      flip: false,
    });
  });
  const together = reshape(stack(parts, axis + 1), shape.toSpliced(axis, 1, count * step));
  return sliceAxis(together, axis, 0, length);
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
  const turnedBack = adjoint(cotangent.shape, shape, weights.shape, params);
  return apply(convolutionRow, [cotangent, exchanged(weights, params.groups)], turnedBack);
}

/** The convolution that leads from outputs back to inputs of `shape`. */
function adjoint(output: Shape, shape: Shape, weightShape: Shape, params: ConvolutionParams): ConvolutionParams {
  const { groups, strides, kernelDilations, inputDilations } = params;
  const low = strides.map((_, k) => ((weightShape[k + 1] ?? 1) - 1) * (kernelDilations[k] ?? 1) - (params.low[k] ?? 0));
  const high = strides.map((stride, k) => {
    const dilated = ((shape[k + 1] ?? 1) - 1) * (inputDilations[k] ?? 1) + 1;
    return dilated - (((output[k + 1] ?? 1) - 1) * stride + 1) + (params.low[k] ?? 0);
  });
  return { strides: inputDilations, low, high, kernelDilations, inputDilations: strides, groups, flip: !params.flip };
}

/** Weights [outputs, sizes…, inner] with outputs and inner channels exchanged in each group. */
function exchanged(weights: MLXArray, groups: number): MLXArray {
  const [outputs = 1, ...rest] = weights.shape;
  const grouped = reshape(weights, [groups, outputs / groups, ...rest]);
  return reshape(swapped(grouped, 1, grouped.ndim - 1), exchangedShape(weights.shape, groups));
}

function exchangedShape([outputs = 1, ...rest]: Shape, groups: number): Shape {
  return [groups * (rest.at(-1) ?? 1), ...rest.slice(0, -1), outputs / groups];
}

/** The parameters of a convolution with the shape of its weights. */
export interface ConvolutionWeightsParams extends ConvolutionParams {
  readonly shape: Shape;
}

/** The cotangent of a convolution's output and its input → the cotangent of its weights. */
export const convolutionWeightsRow: Primitive<ConvolutionWeightsParams> = {
  name: "convolutionWeights",
  aval: (inputs, { shape }) => ({ shape, dtype: pair("convolutionWeights", inputs)[0].dtype }),
  lowering: {
    kind: "composite",
    define: (inputs, params) => defineWeightCotangent(...pair("convolutionWeights", inputs), params),
  },
  derivative: { kind: "definition" },
  batch(inputs, axes, params) {
    const [cotangent, x] = pair("convolutionWeights", alignBatch(inputs, axes));
    const [many = 1] = cotangent.shape;
    const [outputs = 1, ...rest] = params.shape;
    // The many become groups.
    const joined = [cotangent, x].map((array) => {
      const channels = moveAxis(array, 0, -2);
      return reshape(channels, [...channels.shape.slice(0, -2), many * (channels.shape.at(-1) ?? 1)]);
    });
    const shape = [many * outputs, ...rest];
    const result = apply(convolutionWeightsRow, joined, { ...params, groups: many * params.groups, shape });
    return [reshape(result, [many, ...params.shape]), 0];
  },
};

function weightCotangent(cotangent: MLXArray, x: MLXArray, shape: Shape, params: ConvolutionParams): MLXArray {
  return apply(convolutionWeightsRow, [cotangent, x], { ...params, shape });
}

/** The product of the cotangent with the windows, over all places of the output. */
function defineWeightCotangent(cotangent: MLXArray, x: MLXArray, params: ConvolutionWeightsParams): MLXArray {
  const { groups, strides, inputDilations, shape } = params;
  const [outputs = 1] = shape;
  if (inputDilations.some((dilation) => dilation > 1) && strides.every((stride) => stride === 1)) {
    // Windows of the input would be mostly zeros: those of the cotangent meet each place of the input once.
    const turnedBack = adjoint(cotangent.shape, x.shape, shape, params);
    return exchanged(weightCotangent(x, cotangent, exchangedShape(shape, groups), turnedBack), groups);
  }
  if (isDepthwise(shape, params)) {
    const sizes = shape.slice(1, -1);
    const outer = cotangent.shape.slice(0, -1);
    const factors = reshape(asSummed(cotangent), [...outer, ...sizes.map(() => 1), groups, outputs / groups]);
    const axes = outer.map((_, k) => k);
    const sums = sum(multiply(channelWindows(x, sizes, params), factors), axes); // [sizes…, groups, outputs / groups]
    return turned(castTo(reshape(moveAxis(moveAxis(sums, -1, 0), -1, 0), shape), x.dtype), params);
  }
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
