/** The readings of a sensor that goes on measuring; the page and the analyst each have one and append the same. */
import type { Track } from "./source.ts";

const initialCapacity = 1024;

/** A track that grows at its end. */
export class GrowingTrack implements Track {
  readonly name: string;
  readonly isLabelled = false;
  length = 0;
  /** Nothing until the user says what is usual. */
  trainingLength = 0;
  #channels: Float64Array[];
  #labels: Uint8Array = new Uint8Array(initialCapacity);

  constructor(name: string, channelCount: number) {
    this.name = name;
    this.#channels = Array.from({ length: channelCount }, () => new Float64Array(initialCapacity));
  }

  get channels(): readonly Float64Array[] {
    return this.#channels.map((values) => values.subarray(0, this.length));
  }

  /** Nobody labels a sensor while it measures. */
  get labels(): Uint8Array {
    return this.#labels.subarray(0, this.length);
  }

  /** Appends a reading, one value for each channel. */
  append(values: readonly number[]): void {
    if (this.length === this.#labels.length) this.#grow();
    for (const [c, channel] of this.#channels.entries()) channel[this.length] = values[c] ?? Number.NaN;
    this.length++;
  }

  #grow(): void {
    this.#labels = new Uint8Array(2 * this.length);
    this.#channels = this.#channels.map((values) => {
      const larger = new Float64Array(2 * this.length);
      larger.set(values);
      return larger;
    });
  }
}
