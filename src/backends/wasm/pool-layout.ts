/** Where the threads of a pool find what they share: words of the control block, of programs and of kernel records. */
import { THREAD_LIMIT } from "./pool.ts";

/**
 * Positions in 32-bit words. Words that several threads write lie in cache lines (16 words) of their own.
 *
 * The control block begins with `generation`; a program is a header and one record per phase; a kernel record is a header
 * and the module's bytes. This is plain data because workers get it as text.
 */
export interface PoolLayout {
  /** Changes when there may be work; idle workers sleep on it. */
  readonly generation: number;
  /** Byte address of the program that runs now; 0 when none does. */
  readonly program: number;
  /** Number of workers asleep. */
  readonly sleepers: number;
  /** Not 0 when the workers shall end. */
  readonly quit: number;
  /** 0: all is well; 1: a thread writes its error down; 2: it has. */
  readonly error: number;
  readonly errorSlot: number;
  readonly errorLength: number;
  /** Held by the worker that compiles under engine flags, which belong to the process. */
  readonly compileLock: number;
  /** Not 0 while thread t is in the program: at `inside + 16 * t`. */
  readonly inside: number;
  /** The error's message as UTF-16. */
  readonly errorText: number;
  readonly errorTextLimit: number;
  readonly controlWords: number;

  readonly phaseCount: number;
  /** The thread that runs the phases of a single chunk and ends the program; -1: the first to come. */
  readonly lead: number;
  /** Not 0 while the lead sleeps, waiting for others to finish a phase. */
  readonly leadSleeps: number;
  readonly headerWords: number;

  readonly kernelRecord: number;
  readonly slot: number;
  readonly version: number;
  readonly functionIndex: number;
  readonly arguments: number;
  readonly itemCount: number;
  readonly itemsPerChunk: number;
  readonly chunkCount: number;
  /** Number of chunks taken (or more). */
  readonly next: number;
  /** Number of chunks done. */
  readonly finished: number;
  readonly phaseWords: number;

  readonly byteLength: number;
  /** The kernel whose exports this one imports: its record (0: none), slot and version. */
  readonly libraryRecord: number;
  readonly librarySlot: number;
  readonly libraryVersion: number;
  readonly recordWords: number;
}

/** The layout of every pool. */
export const poolLayout: PoolLayout = {
  generation: 0,
  program: 16,
  sleepers: 32,
  quit: 48,
  error: 49,
  errorSlot: 50,
  errorLength: 51,
  compileLock: 64,
  inside: 80,
  errorText: 80 + 16 * THREAD_LIMIT,
  errorTextLimit: 400,
  controlWords: 80 + 16 * THREAD_LIMIT + 200,

  phaseCount: 0,
  lead: 1,
  leadSleeps: 2,
  headerWords: 16,

  kernelRecord: 0,
  slot: 1,
  version: 2,
  functionIndex: 3,
  arguments: 4,
  itemCount: 5,
  itemsPerChunk: 6,
  chunkCount: 7,
  next: 16,
  finished: 32,
  phaseWords: 48,

  byteLength: 0,
  libraryRecord: 1,
  librarySlot: 2,
  libraryVersion: 3,
  recordWords: 16,
};
