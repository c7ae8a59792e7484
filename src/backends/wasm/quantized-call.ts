/** The lengths of a product with packed weights. */
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

/** The lengths and parameters of a product with packed weights that the backend takes whole. */
export function quantizedOf({ inputs, params }: TensorCall): QuantizedProduct {
  const [x, w] = inputs;
  const [bits, groupSize] = [propertyOf(params, "bits"), propertyOf(params, "groupSize")];
  if (!x || !w || (bits !== 2 && bits !== 4 && bits !== 8) || typeof groupSize !== "number")
    throw new RangeError("no kernel for this product with packed weights");
  return {
    rows: sizeOf(x.shape.slice(0, -1)),
    inputs: x.shape.at(-1) ?? 0,
    outputs: w.shape.at(-2) ?? 0,
    bits,
    groupSize,
  };
}
