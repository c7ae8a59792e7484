/** Starts a class in a worker and makes its methods callable from here. */
import { type Remote, transfer, wrap } from "comlink";
import { ArgumentError, requireOptions } from "mlx-ts";
import { admitWorker, openArrays, releaseWorker, shareArrays, type WorkerTicket } from "mlx-ts/worker";
import { asyncDisposeKey } from "./disposal.ts";
import { type AnyWorker, type WorkerEnd, withWorkers, workerEnd } from "./endpoint.ts";
import { decodeError, type ErrorClass, encodeError, WorkerError } from "./errors.ts";
import { type ActorHost, type Answer, assertClonable, mapData, type SignalHandle } from "./protocol.ts";
import type { Actor, ExposableClass, SendableConstructorParameters } from "./remote.ts";

/** How an actor is started. */
export interface ActorOptions<C extends ExposableClass> {
  /** The arguments of the constructor. */
  readonly parameters?: SendableConstructorParameters<C> | undefined;
  /** Threads that compute for the actor; as many as the hardware has, up to 8, unless given. */
  readonly threads?: number | undefined;
  /** Classes of errors, beside those of JavaScript and of mlx-ts, that arrive as what they are: told apart by the names of the classes. */
  readonly errors?: readonly ErrorClass[] | undefined;
}

/** After a worker was ended from outside, others may still compute for it this long where nobody can tell when they end. */
const graceMilliseconds = 3000;

/**
 * Starts an object of a class in a worker; the worker's file says `expose(ThatClass)`. Its methods become async functions,
 * which run one at a time, in the order of the calls; methods that give an (async) generator become async iterables, which go on
 * when they are asked to, one at a time among the other calls. Arrays travel by handle; everything else is cloned. `AbortSignal`s
 * work on the other side too. Errors arrive with their class, stack and fields.
 *
 * If the worker fails, every pending call is rejected with a `WorkerError`.
 *
 * @param start makes the worker: `() => new Worker(new URL("./file.ts", import.meta.url), { type: "module" })`, which works in
 *   Node too, and which bundlers understand
 * @throws what the constructor throws; `WorkerError` if the worker cannot be started
 * @example
 * import { actor } from "@mlx-ts/actor";
 * import type { Normalizer } from "./normalizer.worker.ts"; // the class of docs/concurrency.md
 * const example = array([[1, 10], [3, 30]]);
 * const normalizer = await actor<typeof Normalizer>(
 *   () => new Worker(new URL("./normalizer.worker.ts", import.meta.url), { type: "module" }),
 *   { parameters: [example] },
 * );
 * const normalized = await normalizer.normalize(example);
 * await normalized.tolist(); // [[-1, -1], [1, 1]]
 * await normalizer.dispose();
 */
export async function actor<C extends ExposableClass>(
  start: () => AnyWorker | Promise<AnyWorker>,
  options: ActorOptions<C> = {},
): Promise<Actor<C>> {
  if (typeof start !== "function")
    throw new ArgumentError("actor", "takes a function that starts a worker, as in actor(() => new Worker(…))");
  requireOptions("actor", options, ["parameters", "threads", "errors"]);
  requireParameters("actor", options.parameters);
  const connection = new Connection(await withWorkers(start), options.errors ?? []);
  await connection.start(options.parameters ?? [], options.threads ?? null);
  return remoteObject<C>(connection);
}

/** Throws unless what a constructor or a setup is given comes as a list. @throws {ArgumentError} */
export function requireParameters(operation: string, parameters: unknown): void {
  if (parameters === undefined || Array.isArray(parameters)) return;
  throw new ArgumentError(operation, `parameters is a list, of one too: [parameter]; got ${String(parameters)}`);
}

/** What a call gave: a value, or a stream with what is to be done when it ends. */
type CallResult =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "stream"; readonly stream: number; readonly stop: () => void }
  | { readonly kind: "end" };

