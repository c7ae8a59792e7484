/** How the values of arrays are distributed: counted in JavaScript, when somebody asks. */
import { evaluate } from "../array/evaluate.ts";
import { copyElements } from "../array/reading.ts";
import type { Rule } from "../base/rules.ts";
import { requireValues, size } from "../base/rules.ts";
import { treeFlatten } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { castTo } from "../primitives/cast.ts";

/** Values counted in intervals of one width. */
export interface Histogram {
  readonly minimum: number;
  readonly maximum: number;
  /** How many values lie in each of the intervals from `minimum` to `maximum`. */
  readonly counts: readonly number[];
  readonly mean: number;
  /** The standard deviation. */
  readonly deviation: number;
  /** How many values are infinite or NaN; they are counted nowhere else. */
  readonly invalidCount: number;
}

const listLike: Rule = { is: "a list of numbers", admits: (value) => typeof Object(value).length === "number" };

/**
 * The histogram of `values` in `binCount` intervals.
 *
 * @throws {ArgumentError} if `binCount` is no whole number from 1
 * @example
 * const { counts, mean, deviation } = train.histogramOf([0, 1, 1, 4, NaN], 2);
 * counts; // [3, 1]
 * [mean, deviation]; // [1.5, 1.5]
 */
export function histogramOf(values: ArrayLike<number>, binCount: number): Histogram {
  requireValues("histogramOf", size, { binCount });
  requireValues("histogramOf", listLike, { values });
  let [minimum, maximum, sum, count] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (let k = 0; k < values.length; k++) {
    const value = values[k] ?? Number.NaN;
    if (!Number.isFinite(value)) continue;
    if (value < minimum) minimum = value;
    if (value > maximum) maximum = value;
    sum += value;
    count++;
  }
  const counts = new Array<number>(binCount).fill(0);
  const invalidCount = values.length - count;
  if (count === 0) return { minimum: 0, maximum: 0, counts, mean: 0, deviation: 0, invalidCount };
  const mean = sum / count;
  const range = maximum - minimum;
  let squares = 0;
  for (let k = 0; k < values.length; k++) {
    const value = values[k] ?? Number.NaN;
    if (!Number.isFinite(value)) continue;
    const bin = range > 0 ? Math.min(Math.floor(((value - minimum) / range) * binCount), binCount - 1) : 0;
    counts[bin] = (counts[bin] ?? 0) + 1;
    // About the mean: of squares of the values themselves, little would be left where these lie close together.
    squares += (value - mean) ** 2;
  }
  return { minimum, maximum, counts, mean, deviation: Math.sqrt(squares / count), invalidCount };
}

/** The histogram of every array in a tree, by its dotted path. */
export async function histogramsOf(tree: unknown, binCount: number): Promise<Record<string, Histogram>> {
  const leaves = treeFlatten(tree).flatMap(([path, leaf]): [string, MLXArray][] =>
    leaf instanceof MLXArray ? [[path, castTo(leaf, "float32")]] : [],
  );
  await evaluate(leaves.map(([, leaf]) => leaf));
  const counted = leaves.map(async ([path, leaf]) => [path, histogramOf(await valuesOf(leaf), binCount)] as const);
  return Object.fromEntries(await Promise.all(counted));
}

async function valuesOf(array: MLXArray): Promise<Float32Array> {
  const values = await copyElements(array);
  return values instanceof Float32Array ? values : Float32Array.from(values, Number);
}
