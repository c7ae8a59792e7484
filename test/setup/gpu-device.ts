/** Devices for the tests of the GPU backend: in Node Dawn on the driver that the project's environment names, in Chromium the browser's. */
import type { OpenDevice } from "../../src/backends/webgpu/adapter.ts";
import { openDevice } from "../../src/backends/webgpu/adapter.ts";

let opened: Promise<OpenDevice> | null = null;

/** The one device of this test file. */
export function testDevice(): Promise<OpenDevice> {
  opened ??= openDevice();
  return opened;
}

/** A device that promises no more than every implementation must, and refuses whatever asks for more. */
export async function floorDevice(): Promise<OpenDevice> {
  const open = await openDevice({ features: [], limits: [] });
  // Immediates are there unasked where they are there at all.
  return { ...open, target: { ...open.target, immediateBytes: 0 } };
}
