/** Counted handles on blocks of a backend's memory, which the collector may reclaim. */
import type { Allocation, Backend } from "./backend.ts";

/** A block costs its backend more than a few bytes, however short it is. */
const leastWeight = 2048;
/** Bytes of blocks for which one buffer stands. */
const pressureStep = 16 * 1024 * 1024;
/** Bytes in use up to which every byte counts. Beyond, the collector is to come when as much again was handed out. */
const fullPressure = 64 * 1024 * 1024;
/** Resizable buffers are mapped, where plain ones are often cleared, page by page. Engines without them pass over the options. */
const MappedBuffer: new (byteLength: number, options: { maxByteLength: number }) => ArrayBuffer = ArrayBuffer;

/** Buffers of released handles that are kept for the next ones. */
const spareLimit = 16;

/** What all handles together tell the collector. */
const pressure: { unseen: number; readonly spares: ArrayBuffer[] } = { unseen: 0, spares: [] };

/**
 * A counted handle on a block. The block returns when the last holder releases it, or when the handle itself is collected:
 * then `registry` is told `held`. So that the collector sees how much is at stake and comes in time, an untouched `ArrayBuffer`
 * hangs on some handles: one for every few megabytes handed out, because making one takes longer than a small kernel. Its pages
 * are never touched and cost no memory. The buffer of a handle that was released, rather than collected, serves another one.
 */
export abstract class CountedAllocation<Held> implements Allocation {
  readonly backend: Backend;
  readonly byteLength: number;
  copies: Map<Backend, Allocation | Promise<Allocation>> | null = null;
  readonly #weight: number;
  #pressure: ArrayBuffer | null;
  readonly #registry: FinalizationRegistry<Held>;
  #holders = 1;

  /** @param least what a block counts for at least, in bytes: it costs its backend more than its elements */
  constructor(
    backend: Backend,
    registry: FinalizationRegistry<Held>,
    held: Held,
    byteLength: number,
    least: number = leastWeight,
  ) {
    this.backend = backend;
    this.byteLength = byteLength;
    this.#weight = Math.max(byteLength, least);
    pressure.unseen += this.#weight * Math.min(1, fullPressure / (backend.memory().active + 1));
    this.#pressure = pressure.unseen < pressureStep ? null : takePressure();
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
    if (!this.#pressure) pressure.unseen = Math.max(0, pressure.unseen - this.#weight);
    else if (pressure.spares.length < spareLimit) pressure.spares.push(this.#pressure);
    this.#pressure = null;
    if (this.copies) for (const copy of this.copies.values()) releaseCopy(copy);
    this.copies = null;
    this.free();
  }
}

function takePressure(): ArrayBuffer {
  const spare = pressure.spares.pop();
  const byteLength = spare?.byteLength ?? Math.floor(pressure.unseen);
  pressure.unseen = Math.max(0, pressure.unseen - byteLength);
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