/** One worker with the calls that are pending there. */
class Connection {
  readonly ended: Promise<Error | null>;
  readonly #end: WorkerEnd;
  readonly #host: Remote<ActorHost>;
  readonly #ticket: WorkerTicket;
  readonly #errors: readonly ErrorClass[];
  readonly #lock = `mlx-ts actor ${Math.random()}`;
  readonly #rejections = new Set<(error: Error) => void>();
  #resolveEnded: (reason: Error | null) => void = () => undefined;
  /** Calls are sent in the order in which they are made, though sharing arrays takes time. */
  #sending: Promise<unknown> = Promise.resolve();
  #nextSignal = 1;
  /** Why calls are refused. */
  #refusal: WorkerError | null = null;
  #disposal: Promise<void> | null = null;
  #isLockHeld = false;
  #threads: number | null = null;

  constructor(worker: AnyWorker, errors: readonly ErrorClass[]) {
    this.#errors = errors;
    this.#ticket = admitWorker();
    this.#end = workerEnd(worker, (reason) => void this.#fail(reason));
    this.#host = wrap<ActorHost>(this.#end.endpoint);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  async start(parameters: readonly unknown[], threads: number | null): Promise<void> {
    this.#threads = threads;
    try {
      const result = await this.#request(async () => {
        const { message, transfer: buffers } = await shareArrays(parameters, { receiver: this.#ticket });
        const start = { ticket: this.#ticket, threads, parameters: message, lock: this.#lock };
        return () => this.#host.start(transfer(start, buffers));
      });
      if (result.kind === "value" && result.value === true) this.#watch();
    } catch (error) {
      void this.dispose(); // which may take a while, where nobody tells when a worker ends
      throw error;
    }
  }

  /** Calls a method. */
  async call(method: string, parameters: readonly unknown[]): Promise<CallResult> {
    const stops: (() => void)[] = [];
    const stop = (): void => {
      for (const each of stops) each();
    };
    const sendable = mapData(parameters, (leaf) => (leaf instanceof AbortSignal ? this.#follow(leaf, stops) : leaf));
    try {
      const result = await this.#request(async () => {
        assertClonable(sendable);
        const { message, transfer: buffers } = await shareArrays(sendable, { receiver: this.#ticket });
        return () => this.#host.call(method, transfer(Object(message), buffers));
      });
      if (result.kind === "stream") return { ...result, stop };
      stop();
      return result;
    } catch (error) {
      stop();
      throw error;
    }
  }

  /** The next item of a stream. */
  next(stream: number): Promise<CallResult> {
    return this.#request(async () => () => this.#host.next(stream));
  }

  async leave(stream: number): Promise<void> {
    if (this.#refusal === null) await this.#orRefused(this.#host.leave(stream));
  }

  dispose(): Promise<void> {
    this.#disposal ??= this.#refusal ? this.ended.then(() => undefined) : this.#close();
    return this.#disposal;
  }

  async #close(): Promise<void> {
    const closing = this.#orRefused(this.#host.close());
    const refusal = new WorkerError("actor", "the actor was disposed");
    await closing.catch(() => undefined);
    if (this.#refusal !== null) return void (await this.ended); // it failed meanwhile
    this.#refuse(refusal);
    await this.#end.terminate();
    releaseWorker(this.#ticket);
    this.#resolveEnded(null);
  }

  async #fail(reason: unknown): Promise<void> {
    if (this.#refusal) return;
    const message = reason instanceof Error ? reason.message : String(reason);
    const advice = /extension "\.[cm]?tsx?"/.test(message) ? "; compile it, and name the .js file" : "";
    const failure = new WorkerError("actor", `the worker failed: ${message}${advice}`, { cause: reason });
    this.#refuse(failure);
    await this.#end.terminate();
    if (!this.#end.isEndKnown) {
      if (this.#isLockHeld) await navigator.locks.request(this.#lock, () => undefined);
      // Threads that computed for it end later, and nobody tells when.
      if (!this.#isLockHeld || this.#threads !== 1)
        await new Promise((resolve) => setTimeout(resolve, graceMilliseconds));
    }
    releaseWorker(this.#ticket);
    this.#resolveEnded(failure);
  }

  /** A browser does not tell when a worker ends, but gives its lock to who waits for it. */
  #watch(): void {
    if (this.#end.isEndKnown) return;
    this.#isLockHeld = true;
    void navigator.locks.request(this.#lock, () => void this.#fail(new Error("the worker has ended")));
  }

  /** Rejects what is pending and refuses what comes. */
  #refuse(refusal: WorkerError): void {
    this.#refusal = refusal;
    for (const reject of [...this.#rejections]) reject(refusal);
  }

  /** What `prepare` sends when its turn has come, and the answer. */
  async #request(prepare: () => Promise<() => Promise<Answer>>): Promise<CallResult> {
    if (this.#disposal && !this.#refusal) throw new WorkerError("actor", "the actor was disposed");
    const sent = this.#sending.then(async () => {
      if (this.#refusal) throw this.#refusal;
      const send = await prepare();
      return { answer: send() }; // wrapped: the next request need not wait for the answer
    });
    this.#sending = sent.catch(() => undefined);
    return this.#read(await this.#orRefused(sent.then(({ answer }) => answer)));
  }

  #orRefused<T>(pending: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#rejections.add(reject);
      this.#end.keepAlive(true);
      pending.then(resolve, reject).finally(() => {
        this.#rejections.delete(reject);
        if (this.#rejections.size === 0) this.#end.keepAlive(false);
      });
    });
  }

  #read(answer: Answer): CallResult {
    switch (answer.kind) {
      case "value":
        return { kind: "value", value: openArrays(answer.message) };
      case "stream":
        return { kind: "stream", stream: answer.stream, stop: () => undefined };
      case "end":
        return { kind: "end" };
      case "error":
        throw decodeError(answer.error, this.#errors);
      default:
        return answer satisfies never;
    }
  }

  /** Lets a signal act on the other side as well, until it is stopped. */
  #follow(signal: AbortSignal, stops: (() => void)[]): SignalHandle {
    const mlxSignal = this.#nextSignal++;
    const abort = (): void => void this.#host.abort(mlxSignal, encodeError(signal.reason)).catch(() => undefined);
    signal.addEventListener("abort", abort, { once: true });
    stops.push(() => signal.removeEventListener("abort", abort));
    return { mlxSignal, aborted: signal.aborted ? encodeError(signal.reason) : null };
  }
}

/** The object whose methods are called through the connection. */
function remoteObject<C extends ExposableClass>(connection: Connection): Actor<C> {
  const methods = new Map<string, (...parameters: readonly unknown[]) => unknown>();
  const dispose = (): Promise<void> => connection.dispose();
  return new Proxy<Actor<C>>(Object.create(null), {
    get(_, key) {
      if (key === "dispose" || key === asyncDisposeKey) return dispose;
      if (key === "ended") return connection.ended;
      // What is awaited is asked for `then`: an actor is no promise.
      if (typeof key !== "string" || key === "then") return undefined;
      const known = methods.get(key) ?? ((...parameters) => pendingCall(connection, key, parameters));
      methods.set(key, known);
      return known;
    },
  });
}

/** A call as a promise of its value which can be iterated over as well, for methods that give streams. */
function pendingCall(connection: Connection, method: string, parameters: readonly unknown[]): unknown {
  const result = connection.call(method, parameters);
  let isOver = false;
  const over = { done: true, value: undefined } as const;
  const stream = {
    async next(): Promise<IteratorResult<unknown, undefined>> {
      value.catch(() => undefined); // who iterates is told here
      const begun = await result;
      if (begun.kind !== "stream") throw new WorkerError("actor", `${method} gives no stream: await it`);
      if (isOver) return over;
      try {
        const item = await connection.next(begun.stream);
        if (item.kind === "value") return { done: false, value: item.value };
      } catch (error) {
        isOver = true;
        begun.stop();
        throw error;
      }
      isOver = true;
      begun.stop();
      return over;
    },
    async return(): Promise<IteratorResult<unknown, undefined>> {
      const begun = await result;
      if (begun.kind !== "stream" || isOver) return over;
      isOver = true;
      begun.stop();
      await connection.leave(begun.stream);
      return over;
    },
    [Symbol.asyncIterator]: (): unknown => stream,
  };
  const value: Promise<unknown> = result.then((given) => (given.kind === "value" ? given.value : stream));
  return Object.assign(value, stream);
}
