/** Which products with packed weights the kernel takes, and their lengths. */
import { sizeOf } from "../../base/shape.ts";
import type { TensorCall } from "../../ir/kernel.ts";
import { propertyOf } from "./engine-features.ts";

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
  const [x, w, ...factors] = inputs;
  if (name !== "quantizedMatmul" || !x || !w || [x, ...factors].some(({ dtype }) => dtype !== "float32")) return null;
  const [bits, groupSize] = [propertyOf(params, "bits"), propertyOf(params, "groupSize")];
  const features = x.shape.at(-1) ?? 0;
  const [rows, outputs] = [sizeOf(x.shape) / features, w.shape.at(-2) ?? 0];
  if (
    !(
      rows >= 1 &&
      rows <= mostRows &&
      propertyOf(params, "isTransposed") &&
      sizeOf(w.shape.slice(0, -2)) === 1 &&
      outputs
    )
  )
    return null;
  // A pair of vectors has eight words, which must share their scale.
  if ((bits !== 2 && bits !== 4 && bits !== 8) || typeof groupSize !== "number" || groupSize % (256 / bits) !== 0)
    return null;
  return { rows, inputs: features, outputs, bits, groupSize };
}
