/** Small terms that keep quotients finite, in the dtype of what they are added to. */
import type { Dtype } from "./dtype.ts";

/** The least float16 that is not 0. */
const leastFloat16 = 2 ** -24;

/** `eps` as a term beside values of `dtype`: float16 would round the usual 1e-8 to 0, and leave 0 / 0. */
export function termIn(dtype: Dtype, eps: number): number {
  return dtype === "float16" && eps > 0 ? Math.max(eps, leastFloat16) : eps;
}
