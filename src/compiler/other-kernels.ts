/** What plans of loops do without: kernels of other kinds. */
import { Part } from "../base/part.ts";
import type { asLoops, lowerContraction, padsLines } from "./products.ts";
import type { lowerWhole } from "./whole.ts";

/** How products, routines and composites become kernels. */
export interface OtherKernels {
  readonly lowerContraction: typeof lowerContraction;
  readonly padsLines: typeof padsLines;
  readonly asLoops: typeof asLoops;
  readonly lowerWhole: typeof lowerWhole;
}

/** See `OtherKernels`. */
export const otherKernels: Part<OtherKernels> = /* @__PURE__ */ new Part(
  "products and routines",
  () => import("./other-kernels-part.ts"),
);
