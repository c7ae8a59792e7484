/** How readings are written. */

/** A reading, with a minus sign that is as wide as a figure. */
export function formatReading(value: number, digits: number): string {
  return value.toFixed(digits).replace("-", "−");
}

/** A reading's distance from the one before, in the unit that the scaler has learned. */
export function formatSteps(steps: number): string {
  return `${steps < 0 ? "" : "+"}${formatReading(steps, 1)}`;
}
