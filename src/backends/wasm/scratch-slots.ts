/** Further slots of a kernel that lie in its scratch memory: values that its loops keep. Knows sizes only. */
import type { Dtype } from "../../base/dtype.ts";
import { byteLengthOf } from "../../base/dtype.ts";

/** Where a slot lies in the scratch memory: at `offset + thread · stride`. */
export interface ScratchSlot {
  readonly offset: number;
  /** 0 for one that all threads share. */
  readonly stride: number;
}

/** The further slots of a kernel. */
export class ScratchSlots {
  readonly slots: ScratchSlot[] = [];
  byteLength = 0;
  readonly #first: number;
  readonly #threadCount: number;

  /** Their numbers begin with `first`. */
  constructor(first: number, threadCount: number) {
    this.#first = first;
    this.#threadCount = threadCount;
  }

  /** The number of a new slot of `size` elements, one for all threads or one for each. */
  add(size: number, dtype: Dtype, of: "all" | "each"): number {
    // Vectors may reach past the end; and stores into slots a power of two apart would seem to alias loads.
    const bytes = Math.ceil((size * byteLengthOf(dtype)) / 64) * 64 + 64;
    const number = this.#first + this.slots.push({ offset: this.byteLength, stride: of === "each" ? bytes : 0 }) - 1;
    this.byteLength += of === "each" ? bytes * this.#threadCount : bytes;
    return number;
  }
}
