/** Blocks of the GPU's memory as JavaScript objects that the collector may reclaim. */
import { CountedAllocation } from "../../ir/allocation.ts";
import type { PooledBuffer } from "./buffer-pool.ts";
import type { WebGpuBackend } from "./webgpu-backend.ts";

/** What a buffer costs the driver and the browser besides its elements, in bytes. */
const leastWeight = 16 * 1024;

/** A counted handle on a buffer of the GPU. */
export class GpuAllocation extends CountedAllocation<PooledBuffer> {
  readonly pooled: PooledBuffer;
  readonly #owner: WebGpuBackend;

  constructor(
    backend: WebGpuBackend,
    registry: FinalizationRegistry<PooledBuffer>,
    pooled: PooledBuffer,
    byteLength: number,
  ) {
    super(backend, registry, pooled, byteLength, leastWeight);
    this.#owner = backend;
    this.pooled = pooled;
  }

  get isBroken(): boolean {
    return this.pooled.isBroken;
  }

  bytes(): null {
    return null;
  }

  read<T>(use: (bytes: Uint8Array) => T): Promise<T> {
    return this.#owner.read(this, use);
  }

  protected free(): void {
    this.#owner.pool.give(this.pooled);
  }
}
