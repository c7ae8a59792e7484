/** The blocks of an arena: their size classes, and the free ones of each class. */

/** Every block starts at a multiple of this; one cache line. */
export const ALIGNMENT = 64;
/** Size classes per doubling: a block is at most 1/16 larger than asked. */
const CLASS_BITS = 4;
const CLASSES = 1 << CLASS_BITS;
/** How many size classes there are. */
export const BIN_COUNT = 384;

type BlockState = "active" | "reserved" | "cached" | "free";

/** A piece of the memory. Blocks tile it without gaps from FIRST_OFFSET to the arena's top. */
export interface Block {
  offset: number;
  byteLength: number;
  state: BlockState;
  /** Neighbours in memory. */
  before: Block | undefined;
  after: Block | undefined;
  /** Neighbours in the list of free blocks of one size class. */
  previousFree: Block | undefined;
  nextFree: Block | undefined;
}

/** The free blocks of an arena, a list for each size class. */
export class FreeLists {
  readonly #heads: (Block | undefined)[] = new Array<Block | undefined>(BIN_COUNT).fill(undefined);
  /** One bit per entry of `#heads` that is not empty. */
  readonly #occupied = new Int32Array(BIN_COUNT / 32);

  /** Makes a block one of the free ones. */
  add(block: Block): void {
    const bin = binOf(block.byteLength);
    const head = this.#heads[bin];
    block.state = "free";
    block.previousFree = undefined;
    block.nextFree = head;
    if (head !== undefined) head.previousFree = block;
    this.#heads[bin] = block;
    this.#mark(bin, true);
  }

  /** Takes a block out of its list. */
  remove(block: Block): void {
    const bin = binOf(block.byteLength);
    if (block.previousFree !== undefined) block.previousFree.nextFree = block.nextFree;
    else {
      this.#heads[bin] = block.nextFree;
      if (block.nextFree === undefined) this.#mark(bin, false);
    }
    if (block.nextFree !== undefined) block.nextFree.previousFree = block.previousFree;
    block.previousFree = undefined;
    block.nextFree = undefined;
  }

  /** A free block of at least `size` bytes, which stays in its list; undefined if there is none. */
  find(size: number): Block | undefined {
    return this.#heads[this.#nextOccupied(binOf(size))];
  }

  #mark(bin: number, isOccupied: boolean): void {
    const word = this.#occupied[bin >> 5] ?? 0;
    this.#occupied[bin >> 5] = isOccupied ? word | (1 << (bin & 31)) : word & ~(1 << (bin & 31));
  }

  /** The first size class from `bin` on that has a free block, or -1. Every block of it is large enough. */
  #nextOccupied(bin: number): number {
    let mask = -1 << (bin & 31);
    for (let index = bin >> 5; index < this.#occupied.length; index++) {
      const word = (this.#occupied[index] ?? 0) & mask;
      if (word !== 0) return index * 32 + 31 - Math.clz32(word & -word);
      mask = -1;
    }
    return -1;
  }
}

/** The smallest block size that holds `byteLength` bytes: a multiple of 64, 16 sizes to each doubling. */
export function sizeClass(byteLength: number): number {
  const units = Math.max(1, Math.ceil(byteLength / ALIGNMENT));
  if (units < CLASSES) return units * ALIGNMENT;
  const step = 2 ** (31 - Math.clz32(units) - CLASS_BITS);
  return Math.ceil(units / step) * step * ALIGNMENT;
}

/** The size class of which a block of `byteLength` bytes can serve every request. */
export function binOf(byteLength: number): number {
  const units = byteLength / ALIGNMENT;
  if (units < CLASSES) return units;
  const shift = 31 - Math.clz32(units) - CLASS_BITS;
  return (shift + 1) * CLASSES + ((units >> shift) & (CLASSES - 1));
}
