/** Where the elements of arrays lie: blocks of the arena for large ones, JavaScript memory for small ones. */
import { MLXError } from "../../base/errors.ts";
import type { Allocation } from "../../ir/backend.ts";
import type { Arena } from "./arena.ts";

/** Arrays of fewer bytes are small: see `SmallAllocation`. */
export const smallByteLimit = 2048;

/**
 * A counted handle on a block. Its memory returns when the last holder releases it, or when the handle itself is
 * collected. An untouched `ArrayBuffer` of the same length hangs on it, so that the collector sees how much is at stake
 * and comes in time; its pages are never touched and cost no memory.
 */
export class WasmAllocation implements Allocation {
  readonly byteLength: number;
  readonly offset: number;
  readonly pressure: ArrayBuffer;
  readonly #arena: Arena;
  readonly #registry: FinalizationRegistry<number>;
  #holders = 1;

  constructor(arena: Arena, registry: FinalizationRegistry<number>, offset: number, byteLength: number) {
    this.#arena = arena;
    this.#registry = registry;
    this.offset = offset;
    this.byteLength = byteLength;
    this.pressure = new ArrayBuffer(byteLength);
    registry.register(this, offset, this);
  }

  bytes(): Uint8Array {
    if (this.#holders === 0) throw new MLXError("read", "the memory was released");
    return this.#arena.bytes().subarray(this.offset, this.offset + this.byteLength);
  }

  retain(): void {
    this.#holders++;
  }

  release(): void {
    if (this.#holders === 0 || --this.#holders > 0) return;
    this.#registry.unregister(this);
    this.#arena.free(this.offset);
  }
}

/**
 * The elements of a small array. They lie in JavaScript memory, and a run copies them into the arena and out of it: that is
 * cheaper than a block with a finalizer, and nothing of it outlives the array. A finalizer's record stays until the engine's next
 * major collection, which small arrays alone hardly ever bring about.
 */
export class SmallAllocation implements Allocation {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get byteLength(): number {
    return this.#bytes.byteLength;
  }

  bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Nothing to count: the collector knows who holds it. */
  retain(): void {}

  release(): void {}
}
