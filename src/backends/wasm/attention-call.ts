/** Which attentions the kernels take. */
import type { Attention } from "../../compiler/attention-lengths.ts";
import { attentionLengths } from "../../compiler/attention-lengths.ts";
import type { TensorCall } from "../../ir/kernel.ts";
import type { Mask } from "./attention-rows.ts";

/** An attention with its mask in bytes. */
export type MaskedAttention = Omit<Attention, "mask"> & { readonly mask: Mask | null };

/** Inputs before the mask: queries, keys and values, then the cotangent, the result and its statistics. */
export const tensorCounts: ReadonlyMap<string, number> = new Map([
  ["scaledDotProductAttention", 3],
  ["attentionGradient", 6],
]);

/** The attention that `call` is, or is the gradient of, if a kernel takes it: float32, not empty, a mask that is boolean or float32. */
export function attentionOf({ name, inputs, params }: TensorCall): MaskedAttention | null {
  const count = tensorCounts.get(name) ?? 0;
  const tensors = inputs.slice(0, count);
  if (count === 0 || tensors.some(({ dtype }) => dtype !== "float32")) return null;
  const attention = attentionLengths(tensors, inputs[count], params);
  if (!attention) return null;
  const { mask } = attention;
  if (!mask) return { ...attention, mask };
  if (mask.dtype !== "bool" && mask.dtype !== "float32") return null;
  const bytes = mask.dtype === "bool" ? 1 : 4;
  const layout = {
    isBoolean: mask.dtype === "bool",
    leading: mask.leading.map((stride) => stride * bytes),
    queryStride: mask.query * bytes,
    keyStride: mask.key * bytes,
  };
  return { ...attention, mask: layout };
}
