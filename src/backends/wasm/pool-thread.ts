/**
 * What one thread of the pool does: take chunks of the current program's phases until all are done.
 *
 * `createThread` and `startWorker` are turned to text and run in workers, so they refer to nothing outside themselves.
 */
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

/** The part of the pool's work that every thread does alike. */
export function createThread(layout: PoolLayout, host: ThreadHost): PoolThread {
  const spinMilliseconds = 0.05;
  const leadSpinMilliseconds = 0.5;
  const patienceMilliseconds = 250;
  const { memory } = host;
  const control = host.control >>> 2;
  const inside = control + layout.inside + 16 * host.thread;
  const loaded: { version: number; functions: readonly KernelFunction[]; instance: WebAssembly.Instance }[] = [];
  let words = new Int32Array(memory.buffer);

  /** Makes `words` reach the word at `end`: another thread may have grown the memory. */
  const reach = (end: number): void => {
    while (end > words.length) {
      if (memory.buffer.byteLength === words.byteLength) memory.grow(0); // makes the engine notice growth elsewhere
      words = new Int32Array(memory.buffer);
    }
  };

  const install = (slot: number, version: number, instance: WebAssembly.Instance): readonly KernelFunction[] => {
    const functions = Object.values(instance.exports).filter(
      (value): value is KernelFunction => typeof value === "function",
    );
    loaded[slot] = { version, functions, instance };
    return functions;
  };

  /** The functions of a kernel, compiled from its record if this thread does not have them yet. */
  const load = (record: number, slot: number, version: number): readonly KernelFunction[] => {
    const known = loaded[slot];
    if (known !== undefined && known.version === version) return known.functions;
    const at = record >>> 2;
    reach(at + layout.recordWords);
    const byteLength = words[at + layout.byteLength] ?? 0;
    const begin = at + layout.recordWords;
    reach(begin + ((byteLength + 3) >>> 2));
    const bytes = new Uint8Array(byteLength);
    bytes.set(new Uint8Array(words.buffer, begin * 4, byteLength));
    const own: WebAssembly.ModuleImports = Object.assign(Object.create(Math), host.imports, { m: memory });
    for (let from = at; ; from = (words[from + layout.libraryRecord] ?? 0) >>> 2) {
      const library = words[from + layout.libraryRecord] ?? 0;
      if (library === 0) break;
      const librarySlot = words[from + layout.librarySlot] ?? 0;
      load(library, librarySlot, words[from + layout.libraryVersion] ?? 0);
      Object.assign(own, loaded[librarySlot]?.instance.exports);
    }
    return install(slot, version, new WebAssembly.Instance(host.compile(bytes), { e: own }));
  };

  /** Writes the first error down for the thread that owns the pool. */
  const report = (error: unknown, slot: number): void => {
    if (Atomics.compareExchange(words, control + layout.error, 0, 1) !== 0) return;
    const text = String(error).slice(0, layout.errorTextLimit);
    const units = new Uint16Array(words.buffer, (control + layout.errorText) * 4, text.length);
    for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i);
    words[control + layout.errorSlot] = slot;
    words[control + layout.errorLength] = text.length;
    Atomics.store(words, control + layout.error, 2);
  };

  /** Whether the word becomes `value` while this thread spins. */
  const spinUntil = (index: number, value: number, milliseconds: number): boolean => {
    let deadline = 0;
    for (let i = 1; Atomics.load(words, index) !== value; i++) {
      if ((i & 63) !== 0) continue;
      const now = performance.now();
      if (deadline === 0) deadline = now + milliseconds;
      else if (now > deadline) return false;
    }
    return true;
  };

  /** Takes chunks of the phase at word `at` until none is left; returns how many. */
  const takeChunks = (at: number, chunkCount: number): number => {
    const next = at + layout.next;
    if (Atomics.load(words, next) >= chunkCount) return 0;
    const slot = words[at + layout.slot] ?? 0;
    let work: KernelFunction | undefined;
    try {
      work = load(words[at + layout.kernelRecord] ?? 0, slot, words[at + layout.version] ?? 0)[
        words[at + layout.functionIndex] ?? 0
      ];
    } catch (error) {
      report(error, slot);
    }
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

  const execute = (program: number, isLead: boolean): boolean => {
    const header = program >>> 2;
    reach(header + layout.headerWords);
    const phaseCount = words[header + layout.phaseCount] ?? 0;
    reach(header + layout.headerWords + phaseCount * layout.phaseWords);
    for (let phase = 0; phase < phaseCount; phase++) {
      const at = header + layout.headerWords + phase * layout.phaseWords;
      const chunkCount = words[at + layout.chunkCount] ?? 0;
      const finished = at + layout.finished;
      if (Atomics.load(words, finished) === chunkCount) continue;
      const taken = chunkCount > 1 || isLead ? takeChunks(at, chunkCount) : 0;
      if (taken > 0 && Atomics.add(words, finished, taken) + taken === chunkCount) {
        // This thread finished the phase. It wakes whoever sleeps, if there is something to wake for.
        if (Atomics.load(words, header + layout.leadSleeps) !== 0) Atomics.notify(words, finished);
        const following = phase + 1 < phaseCount ? (words[at + layout.phaseWords + layout.chunkCount] ?? 0) : 0;
        if (following > 1 && Atomics.load(words, control + layout.sleepers) > 0) {
          Atomics.add(words, control + layout.generation, 1);
          Atomics.notify(words, control + layout.generation, following - 1);
        }
        continue;
      }
      if (spinUntil(finished, chunkCount, isLead ? leadSpinMilliseconds : spinMilliseconds)) continue;
      if (!isLead) {
        // Leaves, counted among the sleepers so that it is woken, unless the phase has ended just now.
        Atomics.add(words, control + layout.sleepers, 1);
        if (Atomics.load(words, finished) !== chunkCount) return true;
        Atomics.sub(words, control + layout.sleepers, 1);
        continue;
      }
      Atomics.store(words, header + layout.leadSleeps, 1);
      for (let done = Atomics.load(words, finished); done !== chunkCount; done = Atomics.load(words, finished)) {
        if (Atomics.wait(words, finished, done, patienceMilliseconds) !== "timed-out" || !host.isBroken?.()) continue;
        report(new Error("a worker died while it computed"), words[at + layout.slot] ?? 0);
        return false;
      }
      Atomics.store(words, header + layout.leadSleeps, 0);
    }
    return false;
  };

  const close = (threadCount: number): void => {
    Atomics.store(words, control + layout.program, 0);
    for (let thread = 0; thread < threadCount; thread++) {
      const index = control + layout.inside + 16 * thread;
      if (index !== inside) while (!spinUntil(index, 0, patienceMilliseconds)) host.isBroken?.();
    }
  };

  const serve = (threadCount: number, onProgramDone: () => void): void => {
    const { generation, quit, program, sleepers } = layout;
    for (;;) {
      const seen = Atomics.load(words, control + generation);
      if (Atomics.load(words, control + quit) !== 0) return;
      Atomics.store(words, inside, 1);
      const address = Atomics.load(words, control + program);
      let isCounted = false;
      if (address !== 0) {
        reach((address >>> 2) + layout.headerWords);
        const isLead = Atomics.compareExchange(words, (address >>> 2) + layout.lead, -1, host.thread) === -1;
        isCounted = execute(address, isLead);
        if (isLead) {
          close(threadCount);
          onProgramDone();
        }
      }
      Atomics.store(words, inside, 0);
      if (!isCounted) {
        const deadline = performance.now() + spinMilliseconds;
        while (Atomics.load(words, control + generation) === seen && performance.now() < deadline);
        Atomics.add(words, control + sleepers, 1);
      }
      Atomics.wait(words, control + generation, seen);
      Atomics.sub(words, control + sleepers, 1);
    }
  };

  return { install, execute, close, serve };
}
