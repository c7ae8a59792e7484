/** Where an example computes, and how far two devices part when they train the same model on the same batches. */
import * as mx from "mlx-ts";
import { UserError } from "./command.ts";

/** The devices that an example can compute on. */
export const devices: readonly string[] = ["cpu", "gpu"];

/** Lets everything that follows compute on `device`. @throws {UserError} if there is no such device here */
export async function selectDevice(device: string): Promise<void> {
  if (device !== "cpu" && device !== "gpu") {
    throw new UserError(`--device ${device}: there is no such device; choose ${devices.join(" or ")}`);
  }
  try {
    if (device === "gpu") await mx.gpu.info();
  } catch (error) {
    throw error instanceof mx.DeviceError ? new UserError(`--device gpu: ${error.message}`) : error;
  }
  mx.setDefaultDevice(device);
}

/** The losses of the same steps on several devices. */
export interface Comparison {
  readonly devices: readonly string[];
  /** For each device, the loss of each step. */
  readonly losses: readonly (readonly number[])[];
  /** The largest difference between the losses of one step. */
  readonly difference: number;
}

/**
 * Trains anew on each device and compares the losses, step by step.
 *
 * @param losses trains from the same seed each time, and gives the loss of every step
 */
export async function compareDevices(
  losses: () => Promise<readonly number[]>,
  among: readonly string[] = devices,
): Promise<Comparison> {
  const curves: (readonly number[])[] = [];
  for (const device of among) {
    await selectDevice(device);
    curves.push(await losses());
  }
  const length = Math.max(0, ...curves.map((curve) => curve.length));
  let difference = 0;
  for (let step = 0; step < length; step++) {
    const values = curves.map((curve) => curve[step] ?? Number.NaN);
    // A loss that is missing or not a number is as far away as can be.
    const spread = Math.max(...values) - Math.min(...values);
    difference = Math.max(difference, Number.isNaN(spread) ? Number.POSITIVE_INFINITY : spread);
  }
  return { devices: among, losses: curves, difference };
}

/** A comparison as a table, one row for each step, or whatever the losses are of. */
export function describeComparison({ devices: names, losses, difference }: Comparison, unit = "step"): string {
  const steps = losses[0]?.length ?? 0;
  const row = (cells: readonly string[]): string => `  ${cells.map((cell) => cell.padStart(10)).join("  ")}`;
  return [
    row([unit, ...names]),
    ...Array.from({ length: steps }, (_, step) =>
      row([String(step + 1), ...losses.map((curve) => (curve[step] ?? Number.NaN).toFixed(6))]),
    ),
    `  largest difference of a ${unit}'s loss: ${difference.toExponential(2)}`,
  ].join("\n");
}
