/** The other threads of a pool: workers that take chunks of programs in shared memory. */

import { compileModule, relaxedSimdFlags } from "./engine-features.ts";
import type { Crew, CrewHost, KernelModule, Phase, RegisteredKernel } from "./pool.ts";
import { KernelError } from "./pool.ts";
import type { ThreadHost } from "./pool-host.ts";
import { poolLayout } from "./pool-layout.ts";
import { createThread, type PoolThread, threadParts } from "./pool-thread.ts";
import { startPoolWorker, type WorkerHandle, WorkerSource } from "./pool-worker.ts";

/**
 * Workers, and the owner of the pool as one of the threads.
 *
 * The threads meet in shared memory (see `pool-layout.ts`) and exchange no messages until a submitted program is done:
 *
 *     owner:   write program ─ publish ─ take chunks ─┬─ wait until all chunks are finished ─┬─ … ─ close
 *     worker:  sleep ──────────────wake─ take chunks ─┘            (barrier)                 └─ … ─ spin 50 µs ─ sleep
 *
 * A worker that wakes late finds the chunks taken and holds up nobody; a program never waits for a sleeper.
 */
export class WorkerCrew implements Crew {
  readonly #host: CrewHost;
  readonly #control: number;
  readonly #thread: PoolThread;
  readonly #workers: WorkerHandle[] = [];
  readonly #lost = new Set<number>();
  /** Kernels that this thread knows. */
  readonly #installed = new WeakSet<RegisteredKernel>();
  #livingWorkers = 0;
  #program = 0;
  #programPhases = 0;
  #words: Int32Array;
  /** Settles the program that was submitted and not yet done. */
  #pending: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;

