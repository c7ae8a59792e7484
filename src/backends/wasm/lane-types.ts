/** All that lanes of integers, bool and half floats need, as one part. */
import * as casts from "./lane-casts.ts";
import * as integers from "./lane-integers.ts";
import * as narrow from "./lane-narrow.ts";

/** Their arithmetic, their conversions and how they lie in memory. */
export const types: typeof integers & typeof casts & typeof narrow = { ...integers, ...casts, ...narrow };
