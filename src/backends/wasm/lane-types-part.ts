/** Provides what lanes of integers, bool and half floats need. */
import { laneParts } from "./kernel-emitters.ts";
import * as casts from "./lane-casts.ts";
import * as integers from "./lane-integers.ts";
import * as narrow from "./lane-narrow.ts";

laneParts.types.provide({ ...integers, ...casts, ...narrow });