  /** Starts the workers. They join in as soon as they run. */
  constructor(host: CrewHost) {
    const { arena, imports, workerCount } = host;
    this.#host = host;
    this.#control = arena.reserve(poolLayout.controlWords * 4);
    this.#words = new Int32Array(arena.memory.buffer);
    this.#words.fill(0, this.#control / 4, this.#control / 4 + poolLayout.controlWords);
    const own: ThreadHost = {
      memory: arena.memory,
      control: this.#control,
      thread: 0,
      imports,
      compile: (bytes) => compileModule(bytes),
      isBroken: () => this.#findDead(),
    };
    this.#thread = createThread(poolLayout, own, threadParts);
    const source = new WorkerSource(imports);
    const { memory } = arena;
    const flags = relaxedSimdFlags();
    for (let thread = 1; thread <= workerCount; thread++) {
      const start = { memory, control: this.#control, thread, threadCount: workerCount + 1, flags };
      const events = {
        onProgramDone: () => this.#pending?.resolve(),
        onFailure: (error: unknown) => this.#lose(thread, error),
      };
      const worker = startPoolWorker(source, start, events);
      if (worker !== undefined) this.#workers.push(worker);
    }
    this.#livingWorkers = this.#workers.length;
  }

  get isAlive(): boolean {
    return this.#livingWorkers > 0;
  }

  get isBusy(): boolean {
    return this.#pending !== undefined;
  }

  run(phases: readonly Phase[], widest: number): void {
    for (const { kernel } of phases) this.#install(kernel);
    this.#write(phases, 0);
    this.#publish(widest - 1);
    this.#thread.execute(this.#program, true);
    this.#thread.close(this.#host.workerCount + 1);
    this.#throwReported();
  }

  async submit(phases: readonly Phase[], widest: number): Promise<void> {
    this.#write(phases, -1);
    const workers = this.#workers;
    for (const worker of workers) worker.keepAlive(true);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#pending = { resolve, reject };
        this.#publish(widest);
      });
    } finally {
      this.#pending = undefined;
      for (const worker of workers) worker.keepAlive(false);
    }
    this.#throwReported();
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) worker.keepAlive(true); // or the process may end while this waits
    Atomics.store(this.#words, this.#word(poolLayout.quit), 1);
    Atomics.add(this.#words, this.#word(poolLayout.generation), 1);
    Atomics.notify(this.#words, this.#word(poolLayout.generation));
    await Promise.all(this.#workers.map((worker) => worker.ended()));
  }

  /** Lets this thread take part in the kernel without compiling it anew. */
  #install(module: KernelModule): void {
    const kernel = this.#host.registered(module);
    if (this.#installed.has(kernel)) return;
    this.#host.instantiate(kernel);
    if (kernel.instance === undefined) return;
    this.#thread.install(kernel.slot, kernel.version, kernel.instance);
    this.#installed.add(kernel);
  }

  #word(index: number): number {
    return this.#control / 4 + index;
  }

  /** Looks for workers that have died while this thread was blocked; whether the program is lost with one. */
  #findDead(): boolean {
    this.#workers.forEach((worker, k) => {
      if (!worker.isAlive()) this.#lose(k + 1, new Error("it ended while others waited for it"));
    });
    return this.#livingWorkers === 0;
  }

  /** A worker has died. What it computed is lost, and so is the program it was in. */
  #lose(thread: number, cause: unknown): void {
    if (this.#lost.has(thread)) return;
    this.#lost.add(thread);
    this.#livingWorkers--;
    console.warn(`mlx-ts lost worker ${thread} and goes on with fewer threads: ${String(cause)}`);
    const inside = this.#word(poolLayout.inside + 16 * thread);
    const wasInside = Atomics.exchange(this.#words, inside, 0) !== 0;
    if (!wasInside && this.#livingWorkers > 0) return;
    this.#livingWorkers = 0; // the others may wait forever for what it had taken on
    this.#pending?.reject(new KernelError("WorkerPool", `a worker died: ${String(cause)}`, { cause }));
  }

  /** Writes a program where all threads find it. */
  #write(phases: readonly Phase[], lead: number): void {
    const layout = poolLayout;
    if (phases.length > this.#programPhases) {
      if (this.#program !== 0) this.#host.arena.free(this.#program);
      this.#programPhases = Math.max(64, phases.length * 2);
      this.#program = this.#host.arena.reserve((layout.headerWords + layout.phaseWords * this.#programPhases) * 4);
    }
    for (const { kernel } of phases) this.#record(this.#host.registered(kernel));
    const words = this.#refreshedWords();
    const header = this.#program / 4;
    words[header + layout.phaseCount] = phases.length;
    words[header + layout.lead] = lead;
    words[header + layout.leadSleeps] = 0;
    let at = header + layout.headerWords;
    for (const phase of phases) {
      const kernel = this.#host.registered(phase.kernel);
      words[at + layout.kernelRecord] = kernel.record;
      words[at + layout.slot] = kernel.slot;
      words[at + layout.version] = kernel.version;
      words[at + layout.functionIndex] = phase.functionIndex;
      words[at + layout.arguments] = phase.argumentsPointer;
      words[at + layout.itemCount] = phase.itemCount;
      words[at + layout.itemsPerChunk] = phase.itemsPerChunk;
      words[at + layout.chunkCount] = Math.ceil(phase.itemCount / phase.itemsPerChunk);
      words[at + layout.next] = 0;
      words[at + layout.finished] = 0;
      at += layout.phaseWords;
    }
  }

  /** Puts a module's bytes where workers find them, the first time. */
  #record(kernel: RegisteredKernel): number {
    if (kernel.record !== 0) return kernel.record;
    const library = kernel.library === undefined ? 0 : this.#record(kernel.library);
    const { recordWords, byteLength, libraryRecord, librarySlot, libraryVersion } = poolLayout;
    kernel.record = this.#host.arena.reserve(recordWords * 4 + kernel.bytes.length);
    const words = this.#refreshedWords();
    const at = kernel.record / 4;
    words[at + byteLength] = kernel.bytes.length;
    words[at + libraryRecord] = library;
    words[at + librarySlot] = kernel.library?.slot ?? 0;
    words[at + libraryVersion] = kernel.library?.version ?? 0;
    this.#host.arena.bytes().set(kernel.bytes, kernel.record + recordWords * 4);
    return kernel.record;
  }

  #refreshedWords(): Int32Array {
    const { buffer } = this.#host.arena.bytes();
    if (this.#words.buffer !== buffer) this.#words = new Int32Array(buffer);
    return this.#words;
  }

  #publish(helpers: number): void {
    Atomics.store(this.#words, this.#word(poolLayout.program), this.#program);
    Atomics.add(this.#words, this.#word(poolLayout.generation), 1);
    if (Atomics.load(this.#words, this.#word(poolLayout.sleepers)) > 0) {
      Atomics.notify(this.#words, this.#word(poolLayout.generation), helpers);
    }
  }

  #throwReported(): void {
    const error = this.#word(poolLayout.error);
    while (Atomics.load(this.#words, error) === 1);
    if (Atomics.load(this.#words, error) === 0) return;
    const { buffer } = this.#words;
    const length = this.#words[this.#word(poolLayout.errorLength)] ?? 0;
    const text = String.fromCharCode(...new Uint16Array(buffer, this.#word(poolLayout.errorText) * 4, length));
    const name = this.#host.nameOf(this.#words[this.#word(poolLayout.errorSlot)] ?? -1);
    Atomics.store(this.#words, error, 0);
    throw new KernelError(name, text);
  }
}
