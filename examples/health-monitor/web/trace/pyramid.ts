/** Least and greatest values of long series at coarser and coarser steps, so that drawing any stretch costs the same. */

/** Readings that one entry of the first level covers; each further level covers as many entries of the one below. */
const branching = 8;

/** The least and the greatest of some values; least above greatest where there were none. */
export interface Extent {
  readonly least: number;
  readonly greatest: number;
}

/** The extents of neighbouring values, as plain data: one entry for every eight of the level below. */
export interface ExtentLevel {
  readonly least: Float64Array;
  readonly greatest: Float64Array;
}

/** The levels of a series, the finest first. */
export type ExtentLevels = readonly ExtentLevel[];

/** The levels of `values`; `allocate` makes their arrays. */
export function extentsOf(values: Float64Array, allocate: (length: number) => Float64Array): ExtentLevels {
  const levels: ExtentLevel[] = [];
  let below: ExtentLevel = { least: values, greatest: values };
  while (below.least.length > branching) {
    const entries = Math.ceil(below.least.length / branching);
    const level = { least: allocate(entries), greatest: allocate(entries) };
    fillLevel(level, below, 0, entries, below.least.length);
    levels.push(level);
    below = level;
  }
  return levels;
}

/** Values that may grow at the end, and their extents at every level. */
export class Pyramid {
  #values: Float64Array;
  #length: number;
  readonly #levels: ExtentLevel[];

  /** Begins with `values` and their levels, which are not copied. */
  constructor(values: Float64Array, levels: ExtentLevels = extentsOf(values, (length) => new Float64Array(length))) {
    this.#values = values;
    this.#length = values.length;
    this.#levels = [...levels];
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
    this.#extend();
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

  /** Brings all levels up to date with the last value. */
  #extend(): void {
    let below: ExtentLevel = { least: this.#values, greatest: this.#values };
    let count = this.#length;
    for (let index = 0; count > branching; index++) {
      const entries = Math.ceil(count / branching);
      let level = this.#levels[index] ?? { least: new Float64Array(0), greatest: new Float64Array(0) };
      // A level that has just begun covers everything before, too.
      const first = level.least.length === 0 ? 0 : entries - 1;
      if (entries > level.least.length) level = { least: doubled(level.least), greatest: doubled(level.greatest) };
      this.#levels[index] = level;
      fillLevel(level, below, first, entries, count);
      below = level;
      count = entries;
    }
  }
}

/** Finds the entries from `first` to before `end` of a level above the first `count` of the level below. */
function fillLevel(level: ExtentLevel, below: ExtentLevel, first: number, end: number, count: number): void {
  for (let entry = first; entry < end; entry++) {
    let least = Number.POSITIVE_INFINITY;
    let greatest = Number.NEGATIVE_INFINITY;
    const stop = Math.min((entry + 1) * branching, count);
    for (let k = entry * branching; k < stop; k++) {
      const low = below.least[k] ?? Number.NaN;
      const high = below.greatest[k] ?? Number.NaN;
      if (low < least) least = low;
      if (high > greatest) greatest = high;
    }
    level.least[entry] = least;
    level.greatest[entry] = greatest;
  }
}

function doubled(values: Float64Array): Float64Array {
  const larger = new Float64Array(Math.max(64, 2 * values.length));
  larger.set(values);
  return larger;
}
