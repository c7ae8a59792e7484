/** Runs kernels on several threads over one shared memory. Knows chunks and barriers, not what kernels compute. */

import { ArgumentError, MLXError } from "../../base/errors.ts";
import type { Arena } from "./arena.ts";
import { type CompileOptions, compileModule, engineFeatures, environmentVariable } from "./engine-features.ts";
import { poolLayout, THREAD_LIMIT } from "./pool-layout.ts";
import { createThread, type ImportedFunction, type KernelFunction, type PoolThread } from "./pool-thread.ts";
import { startPoolWorker, type WorkerHandle, WorkerSource } from "./pool-worker.ts";

/** More threads than this must be asked for. */
const DEFAULT_THREAD_LIMIT = 8;

/** Thrown when a kernel traps or a worker dies; its `operation` is the kernel's name. */
export class KernelError extends MLXError {
  override readonly name = "KernelError";
}

/** How a pool begins. */
export interface PoolOptions {
  /** Threads that compute, the caller's included; else the variable `MLX_TS_THREADS`; else all of the hardware's up to 8. */
  readonly threads?: number;
  /** What kernels may import from "e", besides the memory "m" and the functions of `Math`. */
  readonly imports?: Readonly<Record<string, ImportedFunction>>;
}

/** How a kernel module is registered. */
export interface KernelOptions extends CompileOptions {
  /** A registered module whose exports, with those of its own library, this one imports from "e"; release this one first. */
  readonly library?: KernelModule;
}

/** A WebAssembly module that the pool can run on every thread. Made by {@link WorkerPool.register}. */
export interface KernelModule {
  /** For people: it names the kernel in errors. */
  readonly name: string;
  /** Position of an exported function among the module's exports. @throws {ArgumentError} if there is none of the name */
  functionIndex(name: string): number;
}

/**
 * Calls of one kernel function for the items 0 ≤ i < `itemCount`: `function(argumentsPointer, begin, end, thread)` for
 * each chunk of `itemsPerChunk` items (the last may be shorter), in any order and on any threads. A phase of one chunk
 * runs on the lead thread. All of a phase is done before the next begins.
 */
export interface Phase {
  readonly kernel: KernelModule;
  readonly functionIndex: number;
  readonly argumentsPointer: number;
  readonly itemCount: number;
  readonly itemsPerChunk: number;
}

/** A kernel module, with what the pool knows of it. */
class RegisteredKernel implements KernelModule {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly module: WebAssembly.Module;
  readonly library: RegisteredKernel | undefined;
  readonly slot: number;
  readonly version: number;
  /** This thread's instance, and its functions. */
  instance: WebAssembly.Instance | undefined;
  functions: readonly KernelFunction[] = [];
  /** Address of the record from which workers compile the module; 0 until they need it. */
  record = 0;
  isReleased = false;
  readonly #indices: ReadonlyMap<string, number>;

  constructor(
    name: string,
    bytes: Uint8Array<ArrayBuffer>,
    place: { readonly slot: number; readonly version: number },
    options: CompileOptions & { readonly library: RegisteredKernel | undefined },
  ) {
    this.name = name;
    this.bytes = bytes;
    this.slot = place.slot;
    this.version = place.version;
    this.library = options.library;
    this.module = compileModule(bytes, options);
    const functions = WebAssembly.Module.exports(this.module).filter(({ kind }) => kind === "function");
    this.#indices = new Map(functions.map((entry, index) => [entry.name, index]));
  }

  functionIndex(name: string): number {
    const index = this.#indices.get(name);
    if (index === undefined) throw new ArgumentError(this.name, `the kernel exports no function ${name}`);
    return index;
  }
}

/**
 * Threads that run programs, lists of {@link Phase}s, together.
 *
 * `run` blocks: the calling thread leads and computes too. `submit` does not: workers do it all, as the main thread of a
 * page needs. `runAlone` uses the calling thread only. With one thread, or without shared memory, all three do the same.
 *
 * The threads meet in shared memory (see `pool-layout.ts`) and exchange no messages until a submitted program is done:
 *
 *     owner:   write program ─ publish ─ take chunks ─┬─ wait until all chunks are finished ─┬─ … ─ close
 *     worker:  sleep ──────────────wake─ take chunks ─┘            (barrier)                 └─ … ─ spin 50 µs ─ sleep
 *
 * A worker that wakes late finds the chunks taken and holds up nobody; a program never waits for a sleeper.
 */
