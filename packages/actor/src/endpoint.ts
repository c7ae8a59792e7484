/** Web Workers and threads of Node, seen alike. */
import type { Endpoint } from "comlink";

/** What a started worker has in Node. */
export interface NodeWorkerLike {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  on(event: string, listener: (value: unknown) => void): unknown;
  off(event: string, listener: (value: unknown) => void): unknown;
  terminate(): Promise<unknown>;
  ref(): void;
  unref(): void;
}

/** A worker: a Web Worker (browsers, Deno, Bun), or a thread of Node's `worker_threads`. */
export type AnyWorker = Worker | NodeWorkerLike;

/** One end of a connection to a worker. */
export interface WorkerEnd {
  readonly endpoint: Endpoint;
  /** Ends the worker, wherever it is. Resolves when it has ended, if that can be told. */
  terminate(): Promise<void>;
  /** Whether the worker keeps the process alive. */
  keepAlive(wanted: boolean): void;
  /** Whether `terminate` waits until the worker, with the threads it started, has ended. */
  readonly isEndKnown: boolean;
}

/** The connection to a worker; `fail` is called when it fails or ends by itself. */
export function workerEnd(worker: AnyWorker, fail: (reason: unknown) => void): WorkerEnd {
  return "on" in worker ? nodeEnd(worker, fail) : webEnd(worker, fail);
}

function webEnd(worker: Worker, fail: (reason: unknown) => void): WorkerEnd {
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    const { error, message } = event;
    fail(error ?? new Error(message || "the worker's file could not be loaded or run"));
  });
  worker.addEventListener("messageerror", () => fail(new Error("a message of the worker cannot be read here")));
  return {
    endpoint: worker,
    terminate: async () => worker.terminate(),
    keepAlive: (wanted) => {
      const change: unknown = Reflect.get(worker, wanted ? "ref" : "unref"); // Bun has them
      if (typeof change === "function") Reflect.apply(change, worker, []);
    },
    isEndKnown: false,
  };
}

function nodeEnd(worker: NodeWorkerLike, fail: (reason: unknown) => void): WorkerEnd {
  worker.on("error", (error: unknown) => fail(error));
  worker.on("messageerror", (error: unknown) => fail(error));
  worker.on("exit", (code: unknown) => fail(new Error(`the thread ended with code ${String(code)}`)));
  return {
    endpoint: nodeEndpoint(worker),
    terminate: async () => void (await worker.terminate()),
    keepAlive: (wanted) => (wanted ? worker.ref() : worker.unref()),
    isEndKnown: true,
  };
}

/** What Comlink needs of a port of Node. */
function nodeEndpoint(port: Pick<NodeWorkerLike, "postMessage" | "on" | "off">): Endpoint {
  const listeners = new Map<unknown, (data: unknown) => void>();
  return {
    postMessage: (message, transfer) => Reflect.apply(port.postMessage, port, [message, transfer]),
    addEventListener: (_, listener) => {
      const receive = (data: unknown): void => {
        if (typeof listener === "function") Reflect.apply(listener, undefined, [{ data }]);
        else Reflect.apply(listener.handleEvent, listener, [{ data }]);
      };
      listeners.set(listener, receive);
      port.on("message", receive);
    },
    removeEventListener: (_, listener) => {
      const receive = listeners.get(listener);
      if (receive) port.off("message", receive);
    },
  };
}

/** In a worker: the connection to the thread that started it. @throws {Error} elsewhere */
export function ownerEndpoint(): Endpoint {
  if (typeof globalThis.postMessage === "function" && typeof globalThis.addEventListener === "function") {
    return {
      postMessage: (message, transfer = []) => Reflect.apply(globalThis.postMessage, globalThis, [message, transfer]),
      addEventListener: (...listener) => globalThis.addEventListener(...listener),
      removeEventListener: (...listener) => globalThis.removeEventListener(...listener),
    };
  }
  const port = Object(nodeThreads()).parentPort;
  if (!port) throw new Error("expose: this is no worker: a file that exposes a class is started by actor(…)");
  return nodeEndpoint(port);
}

/**
 * Runs `start`, which may say `new Worker(new URL("./file.js", import.meta.url), { type: "module" })` in Node too: while it runs,
 * `Worker` is there, as it is in browsers, Deno and Bun.
 */
export function withWorkers<T>(start: () => T): T {
  if (typeof globalThis.Worker === "function") return start();
  const { Worker: NodeWorker } = Object(nodeThreads());
  if (typeof NodeWorker !== "function") return start();
  Reflect.set(globalThis, "Worker", NodeWorker);
  try {
    return start();
  } finally {
    Reflect.deleteProperty(globalThis, "Worker");
  }
}

/** Node's module of threads, where there is one, without an import that a bundler would stumble over. */
function nodeThreads(): unknown {
  const { process } = Object(globalThis);
  return process?.getBuiltinModule?.("node:worker_threads");
}
