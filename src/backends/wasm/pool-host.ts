/** Where a thread of the pool runs, and the memory that it shares with the others. */
import type { OwnBytes } from "../../base/elements.ts";
import type { PoolLayout } from "./pool-layout.ts";

/** A function of a kernel: computes the items `begin` ≤ i < `end` of one chunk; `thread` selects scratch memory. */
export type KernelFunction = (argumentsPointer: number, begin: number, end: number, thread: number) => void;

/** A function that kernels import. It must be self-contained: workers get it as text. */
export type ImportedFunction = (...values: number[]) => number;

/** Where a thread runs. */
export interface ThreadHost {
  readonly memory: WebAssembly.Memory;
  /** Byte address of the control block. */
  readonly control: number;
  /** Number of this thread, 0 for the one that owns the pool. */
  readonly thread: number;
  readonly imports: Readonly<Record<string, ImportedFunction>>;
  compile(bytes: OwnBytes): WebAssembly.Module;
  /** Asked now and then by a thread that waits long for others: whether one of them has died, so that the wait would never end. */
  isBroken?(): boolean;
}

/** What every function of a thread works on. */
export interface ThreadScope {
  readonly layout: PoolLayout;
  readonly host: ThreadHost;
  /** The first word of the control block. */
  readonly control: number;
  readonly shared: SharedWords;
}

/** The shared memory as 32-bit words. */
export interface SharedWords {
  /** The memory as far as this thread knows it. A view stays one of the same memory when others grow it. */
  readonly words: Int32Array;
  /** The memory up to the word before `end` at least: another thread may have grown it. */
  reach(end: number): Int32Array;
}

/** The words of a memory. Runs in workers from its text: it refers to nothing outside itself. */
export function viewWords(memory: WebAssembly.Memory): SharedWords {
  const shared = {
    words: new Int32Array(memory.buffer),
    reach(end: number) {
      while (end > shared.words.length) {
        if (memory.buffer.byteLength === shared.words.byteLength) memory.grow(0); // makes the engine notice growth elsewhere
        shared.words = new Int32Array(memory.buffer);
      }
      return shared.words;
    },
  };
  return shared;
}
