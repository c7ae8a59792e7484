/** Counted handles on blocks of a backend's memory, which the collector may reclaim. */
import type { Allocation, Backend } from "./backend.ts";

/** A block costs its backend more than a few bytes, however short it is. */
const leastPressure = 2048;
/** From here on the buffer is a resizable one: those are mapped, where plain ones are often cleared, page by page. */
const mappedPressure = 1 << 17;
/** Engines without resizable buffers pass over the options. */
const MappedBuffer: new (byteLength: number, options: { maxByteLength: number }) => ArrayBuffer = ArrayBuffer;

/**
 * A counted handle on a block. The block returns when the last holder releases it, or when the handle itself is collected:
 * then `registry` is told `held`. An untouched `ArrayBuffer` of that length hangs on the handle, so that the collector
 * sees how much is at stake and comes in time; its pages are never touched and cost no memory.
 */
export abstract class CountedAllocation<Held> implements Allocation {
  readonly backend: Backend;
  readonly byteLength: number;
  copies: Map<Backend, Allocation | Promise<Allocation>> | null = null;
  #pressure: ArrayBuffer | null;
  readonly #registry: FinalizationRegistry<Held>;
  #holders = 1;

  constructor(backend: Backend, registry: FinalizationRegistry<Held>, held: Held, byteLength: number) {
    this.backend = backend;
    this.byteLength = byteLength;
    this.#pressure = pressureOf(byteLength);
    this.#registry = registry;
    registry.register(this, held, this);
  }

  abstract bytes(): Uint8Array | null;
  abstract read<T>(use: (bytes: Uint8Array) => T): T | Promise<T>;
  /** Gives the block back. */
  protected abstract free(): void;

  get isReleased(): boolean {
    return this.#holders === 0;
  }

  retain(): void {
    this.#holders++;
  }

  release(): void {
    if (this.#holders === 0 || --this.#holders > 0) return;
    this.#registry.unregister(this);
    if (this.#pressure) keepSpare(this.#pressure);
    this.#pressure = null;
    if (this.copies) for (const copy of this.copies.values()) releaseCopy(copy);
    this.copies = null;
    this.free();
  }
}

/**
 * Buffers of handles that were released rather than collected, by length: the next handle of the length takes one, so that
 * a loop that releases what it makes never calls the collector.
 */
const spares = new Map<number, ArrayBuffer>();
const spareLimit = 8;

function keepSpare(buffer: ArrayBuffer): void {
  if (buffer.byteLength < mappedPressure) return;
  spares.set(buffer.byteLength, buffer);
  const [oldest] = spares.keys();
  if (spares.size > spareLimit && oldest !== undefined) spares.delete(oldest);
}

function pressureOf(byteLength: number): ArrayBuffer {
  if (byteLength < mappedPressure) return new ArrayBuffer(Math.max(byteLength, leastPressure));
  const spare = spares.get(byteLength);
  spares.delete(byteLength);
  return spare ?? new MappedBuffer(byteLength, { maxByteLength: byteLength });
}

function releaseCopy(copy: Allocation | Promise<Allocation>): void {
  if (copy instanceof Promise) {
    copy.then(
      (arrived) => arrived.release(),
      () => undefined,
    );
  } else copy.release();
}

/** The bytes of `allocation` or of a copy of it, if the CPU sees one of them. */
export function visibleBytes(allocation: Allocation): Uint8Array | null {
  const own = allocation.bytes();
  if (own || !allocation.copies) return own;
  for (const copy of allocation.copies.values()) {
    const bytes = copy instanceof Promise ? null : copy.bytes();
    if (bytes) return bytes;
  }
  return null;
}
