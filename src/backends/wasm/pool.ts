/** Runs kernels on several threads over one shared memory. Knows chunks and barriers, not what kernels compute. */
import type { OwnBytes } from "../../base/elements.ts";
import { ArgumentError, MLXError } from "../../base/errors.ts";
import type { Part } from "../../base/part.ts";
import type { Arena } from "./arena.ts";
import { type CompileOptions, compileModule, engineFeatures, environmentVariable } from "./engine-features.ts";
import type { ImportedFunction, KernelFunction } from "./pool-host.ts";

/** Most threads a pool can have. */
export const THREAD_LIMIT = 64;
/** More threads than this must be asked for. */
const DEFAULT_THREAD_LIMIT = 8;
/**
 * Instructions that the calling thread runs alone before it starts workers, which takes it some 4 ms, and other cores
 * longer: programs that compute little never pay for that.
 */
const WORK_ALONE = 2e7;

/** Thrown when a kernel traps or a worker dies; its `operation` is the kernel's name. */
export class KernelError extends MLXError {
  override readonly name = "KernelError";
}

/** How a pool begins. */
export interface PoolOptions {
  /** Threads that compute, the caller's included; else the variable `MLX_TS_THREADS`; else all of the hardware's up to 8. */
  readonly threads?: number | undefined;
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
export class RegisteredKernel implements KernelModule {
  readonly name: string;
  readonly bytes: OwnBytes;
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
    bytes: OwnBytes,
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

/** The workers of a pool, and how they run programs with it. */
export interface Crew {
  /** Whether a worker lives. */
  readonly isAlive: boolean;
  /** Whether a submitted program is under way. */
  readonly isBusy: boolean;
  /** Runs a program, this thread leading; `widest` is the largest number of chunks of a phase. */
  run(phases: readonly Phase[], widest: number): void;
  /** Runs a program on the workers alone. */
  submit(phases: readonly Phase[], widest: number): Promise<void>;
  /** Ends the workers; resolves when they have. */
  close(): Promise<void>;
}

/** What a crew needs of its pool. */
export interface CrewHost {
  readonly arena: Arena;
  readonly imports: Readonly<Record<string, ImportedFunction>>;
  readonly workerCount: number;
  /** The kernel behind a handle. */
  registered(kernel: KernelModule): RegisteredKernel;
  /** Gives a kernel its instance for this thread. */
  instantiate(kernel: RegisteredKernel): void;
  /** The name of the kernel in a slot. */
  nameOf(slot: number): string;
}

/**
 * Threads that run programs, lists of {@link Phase}s, together.
 *
 * `run` blocks: the calling thread leads and computes too. `submit` does not: workers do it all, as the main thread of a
 * page needs. `runAlone` uses the calling thread only. With one thread, or without shared memory, all three do the same.
 *
 * The other threads are a part, loaded by who calls `engage`: until then all three run on the calling thread.
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
  #crew: Crew | null = null;
  /** Instructions that workers could have helped with. */
  #workAlone = 0;
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
    if (threads > 1 && !arena.memoryOptions.shared) {
      console.warn("mlx-ts computes with one thread: this page is not cross-origin isolated (COOP and COEP headers)");
    }
  }

  /** Whether other threads help: false with one thread, without shared memory, and when all workers have died. */
  get isParallel(): boolean {
    return this.#workerCount > 0 && !this.#isClosed && (this.#crew === null || this.#crew.isAlive);
  }

  /**
   * Lets other threads take part from now on, if there are any. With `work`, the instructions of a program that is about to
   * run, only once they are worth starting, or if this thread may not run it.
   *
   * @throws {MissingPart} if what they need is not loaded
   */
  engage(part: Part<(host: CrewHost) => Crew>, work: number = WORK_ALONE): void {
    if (!this.isParallel || this.#crew) return;
    this.#workAlone += work;
    if (this.mayBlock && this.#workAlone < WORK_ALONE) return;
    this.#crew = part.get()({
      arena: this.#arena,
      imports: this.#imports,
      workerCount: this.#workerCount,
      registered: (kernel) => this.#registered(kernel),
      instantiate: (kernel) => this.#instantiate(kernel),
      nameOf: (slot) => this.#kernels[slot]?.name ?? "kernel",
    });
  }

  /**
   * Compiles a module and makes it known to the pool. `bytes` must not change afterwards.
   *
   * @throws {WebAssembly.CompileError} if it is not a valid module for this engine
   */
  register(name: string, bytes: OwnBytes, options: KernelOptions = {}): KernelModule {
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
    const widest = widestPhase(phases);
    const crew = this.#crew;
    if (widest <= 1 || !crew || !this.isParallel || !this.mayBlock || crew.isBusy) this.runAlone(phases);
    else crew.run(phases, widest);
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
      if (work === undefined) throw new ArgumentError(kernel.name, `the kernel exports no function ${functionIndex}`);
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
    await this.#crew?.close();
  }

  async #runSubmitted(phases: readonly Phase[]): Promise<void> {
    const widest = widestPhase(phases);
    if (widest > 0 && this.#crew && this.isParallel) await this.#crew.submit(phases, widest);
    else this.runAlone(phases);
  }

  #registered(kernel: KernelModule): RegisteredKernel {
    if (kernel instanceof RegisteredKernel && !kernel.isReleased) return kernel;
    throw new ArgumentError(kernel.name, "the kernel was released");
  }

  /** This thread's functions of a kernel. */
  #instantiate(kernel: RegisteredKernel): readonly KernelFunction[] {
    if (kernel.instance !== undefined) return kernel.functions;
    const namespace: WebAssembly.ModuleImports = Object.assign(Object.create(Math), this.#imports, {
      m: this.#arena.memory,
    });
    for (let library = kernel.library; library !== undefined; library = library.library) {
      this.#instantiate(library);
      Object.assign(namespace, library.instance?.exports);
    }
    kernel.instance = new WebAssembly.Instance(kernel.module, { e: namespace });
    kernel.functions = Object.values(kernel.instance.exports).filter(
      (value): value is KernelFunction => typeof value === "function",
    );
    return kernel.functions;
  }
}

function widestPhase(phases: readonly Phase[]): number {
  let widest = 0;
  for (const { itemCount, itemsPerChunk } of phases) widest = Math.max(widest, Math.ceil(itemCount / itemsPerChunk));
  return widest;
}
