/** The GPU's memory: buffers in size classes, kept for reuse within a budget. Knows sizes, not what lies in a buffer. */
import { OutOfMemoryError } from "../../base/errors.ts";
import { type CheckedBuffer, createChecked } from "./checked-buffer.ts";
import type { GpuDevice } from "./gpu-api.ts";
import { bufferUsage } from "./gpu-api.ts";

/** Bytes kept for reuse in any case, unless a limit is set; beyond them no more than was in use at once. */
const leastCache = 1 << 28;
const smallestClass = 256;

const storageUsage = bufferUsage.storage | bufferUsage.copySource | bufferUsage.copyTarget;

/** A buffer of the GPU with its place in the pool; one that is broken is never handed out again. */
export interface PooledBuffer extends CheckedBuffer {
  readonly byteLength: number;
}

/** Hands out storage buffers. Work on the queue is in order, so a buffer may be handed out again as soon as it is given back. */
export class BufferPool {
  readonly #device: GpuDevice;
  readonly #flush: () => void;
  readonly #free = new Map<number, PooledBuffer[]>();
  readonly #largest: number;
  #active = 0;
  #peak = 0;
  #cached = 0;
  #memoryLimit = Number.POSITIVE_INFINITY;
  #cacheLimit: number | null = null;
  #isClosed = false;
  /** Buffers that are not known to exist. */
  #unsettled = 0;

  /** @param flush submits all work that may use buffers: called before some are destroyed */
  constructor(device: GpuDevice, flush: () => void) {
    this.#device = device;
    this.#flush = flush;
    // Kernels work on whole vectors of 16 bytes.
    this.#largest = Math.floor((device.limits.maxBufferSize ?? 2 ** 28) / 16) * 16;
  }

  get active(): number {
    return this.#active;
  }
  get peak(): number {
    return this.#peak;
  }
  get cached(): number {
    return this.#cached;
  }

  /** Whether any buffer is to be checked before work that uses it is submitted. */
  get isUnsettled(): boolean {
    return this.#unsettled > 0;
  }

  /** A buffer of at least `byteLength` bytes, contents undefined; a new one is to be checked. @throws {OutOfMemoryError} */
  take(byteLength: number): PooledBuffer {
    const size = Math.min(sizeClassOf(byteLength), this.#largest);
    if (byteLength > this.#largest) {
      throw new OutOfMemoryError(
        "allocate",
        `${byteLength} bytes are more than a buffer of this GPU may have (${this.#largest})`,
      );
    }
    const kept = this.#free.get(size)?.pop();
    if (kept) this.#cached -= size;
    if (this.#active + size > this.#memoryLimit) {
      if (kept) this.#keep(kept);
      throw new OutOfMemoryError(
        "allocate",
        `${byteLength} bytes do not fit: ${this.#active} of ${this.#memoryLimit} are in use on the GPU`,
      );
    }
    const taken = kept ?? this.#create(size);
    this.#active += taken.byteLength;
    this.#peak = Math.max(this.#peak, this.#active);
    return taken;
  }

  /** Takes a buffer back. */
  give(buffer: PooledBuffer): void {
    this.#active -= buffer.byteLength;
    this.#keep(buffer);
    this.#trim(this.#cacheLimit ?? Math.max(leastCache, this.#peak));
  }

  resetPeak(): void {
    this.#peak = this.#active;
  }

  clearCache(): void {
    this.#trim(0);
  }

  /** Keeps nothing any more; buffers in use go when they are given back. */
  close(): void {
    this.#isClosed = true;
    this.#trim(0);
  }

  setLimits(limits: { readonly memory?: number; readonly cache?: number }): void {
    if (limits.memory !== undefined) this.#memoryLimit = limits.memory;
    if (limits.cache === undefined) return;
    this.#cacheLimit = limits.cache;
    this.#trim(limits.cache);
  }

  #create(byteLength: number): PooledBuffer {
    const descriptor = { size: byteLength, usage: storageUsage };
    const held = (): string => ` (${this.#active} bytes are in use on the GPU, ${this.#cached} kept for reuse)`;
    const pooled = Object.assign(createChecked(this.#device, descriptor, held), { byteLength });
    this.#unsettled++;
    pooled.check?.then(
      () => this.#unsettled--,
      () => undefined,
    );
    return pooled;
  }

  #keep(buffer: PooledBuffer): void {
    if (buffer.isBroken) this.#unsettled--;
    if (buffer.isBroken || this.#isClosed) {
      buffer.buffer.destroy();
      return;
    }
    const list = this.#free.get(buffer.byteLength);
    if (list) list.push(buffer);
    else this.#free.set(buffer.byteLength, [buffer]);
    this.#cached += buffer.byteLength;
  }

  /** Destroys kept buffers, the largest first, until no more than `limit` bytes are kept. */
  #trim(limit: number): void {
    if (this.#cached <= limit) return;
    this.#flush();
    for (const size of [...this.#free.keys()].sort((a, b) => b - a)) {
      const list = this.#free.get(size);
      while (this.#cached > limit) {
        const buffer = list?.pop();
        if (!buffer) break;
        buffer.buffer.destroy();
        this.#cached -= buffer.byteLength;
      }
    }
  }
}

/** The size that a buffer for `byteLength` bytes gets: an eighth of a power of two apart, so that at most an eighth is lost. */
function sizeClassOf(byteLength: number): number {
  if (byteLength <= smallestClass) return smallestClass;
  const step = Math.max(2 ** (Math.ceil(Math.log2(byteLength)) - 4), smallestClass);
  return Math.ceil(byteLength / step) * step;
}
