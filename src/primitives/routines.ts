/** Sorts, scans and scatters as loops over whole buffers, loaded when a plan first has one. */
import { Part } from "../base/part.ts";

/** The loops. */
export const routines: Part<
  typeof import("./scan-loops.ts") & typeof import("./scatter-loops.ts") & typeof import("./sort-loops.ts")
> = /* @__PURE__ */ new Part("sorts, scans, scatters", () => import("./routines-part.ts"));
