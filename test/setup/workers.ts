/** Starts workers for tests: Web Workers in a browser, threads of Node elsewhere, bundled for it. */
import { propertyOf } from "../../src/backends/wasm/engine-features.ts";

/** A started worker, the same everywhere. */
export interface TestWorker {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** Resolves with the next message; rejects when the worker fails. */
  next(): Promise<unknown>;
  /** Ends the worker, wherever it is; resolves when it has ended. */
  terminate(): Promise<void>;
}

/** Starts the worker that `inBrowser` makes, or the file at `url`. */
export async function startWorker(inBrowser: () => Worker, url: URL): Promise<TestWorker> {
  const messages: unknown[] = [];
  const waiting: { resolve: (message: unknown) => void; reject: (error: unknown) => void }[] = [];
  const receive = (message: unknown): void => {
    const first = waiting.shift();
    if (first) first.resolve(message);
    else messages.push(message);
  };
  const fail = (error: unknown): void => {
    for (const { reject } of waiting.splice(0)) reject(error);
  };
  const next = (): Promise<unknown> =>
    messages.length > 0
      ? Promise.resolve(messages.shift())
      : new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  if (typeof Worker === "function") {
    const worker = inBrowser();
    worker.onmessage = ({ data }) => receive(data);
    worker.onerror = (event) => fail(new Error(event.message));
    return {
      post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
      next,
      terminate: async () => {
        worker.terminate();
        await new Promise((resolve) => setTimeout(resolve, 300));
      },
    };
  }
  const worker = await nodeWorker(url);
  worker.on("message", receive);
  worker.on("error", fail);
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    next,
    terminate: async () => void (await worker.terminate()),
  };
}

interface NodeWorker {
  on(event: string, listener: (value: unknown) => void): void;
  off(event: string, listener: (value: unknown) => void): void;
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  terminate(): Promise<number>;
  ref(): void;
  unref(): void;
}

async function nodeWorker(url: URL): Promise<NodeWorker> {
  const file = "./node-workers.ts";
  const { startNodeWorker } = await import(/* @vite-ignore */ file);
  return startNodeWorker(url);
}

/** The worker itself: what `inBrowser` makes, or a thread of Node that runs the file at `url`. */
export function anyWorker(inBrowser: () => Worker, url: URL): Worker | Promise<NodeWorker> {
  return typeof document === "object" ? inBrowser() : nodeWorker(url);
}

/** In a worker: how it talks to who started it. */
export function workerPort(): { post(message: unknown): void; onMessage(listener: (message: unknown) => void): void } {
  const load = propertyOf(propertyOf(globalThis, "process"), "getBuiltinModule");
  const port = typeof load === "function" ? propertyOf(load("node:worker_threads"), "parentPort") : undefined;
  if (port !== undefined) {
    const call = (method: string, ...values: unknown[]): void => {
      const member = propertyOf(port, method);
      if (typeof member === "function") Reflect.apply(member, port, values);
    };
    return {
      post: (message) => call("postMessage", message),
      onMessage: (listener) => call("on", "message", listener),
    };
  }
  return {
    post: (message) => globalThis.postMessage(message),
    onMessage: (listener) => globalThis.addEventListener("message", ({ data }) => listener(data)),
  };
}
