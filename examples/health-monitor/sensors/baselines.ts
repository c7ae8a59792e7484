/** What the network is compared with: limits on the values themselves, and a linear forecast. */
import type { ForecastErrors } from "./alarm.ts";
import { hasLabelWithin, type Series } from "./series.ts";

/** Earlier readings that the linear forecast of a channel looks at. */
export const autoregressionOrder = 8;

/**
 * Each reading's distance from the channel's mean over training, in units of `limit` standard deviations of training, the
 * greater of the channels: above 1 is an alarm.
 */
export function deviationLevels(series: Series, limit: number): Float64Array {
  const statistics = series.channels.map((values) => {
    const training = values.subarray(0, series.trainingLength).filter((_, index) => series.labels[index] === 0);
    const mean = training.reduce((sum, value) => sum + value, 0) / training.length;
    const variance = training.reduce((sum, value) => sum + (value - mean) ** 2, 0) / training.length;
    return { mean, deviation: Math.max(Math.sqrt(variance), Number.EPSILON) };
  });
  return Float64Array.from({ length: series.length }, (_, index) =>
    Math.max(
      ...statistics.map(({ mean, deviation }, c) => {
        const value = series.channels[c]?.[index] ?? mean;
        return Math.abs(value - mean) / (limit * deviation);
      }),
    ),
  );
}

/** Errors of a linear forecast of each channel from its last `autoregressionOrder` readings, by least squares. */
export function autoregressionErrors(series: Series): ForecastErrors {
  return { channels: series.channels.map((values) => errorsOfChannel(series, values)), reach: autoregressionOrder };
}

function errorsOfChannel(series: Series, values: Float64Array): Float64Array {
  const order = autoregressionOrder;
  const size = order + 1;
  // Centred on the first reading, so that the normal equations stay well conditioned. The last term is the constant.
  const origin = values[0] ?? 0;
  const termsAt = (index: number): readonly number[] =>
    Array.from({ length: size }, (_, k) => (k < order ? (values[index - 1 - k] ?? 0) - origin : 1));
  const normal = Array.from({ length: size }, () => new Array<number>(size + 1).fill(0));
  for (let index = order; index < series.trainingLength; index++) {
    if (hasLabelWithin(series, index - order, index + 1)) continue;
    const terms = [...termsAt(index), (values[index] ?? 0) - origin];
    for (const [r, row] of normal.entries()) {
      for (const [c, term] of terms.entries()) row[c] = (row[c] ?? 0) + (terms[r] ?? 0) * term;
    }
  }
  // A sensor that never moved leaves the equations without a single solution: take the smallest.
  for (const [r, row] of normal.entries()) row[r] = (row[r] ?? 0) + 1e-9;
  const weights = solve(normal);
  return Float64Array.from(values, (value, index) => {
    if (index < order) return 0;
    const forecast = termsAt(index).reduce((sum, term, k) => sum + term * (weights[k] ?? 0), origin);
    return Math.abs(value - forecast);
  });
}

/**
 * The solution of a square linear system given as rows [coefficients…, right-hand side], by elimination with pivoting.
 * The rows are overwritten.
 */
export function solve(rows: number[][]): readonly number[] {
  const size = rows.length;
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let r = column + 1; r < size; r++) {
      if (Math.abs(rows[r]?.[column] ?? 0) > Math.abs(rows[pivot]?.[column] ?? 0)) pivot = r;
    }
    const pivotRow = rows[pivot] ?? [];
    const divisor = pivotRow[column] ?? 0;
    if (divisor === 0) throw new RangeError("the linear system has no single solution");
    rows[pivot] = rows[column] ?? [];
    rows[column] = pivotRow;
    for (const row of rows) {
      if (row === pivotRow) continue;
      const factor = (row[column] ?? 0) / divisor;
      for (let c = column; c <= size; c++) row[c] = (row[c] ?? 0) - factor * (pivotRow[c] ?? 0);
    }
  }
  return rows.map((row, index) => (row[size] ?? 0) / (row[index] ?? 1));
}
