/** Calls the methods of an object in a worker: promises for values, async iterables for generators. */

/** From the page: a call, or the wish for the next item of one. */
interface Call {
  readonly id: number;
  readonly method?: string;
  readonly values?: readonly unknown[];
}

/** From the worker. */
type Answer =
  | { readonly id: number; readonly kind: "item"; readonly value: unknown }
  | { readonly id: number; readonly kind: "done"; readonly value: unknown }
  | { readonly id: number; readonly kind: "failed"; readonly name: string; readonly message: string };

/** Where calls come from and answers go. */
interface Port {
  addEventListener(kind: "message", listener: (event: MessageEvent<Call>) => void): void;
  postMessage(message: Answer): void;
}

/** Answers calls of the page with the methods of `target`. A generator goes on when the page asks for its next item. */
export function serve(target: object, port: Port): void {
  const waiting = new Map<number, () => void>();
  port.addEventListener("message", async ({ data: { id, method, values = [] } }) => {
    if (method === undefined) return waiting.get(id)?.();
    try {
      const called: unknown = Reflect.apply(Reflect.get(target, method), target, values);
      if (isAsyncIterable(called)) {
        for await (const value of called) {
          const asked = new Promise<void>((resolve) => waiting.set(id, resolve));
          port.postMessage({ id, kind: "item", value });
          await asked;
        }
        port.postMessage({ id, kind: "done", value: undefined });
      } else port.postMessage({ id, kind: "done", value: await called });
    } catch (error) {
      const { name, message } = error instanceof Error ? error : new Error(String(error));
      port.postMessage({ id, kind: "failed", name, message });
    } finally {
      waiting.delete(id);
    }
  });
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

/** The methods of `T` as the page calls them. */
export type Remote<T> = {
  readonly [K in keyof T]: T[K] extends (...given: infer A) => AsyncGenerator<infer Y, void, void>
    ? (...given: A) => AsyncGenerator<Y, void, void>
    : T[K] extends (...given: infer A) => infer R
      ? (...given: A) => Promise<Awaited<R>>
      : never;
};

/** The object that `serve` offers in `worker`. */
export function connect<T>(worker: Worker): Remote<T> {
  let calls = 0;
  const call = (method: string, values: readonly unknown[]): Replies => {
    const id = calls++;
    worker.postMessage({ id, method, values } satisfies Call);
    return new Replies(worker, id);
  };
  return new Proxy(Object({}), {
    get:
      (_, method) =>
      (...values: unknown[]) =>
        call(String(method), values),
  });
}

/** The answers to one call: awaited for its value, or iterated over for its items. */
class Replies implements PromiseLike<unknown>, AsyncIterable<unknown> {
  readonly #items: unknown[] = [];
  readonly #value: Promise<unknown>;
  readonly #worker: Worker;
  readonly #id: number;
  #isDone = false;
  #wake = (): void => {};

  constructor(worker: Worker, id: number) {
    this.#worker = worker;
    this.#id = id;
    this.#value = new Promise((resolve, reject) => {
      const listen = ({ data }: MessageEvent<Answer>): void => {
        if (data.id !== id) return;
        if (data.kind === "item") this.#items.push(data.value);
        else {
          worker.removeEventListener("message", listen);
          this.#isDone = true;
          if (data.kind === "done") resolve(data.value);
          else reject(Object.assign(new Error(data.message), { name: data.name }));
        }
        this.#wake();
      };
      worker.addEventListener("message", listen);
    });
    // A failure that only the iteration sees is not unhandled.
    this.#value.catch(() => {});
  }

  // biome-ignore lint/suspicious/noThenProperty: a call is awaited or iterated over
  then<A, B>(
    onValue?: ((value: unknown) => A | PromiseLike<A>) | null,
    onError?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#value.then(onValue, onError);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void, void> {
    for (;;) {
      while (this.#items.length > 0) {
        yield this.#items.shift();
        this.#worker.postMessage({ id: this.#id } satisfies Call);
      }
      if (this.#isDone) break;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    await this.#value;
  }
}
