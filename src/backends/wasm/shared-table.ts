/** Tables in the memory that threads share: entries that are taken and given back by single atomic instructions. */

/** Words of a chunk: 1 MiB, the unit in which threads divide the memory. */
export const chunkWords: number = (1024 * 1024) / 4;

/** The memory as words, and whole chunks of it for tables. */
export interface TableMemory {
  /** All words up to `end` at least. */
  reach(end: number): Int32Array;
  /** Takes a chunk, cleared, for `publish`, which says whether it went into use; -1 if there is no room. */
  addChunk(publish: (begin: number) => boolean): number;
}

/**
 * A table of entries of a few words each. The first word of an entry is 0 while nobody has it. An entry is known by the
 * position of that word in the memory. Tables grow by chunks and never shrink.
 */
export class SharedTable {
  readonly #memory: TableMemory;
  /** Word at which the list of chunks begins: the highest number of chunks, then the first word of each. */
  readonly #list: number;
  readonly #chunkLimit: number;
  readonly #entryWords: number;
  /** Entries that this thread gave back, to be looked at first. */
  readonly #given: number[] = [];
  /** Where this thread looks next. */
  #next: number;

  constructor(
    memory: TableMemory,
    place: { readonly list: number; readonly chunkLimit: number; readonly entryWords: number; readonly start: number },
  ) {
    this.#memory = memory;
    this.#list = place.list;
    this.#chunkLimit = place.chunkLimit;
    this.#entryWords = place.entryWords;
    this.#next = place.start;
  }

  get #perChunk(): number {
    return chunkWords / this.#entryWords;
  }

  /** An entry that was free, its first word now `value`; -1 if the table is full. */
  take(value: number): number {
    for (let entry = this.#given.pop(); entry !== undefined; entry = this.#given.pop()) {
      if (Atomics.compareExchange(this.#memory.reach(entry + this.#entryWords), entry, 0, value) === 0) return entry;
    }
    for (let chunk = 0; chunk < this.#chunkLimit; chunk++) {
      const begin = this.#chunk(chunk) || this.#memory.addChunk((added) => this.#publish(chunk, added));
      if (begin < 0) return -1;
      const first = this.#chunk(chunk);
      const words = this.#memory.reach(first + chunkWords);
      for (let k = 0; k < this.#perChunk; k++) {
        const entry = first + ((this.#next + k) % this.#perChunk) * this.#entryWords;
        if (Atomics.load(words, entry) !== 0 || Atomics.compareExchange(words, entry, 0, value) !== 0) continue;
        this.#next = (this.#next + k + 1) % this.#perChunk;
        return entry;
      }
    }
    return -1;
  }

  /** Gives an entry back that this thread has. */
  give(entry: number): void {
    Atomics.store(this.#memory.reach(entry + 1), entry, 0);
    if (this.#given.length < 1024) this.#given.push(entry);
  }

  /** All entries that somebody has. */
  *entries(): Generator<number, void, void> {
    for (let chunk = 0; chunk < this.#chunkLimit; chunk++) {
      const first = this.#chunk(chunk);
      if (first === 0) return;
      const words = this.#memory.reach(first + chunkWords);
      for (let k = 0; k < this.#perChunk; k++) {
        const entry = first + k * this.#entryWords;
        if (Atomics.load(words, entry) !== 0) yield entry;
      }
    }
  }

  /** Whether the chunk that begins at word `begin` is the table's. */
  owns(begin: number): boolean {
    for (let chunk = 0; chunk < this.#chunkLimit; chunk++) if (this.#chunk(chunk) === begin) return true;
    return false;
  }

  #chunk(position: number): number {
    return Atomics.load(this.#memory.reach(this.#list + this.#chunkLimit), this.#list + position);
  }

  #publish(position: number, begin: number): boolean {
    const words = this.#memory.reach(this.#list + this.#chunkLimit);
    return Atomics.compareExchange(words, this.#list + position, 0, begin) === 0;
  }
}
