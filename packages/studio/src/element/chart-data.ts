/** Lines as uPlot draws them: on the steps of all of them together, with what it cannot draw left out. */
import type { Buckets } from "@mlx-ts/monitor";
import uPlot from "uplot";

/** A line of a chart. */
export interface ChartLine {
  readonly label: string;
  readonly buckets: Buckets;
  /** Which of the palette's colours it has. */
  readonly colour: number;
}

type Column = (number | null | undefined)[];

/** Columns for uPlot: the steps, then mean, high and low of every line, which has about `most` points at most. */
export function columnsOf(
  lines: readonly ChartLine[],
  { isLogarithmic, most }: { readonly isLogarithmic: boolean; readonly most: number },
): [number[], ...Column[]] {
  const drawable = (values: Float64Array): Column =>
    Array.from(values, (value) => (Number.isFinite(value) && (value > 0 || !isLogarithmic) ? value : null));
  const tables = lines.map(({ buckets }): [number[], ...Column[]] => {
    const { steps, means, highs, lows } = coarsened(buckets, most);
    return [[...steps], drawable(means), drawable(highs), drawable(lows)];
  });
  const [only] = tables;
  if (!only) return [[]];
  if (tables.length === 1) return only;
  // Between the steps of one run lie those of others, which do not interrupt its line.
  const [steps = [], ...columns] = uPlot.join(
    tables,
    tables.map((table) => table.map(() => 1)),
  );
  return [[...steps], ...columns.map((column): Column => [...column])];
}

/**
 * Neighbours joined, by twos, fours and so on from the first, so that what was drawn stays where it is as more comes. The latest
 * stays alone: it is what a reader looks for.
 */
export function coarsened(buckets: Buckets, most: number): Buckets {
  const { steps, means, highs, lows } = buckets;
  let size = 1;
  while (steps.length / size > most) size *= 2;
  if (size === 1) return buckets;
  const ends: number[] = [];
  for (let end = size; end < steps.length; end += size) ends.push(end);
  if (ends.at(-1) !== steps.length - 1) ends.push(steps.length - 1);
  ends.push(steps.length);
  const joined = (column: Float64Array, join: (values: Float64Array) => number): Float64Array =>
    Float64Array.from(ends, (end, k) =>
      join(column.subarray(ends[k - 1] ?? 0, end).filter((value) => Number.isFinite(value))),
    );
  return {
    steps: Float64Array.from(ends, (end) => steps[end - 1] ?? Number.NaN),
    means: joined(means, (values) => values.reduce((sum, value) => sum + value, 0) / values.length),
    highs: joined(highs, (values) => (values.length > 0 ? Math.max(...values) : Number.NaN)),
    lows: joined(lows, (values) => (values.length > 0 ? Math.min(...values) : Number.NaN)),
  };
}
