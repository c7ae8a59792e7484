/** Normalizations and rotary positions: composites, which a backend may compute in kernels of its own. */
import type { Dtype } from "../base/dtype.ts";
import { isHalf, promote, requireFloating } from "../base/dtype.ts";
import { ArgumentError, MLXError, ShapeError } from "../base/errors.ts";
import { formatShape } from "../base/shape.ts";
import type { Aval, MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { add, multiply, reciprocal, square, subtract } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { exp, rsqrt } from "./exponential.ts";
import { alignBatch, batchToFront, only } from "./families.ts";
import { iota } from "./generate.ts";
import { concatenate, stack } from "./joining.ts";
import { asArray } from "./operands.ts";
import { sliceAxis } from "./slicing.ts";
import { mean } from "./statistics.ts";
import { cos, sin } from "./trigonometry.ts";
import { reshape } from "./views.ts";

interface NormParams {
  readonly eps: number;
  readonly hasWeight: boolean;
  readonly hasBias: boolean;
}

/** A row that normalizes along the last axis, then scales and shifts with vectors. */
function normalization(name: string, normalize: (x: MLXArray, eps: number) => MLXArray): Primitive<NormParams> {
  const define = ([x, ...factors]: readonly MLXArray[], { eps, hasWeight, hasBias }: NormParams): MLXArray => {
    const input = only(name, x);
    const dtype = resultDtype([input, ...factors]);
    const computed: Dtype = isHalf(dtype) ? "float32" : dtype;
    let result = normalize(castTo(input, computed), eps);
    if (hasWeight) result = multiply(result, castTo(only(name, factors[0]), computed));
    if (hasBias) result = add(result, castTo(only(name, factors[hasWeight ? 1 : 0]), computed));
    return castTo(result, dtype);
  };
  const row: Primitive<NormParams> = {
    name,
    aval(inputs) {
      const { shape } = only(name, inputs[0]);
      return { shape, dtype: resultDtype(inputs) };
    },
    lowering: { kind: "composite", define },
    derivative: { kind: "definition" },
    batch(inputs, axes, params) {
      const [x, ...factors] = inputs;
      if (axes.slice(1).every((axis) => axis === null)) {
        return [apply(row, [batchToFront(only(name, x), axes[0] ?? 0), ...factors], params), 0];
      }
      const [first, ...rest] = alignBatch(inputs, axes);
      const input = only(name, first);
      const spread = rest.map((factor) => {
        const [batch = 1, features = 1] = factor.shape;
        return reshape(factor, [batch, ...new Array<number>(input.ndim - 2).fill(1), features]);
      });
      return [define([input, ...spread], params), 0];
    },
  };
  return row;
}

function resultDtype(inputs: readonly Aval[]): Dtype {
  return inputs.map(({ dtype }) => dtype).reduce(promote);
}

/** Root-mean-square normalization. */
export const rmsNormRow: Primitive<NormParams> = /* @__PURE__ */ normalization("rmsNorm", (x, eps) =>
  multiply(x, rsqrt(add(mean(square(x), -1, { keepAxes: true }), eps))),
);

/** Normalization to mean 0 and variance 1. */
export const layerNormRow: Primitive<NormParams> = /* @__PURE__ */ normalization("layerNorm", (x, eps) => {
  const centered = subtract(x, mean(x, -1, { keepAxes: true }));
  return multiply(centered, rsqrt(add(mean(square(centered), -1, { keepAxes: true }), eps)));
});

/**
 * Root-mean-square normalization over the last axis: `x / sqrt(mean(x²) + eps) · weight`.
 *
 * Accumulates in float32 where the dtype has 16 bits. Source: Zhang & Sennrich 2019, eq. 4.
 *
 * @param x [..., features]
 * @param weight [features], or null for none
 * @param eps 1e-5 unless given
 * @returns [..., features] of the promoted dtype
 * @throws {ShapeError} if `weight` is not [features]
 * @throws {DtypeError} if `x` is not floating-point
 * @example
 * await fast.rmsNorm(array([3, 4]), ones([2])).tolist(); // ≈ [0.84852803, 1.1313708]
 */
export function rmsNorm(x: MLXArray, weight?: MLXArray | null, eps = 1e-5): MLXArray {
  return normalized(rmsNormRow, x, weight ?? null, null, eps);
}

/**
 * Normalization over the last axis to mean 0 and variance 1: `(x - mean(x)) / sqrt(var(x) + eps) · weight + bias`.
 *
 * Accumulates in float32 where the dtype has 16 bits. Source: Ba et al. 2016.
 *
 * @param x [..., features]
 * @param weight [features], or null for none
 * @param bias [features], or null for none
 * @param eps 1e-5 unless given
 * @returns [..., features] of the promoted dtype
 * @throws {ShapeError} if `weight` or `bias` is not [features]
 * @throws {DtypeError} if `x` is not floating-point
 * @example
 * await fast.layerNorm(array([1, 3])).tolist(); // ≈ [-0.999995, 0.999995]
 */
export function layerNorm(x: MLXArray, weight?: MLXArray | null, bias?: MLXArray | null, eps = 1e-5): MLXArray {
  return normalized(layerNormRow, x, weight ?? null, bias ?? null, eps);
}

function normalized(
  row: Primitive<NormParams>,
  x: MLXArray,
  weight: MLXArray | null,
  bias: MLXArray | null,
  eps: number,
): MLXArray {
  requireFloating(row.name, x.dtype);
  if (x.ndim === 0) throw new ShapeError(row.name, "a scalar has no axis to normalize over");
  for (const factor of [weight, bias]) {
    if (factor && (factor.ndim !== 1 || factor.size !== x.shape.at(-1))) {
      throw new ShapeError(
        row.name,
        `weight and bias must be [${x.shape.at(-1)}] for an input of shape ${formatShape(x.shape)}, got ${formatShape(factor.shape)}`,
      );
    }
  }
  const factors = [weight, bias].filter((factor) => factor !== null);
  return apply(row, [x, ...factors], { eps, hasWeight: weight !== null, hasBias: bias !== null });
}

/** The options of `rope`. */
export interface RopeOptions {
  /** Whether neighbouring features are rotated together, and not those half the features apart. */
  readonly traditional?: boolean;
  /** The base of the angular frequencies, 10000 unless given; null if `freqs` gives the periods instead. */
  readonly base?: number | null;
  /** A factor of the positions; 1 unless given. */
  readonly scale?: number;
  /** The position of the first row: a number, a scalar array, or one per first axis; 0 unless given. */
  readonly offset?: number | MLXArray;
  /** One period per rotated pair, [dims / 2], instead of `base`. */
  readonly freqs?: MLXArray | null;
}

interface RopeParams {
  readonly dims: number;
  readonly isTraditional: boolean;
  /** Null: the periods are the last input. */
  readonly base: number | null;
  readonly scale: number;
}

/** Rotary positions: input, offset, and perhaps periods. */
export const ropeRow: Primitive<RopeParams> = /* @__PURE__ */ {
  name: "rope",
  aval: ([x]) => only("rope", x),
  lowering: { kind: "composite", define: rotate },
  derivative: { kind: "definition" },
  batch([x, offset, ...periods], [axis = null, offsetAxis = null, periodsAxis = null], params) {
    if (periodsAxis !== null) throw new MLXError("rope", "its periods cannot be batched; call it once for each");
    const [input, start] = [only("rope", x), only("rope", offset)];
    const isShared = offsetAxis === null && start.ndim === 0;
    if (isShared) return [apply(ropeRow, [batchToFront(input, axis ?? 0), start, ...periods], params), 0];
    // Examples join the first axis, and each of its places gets its own offset.
    const [a, b] = alignBatch([input, start], [axis, offsetAxis]);
    const [batched, starts] = [only("rope", a), only("rope", b)];
    const [examples = 1, first = 1, ...rest] = batched.shape;
    const isAxisPlain = batched.ndim === 3;
    const joined = isAxisPlain ? batched : reshape(batched, [examples * first, ...rest]);
    const each = isAxisPlain
      ? starts
      : reshape(starts.ndim === 1 ? spreadColumns(starts, first) : starts, [examples * first]);
    return [reshape(apply(ropeRow, [joined, each, ...periods], params), batched.shape), 0];
  },
};

/** [n] → [n, count], each element repeated. */
function spreadColumns(x: MLXArray, count: number): MLXArray {
  return add(reshape(x, [x.size, 1]), castTo(multiply(iota([1, count], 1, "int32"), 0), x.dtype));
}

/**
 * Rotary position encoding: turns pairs of the first `dims` features by the row's position times the pair's frequency,
 * `base^(-2k / dims)`. Angles are computed in float32. Source: Su et al. 2021.
 *
 * @param x [..., rows, features]
 * @param dims how many features to turn; even
 * @returns shape and dtype of `x`
 * @throws {ShapeError} if `x` has fewer than two axes or fewer than `dims` features
 * @throws {ArgumentError} if `dims` is odd, or not exactly one of `base` and `freqs` is given
 * @example
 * await fast.rope(array([[1, 0]]), 2, { offset: 1 }).tolist(); // ≈ [[0.5403023, 0.84147096]]
 */
export function rope(x: MLXArray, dims: number, options: RopeOptions = {}): MLXArray {
  const { traditional = false, scale = 1, offset = 0, freqs = null } = options;
  const base = options.base === undefined ? (freqs ? null : 10000) : options.base;
  requireFloating("rope", x.dtype);
  if (x.ndim < 2 || dims > (x.shape.at(-1) ?? 0)) {
    throw new ShapeError("rope", `needs [..., rows, at least ${dims} features], got ${formatShape(x.shape)}`);
  }
  if (dims <= 0 || dims % 2 !== 0) throw new ArgumentError("rope", `dims is even and positive, got ${dims}`);
  if ((base === null) === (freqs === null)) throw new ArgumentError("rope", "needs either a base or freqs");
  const start = asArray("rope", offset);
  if (start.ndim > 1 || (start.ndim === 1 && (x.ndim < 3 || start.size !== x.shape[0]))) {
    throw new ShapeError("rope", `offset is a scalar or one per first axis, got ${formatShape(start.shape)}`);
  }
  if (freqs && (freqs.ndim !== 1 || freqs.size !== dims / 2)) {
    throw new ShapeError("rope", `freqs must be [${dims / 2}], got ${formatShape(freqs.shape)}`);
  }
  const params = { dims, isTraditional: traditional, base, scale };
  return apply(ropeRow, freqs ? [x, start, freqs] : [x, start], params);
}

function rotate([x, offset, periods]: readonly MLXArray[], params: RopeParams): MLXArray {
  const [input, start] = [only("rope", x), only("rope", offset)];
  const { dims, isTraditional, base, scale } = params;
  const [half, rank, features] = [dims / 2, input.ndim, input.shape.at(-1) ?? 0];
  const rows = input.shape.at(-2) ?? 1;
  const computed: Dtype = isHalf(input.dtype) ? "float32" : input.dtype;
  const frequencies =
    base === null
      ? reciprocal(castTo(only("rope", periods), computed))
      : exp(multiply(iota([half], 0, computed), -Math.log(base) / half));
  // [rows, 1], or [batch, 1, …, rows, 1] for offsets of their own
  const own = start.ndim === 1 ? reshape(start, [start.size, ...new Array<number>(rank - 1).fill(1)]) : start;
  const position = multiply(add(iota([rows, 1], 0, computed), castTo(own, computed)), scale);
  const angle = multiply(position, frequencies);
  const [cosine, sine] = [cos(angle), sin(angle)];
  const wide = castTo(input, computed);
  const [a, b] = isTraditional
    ? [sliceAxis(wide, rank - 1, 0, half, 2), sliceAxis(wide, rank - 1, 1, half, 2)]
    : [sliceAxis(wide, rank - 1, 0, half), sliceAxis(wide, rank - 1, half, half)];
  const turnedA = subtract(multiply(a, cosine), multiply(b, sine));
  const turnedB = add(multiply(a, sine), multiply(b, cosine));
  const turned = isTraditional
    ? reshape(stack([turnedA, turnedB], rank), [...input.shape.slice(0, -1), dims])
    : concatenate([turnedA, turnedB], rank - 1);
  const whole =
    dims === features ? turned : concatenate([turned, sliceAxis(wide, rank - 1, dims, features - dims)], rank - 1);
  return castTo(whole, input.dtype);
}
