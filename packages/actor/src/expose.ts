/** A worker's side of an actor: makes the object, and runs its calls one at a time. */
import { expose as exposeHost, transfer } from "comlink";
import { ArgumentError, requireOptions } from "mlx-ts";
import { joinMemory, leaveMemory, openArrays, shareArrays } from "mlx-ts/worker";
import { asyncDisposeKey, disposeKey } from "./disposal.ts";
import { ownerEndpoint } from "./endpoint.ts";
import { decodeError, type EncodedError, encodeError, WorkerError } from "./errors.ts";
import { type ActorHost, type Answer, assertClonable, isSignalHandle, mapData, type StartMessage } from "./protocol.ts";
import type { ExposableClass } from "./remote.ts";

/** How a class is exposed. */
export interface ExposeOptions {
  /** Methods that run at once, also while others are under way; so do the steps of the streams that they give. None unless given. */
  readonly concurrent?: readonly string[] | undefined;
}

/**
 * Lets `actor` start objects of this class in the worker that runs this file. An object with a method `dispose` (or
 * `Symbol.asyncDispose`) is disposed when its actor is.
 *
 * @throws {ArgumentError} for what is no class, or options of other names; {Error} if the file runs in no worker
 * @example
 * import { expose } from "@mlx-ts/actor";
 * class Summer {
 *   sum(x: mx.MLXArray) { return x.sum().item(); }
 * }
 * // A file summer.worker.ts ends with expose(Summer):
 * const inWorker = () => expose(Summer, { concurrent: ["sum"] });
 */
export function expose(exposed: ExposableClass, options: ExposeOptions = {}): void {
  if (typeof exposed !== "function")
    throw new ArgumentError("expose", `takes a class, as in expose(Lab); got ${String(exposed)}`);
  requireOptions("expose", options, ["concurrent"]);
  exposeHost(new Host(exposed, new Set(options.concurrent)), ownerEndpoint());
}

/** A generator, or the like, that a method gave. */
type Steps = Iterator<unknown> | AsyncIterator<unknown>;

interface OpenStream {
  readonly steps: Steps;
  readonly signals: readonly number[];
  readonly isConcurrent: boolean;
}

/** Objects of one class, and their calls. */
class Host implements ActorHost {
  readonly #exposed: ExposableClass;
  readonly #concurrent: ReadonlySet<string>;
  #object: object | null = null;
  /** Calls, and steps of streams, run one after the other. */
  #queue: Promise<unknown> = Promise.resolve();
  readonly #streams = new Map<number, OpenStream>();
  #nextStream = 1;
  readonly #signals = new Map<number, AbortController>();

  constructor(exposed: ExposableClass, concurrent: ReadonlySet<string>) {
    this.#exposed = exposed;
    this.#concurrent = concurrent;
  }

