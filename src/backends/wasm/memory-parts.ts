/** Divides one memory among threads, chunk by chunk, so that each has parts of its own to allocate from. */
import type { ReservedMemory } from "./arena.ts";
import { PAGE } from "./arena.ts";
import { chunkWords } from "./shared-table.ts";

/** Bytes of a chunk. */
export const chunkBytes: number = chunkWords * 4;
/** Chunks that 32-bit addresses reach. */
export const chunkLimit = 4096;
const pagesPerChunk = chunkBytes / PAGE;
/** A thread takes as much again as it has, up to this many chunks, so that it need not ask often. */
const generousChunks = 64;
/** Adjacent chunks. */
export interface ChunkRun {
  readonly first: number;
  readonly count: number;
}

/** Others may take what was just added before it can be claimed; after so many times there is surely no room. */
const attemptLimit = 1000;

/**
 * The map of chunks: a word each, 0 for a chunk that nobody has, else who has it. A chunk changes hands by one
 * compare-and-exchange, so a thread may end between any two instructions.
 */
export class MemoryParts {
  readonly #reserved: ReservedMemory;
  readonly #map: number;
  readonly #words: () => Int32Array;
  #ownChunks = 0;

  /** `map` is the first of `chunkLimit` words of `words`. */
  constructor(reserved: ReservedMemory, map: number, words: () => Int32Array) {
    this.#reserved = reserved;
    this.#map = map;
    this.#words = words;
  }

  /** Adjacent chunks for `owner`: `extension` at least from chunk `at` on if they are free, else `whole` at least elsewhere. */
  claim(owner: number, at: number, extension: number, whole: number): ChunkRun | null {
    const generous = Math.min(this.#ownChunks, generousChunks);
    for (let attempt = 0; attempt < attemptLimit; attempt++) {
      const total = this.#total();
      const found =
        this.#takeAt(owner, at, Math.max(extension, generous), total) ??
        this.#takeAt(owner, at, extension, total) ??
        this.#takeAnywhere(owner, Math.max(whole, generous), total) ??
        this.#takeAnywhere(owner, whole, total);
      if (found) return found;
      if (!this.#grow(Math.max(whole, generous)) && !this.#grow(whole) && !this.#grow(extension)) return null;
    }
    return null;
  }

  /** Whose chunk it is; 0: nobody's. */
  ownerOf(chunk: number): number {
    return Atomics.load(this.#words(), this.#map + chunk);
  }

  /** Hands a chunk over. */
  assign(chunk: number, owner: number): void {
    Atomics.store(this.#words(), this.#map + chunk, owner);
  }

  #total(): number {
    this.#reserved.memory.grow(0); // the engine then notices growth elsewhere
    return Math.floor(this.#reserved.memory.buffer.byteLength / chunkBytes);
  }

  #takeAnywhere(owner: number, count: number, total: number): ChunkRun | null {
    for (let first = 1; first + count <= total; first++) {
      const taken = this.#takeAt(owner, first, count, total);
      if (taken) return taken;
    }
    return null;
  }

  /** Takes all of the chunks or none; the first chunk of the memory is never free. */
  #takeAt(owner: number, first: number, count: number, total: number): ChunkRun | null {
    if (first + count > total) return null;
    const words = this.#words();
    for (let chunk = first; chunk < first + count; chunk++) if (this.ownerOf(chunk) !== 0) return null;
    for (let k = 0; k < count; k++) {
      if (Atomics.compareExchange(words, this.#map + first + k, 0, owner) === 0) continue;
      for (let taken = 0; taken < k; taken++) this.assign(first + taken, 0);
      return null;
    }
    this.#ownChunks += count;
    return { first, count };
  }

  #grow(chunks: number): boolean {
    try {
      this.#reserved.memory.grow(chunks * pagesPerChunk);
      return true;
    } catch {
      return false;
    }
  }
}
