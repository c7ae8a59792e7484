/** Buffers of the GPU that it may turn out to have no memory for: WebGPU says so later, and gives a buffer all the same. */
import { OutOfMemoryError } from "../../base/errors.ts";
import type { GpuBuffer, GpuDevice } from "./gpu-api.ts";

/** A buffer, and what is known of it. */
export interface CheckedBuffer {
  readonly buffer: GpuBuffer;
  /** Waits until it is known that the buffer exists, and is null from then on; stays, rejected with an `OutOfMemoryError`, if it does not. */
  check: Promise<void> | null;
  /** It does not exist: nothing may be bound to it, or copied. */
  isBroken: boolean;
}

/** A new buffer. @param state what the error says besides */
export function createChecked(
  device: GpuDevice,
  descriptor: { readonly size: number; readonly usage: number },
  state: () => string = () => "",
): CheckedBuffer {
  device.pushErrorScope("out-of-memory");
  const made: CheckedBuffer = { buffer: device.createBuffer(descriptor), check: null, isBroken: false };
  made.check = device.popErrorScope().then(
    (error) => {
      if (!error) made.check = null;
      made.isBroken = error !== null;
      if (error)
        throw new OutOfMemoryError("allocate", `${descriptor.size} bytes do not fit: ${error.message}${state()}`);
    },
    // A lost device may not answer, and says itself that it is lost.
    () => {
      made.check = null;
    },
  );
  made.check.catch(() => undefined);
  return made;
}
