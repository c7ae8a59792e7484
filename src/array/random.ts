/** Random numbers from explicit keys or from a global state: MLX's generator, bit for bit. */
import type { Dtype } from "../base/dtype.ts";
import { isFloating } from "../base/dtype.ts";
import { ArgumentError, DtypeError, ShapeError } from "../base/errors.ts";
import { requireValues, share } from "../base/rules.ts";
import type { Shape } from "../base/shape.ts";
import { broadcastShapes, checkShape, formatShape, normalizeAxis } from "../base/shape.ts";
import { treeChildren } from "../base/tree.ts";
import type { ArrayTimes } from "../graph/array-lists.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { OperationOptions } from "../graph/placement.ts";
import { placed, withOptions } from "../graph/placement.ts";
import { noArray, requireArray, requireArrays } from "../graph/require-array.ts";
import { add, divide, multiply, negative, subtract } from "../primitives/arithmetic.ts";
import { castTo } from "../primitives/cast.ts";
import { equal, isInf, less } from "../primitives/comparison.ts";
import { matmul } from "../primitives/contraction.ts";
import { erf, erfinv, exp, log, log1p } from "../primitives/exponential.ts";
import { argMax, max } from "../primitives/extrema.ts";
import { take } from "../primitives/gather.ts";
import { stack } from "../primitives/joining.ts";
import { constant } from "../primitives/leaf.ts";
import { abs, maximum, minimum, sign } from "../primitives/magnitude.ts";
import type { ArrayLike } from "../primitives/operands.ts";
import { asArray } from "../primitives/operands.ts";
import { randomBits, threefryWords } from "../primitives/random-bits.ts";
import { floor } from "../primitives/rounding.ts";
import { cumsum } from "../primitives/scanning.ts";
import { where } from "../primitives/selection.ts";
import { expandDims } from "../primitives/shaping.ts";
import { sliceAxis } from "../primitives/slicing.ts";
import { argSort, searchSorted } from "../primitives/sorting.ts";
import { broadcastTo, reshape } from "../primitives/views.ts";
import { covarianceRoot } from "./covariance.ts";
import { keepEvaluated } from "./device.ts";
import { fromTypedArray } from "./from-data.ts";
import { floating, requireBounds, requireBroadcast, requireNumbers, requireSpread } from "./random-parameters.ts";
import { belowOne, halfBelowOne, moved, step, stepOf } from "./random-rounding.ts";

/** The largest float32 below 2³². */
const belowAllBits = 2 ** 32 - 2 ** 8;

/** What every sampling function takes. */
export interface RandomOptions extends OperationOptions {
  /** A key of `key` or `split`; the global state is used, and moves on, unless given. */
  readonly key?: MLXArray | undefined;
}

/** The same with a dtype, float32 unless given. */
export interface SampleOptions extends RandomOptions {
  /** Float32 unless given; floating. */
  readonly dtype?: Dtype | undefined;
}

/**
 * The global random state: a tree of one array, so that `compile` can capture it and checkpoints save it.
 *
 * @example
 * random.seed(3);
 * const { key } = random.state;
 * const first = random.uniform([2]);
 * random.state.key = key;
 * await arrayEqual(random.uniform([2]), first).item(); // true
 */
export class RandomState {
  static {
    // Functions that take trees, as compile does, see the key. Declarations of single files cannot name a symbol.
    Object.defineProperty(RandomState.prototype, treeChildren, {
      value(this: RandomState): Record<string, unknown> {
        const state = this;
        return {
          get key(): unknown {
            return state.key;
          },
          set key(value: unknown) {
            if (value instanceof MLXArray) state.key = value;
          },
        };
      },
    });
  }

  #words: readonly [number, number] | null;
  #array: MLXArray | null = null;

  constructor(seed: number | bigint) {
    this.#words = seedWords(seed);
  }

  /** Begins anew from `seed`. */
  seed(seed: number | bigint): void {
    this.#words = seedWords(seed);
    this.#array = null;
  }

