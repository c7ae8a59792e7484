/** Provides kernels of other kinds than loops, and the order of several. */
import "../array/methods.ts";
import { orderKernels } from "./order.ts";
import { otherKernels } from "./other-kernels.ts";
import { asLoops, lowerContraction, padsLines } from "./products.ts";
import { lowerWhole } from "./whole.ts";

otherKernels.provide({ lowerContraction, padsLines, asLoops, lowerWhole, orderKernels });
