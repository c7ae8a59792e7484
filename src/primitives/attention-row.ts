/** The row behind attention. */
import { sizeOf } from "../base/shape.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { defaultDevice } from "../graph/placement.ts";
import type { Primitive } from "../graph/primitive.ts";
import { attentionGradients, scoresOf, wholeAttentionGradients } from "./attention-gradient.ts";
import type { AttentionParams } from "./attention-scores.ts";
import { batchAttention, foldHeads, maskedScores } from "./attention-scores.ts";
import { matmul } from "./contraction.ts";
import { filledLike } from "./elementwise.ts";
import { only } from "./families.ts";
import { softmax } from "./statistics.ts";
import { reshape } from "./views.ts";

const name = "scaledDotProductAttention";

/** Attention: queries, keys, values, and perhaps a mask. */
export const attentionRow: Primitive<AttentionParams> = {
  name,
  aval([q, , v]) {
    const [queries, values] = [only(name, q), only(name, v)];
    return { shape: [...queries.shape.slice(0, -1), values.shape.at(-1) ?? 0], dtype: queries.dtype };
  },
  lowering: {
    kind: "composite",
    define: attend,
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
    vjp(cotangent, inputs, params, needed, output) {
      // The gradient of a mask is as large as the scores anyway.
      if (needed[3]) return null;
      if (scoresOf(inputs) === 0) return inputs.slice(0, 3).map((input) => filledLike(input, 0));
      // What the backends have kernels for.
      const isWhole = only(name, inputs[0]).dtype === (defaultDevice() === "cpu" ? "float32" : "float16");
      return (isWhole ? wholeAttentionGradients : attentionGradients)(cotangent, output, inputs, params);
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