  start({ ticket, threads, parameters, lock }: StartMessage): Promise<Answer> {
    return this.#answer(false, async () => {
      joinMemory(ticket, threads === null ? {} : { threads });
      const isHeld = await holdLock(lock);
      this.#object = Reflect.construct(this.#exposed, listOf(openArrays(parameters)));
      return valueAnswer(isHeld);
    });
  }

  call(method: string, parameters: unknown): Promise<Answer> {
    const signals: number[] = [];
    let opened: readonly unknown[];
    try {
      opened = listOf(mapData(openArrays(parameters), (leaf) => this.#openSignal(leaf, signals)));
    } catch (error) {
      return Promise.resolve({ kind: "error", error: encodeError(error) });
    }
    const isConcurrent = this.#concurrent.has(method);
    return this.#answer(isConcurrent, async () => {
      let isStream = false;
      try {
        const result: unknown = await Reflect.apply(this.#methodNamed(method), this.#object, opened);
        const steps = stepsOf(result);
        if (!steps) return await valueAnswer(result);
        isStream = true;
        const stream = this.#nextStream++;
        this.#streams.set(stream, { steps, signals, isConcurrent });
        return { kind: "stream", stream };
      } finally {
        if (!isStream) this.#forget(signals);
      }
    });
  }

  next(stream: number): Promise<Answer> {
    const open = this.#streams.get(stream);
    if (!open) return Promise.resolve({ kind: "end" });
    return this.#answer(open.isConcurrent, async () => {
      let isOver = true;
      try {
        const { done, value } = await open.steps.next();
        if (done) return { kind: "end" };
        isOver = false;
        return await valueAnswer(value);
      } finally {
        if (isOver) this.#end(stream);
      }
    });
  }

  async leave(stream: number): Promise<void> {
    const open = this.#streams.get(stream);
    if (open) await this.#inTurn(open.isConcurrent, async () => void (await this.#end(stream)?.return?.()));
  }

  abort(signal: number, reason: EncodedError): void {
    this.#signals.get(signal)?.abort(decodeError(reason));
  }

  async close(): Promise<void> {
    await this.#inTurn(false, async () => {
      try {
        await disposeOf(this.#object);
        for (const stream of [...this.#streams.keys()]) await this.#end(stream)?.return?.();
      } finally {
        await leaveMemory();
      }
    });
  }

  /** Runs `body` when everything before is done, or at once. */
  #inTurn<T>(isConcurrent: boolean, body: () => Promise<T>): Promise<T> {
    if (isConcurrent) return body();
    const done = this.#queue.then(body);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  async #answer(isConcurrent: boolean, body: () => Promise<Answer>): Promise<Answer> {
    try {
      return await this.#inTurn(isConcurrent, body);
    } catch (error) {
      return { kind: "error", error: encodeError(error) };
    }
  }

  #methodNamed(name: string): CallableFunction {
    const method: unknown = this.#object === null ? undefined : Reflect.get(this.#object, name);
    if (typeof method === "function") return method;
    throw new WorkerError("actor", `${this.#exposed.name} has no method ${name}`);
  }

  #end(stream: number): Steps | undefined {
    const open = this.#streams.get(stream);
    this.#streams.delete(stream);
    this.#forget(open?.signals ?? []);
    return open?.steps;
  }

  /** A signal that is aborted when the one is that a handle stands for; anything else as it is. */
  #openSignal(leaf: unknown, signals: number[]): unknown {
    if (!isSignalHandle(leaf)) return leaf;
    const controller = new AbortController();
    if (leaf.aborted) controller.abort(decodeError(leaf.aborted));
    this.#signals.set(leaf.mlxSignal, controller);
    signals.push(leaf.mlxSignal);
    return controller.signal;
  }

  #forget(signals: readonly number[]): void {
    for (const signal of signals) this.#signals.delete(signal);
  }
}

async function valueAnswer(value: unknown): Promise<Answer> {
  assertClonable(value);
  const { message, transfer: buffers } = await shareArrays(value);
  return transfer({ kind: "value", message }, buffers);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The steps of a generator, or of something that can be iterated over asynchronously; null for other values. */
function stepsOf(value: unknown): Steps | null {
  if (typeof value !== "object" || value === null) return null;
  if (Symbol.asyncIterator in value) return Object(value)[Symbol.asyncIterator]();
  return Symbol.iterator in value && typeof Reflect.get(value, "next") === "function"
    ? Object(value)[Symbol.iterator]()
    : null;
}

async function disposeOf(value: unknown): Promise<void> {
  const target = Object(value);
  const dispose: unknown = target[asyncDisposeKey] ?? target[disposeKey] ?? target.dispose;
  if (typeof dispose === "function") await Reflect.apply(dispose, value, []);
}

/** Holds a lock until the worker ends; false where there are no locks. */
function holdLock(name: string): Promise<boolean> {
  const { locks } = Object(Object(globalThis).navigator);
  if (!locks) return Promise.resolve(false);
  return new Promise((resolve) => {
    locks.request(name, () => {
      resolve(true);
      return new Promise(() => undefined);
    });
  });
}
