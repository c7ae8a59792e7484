/** Which products with packed weights the kernel takes, and their lengths. */
import { sizeOf } from "../../base/shape.ts";
import type { TensorCall } from "../../ir/kernel.ts";

/** A product of a few rows with packed weights. */
export interface QuantizedProduct {
  /** Of `x`, all leading axes together. */
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly bits: 2 | 4 | 8;
  readonly groupSize: number;
}

/** Rows up to which weights are unpacked for each of them; more are worth a product with weights unpacked once. */
const mostRows = 8;

/** The product that `call` is, if the kernel takes it: few rows, one matrix of whole weights per word, float32. */
export function quantizedOf({ name, inputs, params }: TensorCall): QuantizedProduct | null {
  const [x, w, scales, biases] = inputs;
  if (name !== "quantizedMatmul" || !x || !w || !scales || !biases || !isQuantizedParams(params)) return null;
  const { bits, groupSize, isTransposed } = params;
  const [outputs = 0] = w.shape.slice(-2);
  const [rows, features] = [sizeOf(x.shape.slice(0, -1)), x.shape.at(-1) ?? 0];
  const isPlain = [x, scales, biases].every(({ dtype }) => dtype === "float32") && sizeOf(w.shape.slice(0, -2)) === 1;
  if (!isTransposed || !isPlain || rows === 0 || rows > mostRows || outputs === 0 || features === 0) return null;
  // A pair of vectors has eight words, which must share their scale.
  if ((bits !== 2 && bits !== 4 && bits !== 8) || groupSize % (256 / bits) !== 0) return null;
  return { rows, inputs: features, outputs, bits, groupSize };
}

function isQuantizedParams(
  params: unknown,
): params is { readonly bits: number; readonly groupSize: number; readonly isTransposed: boolean } {
  return (
    typeof params === "object" &&
    params !== null &&
    "bits" in params &&
    typeof params.bits === "number" &&
    "groupSize" in params &&
    typeof params.groupSize === "number" &&
    "isTransposed" in params &&
    typeof params.isTransposed === "boolean"
  );
}
