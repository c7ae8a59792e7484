/** Reading buffers of the GPU, through buffers that the CPU can map. */
import { DeviceError } from "../../base/errors.ts";
import { reasonOf } from "../../base/reason.ts";
import { type CheckedBuffer, createChecked } from "./checked-buffer.ts";
import type { GpuBuffer, GpuDevice } from "./gpu-api.ts";
import { bufferUsage, mapForReading } from "./gpu-api.ts";
import type { Submissions } from "./submissions.ts";

/** Mappable buffers kept for reuse, and up to which size. */
const keptBuffers = 8;
const keptBytes = 1 << 20;
const smallest = 256;

/** Copies buffers to where the CPU sees them. */
export class Readback {
  readonly #device: GpuDevice;
  readonly #submissions: Submissions;
  readonly #kept: CheckedBuffer[] = [];

  constructor(device: GpuDevice, submissions: Submissions) {
    this.#device = device;
    this.#submissions = submissions;
  }

  /**
   * What `use` makes of the first `byteLength` bytes of `source`.
   *
   * @throws {OutOfMemoryError} if there is no memory to read through
   * @throws {DeviceError} if the device refuses to copy, or is lost
   */
  async read<T>(source: GpuBuffer, byteLength: number, use: (bytes: Uint8Array) => T): Promise<T> {
    if (byteLength === 0) return use(new Uint8Array(0));
    const size = Math.ceil(byteLength / 4) * 4;
    const staging = this.#take(size);
    try {
      await this.#copied(source, staging, size);
    } catch (error) {
      staging.buffer.destroy();
      throw error;
    }
    try {
      return use(new Uint8Array(staging.buffer.getMappedRange(0, size), 0, byteLength));
    } finally {
      staging.buffer.unmap();
      this.#give(staging);
    }
  }

  /** Copies at once, so that nothing submitted later changes what is read, and waits until the copy is there. */
  async #copied(source: GpuBuffer, staging: CheckedBuffer, size: number): Promise<void> {
    const { check } = staging;
    this.#submissions.flush();
    // Copying to a buffer that does not exist is a mistake too, which nobody else should hear of.
    if (check) this.#device.pushErrorScope("validation");
    const encoder = this.#device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, 0, staging.buffer, 0, size);
    this.#device.queue.submit([encoder.finish()]);
    const mapped = staging.buffer.mapAsync(mapForReading, 0, size);
    const refusal = check ? this.#device.popErrorScope() : null;
    const [, found, outcome] = await Promise.all([
      check,
      refusal,
      mapped.then(
        () => null,
        (cause: unknown) => ({ cause }),
      ),
    ]);
    if (found) throw new DeviceError("read", `the GPU refuses to copy ${size} bytes: ${found.message}`);
    if (!outcome) return;
    const { cause } = outcome;
    const reason = reasonOf(cause);
    throw new DeviceError("read", `${size} bytes of the GPU cannot be read: ${reason}`, { cause });
  }

  /** Gives up what is kept. */
  close(): void {
    for (const { buffer } of this.#kept.splice(0)) buffer.destroy();
  }

  #take(size: number): CheckedBuffer {
    const found = this.#kept.findIndex(({ buffer }) => buffer.size >= size);
    if (found !== -1) return this.#kept.splice(found, 1)[0] ?? this.#create(size);
    return this.#create(size);
  }

  #create(size: number): CheckedBuffer {
    const rounded = size <= keptBytes ? Math.max(2 ** Math.ceil(Math.log2(size)), smallest) : size;
    return createChecked(this.#device, { size: rounded, usage: bufferUsage.mapRead | bufferUsage.copyTarget });
  }

  #give(staging: CheckedBuffer): void {
    if (staging.buffer.size <= keptBytes && this.#kept.length < keptBuffers) this.#kept.push(staging);
    else staging.buffer.destroy();
  }
}
