/** Graphs that a seed decides, built from public functions: bounded values, no jumps where rounding could tip the scale. */
import * as mx from "mlx-ts";
import { Random } from "../laws/bench.ts";

/** One graph: what it is computed from, and how. */
export interface RandomGraph {
  readonly seed: number;
  /** Elements and shapes of the leaves. */
  readonly leaves: readonly {
    readonly data: Float32Array | Int32Array | Uint8Array;
    readonly shape: readonly number[];
  }[];
  /** The results for arrays with the elements of the leaves. */
  build(leaves: readonly mx.MLXArray[]): mx.MLXArray[];
}

const lengths = [1, 1, 2, 3, 3, 5, 7, 13, 16, 31, 67];
const largeLengths = [1, 3, 127, 256, 509];
const sizeLimit = 200_000;

/** The graph of a seed; every seventh is large enough for several threads. */
export function randomGraph(seed: number): RandomGraph {
  const random = new Random(seed * 104729 + 17);
  const isLarge = seed % 7 === 3;
  const pool = isLarge ? largeLengths : lengths;
  const shapeOf = (rank: number): number[] => {
    const shape = Array.from({ length: rank }, () => pick(random, pool));
    if (seed % 11 === 5 && random.next() < 0.3) shape[0] = 0;
    while (size(shape) > (isLarge ? sizeLimit / 2 : 20_000)) shape.pop();
    return shape;
  };
  const leaves = Array.from({ length: 4 }, (_, k) => {
    const shape = shapeOf(isLarge ? 2 : pick(random, [0, 1, 2, 2, 3, 3, 4]));
    const draw = (low: number, high: number): number[] =>
      Array.from({ length: size(shape) }, () => random.between(low, high));
    if (k === 2) return { data: Int32Array.from(draw(-50, 50)), shape };
    if (k === 3) return { data: Uint8Array.from(draw(0, 255)), shape };
    return { data: Float32Array.from(draw(-1, 1)), shape };
  });
  const steps = random.whole(6, isLarge ? 14 : 24);
  const afterwards = random.whole(0, 1e9);
  return { seed, leaves, build: (arrays) => new Growth(new Random(afterwards), arrays).grow(steps) };
}

