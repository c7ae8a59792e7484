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

/** Columns for uPlot: the steps, then mean, high and low of every line. */
export function columnsOf(lines: readonly ChartLine[], isLogarithmic: boolean): [number[], ...Column[]] {
  const drawable = (values: Float64Array): Column =>
    Array.from(values, (value) => (Number.isFinite(value) && (value > 0 || !isLogarithmic) ? value : null));
  const tables = lines.map(({ buckets: { steps, means, highs, lows } }): [number[], ...Column[]] => [
    [...steps],
    drawable(means),
    drawable(highs),
    drawable(lows),
  ]);
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
