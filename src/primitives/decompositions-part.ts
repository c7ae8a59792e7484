/** Provides the loops of decompositions. */
import "../array/methods.ts";
import * as choleskys from "./cholesky-loops.ts";
import * as cofactors from "./cofactor-loops.ts";
import { decompositions } from "./decompositions.ts";
import * as lus from "./lu-loops.ts";
import * as triangles from "./triangular-loops.ts";

decompositions.provide({ ...choleskys, ...cofactors, ...lus, ...triangles });
