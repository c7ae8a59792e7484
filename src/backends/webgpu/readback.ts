/** Reading buffers of the GPU, through buffers that the CPU can map. */
import type { GpuBuffer, GpuDevice } from "./gpu-api.ts";
import { bufferUsage, mapForReading } from "./gpu-api.ts";

/** Mappable buffers kept for reuse, and up to which size. */
const keptBuffers = 8;
const keptBytes = 1 << 20;
const smallest = 256;

/** Copies buffers to where the CPU sees them. */
export class Readback {
  readonly #device: GpuDevice;
  readonly #kept: GpuBuffer[] = [];

  constructor(device: GpuDevice) {
    this.#device = device;
  }

  /** What `use` makes of the first `byteLength` bytes of `source`. */
  async read<T>(source: GpuBuffer, byteLength: number, use: (bytes: Uint8Array) => T): Promise<T> {
    if (byteLength === 0) return use(new Uint8Array(0));
    const size = Math.ceil(byteLength / 4) * 4;
    const staging = this.#take(size);
    const encoder = this.#device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, 0, staging, 0, size);
    this.#device.queue.submit([encoder.finish()]);
    await staging.mapAsync(mapForReading, 0, size);
    try {
      return use(new Uint8Array(staging.getMappedRange(0, size), 0, byteLength));
    } finally {
      staging.unmap();
      this.#give(staging);
    }
  }

  #take(size: number): GpuBuffer {
    const found = this.#kept.findIndex((buffer) => buffer.size >= size);
    if (found !== -1) return this.#kept.splice(found, 1)[0] ?? this.#create(size);
    return this.#create(size);
  }

  #create(size: number): GpuBuffer {
    const rounded = size <= keptBytes ? Math.max(2 ** Math.ceil(Math.log2(size)), smallest) : size;
    return this.#device.createBuffer({ size: rounded, usage: bufferUsage.mapRead | bufferUsage.copyTarget });
  }

  #give(buffer: GpuBuffer): void {
    if (buffer.size <= keptBytes && this.#kept.length < keptBuffers) this.#kept.push(buffer);
    else buffer.destroy();
  }
}
