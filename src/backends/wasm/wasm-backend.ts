/** The CPU backend: plans run as WebAssembly compiled here, on one memory, by a pool of threads. */
import type { TypedArray } from "../../base/dtype.ts";
import { Part } from "../../base/part.ts";
import type { Allocation, Backend, Executable, MemoryReport, Plan } from "../../ir/backend.ts";
import type { CompositeKernel, ContractionKernel, LoopKernel, TensorCall } from "../../ir/kernel.ts";
import { SmallAllocation, smallByteLimit, WasmAllocation } from "./allocation.ts";
import { Arena } from "./arena.ts";
import { canWiden } from "./engine-features.ts";
import { WasmExecutable } from "./executable.ts";
import { importedMath } from "./imported-math.ts";
import type { KernelCode, KernelLibrary, KernelParts, KernelTarget } from "./kernel-code.ts";
import { asCompiled, emitKernel, isTakenWhole, textOf } from "./kernel-emitters.ts";
import type { Crew, CrewHost, KernelModule, PoolOptions } from "./pool.ts";
import { WorkerPool } from "./pool.ts";
import type { RelaxedSimd } from "./relaxed-simd.ts";

/** What many programs do without. */
export const cpuParts: KernelParts & {
  readonly relaxedSimd: Part<() => RelaxedSimd>;
  readonly threads: Part<(host: CrewHost) => Crew>;
} = {
  products: /* @__PURE__ */ new Part("products", () => import("./contraction-part.ts")),
  scratchMemory: /* @__PURE__ */ new Part("scratch memory", () => import("./scratch-memory-part.ts")),
  composites: /* @__PURE__ */ new Part("composites", () => import("./composites-part.ts")),
  wideLoops: /* @__PURE__ */ new Part("wide vectors", () => import("./wide-loops-part.ts")),
  math: /* @__PURE__ */ new Part("transcendental functions", () => import("./vector-math-part.ts")),
  types: /* @__PURE__ */ new Part("other types", () => import("./lane-types-part.ts")),
  relaxedSimd: /* @__PURE__ */ new Part("relaxed vectors", () => import("./relaxed-simd-part.ts")),
  threads: /* @__PURE__ */ new Part("threads", () => import("./pool-crew-part.ts")),
};

/** Modules kept for reuse; the least recently used one that no plan holds goes first. */
const moduleLimit = 512;

/** Instructions from which a kernel is optimized before its first run: in the engine's baseline tier it would run for longer than that takes. */
const longWork = 2e7;

/** A compiled kernel and the plans that hold it. */
export interface CompiledKernel {
  readonly code: KernelCode;
  readonly kernel: KernelModule;
  /** Instructions of a run. */
  readonly work: number;
  holders: number;
}

/** Runs plans on the CPU. */
export class WasmBackend implements Backend {
  readonly name = "cpu";
  readonly slotLimit: number = Number.POSITIVE_INFINITY;
  readonly isLost = false;
  readonly arena: Arena;
  readonly pool: WorkerPool;
  readonly #modules = new Map<string, CompiledKernel>();
  readonly #registry: FinalizationRegistry<number>;
  #view: DataView | null = null;
  readonly #libraries = new Map<KernelLibrary, KernelModule>();
  /** Runs that wait for other threads, one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(options: { readonly arena?: Arena } & Pick<PoolOptions, "threads"> = {}) {
    const arena = options.arena ?? new Arena();
    this.arena = arena;
    this.pool = new WorkerPool(arena, { imports: importedMath, threads: options.threads });
    this.#registry = new FinalizationRegistry((offset) => arena.free(offset));
  }

  overrides(call: TensorCall): boolean {
    return isTakenWhole(call, cpuParts);
  }

  allocate(byteLength: number): SmallAllocation | WasmAllocation {
    return byteLength < smallByteLimit
      ? new SmallAllocation(this, new Uint8Array(byteLength))
      : this.allocateBlock(byteLength);
  }

  /** As `allocate`, in the arena whatever the length. */
  allocateBlock(byteLength: number): WasmAllocation {
    return this.blockAt(this.arena.allocate(byteLength), byteLength);
  }