function size(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

function pick<T>(random: Random, list: readonly T[]): T {
  const item = list[random.whole(0, list.length - 1)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}

/** A graph while it grows. Floating-point values stay within about ±4, integers wrap. */
class Growth {
  readonly #random: Random;
  readonly #floats: mx.MLXArray[];
  readonly #integers: mx.MLXArray[];

  constructor(random: Random, leaves: readonly mx.MLXArray[]) {
    this.#random = random;
    this.#floats = leaves.filter(({ dtype }) => dtype === "float32");
    this.#integers = leaves.filter(({ dtype }) => dtype !== "float32");
  }

  grow(steps: number): mx.MLXArray[] {
    for (let k = 0; k < steps; k++) {
      if (this.#chance(0.25)) this.#keep(this.#integers, this.#integerStep(this.#recent(this.#integers)));
      else this.#keep(this.#floats, this.#floatStep(this.#recent(this.#floats)));
    }
    return [...this.#floats.slice(-3), ...this.#integers.slice(-1), mx.sum(this.#pick(this.#integers))];
  }

  #keep(list: mx.MLXArray[], result: mx.MLXArray): void {
    if (result.size <= sizeLimit && result.ndim <= 6) list.push(result);
  }

  #pick<T>(list: readonly T[]): T {
    return pick(this.#random, list);
  }

  /** One of the latest more often than not, so that graphs grow deep. */
  #recent(list: readonly mx.MLXArray[]): mx.MLXArray {
    return this.#pick(this.#chance(0.7) ? list.slice(-2) : list);
  }

  #chance(probability: number): boolean {
    return this.#random.next() < probability;
  }

  #axis(x: mx.MLXArray): number {
    return this.#random.whole(0, x.ndim - 1);
  }

  /** `x` made to broadcast to `shape`: its elements again and again, some axes of length 1. */
  #fit(x: mx.MLXArray, shape: readonly number[]): mx.MLXArray {
    const wanted = shape.slice(this.#chance(0.3) ? this.#random.whole(0, shape.length) : 0);
    const fitted = wanted.map((length) => (this.#chance(0.2) ? 1 : length));
    if (`${x.shape}` === `${fitted}`) return x;
    const count = size(fitted);
    const flat = x.reshape([x.size]);
    if (count === 0 || x.size === 0) return mx.zeros(fitted, x.dtype);
    if (x.size >= count && this.#chance(0.7)) {
      const start = this.#random.whole(0, x.size - count);
      return mx.get(flat, `${start}:${start + count}`).reshape(fitted);
    }
    if (this.#chance(0.3))
      return mx
        .tile(flat, Math.ceil(count / x.size))
        .at(`:${count}`)
        .get()
        .reshape(fitted);
    return mx.take(flat, mx.remainder(mx.arange(count, { dtype: "int32" }), x.size)).reshape(fitted);
  }

  #mask(shape: readonly number[]): mx.MLXArray {
    return mx.equal(mx.remainder(this.#fit(this.#pick(this.#integers), shape), 2), 0);
  }

  #floatStep(x: mx.MLXArray): mx.MLXArray {
    const other = (): mx.MLXArray => this.#fit(this.#pick(this.#floats), x.shape);
    switch (this.#random.whole(0, 9)) {
      case 0:
      case 1:
        return this.#pick([
          mx.sin,
          mx.tanh,
          mx.abs,
          mx.negative,
          mx.sigmoid,
          mx.erf,
          (y: mx.MLXArray) => y.mul(0.7).add(0.1),
          (y: mx.MLXArray) => mx.exp(mx.abs(y).negative()),
          (y: mx.MLXArray) => mx.sqrt(y.square().add(1)).sub(1),
          (y: mx.MLXArray) => mx.log1p(mx.abs(y)),
          (y: mx.MLXArray) => mx.rsqrt(y.square().add(1)),
          (y: mx.MLXArray) => y.asType("float64").mul(0.5).asType("float32"),
          (y: mx.MLXArray) => y.div(y.square().add(1)),
        ])(x);
      case 2:
      case 3:
        return this.#pick([
          (a: mx.MLXArray, b: mx.MLXArray) => a.add(b).mul(0.5),
          (a: mx.MLXArray, b: mx.MLXArray) => a.sub(b).mul(0.5),
          (a: mx.MLXArray, b: mx.MLXArray) => mx.tanh(a.mul(b)),
          mx.maximum,
          mx.minimum,
          (a: mx.MLXArray, b: mx.MLXArray) => mx.where(this.#mask(x.shape), a, b),
        ])(x, other());
      case 4: {
        const integer = mx.remainder(this.#fit(this.#pick(this.#integers), x.shape), 7);
        return x.mul(integer.asType("float32").mul(0.125));
      }
      case 5:
        return x.ndim === 0 || x.size === 0 ? mx.tanh(x) : this.#reduction(x);
      case 6:
        return x.ndim < 1 || x.size === 0 ? mx.abs(x) : this.#product(x);
      default:
        return this.#view(x);
    }
  }

  #integerStep(x: mx.MLXArray): mx.MLXArray {
    const other = (): mx.MLXArray => this.#fit(this.#pick(this.#integers), x.shape);
    switch (this.#random.whole(0, 5)) {
      case 0:
        return this.#pick([mx.add, mx.subtract, mx.multiply, mx.maximum, mx.minimum, mx.bitwiseXor, mx.bitwiseAnd])(
          x,
          other(),
        );
      case 1:
        return this.#pick([mx.floorDivide, mx.remainder])(x, this.#pick([3, 7, 13]));
      case 2:
        return mx.where(mx.less(x, other()), x, other());
      case 3:
        if (x.ndim === 0 || x.size === 0) return x.add(1);
        return this.#pick([mx.sum, mx.max, mx.min, mx.argMax, mx.prod])(x, this.#axis(x));
      case 4:
        return x.asType(this.#pick(["int32", "uint8", "int16", "int64", "uint32"] as const));
      default:
        return this.#view(x);
    }
  }

  #reduction(x: mx.MLXArray): mx.MLXArray {
    const axes = this.#pick([[this.#axis(x)], Array.from({ length: x.ndim }, (_, k) => k), [x.ndim - 1]]);
    const options = { keepAxes: this.#chance(0.5) };
    const [axis = 0] = axes;
    return this.#pick([
      () => mx.mean(x, axes, options),
      () => mx.max(x, axes, options),
      () => mx.min(x, axes, options),
      () => mx.variance(x, axes, options),
      () => mx.softmax(x, axes),
      () => mx.softmax(x, axis),
      () => mx.logSumExp(x, axes, options).mul(0.3),
      () => mx.cumsum(x, axis).mul(1 / Math.max(x.shape[axis] ?? 1, 1)),
      () => mx.fast.layerNorm(x, null, null, 0.1).mul(0.25),
      () => mx.fast.rmsNorm(x, null, 0.1).mul(0.25),
      () => mx.sort(x, axis),
    ])();
  }

  /** A product over the last axis of `x`, scaled down. */
  #product(x: mx.MLXArray): mx.MLXArray {
    if (x.ndim >= 3 && this.#chance(0.5)) return this.#attention(x);
    const inner = x.shape.at(-1) ?? 1;
    const columns = this.#pick([1, 3, 5, 17, 33]);
    const right = this.#fit(this.#pick(this.#floats), [inner, columns]);
    const full = mx.broadcastTo(right, [inner, columns]);
    const operand = this.#chance(0.5) ? full : mx.broadcastTo(right, [inner, columns]).transpose().transpose();
    const product = x.matmul(this.#chance(0.3) ? mx.tanh(operand) : operand).mul(1 / Math.max(inner, 1));
    return this.#chance(0.4) ? mx.maximum(product, 0) : product;
  }

  /** Attention of `x`, as one head or several, to itself or to something of another length. */
  #attention(x: mx.MLXArray): mx.MLXArray {
    const [heads = 1, rows = 1, features = 1] = x.shape.slice(-3);
    const queries = x.reshape([x.size / (heads * rows * features), heads, rows, features]);
    const keyRows = this.#chance(0.5) ? rows : this.#pick([1, 3, 9]);
    const side = (): mx.MLXArray => {
      const shape = [queries.shape[0] ?? 1, heads, keyRows, features];
      return mx.broadcastTo(this.#fit(this.#pick(this.#floats), shape), shape);
    };
    const first = mx.equal(mx.arange(keyRows), 0);
    const masks: readonly (mx.MLXArray | "causal" | null)[] = [
      null,
      rows <= keyRows ? "causal" : null,
      mx.logicalOr(this.#mask([rows, keyRows]), first),
    ];
    return mx.fast.scaledDotProductAttention(queries, side(), side(), { scale: 0.3, mask: this.#pick(masks) });
  }

  #view(x: mx.MLXArray): mx.MLXArray {
    if (x.ndim === 0) return mx.broadcastTo(x, [this.#random.whole(1, 4), 3]);
    const axis = this.#axis(x);
    const length = x.shape[axis] ?? 1;
    const along = (item: string): string => [...Array.from({ length: axis }, () => ":"), item].join(", ");
    switch (this.#random.whole(0, 9)) {
      case 0: {
        const order = x.shape.map((_, k) => k);
        for (let k = order.length - 1; k > 0; k--) {
          const j = this.#random.whole(0, k);
          [order[k], order[j]] = [order[j] ?? 0, order[k] ?? 0];
        }
        return mx.transpose(x, order);
      }
      case 1:
        return mx.reshape(x, this.#pick([[x.size], [1, x.size], [x.size, 1], [...x.shape, 1], [1, ...x.shape]]));
      case 2:
        return mx.broadcastTo(x, [this.#random.whole(1, 3), ...x.shape]);
      case 3:
        return mx.get(x, along(this.#pick(["::2", "1:", ":-1", "::-1", "-3:", "::-3", "1:-1:2"])));
      case 4:
        return mx.pad(
          x,
          Array.from({ length: x.ndim }, (): [number, number] => [this.#random.whole(0, 2), this.#random.whole(0, 2)]),
        );
      case 5:
        return mx.flip(x, axis);
      case 6:
        return mx.concatenate([x, this.#pick([x, mx.negative(x), mx.flip(x)])], axis);
      case 7:
        return mx.stack([x, x.add(x)], this.#random.whole(0, x.ndim));
      case 8: {
        if (length === 0) return x;
        const indices = mx.remainder(mx.arange(this.#random.whole(1, 5), { dtype: "int32" }).mul(5), length);
        return mx.take(x, indices, axis);
      }
      default:
        return mx.roll(x, this.#random.whole(-2, 2), axis);
    }
  }
}
