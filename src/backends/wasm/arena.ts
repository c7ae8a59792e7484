/** Hands out blocks of one WebAssembly memory that all kernels and threads share. Knows bytes only, no arrays. */

import { ArgumentError, OutOfMemoryError } from "../../base/errors.ts";
import { ALIGNMENT, BIN_COUNT, type Block, binOf, FreeLists, sizeClass } from "./arena-blocks.ts";
import { engineFeatures } from "./engine-features.ts";
import type { MemoryOptions } from "./module-builder.ts";

/** Bytes of a page of WebAssembly memory. */
export const PAGE = 65_536;
/** What 32-bit addresses reach. */
const LARGEST_PAGE_COUNT = 65_536;
/** The first blocks begin here, so that address 0 is never a block and small negative offsets stay readable. */
const FIRST_OFFSET = 1024;
const GROWTH_LIMIT_PAGES = 4096;
/** Before untouched memory is used, the cache is merged if it is this part of the footprint. */
const WORTH_MERGING = 1 / 8;
const DEFAULT_CACHE_LIMIT = 256 * 1024 * 1024;

/** How an arena begins. */
export interface ArenaOptions {
  /** Bytes to begin with, 16 MiB unless given; the memory grows as needed. */
  readonly initialByteLength?: number;
  /** Bytes it may grow to, 4 GiB unless given; less if the engine cannot reserve that much. */
  readonly maximumByteLength?: number;
  /** Whether the memory can be shared with workers; unless given, wherever the engine can. */
  readonly shared?: boolean;
  /** The memory of another thread's arena, with what it can grow to, in place of one of its own: set `sharing` before the first block. */
  readonly memory?: ReservedMemory;
}

/** A memory, and the pages it can grow to. */
export interface ReservedMemory {
  readonly memory: WebAssembly.Memory;
  readonly maximumPages: number;
}

/** What an arena asks when other threads have arenas over the same memory. */
export interface ArenaSharing {
  /** Takes part of the memory that nobody has: `missing` bytes or more at `end`, else at least `whole` bytes elsewhere; null if there is no room. */
  claim(end: number, missing: number, whole: number): { readonly begin: number; readonly end: number } | null;
  /** Whether a block that this thread lets go of is still needed, or another thread's: then it is not freed here. */
  keeps(offset: number): boolean;
  /** Frees what other threads have let go of; all of it if that is `urgent`. */
  collect(urgent: boolean): void;
}

/**
 * An allocator over one `WebAssembly.Memory`.
 *
 * A freed block is first kept as it is, for the next request of its size (the cache); past the cache's limit, and before
 * the memory grows, blocks are merged with their free neighbours into larger ones. Blocks lie below `top`, untouched memory
 * above it:
 *
 *     | 1 KiB | active | cached | free | active | … | top: never touched, or merged back | end of memory
 *
 * Allocating and freeing take constant time. Any load that begins inside a block may read up to 64 bytes past its end.
 */
export class Arena {
  /** The memory; kernels import it as "e"."m". */
  readonly memory: WebAssembly.Memory;
  /** How kernels must declare the import of the memory. */
  readonly memoryOptions: MemoryOptions;
  /** Bytes the memory can grow to. */
  readonly maximumByteLength: number;
  readonly #blocks = new Map<number, Block>();
  readonly #cache: Block[][] = Array.from({ length: BIN_COUNT }, () => []);
  readonly #free = new FreeLists();
  #bytes: Uint8Array;
  #last: Block | undefined;
  #top: number;
  #highest: number;
  /** Where the part of the memory that holds `#top` ends. */
  #end: number;
  /** Bytes touched in other parts, less the address at which this part begins. */
  #elsewhere = 0;
  #activeBytes = 0;
  #peakBytes = 0;
  #cachedBytes = 0;
  #memoryLimit: number;
  #cacheLimit = DEFAULT_CACHE_LIMIT;
  /** Set once other threads have arenas over the memory. */
  sharing: ArenaSharing | undefined;

  constructor(options: ArenaOptions = {}) {
    const shared = options.shared ?? engineFeatures().sharedMemory;
    const maximum = Math.min(LARGEST_PAGE_COUNT, pagesOf(options.maximumByteLength ?? LARGEST_PAGE_COUNT * PAGE));
    const initial = Math.min(maximum, pagesOf(options.initialByteLength ?? 256 * PAGE));
    const { memory, maximumPages } = options.memory ?? reserveMemory(initial, maximum, shared);
    this.memory = memory;
    this.memoryOptions = { shared, minimumPages: 1, maximumPages: LARGEST_PAGE_COUNT };
    this.maximumByteLength = maximumPages * PAGE;
    this.#memoryLimit = this.maximumByteLength;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#end = options.memory ? 0 : this.#bytes.length;
    this.#top = this.#highest = options.memory ? 0 : FIRST_OFFSET;
  }

