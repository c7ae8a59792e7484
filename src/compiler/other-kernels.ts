/** What a plan of one loop kernel does without: kernels of other kinds, and the order of several. */
import { Part } from "../base/part.ts";
import type { orderKernels } from "./order.ts";
import type { asLoops, lowerContraction, padsLines } from "./products.ts";
import type { lowerWhole } from "./whole.ts";

/** How products, routines and composites become kernels, and how kernels are ordered. */
export interface OtherKernels {
  readonly lowerContraction: typeof lowerContraction;
  readonly padsLines: typeof padsLines;
  readonly asLoops: typeof asLoops;
  readonly lowerWhole: typeof lowerWhole;
  readonly orderKernels: typeof orderKernels;
}

/** See `OtherKernels`. */
export const otherKernels: Part<OtherKernels> = /* @__PURE__ */ new Part(
  "plans of several kernels",
  () => import("./other-kernels-part.ts"),
);