export class WorkerPool {
  /** Upper bound of the thread numbers that kernels see, for scratch memory per thread. */
  readonly threadCount: number;
  /** Whether `run` may be called on this thread; where not, use `submit`. */
  readonly mayBlock: boolean;
  readonly #arena: Arena;
  readonly #imports: Readonly<Record<string, ImportedFunction>>;
  readonly #workerCount: number;
  readonly #kernels: (RegisteredKernel | undefined)[] = [];
  readonly #freeSlots: { readonly slot: number; readonly version: number }[] = [];
  #workers: WorkerHandle[] | undefined;
  #livingWorkers = 0;
  readonly #lost = new Set<number>();
  #control = 0;
  #thread: PoolThread | undefined;
  #program = 0;
  #programPhases = 0;
  #words: Int32Array;
  /** Settles the program that was submitted and not yet done. */
  #pending: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;
  #queue: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(arena: Arena, options: PoolOptions = {}) {
    const features = engineFeatures();
    const wanted = options.threads ?? Number(environmentVariable("MLX_TS_THREADS") ?? Number.NaN);
    const threads = Number.isNaN(wanted) ? Math.min(features.hardwareThreads, DEFAULT_THREAD_LIMIT) : wanted;
    if (!Number.isInteger(threads) || threads < 1 || threads >= THREAD_LIMIT) {
      throw new ArgumentError("WorkerPool", `threads must be 1 to ${THREAD_LIMIT - 1}, got ${threads}`);
    }
    this.mayBlock = features.mayBlock;
    this.#arena = arena;
    this.#imports = options.imports ?? {};
    // A thread that may not block computes nothing while workers do, so it is not counted among them.
    this.#workerCount = !arena.memoryOptions.shared || threads === 1 ? 0 : threads - (features.mayBlock ? 1 : 0);
    this.threadCount = this.#workerCount + 1;
    this.#words = new Int32Array(arena.memory.buffer);
    if (this.#workerCount > 0) {
      this.#control = arena.reserve(poolLayout.controlWords * 4);
      this.#words = new Int32Array(arena.memory.buffer);
      this.#words.fill(0, this.#control / 4, this.#control / 4 + poolLayout.controlWords);
    }
    if (threads > 1 && !arena.memoryOptions.shared) {
      console.warn("mlx-ts computes with one thread: this page is not cross-origin isolated (COOP and COEP headers)");
    }
  }

  /** Whether other threads help: false with one thread, without shared memory, and when all workers have died. */
  get isParallel(): boolean {
    return this.#workerCount > 0 && (this.#workers === undefined || this.#livingWorkers > 0) && !this.#isClosed;
  }

  /**
   * Compiles a module and makes it known to the pool. `bytes` must not change afterwards.
   *
   * @throws {WebAssembly.CompileError} if it is not a valid module for this engine
   */
  register(name: string, bytes: Uint8Array<ArrayBuffer>, options: KernelOptions = {}): KernelModule {
    const library = options.library === undefined ? undefined : this.#registered(options.library);
    const place = this.#freeSlots.pop() ?? { slot: this.#kernels.length, version: 1 };
    const kernel = new RegisteredKernel(name, bytes, place, { ...options, library });
    this.#kernels[kernel.slot] = kernel;
    return kernel;
  }

  /** Forgets a module. It must not be part of a program that still runs. */
  release(kernel: KernelModule): void {
    const registered = this.#registered(kernel);
    registered.isReleased = true;
    registered.instance = undefined;
    registered.functions = [];
    if (registered.record !== 0) this.#arena.free(registered.record);
    this.#kernels[registered.slot] = undefined;
    // Workers drop their instance when the slot is used again, by the version.
    this.#freeSlots.push({ slot: registered.slot, version: registered.version + 1 });
  }

  /**
   * Runs a program with the help of the workers, blocking the calling thread.
   *
   * @throws {KernelError} if a kernel traps
   */
  run(phases: readonly Phase[]): void {
    const widest = this.#widestPhase(phases);
    if (widest <= 1 || !this.isParallel || !this.mayBlock || this.#pending !== undefined) {
      this.runAlone(phases);
      return;
    }
    const thread = this.#start();
    for (const phase of phases) this.#instantiate(this.#registered(phase.kernel));
    this.#write(phases, 0);
    this.#publish(widest - 1);
    thread.execute(this.#program, true);
    thread.close(this.threadCount);
    this.#throwReported();
  }

  /**
   * Runs a program on the calling thread alone.
   *
   * @throws {KernelError} if a kernel traps
   */
  runAlone(phases: readonly Phase[]): void {
    for (const { kernel, functionIndex, argumentsPointer, itemCount, itemsPerChunk } of phases) {
      const registered = this.#registered(kernel);
      const work = this.#instantiate(registered)[functionIndex];
      if (work === undefined)
        throw new ArgumentError(kernel.name, `the kernel has no function number ${functionIndex}`);
      try {
        for (let begin = 0; begin < itemCount; begin += itemsPerChunk) {
          work(argumentsPointer, begin, Math.min(itemCount, begin + itemsPerChunk), 0);
        }
      } catch (error) {
        throw new KernelError(kernel.name, String(error), { cause: error });
      }
    }
  }

  /**
   * Runs a program on the workers without blocking; resolves when it is done. Programs run in the order of submission.
   *
   * @returns rejects with a KernelError if a kernel traps or a worker dies
   */
  submit(phases: readonly Phase[]): Promise<void> {
    const done = this.#queue.then(() => this.#runSubmitted(phases));
    this.#queue = done.catch(() => undefined);
    return done;
  }

  /** Ends the workers; resolves when they have. The pool goes on working with the calling thread alone. */
  async close(): Promise<void> {
    await this.#queue;
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#workers === undefined) return;
    for (const worker of this.#workers) worker.keepAlive(true); // or the process may end while this waits
    Atomics.store(this.#words, this.#word(poolLayout.quit), 1);
    Atomics.add(this.#words, this.#word(poolLayout.generation), 1);
    Atomics.notify(this.#words, this.#word(poolLayout.generation));
    await Promise.all(this.#workers.map((worker) => worker.ended()));
  }

  async #runSubmitted(phases: readonly Phase[]): Promise<void> {
    const widest = this.#widestPhase(phases);
    if (widest === 0 || !this.isParallel) {
      this.runAlone(phases);
      return;
    }
    this.#start();
    this.#write(phases, -1);
    const workers = this.#workers ?? [];
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

  #registered(kernel: KernelModule): RegisteredKernel {
    if (!(kernel instanceof RegisteredKernel)) throw new ArgumentError(kernel.name, "the kernel is of another pool");
    if (kernel.isReleased) throw new ArgumentError(kernel.name, "the kernel was released");
    return kernel;
  }

  /** This thread's functions of a kernel. */
  #instantiate(kernel: RegisteredKernel): readonly KernelFunction[] {
    if (kernel.instance !== undefined) return kernel.functions;
    const namespace = this.#ownThread().namespace();
    for (let { library } = kernel; library !== undefined; library = library.library) {
      this.#instantiate(library);
      Object.assign(namespace, library.instance?.exports);
    }
    kernel.instance = new WebAssembly.Instance(kernel.module, { e: namespace });
    kernel.functions = this.#ownThread().install(kernel.slot, kernel.version, kernel.instance);
    return kernel.functions;
  }

  #ownThread(): PoolThread {
    this.#thread ??= createThread(poolLayout, {
      memory: this.#arena.memory,
      control: this.#control,
      thread: 0,
      imports: this.#imports,
      compile: (bytes) => compileModule(bytes),
      isBroken: () => this.#findDead(),
    });
    return this.#thread;
  }

  #widestPhase(phases: readonly Phase[]): number {
    let widest = 0;
    for (const { itemCount, itemsPerChunk } of phases) widest = Math.max(widest, Math.ceil(itemCount / itemsPerChunk));
    return widest;
  }

  #word(index: number): number {
    return this.#control / 4 + index;
  }

  /** Starts the workers, the first time. They join in as soon as they run. */
  #start(): PoolThread {
    if (this.#workers === undefined) {
      this.#workers = [];
      const source = new WorkerSource(this.#imports);
      for (let thread = 1; thread <= this.#workerCount; thread++) {
        const { flags } = engineFeatures();
        const start = {
          memory: this.#arena.memory,
          control: this.#control,
          thread,
          threadCount: this.threadCount,
          flags,
        };
        const events = {
          onProgramDone: () => this.#pending?.resolve(),
          onFailure: (error: unknown) => this.#lose(thread, error),
        };
        const worker = startPoolWorker(source, start, events);
        if (worker !== undefined) this.#workers.push(worker);
      }
      this.#livingWorkers = this.#workers.length;
    }
    return this.#ownThread();
  }

  /** Looks for workers that have died while this thread was blocked; whether the program is lost with one. */
  #findDead(): boolean {
    this.#workers?.forEach((worker, k) => {
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
      if (this.#program !== 0) this.#arena.free(this.#program);
      this.#programPhases = Math.max(64, phases.length * 2);
      this.#program = this.#arena.reserve((layout.headerWords + layout.phaseWords * this.#programPhases) * 4);
    }
    for (const { kernel } of phases) this.#record(this.#registered(kernel));
    const words = this.#refreshedWords();
    const header = this.#program / 4;
    words[header + layout.phaseCount] = phases.length;
    words[header + layout.lead] = lead;
    words[header + layout.leadSleeps] = 0;
    let at = header + layout.headerWords;
    for (const phase of phases) {
      const kernel = this.#registered(phase.kernel);
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
    kernel.record = this.#arena.reserve(recordWords * 4 + kernel.bytes.length);
    const words = this.#refreshedWords();
    const at = kernel.record / 4;
    words[at + byteLength] = kernel.bytes.length;
    words[at + libraryRecord] = library;
    words[at + librarySlot] = kernel.library?.slot ?? 0;
    words[at + libraryVersion] = kernel.library?.version ?? 0;
    this.#arena.bytes().set(kernel.bytes, kernel.record + recordWords * 4);
    return kernel.record;
  }

  #refreshedWords(): Int32Array {
    const { buffer } = this.#arena.bytes();
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
    const name = this.#kernels[this.#words[this.#word(poolLayout.errorSlot)] ?? -1]?.name ?? "kernel";
    Atomics.store(this.#words, error, 0);
    throw new KernelError(name, text);
  }
}
