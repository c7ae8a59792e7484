/** Round numbers to put lines at. */

/** Steps of times, in seconds. */
const timeSteps = [0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

/** The least round step of which at most `most` fit into `length`. */
export function niceStep(length: number, most: number): number {
  const least = length / Math.max(1, most);
  const magnitude = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((factor) => factor * magnitude >= least) ?? 10) * magnitude;
}

/** The least round number of seconds of which at most `most` fit into `seconds`. */
export function niceTimeStep(seconds: number, most: number): number {
  const least = seconds / Math.max(1, most);
  return timeSteps.find((step) => step >= least) ?? 86_400 * Math.ceil(least / 86_400);
}

/** The multiples of `step` between two numbers. */
export function multiples(step: number, least: number, greatest: number): readonly number[] {
  const first = Math.ceil(least / step);
  const count = Math.max(0, Math.floor(greatest / step) - first + 1);
  return Array.from({ length: count }, (_, index) => (first + index) * step);
}