  /** The key that the next samples come from; evaluated, so that a compiled call that captures it needs no other plan. */
  get key(): MLXArray {
    if (this.#words) return fromTypedArray(Uint32Array.from(this.#words));
    if (!this.#array) throw new ArgumentError("random", "the state was lost");
    return this.#array;
  }

  set key(key: MLXArray) {
    this.#words = null;
    this.#array = key;
  }

  /** The array that the state is waiting on, if any. */
  get pending(): readonly MLXArray[] {
    return this.#array ? [this.#array] : [];
  }

  /** A fresh key; the state moves on. */
  next(): MLXArray {
    if (this.#words) {
      const [a, b] = [threefryWords(this.#words, 0, 2), threefryWords(this.#words, 1, 3)];
      this.#words = [a[0], b[0]];
      return wordsToKey([a[1], b[1]]);
    }
    const pair = split(this.key);
    const [next, fresh] = pair;
    if (next) this.key = next;
    return fresh ?? this.key;
  }
}

/** The state that sampling without a key draws from. */
export const state: RandomState = new RandomState(BigInt(Date.now()));
keepEvaluated(() => state.pending);

/**
 * Sets the global state: the same seed gives the same numbers, those of MLX.
 *
 * @example
 * random.seed(864);
 * await random.normal([]).item(); // ≈ 1.3235496
 */
export function seed(value: number | bigint): void {
  state.seed(value);
}

/**
 * The key of a seed: uint32 [2].
 *
 * @example
 * await random.key(7).tolist(); // [0, 7]
 */
export function key(value: number | bigint, options?: OperationOptions): MLXArray {
  if (options) return placed("key", options, () => key(value));
  return wordsToKey(seedWords(value));
}

/**
 * `count` independent keys from one: a list of uint32 [2].
 *
 * @example
 * const [first, second] = random.split(random.key(7));
 * await arrayEqual(first, second).item(); // false
 */
export function split<N extends number = 2>(from: MLXArray, count?: N, options?: OperationOptions): ArrayTimes<N>;
export function split(from: MLXArray, count = 2, options?: OperationOptions): MLXArray[] {
  if (options) return placed("split", options, () => split(from, count));
  requireArray("split", from);
  checkShape("split", [count]);
  const keys = randomBits(from, [count, 2]);
  return Array.from({ length: count }, (_, k) => reshape(sliceAxis(keys, 0, k, 1), [2]));
}

/**
 * Random bits: uint32, or uint16 or uint8 if `width` is 2 or 1 bytes.
 *
 * @example
 * random.bits([2, 3]).dtype; // "uint32"
 */
export function bits(
  shape: Shape = [],
  options: RandomOptions & { readonly width?: 1 | 2 | 4 | undefined } = {},
): MLXArray {
  return withOptions("bits", options, ["key", "width", "device"], () => {
    checkShape("random", shape);
    const { width = 4 } = options;
    requireValues(
      "bits",
      { is: "1, 2 or 4 bytes", admits: (value) => [1, 2, 4].some((one) => one === value) },
      { width },
    );
    return randomBits(keyOf(options), shape, width);
  });
}

/**
 * Uniform samples in [low, high), float32 unless a floating `dtype` is given; `low` and `high` broadcast to `shape`.
 *
 * @throws {ArgumentError} for bounds that are not finite, or descend
 * @example
 * const x = random.uniform([1000], { low: 2, high: 3 });
 * await all(logicalAnd(greaterEqual(x, 2), less(x, 3))).item(); // true
 */
export function uniform(
  shape: Shape = [],
  options: SampleOptions & { readonly low?: ArrayLike | undefined; readonly high?: ArrayLike | undefined } = {},
): MLXArray {
  return withOptions("uniform", options, ["key", "dtype", "low", "high", "device"], () => {
    const dtype = floating("uniform", options.dtype);
    const { low: from = 0, high: to = 1 } = options;
    requireBounds("uniform", from, to);
    const [low, high] = [stepOf("uniform", from, dtype), stepOf("uniform", to, dtype)];
    requireBroadcast("uniform", shape, [low, high]);
    const words = castTo(bits(shape, keyed(options)), "float32");
    const unit = step(minimum(divide(words, 2 ** 32), halfBelowOne[dtype] ?? belowOne), dtype);
    return castTo(add(step(multiply(unit, step(subtract(high, low), dtype)), dtype), low), dtype);
  });
}

/**
 * Normal samples with mean `loc` and standard deviation `scale`.
 *
 * @throws {ArgumentError} for a negative `scale`
 * @example
 * random.normal([2, 3], { loc: 5, scale: 0.1 }).shape; // [2, 3]
 */
export function normal(
  shape: Shape = [],
  options: SampleOptions & { readonly loc?: ArrayLike | undefined; readonly scale?: ArrayLike | undefined } = {},
): MLXArray {
  return withOptions("normal", options, ["key", "dtype", "loc", "scale", "device"], () => {
    const dtype = floating("normal", options.dtype);
    checkShape("normal", shape);
    requireSpread("normal", options);
    const standard = step(erfinv(uniform(shape, signedUnit(options))), dtype);
    const root = stepOf("normal", Math.SQRT2, dtype);
    const { scale } = options;
    const factor = scale === undefined ? root : step(multiply(root, stepOf("normal", scale, dtype)), dtype);
    return castTo(moved("normal", multiply(standard, factor), options, dtype), dtype);
  });
}

/**
 * Integers from `low` to below `high`, which broadcast to `shape`; int32 unless `dtype` is given.
 *
 * @throws {ArgumentError} if `high` is not above `low`
 * @example
 * const dice = random.randint(1, 7, [1000]);
 * await max(dice).item(); // 6
 */
export function randint(low: ArrayLike, high: ArrayLike, shape?: Shape, options: SampleOptions = {}): MLXArray {
  return withOptions("randint", options, ["key", "dtype", "device"], () => {
    const dtype = options.dtype ?? "int32";
    if (isFloating(dtype)) throw new DtypeError("randint", `needs an integer dtype, got ${dtype}`);
    requireBounds("randint", low, high);
    if (low === high) throw new ArgumentError("randint", `there is no number from ${low} to below ${high}`);
    const [from, to] = [asArray("randint", low), asArray("randint", high)];
    // A literal is one less before it becomes an element, so that 256 is a bound of uint8.
    const last = castTo(asArray("randint", typeof high === "number" ? high - 1 : subtract(to, 1)), dtype);
    const target = shape ?? broadcastShapes("randint", from.shape, to.shape);
    const samples = uniform(target, {
      ...keyed(options),
      dtype: "float32",
      low: castTo(from, "float32"),
      high: castTo(to, "float32"),
    });
    return maximum(minimum(castTo(floor(samples), dtype), last), castTo(from, dtype));
  });
}

/**
 * True with probability `p`, which broadcasts to `shape`.
 *
 * @throws {ArgumentError} for one outside [0, 1]
 * @example
 * await random.bernoulli(1, [3]).tolist(); // [true, true, true]
 */
export function bernoulli(p: ArrayLike = 0.5, shape?: Shape, options: RandomOptions = {}): MLXArray {
  return withOptions("bernoulli", options, ["key", "device"], () => {
    requireNumbers("bernoulli", share, { p });
    const probability = castTo(asArray("bernoulli", p), "float32");
    const target = shape ?? probability.shape;
    requireBroadcast("bernoulli", target, [probability]);
    return less(castTo(bits(target, keyed(options)), "float32"), multiply(probability, belowAllBits));
  });
}

/**
 * Standard normal samples kept between `lower` and `upper`.
 *
 * @example
 * const x = random.truncatedNormal(-1, 1, [1000]);
 * await lessEqual(max(abs(x)), 1).item(); // true
 */
export function truncatedNormal(
  lower: ArrayLike,
  upper: ArrayLike,
  shape?: Shape,
  options: SampleOptions = {},
): MLXArray {
  return withOptions("truncatedNormal", options, ["key", "dtype", "device"], () => {
    const dtype = floating("truncatedNormal", options.dtype);
    const [low, high] = [stepOf("truncatedNormal", lower, dtype), stepOf("truncatedNormal", upper, dtype)];
    const root = stepOf("truncatedNormal", Math.SQRT2, dtype);
    const target = shape ?? broadcastShapes("truncatedNormal", low.shape, high.shape);
    const [from, to] = [low, high].map((bound) => step(erf(step(divide(bound, root), dtype)), dtype));
    const samples = uniform(target, { ...keyed(options), dtype, low: from ?? low, high: to ?? high });
    const scaled = multiply(step(erfinv(step(samples, dtype)), dtype), root);
    // In this order `lower` wins where it is above `upper`, as in MLX.
    return castTo(maximum(minimum(scaled, high), low), dtype);
  });
}

/**
 * Samples of the standard Gumbel distribution: `-log(-log(u))`.
 *
 * @example
 * random.gumbel([2, 3]).shape; // [2, 3]
 */
export function gumbel(shape: Shape = [], options: SampleOptions = {}): MLXArray {
  return withOptions("gumbel", options, ["key", "dtype", "device"], () => {
    const dtype = floating("gumbel", options.dtype);
    const inner = step(log(step(uniform(shape, options), dtype)), dtype);
    return castTo(negative(log(negative(inner))), dtype);
  });
}

/** Where categorical samples are drawn from. */
export interface CategoricalOptions extends RandomOptions {
  /** The axis of the categories, the last unless given. */
  readonly axis?: number | undefined;
  /** The shape of the result, which the shape of `logits` without `axis` must broadcast to. */
  readonly shape?: Shape | undefined;
  /** Samples per distribution: they become the last axis. Not together with `shape`. */
  readonly numSamples?: number | undefined;
}

/**
 * Samples category numbers (uint32) from unnormalized log-probabilities.
 *
 * As MLX does: by the Gumbel-max trick, or, where all samples are of one distribution and the result has axes, by where
 * one uniform number a sample falls among the running sums of the weights. MLX rounds each of those sums to float32, so
 * that of many categories it can draw a neighbour: one in 10,000 samples of 1,000 categories, a sixth of 100,000.
 *
 * @example
 * const logits = array([-Infinity, 0, -Infinity]);
 * await random.categorical(logits).item(); // 1
 */
export function categorical(given: ArrayLike, options: CategoricalOptions = {}): MLXArray {
  return withOptions("categorical", options, ["key", "axis", "shape", "numSamples", "device"], () => {
    const logits = asArray("categorical", given);
    const axis = normalizeAxis("categorical", options.axis ?? -1, logits.shape.length);
    const categories = logits.shape[axis] ?? 1;
    const rest = logits.shape.filter((_, k) => k !== axis);
    if (options.shape && options.numSamples !== undefined)
      throw new ArgumentError("categorical", "takes shape or numSamples, not both");
    const isOne = logits.size === categories;
    if (options.numSamples !== undefined) {
      if (isOne) return among(logits, [...rest, options.numSamples], options);
      const noise = gumbel([...logits.shape, options.numSamples], keyed(options));
      return argMax(add(noise, expandDims(logits, -1)), axis);
    }
    const target = options.shape ?? rest;
    requireBroadcast("categorical", target, [{ shape: rest }]);
    if (isOne && target.length > 0) return among(logits, target, options);
    const place = axis - logits.shape.length + target.length + 1;
    const noiseShape = [...target.slice(0, place), categories, ...target.slice(place)];
    return argMax(add(gumbel(noiseShape, keyed(options)), logits), place);
  });
}

/** Samples of one distribution: which categories' weights, laid end to end, uniform numbers fall on. */
function among(logits: MLXArray, shape: Shape, options: RandomOptions): MLXArray {
  const row = castTo(reshape(logits, [logits.size]), "float32");
  const greatest = max(row);
  // Of an infinite greatest, the categories that have it are drawn: differences to it would be NaN.
  const weights = where(isInf(greatest), castTo(equal(row, greatest), "float32"), exp(subtract(row, greatest)));
  const begins = cumsum(weights, 0, { inclusive: false });
  // The end of the last one, not their sum: that may round to more, and a category of weight 0 at the end would be drawn.
  const end = sliceAxis(add(begins, weights), 0, logits.size - 1, 1);
  return subtract(searchSorted(begins, multiply(uniform(shape, keyed(options)), end), { side: "right" }), 1);
}

/**
 * Laplace samples with mean `loc` and scale `scale`.
 *
 * @example
 * random.laplace([2, 3], { loc: 5 }).shape; // [2, 3]
 */
export function laplace(
  shape: Shape = [],
  options: SampleOptions & { readonly loc?: ArrayLike | undefined; readonly scale?: ArrayLike | undefined } = {},
): MLXArray {
  return withOptions("laplace", options, ["key", "dtype", "loc", "scale", "device"], () => {
    const dtype = floating("laplace", options.dtype);
    requireSpread("laplace", options);
    const samples = castTo(uniform(shape, signedUnit(options)), dtype === "float64" ? dtype : "float32");
    const standard = step(multiply(sign(samples), log1p(negative(abs(samples)))), dtype);
    const { scale } = options;
    const scaled = scale === undefined ? standard : multiply(standard, stepOf("laplace", scale, dtype));
    return castTo(moved("laplace", scaled, options, dtype), dtype);
  });
}

/**
 * `x` in random order along `axis`, or the numbers below `x` in random order.
 *
 * @example
 * await sort(random.permutation(4)).tolist(); // [0, 1, 2, 3]
 */
export function permutation(
  x: MLXArray | number,
  options: RandomOptions & { readonly axis?: number | undefined } = {},
): MLXArray {
  return withOptions("permutation", options, ["key", "axis", "device"], () => {
    if (typeof x === "number") return argSort(bits([x], keyed(options)));
    const array = asArray("permutation", x);
    const axis = normalizeAxis("permutation", options.axis ?? 0, array.ndim);
    return take(array, argSort(bits([array.shape[axis] ?? 0], keyed(options))), axis);
  });
}

/**
 * Samples of the normal distribution with the given mean and covariance.
 *
 * MLX's numbers: standard normal samples times the symmetric square root of the covariance, so that no sign or order of
 * eigenvectors shows. The root is exact to float32 on the CPU; MLX's, and ours on the GPU, is off by up to
 * 10⁻³ of the greatest standard deviation where an eigenvalue is 0 to float32, because a root magnifies what is near 0.
 *
 * @param mean [..., n]
 * @param covariance [..., n, n], symmetric and positive semidefinite
 * @param shape of the batch of samples, which the leading axes broadcast to
 * @returns [...shape, n]
 * @throws {ShapeError} if mean and covariance do not fit
 * @example
 * await random.multivariateNormal(zeros([2]), array([[2, 1], [1, 2]]), [], { key: random.key(0) }).tolist(); // ≈ [-0.7585, 0.8827]
 */
export function multivariateNormal(
  mean: MLXArray,
  covariance: MLXArray,
  shape: Shape = [],
  options: SampleOptions = {},
): MLXArray {
  return withOptions("multivariateNormal", options, ["key", "dtype", "device"], () => {
    requireArrays("multivariateNormal", [mean, covariance]);
    const n = mean.shape.at(-1);
    if (n === undefined || covariance.shape.at(-1) !== n || covariance.shape.at(-2) !== n) {
      throw new ShapeError(
        "multivariateNormal",
        `mean ${formatShape(mean.shape)} and covariance ${formatShape(covariance.shape)} do not fit: [n] and [n, n] are needed`,
      );
    }
    const batch = broadcastShapes("multivariateNormal", mean.shape.slice(0, -1), covariance.shape.slice(0, -2));
    const target = broadcastShapes("multivariateNormal", batch, shape);
    const standard = normal([...target, n], { ...options, dtype: "float32" });
    const spread = reshape(matmul(expandDims(standard, -2), covarianceRoot(covariance)), [...target, n]);
    return castTo(add(spread, broadcastTo(mean, [...target, n])), floating("multivariateNormal", options.dtype));
  });
}

/** The key alone, for the operations that another is made of. */
function keyed({ key: given }: RandomOptions): RandomOptions {
  return given === undefined ? {} : { key: given };
}

function keyOf({ key: given }: RandomOptions): MLXArray {
  if (given === undefined || given instanceof MLXArray) return given ?? state.next();
  if (typeof given !== "number") throw noArray("random", given, "an array as key");
  throw new ArgumentError("random", `a key is an array, as random.key(${given}) gives`);
}

/** What draws uniform samples in (-1, 1): of any dtype in float32, which is rounded after it went through a function. */
function signedUnit(options: SampleOptions): SampleOptions & { readonly low: number; readonly high: number } {
  return { ...keyed(options), dtype: "float32", low: -belowOne, high: 1 };
}

function seedWords(seed: number | bigint): readonly [number, number] {
  const whole = typeof seed === "bigint" || Number.isInteger(seed) ? BigInt(seed) : -1n;
  if (whole !== BigInt.asUintN(64, whole))
    throw new ArgumentError("seed", `a seed is a whole number from 0 to 2⁶⁴ − 1, got ${String(seed)}`);
  return [Number(whole >> 32n), Number(whole & 0xffffffffn)];
}

function wordsToKey([high, low]: readonly [number, number]): MLXArray {
  return stack([constant(high, "uint32"), constant(low, "uint32")]);
}