  /** A handle on a block in use that has none. */
  blockAt(offset: number, byteLength: number): WasmAllocation {
    return new WasmAllocation(this, this.arena, this.#registry, offset, byteLength);
  }

  upload(data: TypedArray): Allocation {
    const allocation = this.allocate(data.byteLength);
    allocation.bytes().set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    return allocation;
  }

  /** @throws {MissingPart} if an emitter is not loaded; nothing is held then */
  prepare(plan: Plan): Executable {
    const compiled = plan.steps.map(({ kernel }) => (kernel.kind === "routine" ? null : this.#compile(kernel)));
    const hasIntermediates = plan.bufferBytes.length > plan.inputCount + plan.outputCount;
    const intermediates = hasIntermediates ? cpuParts.scratchMemory.get().placeIntermediates(plan) : null;
    for (const one of compiled) if (one) one.holders++;
    this.#trim(); // only now: a module that nobody holds may be the one to go
    return new WasmExecutable(
      this,
      plan,
      plan.steps.map((step, k) => {
        const own = compiled[k] ?? null;
        return { step, compiled: own, args: own ? this.arena.reserve(own.code.layout.byteLength) : 0 };
      }),
      intermediates,
    );
  }

  /** Whether runs that wait for other threads are under way: later ones must come after them. */
  get isBusy(): boolean {
    return this.#waiting > 0;
  }

  /** Runs `body` after everything enqueued before. */
  enqueue<T>(body: () => Promise<T>): Promise<T> {
    this.#waiting++;
    const done = this.#queue.then(body).finally(() => {
      this.#waiting--;
    });
    this.#queue = done.catch(() => undefined);
    return done;
  }

  /** The whole memory; ask again after every allocation. */
  dataView(): DataView {
    const { buffer } = this.arena.bytes();
    if (this.#view?.buffer !== buffer) this.#view = new DataView(buffer);
    return this.#view;
  }

  async synchronize(): Promise<void> {
    await this.#queue;
  }

  memory(): MemoryReport {
    return { active: this.arena.activeBytes, peak: this.arena.peakBytes, cache: this.arena.cachedBytes };
  }

  resetPeak(): void {
    this.arena.resetPeak();
  }

  clearCache(): void {
    this.arena.clearCache();
  }

  setLimits(limits: { readonly memory?: number; readonly cache?: number }): void {
    if (limits.memory !== undefined) this.arena.memoryLimit = limits.memory;
    if (limits.cache !== undefined) this.arena.cacheLimit = limits.cache;
  }

  #compile(given: LoopKernel | ContractionKernel | CompositeKernel): CompiledKernel {
    const kernel = asCompiled(given);
    const key = textOf(kernel, cpuParts);
    const known = this.#modules.get(key);
    if (known) {
      this.#modules.delete(key);
      this.#modules.set(key, known);
      return known;
    }
    const target: KernelTarget = {
      get relaxed() {
        return cpuParts.relaxedSimd.get()().isRight;
      },
      parts: cpuParts,
      threadCount: this.pool.threadCount,
      ...this.arena.memoryOptions,
    };
    const code = emitKernel(kernel, target);
    const work = code.phases.reduce((sum, phase) => sum + phase.work, 0);
    const library = code.library && this.#library(code.library, target);
    const optimize = work > longWork;
    const widen =
      optimize && canWiden() && code.instructions !== undefined && cpuParts.wideLoops.get()(code.instructions);
    const options = { optimize, widen, ...(library ? { library } : {}) };
    const compiled: CompiledKernel = {
      code,
      kernel: this.pool.register(kernel.label, code.bytes, options),
      work,
      holders: 0,
    };
    this.#modules.set(key, compiled);
    return compiled;
  }

  /** A library that kernels share, compiled once. */
  #library(library: KernelLibrary, target: KernelTarget): KernelModule {
    const known = this.#libraries.get(library);
    if (known) return known;
    const own = library.library && this.#library(library.library, target);
    const options = { ...library.options, ...(own ? { library: own } : {}) };
    const module = this.pool.register(library.name, library.emit(target), options);
    this.#libraries.set(library, module);
    return module;
  }

  #trim(): void {
    for (const [key, { kernel, holders }] of this.#modules) {
      if (this.#modules.size <= moduleLimit) return;
      if (holders > 0) continue;
      this.#modules.delete(key);
      this.pool.release(kernel);
    }
  }
}
