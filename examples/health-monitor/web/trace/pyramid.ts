/** Least and greatest values of long series at coarser and coarser steps, so that drawing any stretch costs the same. */

/** Readings that one entry of the first level covers; each further level covers as many entries of the one below. */
const branching = 8;

/** The least and the greatest of some values; least above greatest where there were none. */
export interface Extent {
  readonly least: number;
  readonly greatest: number;
}

/** Values that may grow at the end, and their extents at every level. */
export class Pyramid {
  #values: Float64Array;
  #length: number;
  readonly #levels: { least: Float64Array; greatest: Float64Array }[] = [];

  /** Begins with `values`, which are not copied. */
  constructor(values: Float64Array) {
    this.#values = values;
    this.#length = values.length;
    this.#extend(0);
  }

  get length(): number {
    return this.#length;
  }

  /** The value of a reading. */
  at(index: number): number {
    return this.#values[index] ?? Number.NaN;
  }

  /** Appends a value. */
  append(value: number): void {
    if (this.#length === this.#values.length) this.#values = doubled(this.#values);
    this.#values[this.#length] = value;
    this.#length++;
    this.#extend(this.#length - 1);
  }

  /** The extent of the readings from `start` to before `end`. */
  extent(start: number, end: number): Extent {
    let least = Number.POSITIVE_INFINITY;
    let greatest = Number.NEGATIVE_INFINITY;
    let index = Math.max(0, start);
    const stop = Math.min(end, this.#length);
    while (index < stop) {
      // The coarsest entry that begins here and ends in time.
      let level = -1;
      let size = 1;
      while (level + 1 < this.#levels.length && index % (size * branching) === 0 && index + size * branching <= stop) {
        level++;
        size *= branching;
      }
      const entries = this.#levels[level];
      const low = entries ? (entries.least[index / size] ?? Number.NaN) : (this.#values[index] ?? Number.NaN);
      const high = entries ? (entries.greatest[index / size] ?? Number.NaN) : low;
      if (low < least) least = low;
      if (high > greatest) greatest = high;
      index += size;
    }
    return { least, greatest };
  }

  /** Brings all levels up to date with the values from `from` on. */
  #extend(from: number): void {
    let below = { least: this.#values, greatest: this.#values };
    let count = this.#length;
    let first = from;
    for (let level = 0; count > branching; level++) {
      const entries = Math.ceil(count / branching);
      const known = this.#levels[level];
      // A level that has just begun covers everything before, too.
      first = known ? Math.floor(first / branching) : 0;
      const current = known ?? { least: new Float64Array(entries), greatest: new Float64Array(entries) };
      this.#levels[level] = current;
      if (entries > current.least.length) {
        current.least = doubled(current.least);
        current.greatest = doubled(current.greatest);
      }
      for (let entry = first; entry < entries; entry++) {
        let least = Number.POSITIVE_INFINITY;
        let greatest = Number.NEGATIVE_INFINITY;
        const end = Math.min((entry + 1) * branching, count);
        for (let k = entry * branching; k < end; k++) {
          const low = below.least[k] ?? Number.NaN;
          const high = below.greatest[k] ?? Number.NaN;
          if (low < least) least = low;
          if (high > greatest) greatest = high;
        }
        current.least[entry] = least;
        current.greatest[entry] = greatest;
      }
      below = current;
      count = entries;
    }
  }
}

function doubled(values: Float64Array): Float64Array {
  const larger = new Float64Array(Math.max(64, 2 * values.length));
  larger.set(values);
  return larger;
}
