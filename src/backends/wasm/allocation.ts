/** Blocks of the arena as JavaScript objects that the collector may reclaim. */
import { MLXError } from "../../base/errors.ts";
import type { Allocation } from "../../ir/backend.ts";
import type { Arena } from "./arena.ts";

/**
 * A counted handle on a block. Its memory returns when the last holder releases it, or when the handle itself is
 * collected. An untouched `ArrayBuffer` of the same length hangs on it, so that the collector sees how much is at stake
 * and comes in time; its pages are never touched and cost no memory.
 */
export class WasmAllocation implements Allocation {
  readonly byteLength: number;
  readonly offset: number;
  readonly pressure: ArrayBuffer | null;
  readonly #arena: Arena;
  readonly #registry: FinalizationRegistry<number>;
  #holders = 1;

  constructor(arena: Arena, registry: FinalizationRegistry<number>, offset: number, byteLength: number) {
    this.#arena = arena;
    this.#registry = registry;
    this.offset = offset;
    this.byteLength = byteLength;
    this.pressure = byteLength >= pressureThreshold ? new ArrayBuffer(byteLength) : null;
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

/** Blocks below this are as small as the JavaScript objects around them, which the collector sees by themselves. */
const pressureThreshold = 2048;
