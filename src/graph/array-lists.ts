/** Types of lists of arrays whose lengths the compiler knows, so that what is taken out of them is an array and not perhaps one. */
import type { MLXArray } from "./mlx-array.ts";

/** An array for each item of the list `L`. */
export type ArrayForEach<L extends readonly unknown[]> = { -readonly [K in keyof L]: MLXArray };

/** `N` arrays: a list of that length for a literal up to 16. */
export type ArrayTimes<N, Sofar extends MLXArray[] = []> = number extends N
  ? MLXArray[]
  : Sofar["length"] extends N
    ? Sofar
    : Sofar["length"] extends 16
      ? MLXArray[]
      : ArrayTimes<N, [...Sofar, MLXArray]>;

/** The pieces of an array that is cut into so many, or at a list of positions. */
export type Pieces<P> = P extends readonly unknown[] ? [...ArrayForEach<P>, MLXArray] : ArrayTimes<P>;

/** The results of a function that returns an array or a list of arrays, as a list. */
export type ResultList<R> = R extends MLXArray
  ? [MLXArray]
  : R extends readonly unknown[]
    ? ArrayForEach<R>
    : MLXArray[];
