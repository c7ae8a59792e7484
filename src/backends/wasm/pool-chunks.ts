/** What a thread of the pool computes: chunks of a phase, one after the other, until none is left. */
import type { KernelFunction, ThreadScope } from "./pool-host.ts";
import type { ThreadKernels } from "./pool-kernels.ts";

/** Writes the first error down for the thread that owns the pool; `slot` is that of the kernel. */
export type ReportError = (error: unknown, slot: number) => void;

/** Reports the errors of a thread. Runs in workers from its text: it refers to nothing outside itself. */
export function reportErrors({ layout, control, shared }: ThreadScope): ReportError {
  return (error, slot) => {
    const { words } = shared;
    if (Atomics.compareExchange(words, control + layout.error, 0, 1) !== 0) return;
    const text = String(error).slice(0, layout.errorTextLimit);
    const units = new Uint16Array(words.buffer, (control + layout.errorText) * 4, text.length);
    for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i);
    words[control + layout.errorSlot] = slot;
    words[control + layout.errorLength] = text.length;
    Atomics.store(words, control + layout.error, 2);
  };
}

/** Takes chunks of the phase at word `at` until none is left; returns how many. */
export type TakeChunks = (at: number, chunkCount: number) => number;

/** Takes chunks for a thread. Runs in workers from its text: it refers to nothing outside itself. */
export function takeChunks(scope: ThreadScope, kernels: ThreadKernels, report: ReportError): TakeChunks {
  const { layout, host, control, shared } = scope;

  /** The function of the phase, unless it can't be compiled. */
  const workOf = (at: number, slot: number): KernelFunction | undefined => {
    const { words } = shared;
    try {
      const functions = kernels.load(words[at + layout.kernelRecord] ?? 0, slot, words[at + layout.version] ?? 0);
      return functions[words[at + layout.functionIndex] ?? 0];
    } catch (error) {
      report(error, slot);
      return undefined;
    }
  };

  return (at, chunkCount) => {
    const { words } = shared;
    const next = at + layout.next;
    if (Atomics.load(words, next) >= chunkCount) return 0;
    const slot = words[at + layout.slot] ?? 0;
    const work = workOf(at, slot);
    const pointer = words[at + layout.arguments] ?? 0;
    const itemCount = words[at + layout.itemCount] ?? 0;
    const itemsPerChunk = words[at + layout.itemsPerChunk] ?? 1;
    let taken = 0;
    for (let chunk = Atomics.add(words, next, 1); chunk < chunkCount; chunk = Atomics.add(words, next, 1)) {
      taken++;
      // After an error chunks are still taken, so that the program comes to its end, but not computed.
      if (work === undefined || Atomics.load(words, control + layout.error) !== 0) continue;
      const begin = chunk * itemsPerChunk;
      try {
        work(pointer, begin, Math.min(itemCount, begin + itemsPerChunk), host.thread);
      } catch (error) {
        report(error, slot);
      }
    }
    return taken;
  };
}
