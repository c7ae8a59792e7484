/** Starts the workers of a pool from text, so that no file and no URL has to be found at run time. */
import type { OwnBytes } from "../../base/elements.ts";
import { builtinModule, callMember, propertyOf } from "./engine-features.ts";
import type { ImportedFunction, ThreadHost } from "./pool-host.ts";
import { type PoolLayout, poolLayout } from "./pool-layout.ts";
import { createThread, type PoolThread, type ThreadParts, threadParts } from "./pool-thread.ts";

/** What a worker is told when it starts. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory;
  readonly control: number;
  readonly thread: number;
  readonly threadCount: number;
  /** Engine flags to set where a kernel does not compile without. */
  readonly flags: readonly string[];
}

/** What happens to a worker. */
export interface WorkerEvents {
  /** It led a program to its end. */
  onProgramDone(): void;
  /** It died of `error`. */
  onFailure(error: unknown): void;
}

/** A started worker. */
export interface WorkerHandle {
  /** Whether the worker keeps the process alive; at first it does not. */
  keepAlive(wanted: boolean): void;
  /** False if it has died, as far as can be told while the calling thread is blocked. */
  isAlive(): boolean;
  /** Resolves when the worker has ended, which it must have been told to through the control block. */
  ended(): Promise<void>;
}

/**
 * Starts a Web Worker where there are any, else a thread of Node; undefined if there are neither. Outside of browsers a Web
 * Worker must be able not to keep the process alive: Bun's is, Deno's is not, but Deno has Node's threads too.
 */
export function startPoolWorker(
  source: WorkerSource,
  start: WorkerStart,
  events: WorkerEvents,
): WorkerHandle | undefined {
  const hasWebWorkers = typeof Worker === "function";
  const thread = hasWebWorkers && "unref" in Worker.prototype ? undefined : startNodeWorker(source, start, events);
  return thread ?? (hasWebWorkers ? startWebWorker(source, start, events) : undefined);
}

/** The program text that all workers of a pool run. */
export class WorkerSource {
  readonly #imports: Readonly<Record<string, ImportedFunction>>;
  #url: string | undefined;

  constructor(imports: Readonly<Record<string, ImportedFunction>>) {
    this.#imports = imports;
  }

  /** The text. */
  text(): string {
    const textOf = (functions: object): string =>
      `{${Object.entries(functions).map(([name, value]) => `${JSON.stringify(name)}:${value}`)}}`;
    const create = `${createThread},${textOf(threadParts)}`;
    return `${nameKeeperText()}(${runWorker})(${JSON.stringify(poolLayout)},${create},${textOf(this.#imports)});`;
  }

  /** The text as a URL of this page. */
  url(): string {
    this.#url ??= URL.createObjectURL(new Blob([this.text()], { type: "text/javascript" }));
    return this.#url;
  }
}

/** A function whose own text shows what a transpiler wraps functions in to keep their names, if it does. */
function nameProbe(): () => number {
  const keptName = (): number => 0;
  return keptName;
}

