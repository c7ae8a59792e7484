/** Weights of few bits: packing them with a scale and a bias for each group, and products that read them packed. */
import { promote, requireFloating } from "../base/dtype.ts";
import { ArgumentError, DtypeError, ShapeError } from "../base/errors.ts";
import { broadcastShapes, formatShape, sameShape, sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { withOptions } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { requireArray, requireArrays } from "../graph/require-array.ts";
import { add, divide, multiply, negative, subtract } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { equal, greater, notEqual } from "./comparison.ts";
import { matmul } from "./contraction.ts";
import { max, min } from "./extrema.ts";
import { alignBatch, only } from "./families.ts";
import { take } from "./gather.ts";
import { iota } from "./generate.ts";
import { bitwiseAnd, bitwiseOr, leftShift, rightShift } from "./logical.ts";
import { abs, maximum } from "./magnitude.ts";
import { sum } from "./reductions.ts";
import { round } from "./rounding.ts";
import { clip, where } from "./selection.ts";
import { swapAxes } from "./shaping.ts";
import { reshape } from "./views.ts";

/** How weights are packed. */
export interface QuantizationOptions extends OperationOptions {
  /** Neighbouring weights that share a scale and a bias: 32, 64 or 128; 64 unless given. */
  readonly groupSize?: number | undefined;
  /** Bits of a weight: 2, 3, 4, 5, 6 or 8; 4 unless given. */
  readonly bits?: number | undefined;
}

/** The parameters of a product with packed weights. */
export interface QuantizedMatmulParams {
  readonly groupSize: number;
  readonly bits: number;
  /** Whether the weights are [outputs, inputs]. */
  readonly isTransposed: boolean;
}

interface Packing {
  readonly groupSize: number;
  readonly bits: number;
}

function packingOf(operation: string, { groupSize = 64, bits = 4 }: QuantizationOptions): Packing {
  if (![32, 64, 128].includes(groupSize)) {
    throw new ArgumentError(operation, `groupSize is 32, 64 or 128, got ${groupSize}`);
  }
  if (![2, 3, 4, 5, 6, 8].includes(bits)) throw new ArgumentError(operation, `bits is 2, 3, 4, 5, 6 or 8, got ${bits}`);
  return { groupSize, bits };
}

/**
 * Packs weights into a few bits each: `[packed, scales, biases]`, so that `dequantize` gives back about
 * `q · scale + bias`, where q is a whole number of so many bits. The edge of a group that is further from 0 is kept
 * exactly. Computed in float32. Source: MLX, mode "affine".
 *
 * @param w [..., features], at least two axes; the features are a multiple of the group's size
 * @returns uint32 [..., features · bits / 32], the lowest bits first, then scales and biases [..., features / groupSize] of
 *   the dtype of `w`
 * @throws {ArgumentError} if there is no such packing
 * @throws {ShapeError} if the features do not divide into groups
 * @throws {DtypeError} if `w` is not floating-point
 * @example
 * const [packed, scales, biases] = quantize(ones([2, 64]));
 * [packed.shape, scales.shape]; // [[2, 8], [2, 1]]
 * (await dequantize(packed, scales, biases).at(0, 0).item()); // 1
 */
export function quantize(w: MLXArray, options: QuantizationOptions = {}): [MLXArray, MLXArray, MLXArray] {
  return withOptions("quantize", options, ["groupSize", "bits", "device"], () => {
    const { groupSize, bits } = packingOf("quantize", options);
    requireArray("quantize", w);
    requireFloating("quantize", w.dtype);
    const features = w.shape.at(-1) ?? 0;
    if (w.ndim < 2 || features % groupSize !== 0) {
      throw new ShapeError("quantize", `needs [..., rows, a multiple of ${groupSize}], got ${formatShape(w.shape)}`);
    }
    const leading = w.shape.slice(0, -1);
    const grouped = reshape(castTo(w, "float32"), [...leading, features / groupSize, groupSize]);
    const [least, most] = [min(grouped, -1, { keepAxes: true }), max(grouped, -1, { keepAxes: true })];
    const levels = 2 ** bits - 1;
    const isLeastFurther = greater(abs(least), abs(most));
    const step = maximum(divide(subtract(most, least), levels), 1e-7);
    const signed = where(isLeastFurther, step, negative(step));
    const edge = where(isLeastFurther, least, most);
    const level = round(divide(edge, signed));
    const hasEdge = notEqual(level, 0);
    const scale = where(hasEdge, divide(edge, level), signed);
    const bias = where(hasEdge, edge, 0);
    const whole = castTo(clip(round(divide(subtract(grouped, bias), scale)), 0, levels), "uint32");
    const packed = pack(reshape(whole, [...leading, features]), bits);
    const perGroup = [...leading, features / groupSize];
    return [packed, castTo(reshape(scale, perGroup), w.dtype), castTo(reshape(bias, perGroup), w.dtype)];
  });
}

/**
 * The weights that `quantize` packed: `q · scale + bias`, of the dtype of `scales`.
 *
 * @param packed uint32 [..., features · bits / 32]
 * @param scales [..., features / groupSize]
 * @param biases as `scales`
 * @returns [..., features]
 * @throws {ShapeError} if the shapes do not fit
 * @throws {DtypeError} if `packed` is not uint32 or `scales` not floating-point
 * @example
 * const [packed, scales, biases] = quantize(array([new Array(64).fill(0.5)]), { bits: 8 });
 * await dequantize(packed, scales, biases, { bits: 8 }).max().item(); // 0.5
 */
export function dequantize(
  packed: MLXArray,
  scales: MLXArray,
  biases: MLXArray,
  options: QuantizationOptions = {},
): MLXArray {
  return withOptions("dequantize", options, ["groupSize", "bits", "device"], () => {
    const packing = packingOf("dequantize", options);
    checkPacked("dequantize", packed, scales, biases, packing);
    return unpacked(packed, scales, biases, packing);
  });
}

/**
 * The product of `x` and packed weights: `x @ dequantize(w, scales, biases)ᵀ`, without unpacking them in memory.
 *
 * @param x [..., rows, inputs], or [inputs]
 * @param w packed weights: uint32 [..., outputs, inputs · bits / 32], or [..., inputs, outputs · bits / 32] if `transpose` is false
 * @param scales one per group of weights, like `biases`
 * @returns [..., rows, outputs] of the promoted dtype of `x` and `scales`
 * @throws {ShapeError} if the shapes do not fit
 * @throws {DtypeError} if `w` is not uint32, or another operand not floating-point
 * @example
 * const weights = quantize(full([32, 64], 0.5));
 * await quantizedMatmul(ones([1, 64]), ...weights).at(0, 7).item(); // 32
 */
export function quantizedMatmul(
  x: MLXArray,
  w: MLXArray,
  scales: MLXArray,
  biases: MLXArray,
  options: QuantizationOptions & { readonly transpose?: boolean | undefined } = {},
): MLXArray {
  return withOptions("quantizedMatmul", options, ["groupSize", "bits", "transpose", "device"], () => {
    const name = "quantizedMatmul";
    const packing = packingOf(name, options);
    requireArray(name, x);
    requireFloating(name, x.dtype);
    checkPacked(name, w, scales, biases, packing);
    const isTransposed = options.transpose ?? true;
    const [rows = 0, columns = 0] = [w.shape.at(-2), (scales.shape.at(-1) ?? 0) * packing.groupSize];
    const inputs = isTransposed ? columns : rows;
    if (x.ndim === 0 || x.shape.at(-1) !== inputs) {
      throw new ShapeError(name, `the weights take ${inputs} inputs, x is ${formatShape(x.shape)}`);
    }
    const matrix = x.ndim === 1 ? reshape(x, [1, inputs]) : x;
    const result = apply(quantizedMatmulRow, [matrix, w, scales, biases], { ...packing, isTransposed });
    return x.ndim === 1 ? reshape(result, [...result.shape.slice(0, -2), result.shape.at(-1) ?? 0]) : result;
  });
}

function checkPacked(operation: string, w: MLXArray, scales: MLXArray, biases: MLXArray, packing: Packing): void {
  const { groupSize, bits } = packing;
  requireArrays(operation, [w, scales, biases]);
  if (w.dtype !== "uint32") throw new DtypeError(operation, `packed weights are uint32, got ${w.dtype}`);
  requireFloating(operation, scales.dtype);
  const features = ((w.shape.at(-1) ?? 0) * 32) / bits;
  const expected = [...w.shape.slice(0, -1), features / groupSize];
  if (w.ndim < 2 || ![scales, biases].every(({ shape }) => sameShape(shape, expected))) {
    throw new ShapeError(
      operation,
      `weights ${formatShape(w.shape)} of ${bits} bits in groups of ${groupSize} need scales and biases ${formatShape(expected)}, got ${formatShape(scales.shape)} and ${formatShape(biases.shape)}`,
    );
  }
}

/** A product with packed weights: x, weights, scales, biases. */
export const quantizedMatmulRow: Primitive<QuantizedMatmulParams> = {
  name: "quantizedMatmul",
  aval([x, w, scales], { groupSize, isTransposed }) {
    const [input, packed, grouped] = [only("x", x), only("weights", w), only("scales", scales)];
    const outputs = isTransposed ? packed.shape.at(-2) : (grouped.shape.at(-1) ?? 0) * groupSize;
    const batch = broadcastShapes("quantizedMatmul", input.shape.slice(0, -2), packed.shape.slice(0, -2));
    return { shape: [...batch, input.shape.at(-2) ?? 0, outputs ?? 0], dtype: promote(input.dtype, grouped.dtype) };
  },
  lowering: {
    kind: "composite",
    define([x, w, scales, biases], { groupSize, bits, isTransposed }) {
      const packing = { groupSize, bits };
      const matrix = unpacked(only("weights", w), only("scales", scales), only("biases", biases), packing);
      return matmul(only("x", x), isTransposed ? swapAxes(matrix, -1, -2) : matrix);
    },
    flops(inputs, params) {
      const { shape } = only("x", inputs[0]);
      return 2 * sizeOf(quantizedMatmulRow.aval(inputs, params).shape) * (shape.at(-1) ?? 0);
    },
  },
  derivative: { kind: "definition" },
  batch(inputs, axes, params) {
    const aligned = alignBatch(inputs, axes);
    const rank = Math.max(...aligned.map(({ ndim }) => ndim));
    // Missing batch axes come right after the examples.
    const spread = aligned.map((part) => {
      const [examples = 1, ...rest] = part.shape;
      return reshape(part, [examples, ...new Array<number>(rank - part.ndim).fill(1), ...rest]);
    });
    return [apply(quantizedMatmulRow, spread, params), 0];
  },
};

/** Weights without checks: `q · scale + bias`. */
function unpacked(packed: MLXArray, scales: MLXArray, biases: MLXArray, { groupSize, bits }: Packing): MLXArray {
  const grouped = [...scales.shape, groupSize];
  const perGroup = [...scales.shape, 1];
  const whole = castTo(reshape(unpack(packed, bits), grouped), scales.dtype);
  const shifted = add(multiply(whole, reshape(scales, perGroup)), reshape(biases, perGroup));
  return reshape(shifted, [...scales.shape.slice(0, -1), (scales.shape.at(-1) ?? 0) * groupSize]);
}

/** Where a run of elements begins again at the first bit of a word. */
function period(bits: number): { readonly elements: number; readonly words: number } {
  const elements = 32 % bits === 0 ? 32 / bits : 32;
  return { elements, words: (elements * bits) / 32 };
}

/** For each element of a period: the word of its lowest bit, and that bit's number. */
function places(bits: number, elements: number): { readonly word: MLXArray; readonly shift: MLXArray } {
  const bit = multiply(iota([elements], 0, "uint32"), bits);
  return { word: rightShift(bit, 5), shift: bitwiseAnd(bit, 31) };
}

/** [..., features] → [..., features · bits / 32]. */
function pack(whole: MLXArray, bits: number): MLXArray {
  const { elements, words } = period(bits);
  const leading = whole.shape.slice(0, -1);
  const count = (whole.shape.at(-1) ?? 0) / elements;
  const { word, shift } = places(bits, elements);
  const parts = reshape(whole, [...leading, count, 1, elements]);
  const low = leftShift(parts, shift);
  if (words === 1) return reshape(castTo(sum(low, -1), "uint32"), [...leading, count]);
  // What does not fit into the word of the lowest bit begins the next one.
  const isSplit = greater(add(shift, bits), 32);
  const high = where(isSplit, rightShift(parts, bitwiseAnd(subtract(32, shift), 31)), 0);
  const own = iota([words, 1], 0, "uint32");
  const both = add(where(equal(word, own), low, 0), where(equal(add(word, 1), own), high, 0));
  return reshape(castTo(sum(both, -1), "uint32"), [...leading, count * words]);
}

/** [..., words] → [..., words · 32 / bits]. */
function unpack(packed: MLXArray, bits: number): MLXArray {
  const { elements, words } = period(bits);
  const leading = packed.shape.slice(0, -1);
  const count = (packed.shape.at(-1) ?? 0) / words;
  const { word, shift } = places(bits, elements);
  const blocks = reshape(packed, [...leading, count, words]);
  if (words === 1) return bitwiseAnd(rightShift(blocks, shift), 2 ** bits - 1);
  const axis = blocks.ndim - 1;
  const low = rightShift(take(blocks, word, axis), shift);
  const next = take(blocks, where(equal(word, words - 1), word, add(word, 1)), axis);
  const isSplit = greater(add(shift, bits), 32);
  const high = where(isSplit, leftShift(next, bitwiseAnd(subtract(32, shift), 31)), 0);
  return bitwiseAnd(bitwiseOr(low, high), 2 ** bits - 1);
}
