/**
 * What one thread of the pool does: take chunks of the current program's phases until all are done.
 *
 * `createThread` and what it is made of are turned to text and run in workers, so they refer to nothing outside themselves:
 * they get each other as arguments.
 */
import { reportErrors, takeChunks } from "./pool-chunks.ts";
import { type KernelFunction, type ThreadHost, viewWords } from "./pool-host.ts";
import { keepKernels } from "./pool-kernels.ts";
import type { PoolLayout } from "./pool-layout.ts";
import { waitForOthers } from "./pool-waiting.ts";

/** One thread of a pool. */
export interface PoolThread {
  /** Gives the exports of a kernel that this thread need not compile. */
  install(slot: number, version: number, instance: WebAssembly.Instance): readonly KernelFunction[];
  /**
   * Takes part in the program at a byte address. The lead returns when all of it is done. Others return sooner when a
   * phase keeps them waiting: then they have counted themselves among the sleepers, which the result says.
   */
  execute(program: number, isLead: boolean): boolean;
  /** Ends the program: returns when no other thread is in it. */
  close(threadCount: number): void;
  /** A worker's life: waits for programs and takes part. `onProgramDone` is called when it led one to its end. */
  serve(threadCount: number, onProgramDone: () => void): void;
}

/** The functions that a thread is made of. */
export interface ThreadParts {
  readonly viewWords: typeof viewWords;
  readonly keepKernels: typeof keepKernels;
  readonly reportErrors: typeof reportErrors;
  readonly takeChunks: typeof takeChunks;
  readonly waitForOthers: typeof waitForOthers;
}

/** The functions that every thread is made of. */
export const threadParts: ThreadParts = { viewWords, keepKernels, reportErrors, takeChunks, waitForOthers };

/** The part of the pool's work that every thread does alike. */
export function createThread(layout: PoolLayout, host: ThreadHost, parts: ThreadParts): PoolThread {
  const shared = parts.viewWords(host.memory);
  const control = host.control >>> 2;
  const scope = { layout, host, control, shared };
  const kernels = parts.keepKernels(scope);
  const report = parts.reportErrors(scope);
  const take = parts.takeChunks(scope, kernels, report);
  const waiting = parts.waitForOthers(scope);

  const execute = (program: number, isLead: boolean): boolean => {
    const header = program >>> 2;
    const phaseCount = shared.reach(header + layout.headerWords)[header + layout.phaseCount] ?? 0;
    const words = shared.reach(header + layout.headerWords + phaseCount * layout.phaseWords);
    for (let phase = 0; phase < phaseCount; phase++) {
      const at = header + layout.headerWords + phase * layout.phaseWords;
      const chunkCount = words[at + layout.chunkCount] ?? 0;
      const finished = at + layout.finished;
      if (Atomics.load(words, finished) === chunkCount) continue;
      const taken = chunkCount > 1 || isLead ? take(at, chunkCount) : 0;
      if (taken > 0 && Atomics.add(words, finished, taken) + taken === chunkCount) {
        const following = phase + 1 < phaseCount ? (words[at + layout.phaseWords + layout.chunkCount] ?? 0) : 0;
        waiting.wake(header, finished, following);
        continue;
      }
      if (waiting.spinToEnd(finished, chunkCount, isLead)) continue;
      if (!isLead && waiting.leave(finished, chunkCount)) return true;
      if (isLead && !waiting.sleepToEnd(header, finished, chunkCount)) {
        report(new Error("a worker died while it computed"), words[at + layout.slot] ?? 0);
        return false;
      }
    }
    return false;
  };

  const close = (threadCount: number): void => {
    Atomics.store(shared.words, control + layout.program, 0);
    for (let thread = 0; thread < threadCount; thread++) if (thread !== host.thread) waiting.outlast(thread);
  };

  const serve = (threadCount: number, onProgramDone: () => void): void => {
    const inside = control + layout.inside + 16 * host.thread;
    const { words } = shared; // as long as it was when the thread began, which is enough for the control block
    for (;;) {
      const seen = Atomics.load(words, control + layout.generation);
      if (Atomics.load(words, control + layout.quit) !== 0) return;
      Atomics.store(words, inside, 1);
      const program = Atomics.load(words, control + layout.program);
      let isCounted = false;
      if (program !== 0) {
        const lead = (program >>> 2) + layout.lead;
        const isLead = Atomics.compareExchange(shared.reach(lead + 1), lead, -1, host.thread) === -1;
        isCounted = execute(program, isLead);
        if (isLead) {
          close(threadCount);
          onProgramDone();
        }
      }
      Atomics.store(words, inside, 0);
      waiting.sleep(seen, isCounted);
    }
  };

  return { install: kernels.install, execute, close, serve };
}
