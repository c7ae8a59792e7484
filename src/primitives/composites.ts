/** The rows behind `fast`: normalizations and rotary positions, which a backend may compute in kernels of its own. */
import type { Dtype } from "../base/dtype.ts";
import { isHalf, promote } from "../base/dtype.ts";
import type { Aval, MLXArray } from "../graph/mlx-array.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { add, multiply, reciprocal, square, subtract } from "./arithmetic.ts";
import { castTo } from "./cast.ts";
import { exp, rsqrt } from "./exponential.ts";
import { alignBatch, batchToFront, only } from "./families.ts";
import { iota } from "./generate.ts";
import { concatenate, stack } from "./joining.ts";
import { sliceAxis } from "./slicing.ts";
import { mean } from "./statistics.ts";
import { cos, sin } from "./trigonometry.ts";
import { broadcastTo, reshape } from "./views.ts";

/** The parameters of a normalization. */
export interface NormParams {
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

interface RopeParams {
  readonly dims: number;
  readonly isTraditional: boolean;
  /** Null: the periods are the last input. */
  readonly base: number | null;
  readonly scale: number;
}

/** Rotary positions: input, offset, and perhaps periods; offsets and periods may be one for each place of the first axis. */
export const ropeRow: Primitive<RopeParams> = {
  name: "rope",
  aval: ([x]) => only("rope", x),
  lowering: { kind: "composite", define: rotate },
  derivative: { kind: "definition" },
  batch([x, offset, ...periods], [axis = null, ...axes], params) {
    const [input, start] = [only("rope", x), only("rope", offset)];
    const settings = [start, ...periods];
    const own = settings.map(({ ndim }, k) => (axes[k] ?? null) !== null || ndim > k);
    if (!own.includes(true)) return [apply(ropeRow, [batchToFront(input, axis ?? 0), start, ...periods], params), 0];
    // Examples join the first axis, and each of its places gets what is its own.
    const [first, ...others] = alignBatch([input, ...settings], [axis, ...axes]);
    const batched = only("rope", first);
    const [examples = 1, places = 1, ...rest] = batched.shape;
    const isAxisPlain = batched.ndim === 3;
    const joined = isAxisPlain ? batched : reshape(batched, [examples * places, ...rest]);
    const each = others.map((other, k) => {
      if (!own[k]) return only("rope", settings[k]);
      const perPlace = other.ndim === k + 1 ? spreadPlaces(other, places) : other;
      return isAxisPlain ? other : reshape(perPlace, [examples * places, ...perPlace.shape.slice(2)]);
    });
    return [reshape(apply(ropeRow, [joined, ...each], params), batched.shape), 0];
  },
};

/** [n, …] → [n, count, …], each repeated. */
function spreadPlaces(x: MLXArray, count: number): MLXArray {
  const [length = 1, ...rest] = x.shape;
  return broadcastTo(reshape(x, [length, 1, ...rest]), [length, count, ...rest]);
}

function rotate([x, offset, periods]: readonly MLXArray[], params: RopeParams): MLXArray {
  const [input, start] = [only("rope", x), only("rope", offset)];
  const { dims, isTraditional, base, scale } = params;
  const [half, rank, features] = [dims / 2, input.ndim, input.shape.at(-1) ?? 0];
  const rows = input.shape.at(-2) ?? 1;
  const computed: Dtype = isHalf(input.dtype) ? "float32" : input.dtype;
  const frequencies =
    base === null
      ? reciprocal(castTo(perFirstAxis(only("rope", periods), 1, rank), computed))
      : exp(multiply(iota([half], 0, computed), -Math.log(base) / half));
  // [rows, 1], or [batch, 1, …, rows, 1] for offsets of their own
  const own = castTo(perFirstAxis(start, 0, rank), computed);
  const position = multiply(add(iota([rows, 1], 0, computed), own), scale);
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

/** What broadcasts over an input of `rank` axes: [n, …] → [n, 1, …, …], unless all places of the first axis share `x`. */
function perFirstAxis(x: MLXArray, shared: number, rank: number): MLXArray {
  if (x.ndim === shared) return x;
  const [length = 1, ...rest] = x.shape;
  return reshape(x, [length, ...new Array<number>(rank - 1 - shared).fill(1), ...rest]);
}