/** Defines the wrapper that {@link nameProbe} shows: `__name` in esbuild's output, any name once that is minified. */
function nameKeeperText(): string {
  const wrapper = /([\w$]+)\((?:\(\)|function)[^"'`]*["'`]keptName["'`]\)/.exec(String(nameProbe))?.[1];
  return wrapper === undefined ? "" : `var ${wrapper}=(f)=>f;`;
}

function startWebWorker(source: WorkerSource, start: WorkerStart, events: WorkerEvents): WorkerHandle {
  const worker = new Worker(source.url(), { name: `mlx-ts ${start.thread}`, type: "module" });
  const { promise, resolve } = promiseWithResolver();
  worker.onmessage = ({ data }: MessageEvent<unknown>) => {
    if (data === "done") events.onProgramDone();
    if (data === "ended") {
      worker.terminate();
      resolve();
    }
  };
  worker.onerror = (event) => {
    resolve();
    events.onFailure(new Error(event.message === "" ? "a worker could not start" : event.message));
  };
  worker.postMessage(start);
  const keepAlive = (wanted: boolean): void => {
    callMember(worker, wanted ? "ref" : "unref"); // Bun has them
  };
  keepAlive(false);
  return { keepAlive, isAlive: () => true, ended: () => promise };
}

function startNodeWorker(source: WorkerSource, start: WorkerStart, events: WorkerEvents): WorkerHandle | undefined {
  const make = propertyOf(builtinModule("node:worker_threads"), "Worker");
  if (typeof make !== "function") return undefined;
  const options = { eval: true, workerData: start, execArgv: [], name: `mlx-ts ${start.thread}` };
  const worker: unknown = Reflect.construct(make, [source.text(), options]);
  const call = (method: string, ...values: unknown[]): unknown => callMember(worker, method, ...values);
  const { promise, resolve } = promiseWithResolver();
  // The end of a thread is told through the event loop alone, but the idle time of one that has ended is negative.
  const idleTime = (): number =>
    Number(propertyOf(callMember(propertyOf(worker, "performance"), "eventLoopUtilization"), "idle"));
  let isExpected = false;
  call("on", "message", (message: unknown) => {
    if (message === "started") idleTime(); // Node then keeps what it needs to answer later
    if (message === "done") events.onProgramDone();
    if (message === "ended") isExpected = true;
  });
  call("on", "error", (error: unknown) => {
    isExpected = true;
    events.onFailure(error);
  });
  call("on", "exit", (code: unknown) => {
    resolve();
    if (!isExpected) events.onFailure(new Error(`a worker ended by itself with code ${String(code)}`));
  });
  call("unref");
  return {
    keepAlive: (wanted) => call(wanted ? "ref" : "unref"),
    isAlive: () => !(idleTime() < 0),
    ended: () => promise,
  };
}

function promiseWithResolver(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** The worker's main function. Runs from its text: it refers to nothing outside itself. */
function runWorker(
  layout: PoolLayout,
  create: (layout: PoolLayout, host: ThreadHost, parts: ThreadParts) => PoolThread,
  parts: ThreadParts,
  imports: Readonly<Record<string, ImportedFunction>>,
): void {
  const property = (value: unknown, key: string): unknown =>
    (typeof value === "object" && value !== null) || typeof value === "function" ? Reflect.get(value, key) : undefined;
  const call = (value: unknown, method: string, ...values: unknown[]): unknown => {
    const member = property(value, method);
    return typeof member === "function" ? Reflect.apply(member, value, values) : undefined;
  };

  const serve = (start: WorkerStart, post: (message: string) => void): void => {
    const compile = (bytes: OwnBytes): WebAssembly.Module => {
      try {
        return new WebAssembly.Module(bytes);
      } catch (error) {
        if (start.flags.length === 0) throw error;
      }
      // Usually the engine knows the module from the owner's compilation and asks for no flags. Flags belong to the
      // process, so one worker at a time sets them; threads of other pools may still set them back.
      const v8 = call(property(globalThis, "process"), "getBuiltinModule", "node:v8");
      const words = new Int32Array(start.memory.buffer);
      const lock = (start.control >>> 2) + layout.compileLock;
      while (Atomics.compareExchange(words, lock, 0, 1) !== 0) Atomics.wait(words, lock, 1, 1);
      try {
        for (let attempt = 0; ; attempt++) {
          try {
            for (const flag of start.flags) call(v8, "setFlagsFromString", `--${flag}`);
            return new WebAssembly.Module(bytes);
          } catch (error) {
            if (attempt === 2) throw error;
          }
        }
      } finally {
        for (const flag of start.flags) call(v8, "setFlagsFromString", `--no-${flag}`);
        Atomics.store(words, lock, 0);
      }
    };
    const { memory, control, thread, threadCount } = start;
    create(layout, { memory, control, thread, imports, compile }, parts).serve(threadCount, () => post("done"));
    post("ended");
  };

  const isStart = (value: unknown): value is WorkerStart => property(value, "memory") instanceof WebAssembly.Memory;
  const threads = call(property(globalThis, "process"), "getBuiltinModule", "node:worker_threads");
  const data = property(threads, "workerData");
  if (isStart(data)) {
    const post = (message: string): unknown => call(property(threads, "parentPort"), "postMessage", message);
    // Once the event loop has begun: from then on its owner can tell whether the thread lives.
    setImmediate(() => {
      post("started");
      serve(data, post);
    });
  } else {
    globalThis.onmessage = ({ data: message }: MessageEvent<unknown>) => {
      if (isStart(message)) serve(message, (text) => globalThis.postMessage(text));
    };
  }
}