  /** Bytes in blocks that are in use. */
  get activeBytes(): number {
    return this.#activeBytes;
  }

  /** The greatest value of `activeBytes` so far, or since `resetPeak`. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** Bytes in freed blocks that are kept for the next request of their size. */
  get cachedBytes(): number {
    return this.#cachedBytes;
  }

  /** Bytes of memory ever touched: WebAssembly memory cannot be given back to the system. */
  get footprintBytes(): number {
    return this.#elsewhere + this.#highest;
  }

  /** Greatest number of active bytes allowed. */
  get memoryLimit(): number {
    return this.#memoryLimit;
  }

  set memoryLimit(byteLength: number) {
    this.#memoryLimit = Math.min(byteLength, this.maximumByteLength);
  }

  /** Greatest number of cached bytes; setting it below `cachedBytes` clears the cache. */
  get cacheLimit(): number {
    return this.#cacheLimit;
  }

  set cacheLimit(byteLength: number) {
    this.#cacheLimit = byteLength;
    if (this.#cachedBytes > this.#cacheLimit) this.clearCache();
  }

  /** The whole memory. Ask again after every allocation: a view goes stale when the memory grows. */
  bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Takes note that the memory has grown. */
  refresh(): void {
    this.#bytes = new Uint8Array(this.memory.buffer);
  }

  /**
   * The byte offset, a multiple of 64, of a new block of at least `byteLength` bytes; its contents are undefined.
   *
   * @throws {OutOfMemoryError} if the limit is reached or the memory cannot grow
   */
  allocate(byteLength: number): number {
    const offset = this.tryAllocate(byteLength);
    if (offset < 0) throw this.#exhausted(byteLength);
    return offset;
  }

  /** As `allocate`, but -1 if there is no room. */
  tryAllocate(byteLength: number): number {
    const size = sizeClass(byteLength);
    this.sharing?.collect(false);
    if (this.#activeBytes + size > this.#memoryLimit) return -1;
    const block = this.#take(size);
    if (block === undefined) return -1;
    block.state = "active";
    this.#activeBytes += size;
    if (this.#activeBytes > this.#peakBytes) this.#peakBytes = this.#activeBytes;
    return block.offset;
  }

  /**
   * As `allocate`, for the backend's own needs (kernels, control blocks): not counted as active.
   *
   * @throws {OutOfMemoryError} if the memory cannot grow
   */
  reserve(byteLength: number): number {
    const block = this.#take(sizeClass(byteLength));
    if (block === undefined) throw this.#exhausted(byteLength);
    block.state = "reserved";
    return block.offset;
  }

  /** Gives a block of `allocate` or `reserve` back. */
  free(offset: number): void {
    if (this.sharing?.keeps(offset)) return;
    const block = this.#blocks.get(offset);
    if (block === undefined || (block.state !== "active" && block.state !== "reserved")) {
      throw new ArgumentError("free", `no block in use starts at ${offset}`);
    }
    if (block.state === "active") this.#activeBytes -= block.byteLength;
    if (this.#cachedBytes + block.byteLength <= this.#cacheLimit) {
      block.state = "cached";
      this.#cachedBytes += block.byteLength;
      this.#cache[binOf(block.byteLength)]?.push(block);
    } else {
      this.#merge(block);
    }
  }

  /** Merges all cached blocks with their free neighbours. */
  clearCache(): void {
    if (this.#cachedBytes === 0) return;
    this.#cachedBytes = 0;
    for (const blocks of this.#cache) {
      for (const block of blocks) this.#merge(block);
      blocks.length = 0;
    }
  }

  /** Lets `peakBytes` begin anew at `activeBytes`. */
  resetPeak(): void {
    this.#peakBytes = this.#activeBytes;
  }

  /** A block of exactly `size` bytes: cached, else cut from a free one, else from the top. */
  #take(size: number): Block | undefined {
    const cached = this.#cache[binOf(size)]?.pop();
    if (cached !== undefined) {
      this.#cachedBytes -= size;
      return cached;
    }
    let found = this.#cutFree(size);
    const reachesNew = this.#top + size > this.#highest;
    if (found === undefined && reachesNew && this.#cachedBytes >= Math.max(size, this.footprintBytes * WORTH_MERGING)) {
      this.clearCache();
      found = this.#cutFree(size);
    }
    if (found !== undefined) return found;
    if (!this.#reach(size)) {
      this.sharing?.collect(true);
      this.clearCache(); // what is cached may lie at the top
      found = this.#cutFree(size);
      if (found !== undefined) return found;
      if (!this.#reach(size)) return undefined;
    }
    const block = this.#insert(this.#top, size, this.#last, undefined);
    this.#top += size;
    if (this.#top > this.#highest) this.#highest = this.#top;
    return block;
  }

  #cutFree(size: number): Block | undefined {
    const block = this.#free.find(size);
    if (block === undefined) return undefined;
    this.#free.remove(block);
    const rest = block.byteLength - size;
    if (rest > 0) {
      block.byteLength = size;
      this.#free.add(this.#insert(block.offset + size, rest, block, block.after));
    }
    return block;
  }

  /** Makes a block part of the chain of neighbours. */
  #insert(offset: number, byteLength: number, before: Block | undefined, after: Block | undefined): Block {
    const block: Block = {
      offset,
      byteLength,
      state: "free",
      before,
      after,
      previousFree: undefined,
      nextFree: undefined,
    };
    if (before !== undefined) before.after = block;
    if (after === undefined) this.#last = block;
    else after.before = block;
    this.#blocks.set(offset, block);
    return block;
  }

  /** Frees a block for good: joins it with free neighbours, or with the memory above the top. */
  #merge(block: Block): void {
    let merged = block;
    const { before, after } = block;
    if (before?.state === "free") {
      this.#free.remove(before);
      this.#absorb(before, block);
      merged = before;
    }
    if (after?.state === "free") {
      this.#free.remove(after);
      this.#absorb(merged, after);
    }
    if (merged.after === undefined) {
      this.#blocks.delete(merged.offset);
      this.#last = merged.before;
      if (merged.before !== undefined) merged.before.after = undefined;
      this.#top = merged.offset;
    } else {
      this.#free.add(merged);
    }
  }

  #absorb(block: Block, after: Block): void {
    block.byteLength += after.byteLength;
    block.after = after.after;
    if (after.after === undefined) this.#last = block;
    else after.after.before = block;
    this.#blocks.delete(after.offset);
  }

  /** Makes room for a block of `size` bytes at the top: the memory doubles at first, then grows by 256 MiB, then by as little as needed. */
  #reach(size: number): boolean {
    const missing = this.#top + size + ALIGNMENT - this.#end;
    if (missing <= 0) return true;
    if (this.sharing) return this.#enter(this.sharing.claim(this.#end, missing, size + 2 * ALIGNMENT));
    const current = this.#end / PAGE;
    const needed = pagesOf(missing);
    const available = this.maximumByteLength / PAGE - current;
    if (needed > available) return false;
    const generous = Math.min(available, Math.max(needed, Math.min(current, GROWTH_LIMIT_PAGES)));
    for (const pages of [generous, needed]) {
      try {
        this.memory.grow(pages);
        return this.#enter({ begin: this.#end, end: this.#end + pages * PAGE });
      } catch {
        // a smaller step may do
      }
    }
    return false;
  }

