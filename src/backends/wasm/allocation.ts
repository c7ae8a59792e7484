/** Where the elements of arrays lie: blocks of the arena for large ones, JavaScript memory for small ones. */
import { MLXError } from "../../base/errors.ts";
import { CountedAllocation } from "../../ir/allocation.ts";
import type { Allocation, Backend } from "../../ir/backend.ts";
import type { Arena } from "./arena.ts";

/** Arrays of fewer bytes are small: see `SmallAllocation`. */
export const smallByteLimit = 2048;

/** A counted handle on a block of the arena. */
export class WasmAllocation extends CountedAllocation<number> {
  readonly offset: number;
  readonly arena: Arena;

  constructor(
    backend: Backend,
    arena: Arena,
    registry: FinalizationRegistry<number>,
    offset: number,
    byteLength: number,
  ) {
    super(backend, registry, offset, byteLength);
    this.arena = arena;
    this.offset = offset;
  }

  bytes(): Uint8Array {
    if (this.isReleased) throw new MLXError("read", "the memory was released");
    return this.arena.bytes().subarray(this.offset, this.offset + this.byteLength);
  }

  read<T>(use: (bytes: Uint8Array) => T): T {
    return use(this.bytes());
  }

  protected free(): void {
    this.arena.free(this.offset);
  }
}

/**
 * The elements of a small array. They lie in JavaScript memory, and a run copies them into the arena and out of it: that is
 * cheaper than a block with a finalizer, and nothing of it outlives the array. A finalizer's record stays until the engine's next
 * major collection, which small arrays alone hardly ever bring about.
 */
export class SmallAllocation implements Allocation {
  readonly backend: Backend;
  copies: Allocation["copies"] = null;
  /** The elements, in a buffer that may hold those of other arrays too: nothing but a run may see it. */
  held: Uint8Array;

  constructor(backend: Backend, held: Uint8Array) {
    this.backend = backend;
    this.held = held;
  }

  get byteLength(): number {
    return this.held.byteLength;
  }

  /** In a buffer of their own from then on. */
  bytes(): Uint8Array {
    if (this.held.buffer.byteLength > this.held.byteLength) this.held = this.held.slice();
    return this.held;
  }

  read<T>(use: (bytes: Uint8Array) => T): T {
    return use(this.bytes());
  }

  /** Nothing to count: the collector knows who holds it. */
  retain(): void {}

  release(): void {}
}
