/** The row behind attention. */
import { isHalf } from "../base/dtype.ts";
import { sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { defaultDevice } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { apply } from "../graph/primitive.ts";
import { subtract } from "./arithmetic.ts";
import { attentionGradients, scoresOf, wholeAttentionGradients } from "./attention-gradient.ts";
import type { AttentionParams } from "./attention-scores.ts";
import { attentionText, batchAttention, foldHeads, maskedScores } from "./attention-scores.ts";
import { castTo } from "./cast.ts";
import { matmul } from "./contraction.ts";
import { filledLike } from "./elementwise.ts";
import { exp } from "./exponential.ts";
import { max } from "./extrema.ts";
import { only } from "./families.ts";
import { concatenate } from "./joining.ts";
import { sum } from "./reductions.ts";
import { softmax } from "./statistics.ts";
import { reshape } from "./views.ts";

const name = "scaledDotProductAttention";

/** The parameters of an attention's result (0), or of its statistics (1). */
export type AttentionRowParams = AttentionParams & { readonly part: number };

/**
 * Attention: queries, keys, values, and perhaps a mask → its result; or its statistics, [..., queries, 2], in float32 for 16-bit
 * floats: for each query the greatest score, and the sum of the exponentials of its scores relative to it. A kernel may give a
 * smaller score in place of the greatest, with the sum relative to that.
 */
export const attentionRow: Primitive<AttentionRowParams> = {
  name,
  aval([q, , v], { part }) {
    const [queries, values] = [only(name, q), only(name, v)];
    const { shape, dtype } = queries;
    if (part === 1) return { shape: [...shape.slice(0, -1), 2], dtype: isHalf(dtype) ? "float32" : dtype };
    return { shape: [...shape.slice(0, -1), values.shape.at(-1) ?? 0], dtype };
  },
  lowering: {
    kind: "composite",
    define: (inputs, params) => (params.part === 1 ? summarize : attend)(inputs, params),
    result: ({ part, ...whole }) => ({ whole: attentionText(whole), part }),
    flops([q, , v], { isCausal }) {
      const [queries, values] = [only(name, q), only(name, v)];
      const [rows = 0, features = 0] = queries.shape.slice(-2);
      const [columns = 0, valueFeatures = 0] = values.shape.slice(-2);
      // Every score: a product of each kind, and scaling, maximum, difference, exponential and sum.
      const scores = sizeOf(queries.shape.slice(0, -2)) * rows * columns * (isCausal && rows > 1 ? 0.5 : 1);
      return Math.round(scores * (2 * features + 2 * valueFeatures + 16));
    },
  },
  derivative: {
    kind: "definition",
    vjp(cotangent, inputs, params, needed, result) {
      // The gradient of a mask is as large as the scores anyway.
      if (params.part === 1 || needed[3]) return null;
      const [tensors, mask] = [inputs.slice(0, 3), inputs.slice(3)];
      if (scoresOf(inputs) === 0) return tensors.map((input) => filledLike(input, 0));
      const statistics = apply(attentionRow, inputs, { ...params, part: 1 });
      // What the backends have kernels for.
      const isWhole = result.dtype === (defaultDevice() === "cpu" ? "float32" : "float16");
      const gradients = isWhole ? wholeAttentionGradients : attentionGradients;
      return gradients([...tensors, cotangent, result, statistics, ...mask], params);
    },
  },
  batch: (inputs, axes, params) => batchAttention(attentionRow, inputs, axes, params, 3),
};

function attend([q, k, v, mask]: readonly MLXArray[], params: AttentionParams): MLXArray {
  const [queries, keys, values] = [only(name, q), only(name, k), only(name, v)];
  const scores = maskedScores(queries, keys, mask ?? null, params);
  const weights = foldHeads(softmax(scores, -1), keys);
  return reshape(matmul(weights, values), [...queries.shape.slice(0, -1), values.shape.at(-1) ?? 0]);
}

function summarize([q, k, , mask]: readonly MLXArray[], params: AttentionParams): MLXArray {
  const given = maskedScores(only(name, q), only(name, k), mask ?? null, params);
  const scores = isHalf(given.dtype) ? castTo(given, "float32") : given;
  const greatest = max(scores, -1, { keepAxes: true });
  return concatenate([greatest, sum(exp(subtract(scores, greatest)), -1, { keepAxes: true })], -1);
}
