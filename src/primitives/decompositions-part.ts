/** Provides the loops of decompositions. */
import "../array/methods.ts";
import * as choleskys from "./cholesky-loops.ts";
import * as cofactors from "./cofactor-loops.ts";
import { decompositions } from "./decompositions.ts";
import * as eigensystems from "./eigen-loops.ts";
import * as lus from "./lu-loops.ts";
import * as reflectors from "./reflector-loops.ts";
import * as singulars from "./singular-loops.ts";
import * as triangles from "./triangular-loops.ts";

decompositions.provide({
  ...choleskys,
  ...cofactors,
  ...eigensystems,
  ...lus,
  ...reflectors,
  ...singulars,
  ...triangles,
});
