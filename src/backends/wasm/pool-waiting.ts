/** How threads of the pool wait for each other: they spin for a while, and then they sleep. */
import type { ThreadScope } from "./pool-host.ts";

/** How one thread waits, and wakes those that sleep. Words are given by their index. */
export interface Waiting {
  /** Whether a phase comes to its end while this thread spins: while `finished` is not `chunkCount`. */
  spinToEnd(finished: number, chunkCount: number, isLead: boolean): boolean;
  /** Wakes whoever sleeps at the end of a phase: the lead of the program, and others if the `following` phase has chunks for them. */
  wake(header: number, finished: number, following: number): void;
  /** Counts this thread among the sleepers, so that it is woken; false, and it is not, if the phase has ended just now. */
  leave(finished: number, chunkCount: number): boolean;
  /** Sleeps, as the lead, until the phase ends; false if one of the others has died, so that it never will. */
  sleepToEnd(header: number, finished: number, chunkCount: number): boolean;
  /** Returns when another thread is in no program. */
  outlast(thread: number): void;
  /** Sleeps until there may be work: until the generation is no longer `seen`. `isCounted`: among the sleepers already. */
  sleep(seen: number, isCounted: boolean): void;
}

/** The waiting of a thread. Runs in workers from its text: it refers to nothing outside itself. */
export function waitForOthers({ layout, host, control, shared }: ThreadScope): Waiting {
  const spinMilliseconds = 0.05;
  const leadSpinMilliseconds = 0.5;
  const patienceMilliseconds = 250;
  const [generation, sleepers] = [control + layout.generation, control + layout.sleepers];

  /** Whether the word becomes `value` while this thread spins. */
  const spinUntil = (index: number, value: number, milliseconds: number): boolean => {
    const { words } = shared;
    let deadline = 0;
    for (let i = 1; Atomics.load(words, index) !== value; i++) {
      if ((i & 63) !== 0) continue;
      const now = performance.now();
      if (deadline === 0) deadline = now + milliseconds;
      else if (now > deadline) return false;
    }
    return true;
  };

  return {
    spinToEnd: (finished, chunkCount, isLead) =>
      spinUntil(finished, chunkCount, isLead ? leadSpinMilliseconds : spinMilliseconds),

    wake(header, finished, following) {
      const { words } = shared;
      if (Atomics.load(words, header + layout.leadSleeps) !== 0) Atomics.notify(words, finished);
      if (following > 1 && Atomics.load(words, sleepers) > 0) {
        Atomics.add(words, generation, 1);
        Atomics.notify(words, generation, following - 1);
      }
    },

    leave(finished, chunkCount) {
      const { words } = shared;
      Atomics.add(words, sleepers, 1);
      if (Atomics.load(words, finished) !== chunkCount) return true;
      Atomics.sub(words, sleepers, 1);
      return false;
    },

    sleepToEnd(header, finished, chunkCount) {
      const { words } = shared;
      Atomics.store(words, header + layout.leadSleeps, 1);
      for (let done = Atomics.load(words, finished); done !== chunkCount; done = Atomics.load(words, finished)) {
        const isLate = Atomics.wait(words, finished, done, patienceMilliseconds) === "timed-out";
        if (isLate && host.isBroken?.()) return false;
      }
      Atomics.store(words, header + layout.leadSleeps, 0);
      return true;
    },

    outlast(thread) {
      while (!spinUntil(control + layout.inside + 16 * thread, 0, patienceMilliseconds)) host.isBroken?.();
    },

    sleep(seen, isCounted) {
      const { words } = shared;
      if (!isCounted) {
        const deadline = performance.now() + spinMilliseconds;
        while (Atomics.load(words, generation) === seen && performance.now() < deadline);
        Atomics.add(words, sleepers, 1);
      }
      Atomics.wait(words, generation, seen);
      Atomics.sub(words, sleepers, 1);
    },
  };
}
