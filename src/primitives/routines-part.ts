/** Provides the loops of sorts, scans and scatters. */
import "../array/methods.ts";
import { routines } from "./routines.ts";
import * as scans from "./scan-loops.ts";
import * as scatters from "./scatter-loops.ts";
import * as sorts from "./sort-loops.ts";

routines.provide({ ...scans, ...scatters, ...sorts });
