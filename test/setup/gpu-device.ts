/** Devices for the tests of the GPU backend: in Node Dawn on the driver that the project's environment names, in Chromium the browser's. */
import type { OpenDevice, WantedAbilities } from "../../src/backends/webgpu/adapter.ts";
import { openDevice } from "../../src/backends/webgpu/adapter.ts";

let opened: Promise<OpenDevice> | null = null;

/** The one device of this test file; it runs what real GPUs run, though its driver may be a program. */
export function testDevice(): Promise<OpenDevice> {
  opened ??= asHardware({});
  return opened;
}

/** A device that promises no more than every implementation must, and refuses whatever asks for more. */
export async function floorDevice(): Promise<OpenDevice> {
  const open = await asHardware({ features: [], limits: [] });
  // Immediates are there unasked where they are there at all.
  return { ...open, target: { ...open.target, immediateBytes: 0, packsHalves: false, roundsIntegers: false } };
}

async function asHardware(wanted: Partial<WantedAbilities>): Promise<OpenDevice> {
  const open = await openDevice(wanted);
  return { ...open, target: { ...open.target, isSoftware: false } };
}
