/** What does not travel between threads does not type-check; the expectations are the compiler's. */
import { type Actor, actor, type NodeWorkerLike, type RemoteStream } from "@mlx-ts/actor";
import type * as mx from "mlx-ts";
import type * as nn from "mlx-ts/nn";
import type * as optim from "mlx-ts/optimizers";
import type { IsSendable, Sendable } from "mlx-ts/worker";
import { describe, expectTypeOf, it } from "vitest";

interface Reading {
  readonly at: Date;
  readonly values: mx.MLXArray;
  readonly tags?: readonly string[];
}

/** Methods of all kinds. */
declare class Station {
  constructor(name: string, calibration: mx.MLXArray);
  read(reading: Reading): mx.MLXArray;
  readAll(readings: readonly Reading[]): Promise<{ readonly mean: number; readonly all: mx.MLXArray[] }>;
  watch(signal: AbortSignal): AsyncGenerator<Reading, void, void>;
  configure(change: (value: number) => number): void;
  train(model: nn.Linear): void;
  optimizer(): optim.Adam;
  makeReader(): (reading: Reading) => number;
  signal(): AbortSignal;
  readonly name: string;
}

describe("sendable", () => {
  it("are arrays, data, and trees of them", () => {
    expectTypeOf<IsSendable<mx.MLXArray>>().toEqualTypeOf<true>();
    expectTypeOf<IsSendable<Reading>>().toEqualTypeOf<true>();
    expectTypeOf<IsSendable<readonly [number, string, Float32Array | null]>>().toEqualTypeOf<true>();
    expectTypeOf<IsSendable<Map<string, Set<Date>>>>().toEqualTypeOf<true>();
    expectTypeOf<IsSendable<{ readonly [name: string]: mx.MLXArray }>>().toEqualTypeOf<true>();
    expectTypeOf<Sendable<Reading>>().toEqualTypeOf<Reading>();
  });

  it("are no functions, modules, optimizers, promises or iterators, nor anything that contains them", () => {
    expectTypeOf<IsSendable<() => void>>().toEqualTypeOf<false>();
    expectTypeOf<IsSendable<nn.Linear>>().toEqualTypeOf<false>();
    expectTypeOf<IsSendable<optim.Adam>>().toEqualTypeOf<false>();
    expectTypeOf<IsSendable<Promise<number>>>().toEqualTypeOf<false>();
    expectTypeOf<IsSendable<Generator<number>>>().toEqualTypeOf<false>();
    expectTypeOf<IsSendable<mx.ArrayAt>>().toEqualTypeOf<false>();
    expectTypeOf<IsSendable<Map<string, () => void>>>().toEqualTypeOf<false>();
    expectTypeOf<IsSendable<readonly nn.Linear[]>>().toEqualTypeOf<false>();
    // Both are cloned whole, and nobody looks for arrays in them.
    expectTypeOf<IsSendable<Map<string, mx.MLXArray>>>().toEqualTypeOf<false>();
    expectTypeOf<IsSendable<{ readonly all: ReadonlySet<mx.MLXArray> }>>().toEqualTypeOf<false>();
    expectTypeOf<IsSendable<unknown>>().toEqualTypeOf<false>();
    expectTypeOf<Sendable<{ readonly then: () => void }>>().not.toEqualTypeOf<{ readonly then: () => void }>();
  });
});

describe("an actor's methods", () => {
  it("are asynchronous, streams are iterable, and what is no method is not there", () => {
    type Remote = Actor<typeof Station>;
    expectTypeOf<Remote["read"]>().toEqualTypeOf<(reading: Reading) => Promise<mx.MLXArray>>();
    expectTypeOf<Remote["watch"]>().toEqualTypeOf<(signal: AbortSignal) => RemoteStream<Reading>>();
    expectTypeOf<Awaited<ReturnType<Remote["readAll"]>>>().toEqualTypeOf<{
      readonly mean: number;
      readonly all: mx.MLXArray[];
    }>();
    expectTypeOf<Remote>().not.toHaveProperty("name");
  });

  it("refuse arguments and results that cannot be sent", () => {
    const use = async (station: Actor<typeof Station>, model: nn.Linear): Promise<void> => {
      // @ts-expect-error a function does not travel
      await station.configure((value: number) => value + 1);
      // @ts-expect-error a module does not travel
      await station.train(model);
      // @ts-expect-error an optimizer does not travel back
      (await station.optimizer()).learningRate;
      // @ts-expect-error a function does not travel back
      (await station.makeReader())({ at: new Date() });
      // @ts-expect-error a signal does not travel back
      (await station.signal()).aborted;
    };
    const start = (): Promise<unknown> =>
      // @ts-expect-error the constructor takes a name and an array
      actor<typeof Station>(() => new Worker(""), { parameters: ["roof", 3] });
    expectTypeOf(use).toBeFunction();
    expectTypeOf(start).toBeFunction();
  });

  it("are reached through threads of Node as well", () => {
    expectTypeOf<import("node:worker_threads").Worker>().toExtend<NodeWorkerLike>();
  });
});