  /** Goes on in a new part of the memory: where the old one ends, or elsewhere. */
  #enter(part: { readonly begin: number; readonly end: number } | null): boolean {
    if (!part) return false;
    const { begin, end } = part;
    this.refresh();
    if (begin !== this.#end) {
      // What is left of the old part becomes a free block, behind which a block that is never freed stops all merging.
      const rest = this.#end - this.#top - ALIGNMENT;
      if (rest > 0) this.#free.add(this.#insert(this.#top, rest, this.#last, undefined));
      if (rest >= 0) this.#insert(this.#end - ALIGNMENT, ALIGNMENT, this.#last, undefined).state = "reserved";
      this.#elsewhere += this.#highest - begin;
      this.#top = this.#highest = begin;
    }
    this.#end = end;
    return true;
  }

  #exhausted(byteLength: number): OutOfMemoryError {
    const held = `${this.#activeBytes} bytes are in use of at most ${this.#memoryLimit}`;
    return new OutOfMemoryError("allocate", `no room for ${byteLength} bytes: ${held}`);
  }
}

function pagesOf(byteLength: number): number {
  return Math.ceil(byteLength / PAGE);
}

function reserveMemory(initial: number, maximum: number, shared: boolean): ReservedMemory {
  for (let pages = maximum; ; pages = Math.max(initial, pages >> 1)) {
    try {
      return { memory: new WebAssembly.Memory({ initial, maximum: pages, shared }), maximumPages: pages };
    } catch (error) {
      if (pages > initial) continue;
      const detail = `the engine cannot reserve ${initial * PAGE} bytes of memory`;
      throw new OutOfMemoryError("Arena", detail, { cause: error });
    }
  }
}
