/** Provides transcendental functions. */
import { laneParts } from "./kernel-emitters.ts";
import { emitFunction } from "./vector-math.ts";

laneParts.math.provide(emitFunction);
