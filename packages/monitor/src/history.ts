/** The history of one figure in bounded memory: however many values come, first, last and extremes stay. */

/** A value and the step it belongs to. */
export interface Point {
  readonly step: number;
  readonly value: number;
}

/** What is left of neighbouring values: one column per property, one row per bucket, oldest first. */
export interface Buckets {
  /** The step of the latest value of each bucket. */
  readonly steps: Float64Array;
  readonly means: Float64Array;
  readonly lows: Float64Array;
  readonly highs: Float64Array;
}

/** Steps and values, as lines are drawn from. */
export interface Line {
  readonly steps: Float64Array;
  readonly values: Float64Array;
}

/** Neighbouring values joined; a NaN or an infinity is counted and joins nothing. */
interface Bucket {
  lastStep: number;
  low: Point | null;
  high: Point | null;
  sum: number;
  count: number;
}

/**
 * Values in the order of their steps. At first each has a bucket of its own; when `capacity` buckets are full, each two
 * neighbours join, and from then on a bucket takes twice as many values: a value costs the same however many came before.
 *
 * @throws {RangeError} unless the capacity is an even number, at least 2
 * @example
 * import { History } from "@mlx-ts/monitor";
 *
 * const history = new History(8);
 * for (let step = 1; step <= 1000; step++) history.add(step, step === 400 ? 99 : 1 / step);
 * history.buckets().steps.length <= 8; // true
 * history.highest; // { step: 400, value: 99 }
 * history.first; // { step: 1, value: 1 }
 */
export class History {
  /** The most buckets there are. */
  readonly capacity: number;
  #buckets: Bucket[] = [];
  #valuesPerBucket = 1;
  #count = 0;
  #first: Point | null = null;
  #last: Point | null = null;

  constructor(capacity = 1024) {
    if (!(Number.isInteger(capacity) && capacity >= 2 && capacity % 2 === 0)) {
      throw new RangeError(`History: the capacity is an even number, at least 2, got ${capacity}`);
    }
    this.capacity = capacity;
  }

  /** How many values have been added. */
  get count(): number {
    return this.#count;
  }

  get first(): Point | null {
    return this.#first;
  }

  get last(): Point | null {
    return this.#last;
  }

  /** The least finite value. */
  get lowest(): Point | null {
    return this.#extreme(
      (bucket) => bucket.low,
      (a, b) => a < b,
    );
  }

  /** The greatest finite value. */
  get highest(): Point | null {
    return this.#extreme(
      (bucket) => bucket.high,
      (a, b) => a > b,
    );
  }

  /** Adds the value of a step, which comes after all that were added. */
  add(step: number, value: number): void {
    const point = { step, value };
    this.#first ??= point;
    this.#last = point;
    let bucket = this.#buckets.at(-1);
    if (!bucket || this.#count % this.#valuesPerBucket === 0) {
      if (this.#buckets.length === this.capacity) this.#halve();
      bucket = { lastStep: step, low: null, high: null, sum: 0, count: 0 };
      this.#buckets.push(bucket);
    }
    this.#count++;
    bucket.lastStep = step;
    if (!Number.isFinite(value)) return;
    if (!bucket.low || value < bucket.low.value) bucket.low = point;
    if (!bucket.high || value > bucket.high.value) bucket.high = point;
    bucket.sum += value;
    bucket.count++;
  }

  /** Forgets the values of steps after `step`, and what was joined with them: a training has gone back to a checkpoint. */
  truncate(step: number): void {
    const kept = this.#buckets.filter(({ lastStep }) => lastStep <= step);
    this.#buckets = kept;
    this.#count = kept.length * this.#valuesPerBucket;
    const last = kept.at(-1);
    if (!last) {
      this.#valuesPerBucket = 1;
      this.#first = null;
    }
    this.#last = last ? { step: last.lastStep, value: last.count > 0 ? last.sum / last.count : Number.NaN } : null;
  }

  /** Means and bounds of neighbouring values. A bucket without a finite value is NaN: a gap in a line. */
  buckets(): Buckets {
    const column = (read: (bucket: Bucket) => number): Float64Array => Float64Array.from(this.#buckets, read);
    return {
      steps: column(({ lastStep }) => lastStep),
      means: column(({ sum, count }) => (count > 0 ? sum / count : Number.NaN)),
      lows: column(({ low }) => low?.value ?? Number.NaN),
      highs: column(({ high }) => high?.value ?? Number.NaN),
    };
  }

  /** The line through first, last and the extremes of every bucket, each at its own step. */
  line(): Line {
    const points: Point[] = [];
    const put = (point: Point | null): void => {
      if (point && point.step !== points.at(-1)?.step) points.push(point);
    };
    put(this.#first);
    for (const { low, high } of this.#buckets) {
      const isFalling = low !== null && high !== null && high.step < low.step;
      put(isFalling ? high : low);
      put(isFalling ? low : high);
    }
    put(this.#last);
    return {
      steps: Float64Array.from(points, ({ step }) => step),
      values: Float64Array.from(points, ({ value }) => value),
    };
  }

  #halve(): void {
    const joined: Bucket[] = [];
    for (let k = 0; k < this.#buckets.length; k += 2) {
      const [a, b] = [this.#buckets[k], this.#buckets[k + 1]];
      if (a && b) joined.push(join(a, b));
    }
    this.#buckets = joined;
    this.#valuesPerBucket *= 2;
  }

  #extreme(read: (bucket: Bucket) => Point | null, isBeyond: (a: number, b: number) => boolean): Point | null {
    let found: Point | null = null;
    for (const bucket of this.#buckets) {
      const point = read(bucket);
      if (point && (!found || isBeyond(point.value, found.value))) found = point;
    }
    return found;
  }
}

function join(a: Bucket, b: Bucket): Bucket {
  return {
    lastStep: b.lastStep,
    low: b.low && (!a.low || b.low.value < a.low.value) ? b.low : a.low,
    high: b.high && (!a.high || b.high.value > a.high.value) ? b.high : a.high,
    sum: a.sum + b.sum,
    count: a.count + b.count,
  };
}
