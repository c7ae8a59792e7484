/** A class with everything that an actor can do, for the tests. */
import { expose } from "@mlx-ts/actor";
import * as mx from "mlx-ts";

/** An error that mlx-ts does not know. */
export class SensorError extends Error {
  override readonly name = "SensorError";
  readonly sensor: string;
  constructor(sensor: string) {
    super(`sensor ${sensor} is silent`);
    this.sensor = sensor;
  }
}

/** What is exposed. */
export class Lab {
  readonly #log: string[] = [];
  #total: mx.MLXArray;

  constructor(initial: mx.MLXArray = mx.zeros([1000])) {
    this.#total = initial;
  }

  add(x: mx.MLXArray): mx.MLXArray {
    this.#total = this.#total.add(x);
    return this.#total;
  }

  async addressOf(x: mx.MLXArray): Promise<number> {
    return (await x.view()).byteOffset;
  }

  /** Waits, so that calls would overtake each other if they could. */
  async note(text: string, milliseconds: number): Promise<readonly string[]> {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    this.#log.push(text);
    return this.#log;
  }

  async *count(to: number): AsyncGenerator<{ step: number; squares: mx.MLXArray }, void, void> {
    try {
      for (let step = 1; step <= to; step++) {
        this.#log.push(`step ${step}`);
        yield { step, squares: mx.full([600], step).square() };
      }
    } finally {
      this.#log.push("left");
    }
  }

  fail(kind: "shape" | "sensor" | "type" | "cause" | "aggregate" | "web" | "text" | "fields"): void {
    if (kind === "aggregate") throw new AggregateError([new RangeError("one"), new SensorError("two")], "both");
    if (kind === "web") throw new DOMException("no room", "QuotaExceededError");
    if (kind === "text") AbortSignal.abort("only a text").throwIfAborted();
    if (kind === "fields") throw Object.assign(new Error("row"), { rows: [1, [2]], at: { row: 3 }, again: () => 1 });
    if (kind === "shape") mx.matmul(mx.ones([2, 3]), mx.ones([2, 3]));
    if (kind === "sensor") throw new SensorError("pulse");
    if (kind === "cause") throw new Error("outer", { cause: new RangeError("inner") });
    throw new TypeError("no such kind");
  }

  /** Resolves when the signal is aborted, with the reason. */
  untilAborted(options: { signal: AbortSignal }): Promise<string> {
    const { signal } = options;
    if (signal.aborted) return Promise.resolve(String(signal.reason));
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve(String(signal.reason)));
    });
  }

  /** Fails outside of any call. */
  crash(): void {
    setTimeout(() => {
      throw new Error("short circuit");
    }, 0);
  }

  /** What its type does not tell: a function within a map. */
  odd(): ReadonlyMap<string, number> {
    return new Map([["seven", Object(() => 7)]]);
  }

  forever(): Promise<void> {
    return new Promise(() => undefined);
  }
}

expose(Lab);
