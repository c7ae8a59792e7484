/** Decompositions of matrices as loops over whole buffers, loaded when a plan first has one. */
import { Part } from "../base/part.ts";

/** The loops. */
export const decompositions: Part<
  typeof import("./cholesky-loops.ts") &
    typeof import("./cofactor-loops.ts") &
    typeof import("./eigen-loops.ts") &
    typeof import("./lu-loops.ts") &
    typeof import("./reflector-loops.ts") &
    typeof import("./singular-loops.ts") &
    typeof import("./triangular-loops.ts")
> = /* @__PURE__ */ new Part("decompositions of matrices", () => import("./decompositions-part.ts"));
