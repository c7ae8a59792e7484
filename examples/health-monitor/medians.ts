/** The middle of a set of numbers, which a few odd ones hardly move. */

/** The middle value; the mean of the two middle ones when there is an even number; 0 of none. */
export function medianOf(values: Float64Array): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}
