/** Training: events, stopping, resuming bit for bit. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import type { Checkpoint, TrainEvent, TrainOptions } from "mlx-ts/train";
import { loadCheckpoint, saveCheckpoint, train } from "mlx-ts/train";
import { describe, expect, expectTypeOf, it, vi } from "vitest";
import { currentRuntime } from "../../src/array/device.ts";
import { collect } from "./events.ts";

interface Batch {
  readonly x: mx.MLXArray;
  readonly y: mx.MLXArray;
}

const inputs = Array.from({ length: 24 }, (_, k) => [Math.sin(k), Math.cos(1.7 * k)]);
const targets = inputs.map(([a = 0, b = 0]) => [2 * a - 3 * b + 0.5]);

/** Batches of 8 in an order drawn from the global random state, and noise drawn for each batch. */
function* shuffled(): Generator<Batch> {
  const order = mx.random.permutation(inputs.length);
  for (let first = 0; first < inputs.length; first += 8) {
    const rows = order.get(`${first}:${first + 8}`);
    const noise = mx.multiply(mx.random.normal([8, 1]), 0.01);
    yield { x: mx.take(mx.array(inputs), rows, 0), y: mx.add(mx.take(mx.array(targets), rows, 0), noise) };
  }
}

class Model extends nn.Module {
  first = new nn.Linear(2, 8);
  dropout = new nn.Dropout(0.25);
  last = new nn.Linear(8, 1);

  forward(x: mx.MLXArray): mx.MLXArray {
    return this.last(this.dropout(nn.tanh(this.first(x))));
  }
}

const loss = (model: Model, { x, y }: Batch): mx.MLXArray => nn.losses.mseLoss(model(x), y);

function options(): TrainOptions<Model, Batch> & { readonly epochs: number } {
  mx.random.seed(7);
  const model = new Model();
  return { model, optimizer: new optim.Adam({ learningRate: 0.01 }), loss, batches: shuffled, epochs: 3 };
}

async function valuesOf(model: nn.Module): Promise<unknown[]> {
  const leaves = mx.treeFlatten(model.parameters()).map(([, leaf]) => leaf);
  return Promise.all(leaves.map((leaf) => (leaf instanceof mx.MLXArray ? leaf.tolist() : leaf)));
}

const stepLosses = (events: readonly TrainEvent[]): number[] =>
  events.flatMap((event) => (event.kind === "step" ? [event.loss] : []));

describe("train", () => {
  it("trains what is unfrozen on the way, and leaves alone what is frozen", async () => {
    mx.random.seed(3);
    const model = new Model();
    model.first.freeze();
    const changes: string[] = [];
    let before = [model.first.weight, model.last.weight].map((weight) => mx.array(weight));
    const options = { model, optimizer: new optim.Adam({ learningRate: 0.01 }), loss, batches: shuffled, steps: 6 };
    for await (const event of train(options)) {
      if (event.kind !== "step") continue;
      const after = [model.first.weight, model.last.weight].map((weight) => mx.array(weight));
      const same = after.map((weight, k) => mx.arrayEqual(weight, before[k] ?? weight).item());
      changes.push((await Promise.all(same)).map((isSame) => (isSame ? "-" : "+")).join(""));
      before = after;
      if (event.step === 2) model.unfreeze({ strict: false, keys: ["weight", "bias"] });
      if (event.step === 4) model.last.freeze();
    }
    expect(changes).toEqual(["-+", "-+", "++", "++", "+-", "+-"]);
  });

  it("tells what happens, in order", async () => {
    const events = await collect(train({ ...options(), epochs: 2 }));
    expect(events.map(({ kind }) => kind)).toEqual([
      "start",
      ...["step", "step", "step", "epoch"],
      ...["step", "step", "step", "epoch"],
      "end",
    ]);
    expect(events[0]).toMatchObject({ kind: "start", parameterCount: 2 * 8 + 8 + 8 + 1, step: 0 });
    expect(events[2]).toMatchObject({ kind: "step", step: 2, epoch: 0, batch: 2, sampleCount: 8 });
    expect(events.at(-1)).toMatchObject({ kind: "end", reason: "finished", step: 6, epoch: 2 });
    const [a = 0, b = 0, c = 0] = stepLosses(events);
    expect(events[4]).toMatchObject({ kind: "epoch", epoch: 1, loss: expect.closeTo((a + b + c) / 3, 6) });
  });

  it("discriminates its events by kind", () => {
    const read = (event: TrainEvent): number => {
      if (event.kind === "step") {
        expectTypeOf(event.samplesPerSecond).toEqualTypeOf<number>();
        return event.loss;
      }
      expectTypeOf(event).not.toHaveProperty("samplesPerSecond");
      return 0;
    };
    expect(read({ kind: "start", step: 0, epoch: 0, batch: 0, parameterCount: 1 })).toBe(0);
  });

  it("knows the types of model and batch from what it is given", async () => {
    const model = new nn.Linear(1, 1);
    const events = await collect(
      train({
        model,
        optimizer: new optim.SGD({ learningRate: 0.1 }),
        batches: [{ x: mx.array([[1]]), weight: 2 }],
        loss: (m, batch) => {
          expectTypeOf(m).toEqualTypeOf<nn.Linear>();
          expectTypeOf(batch).toEqualTypeOf<{ x: mx.MLXArray; weight: number }>();
          return mx.multiply(mx.sum(mx.square(m(batch.x))), batch.weight);
        },
      }),
    );
    expect(events.map(({ kind }) => kind)).toEqual(["start", "step", "epoch", "end"]);
  });

  it("makes the loss smaller, compiled or not, by the same numbers", async () => {
    const compiled = await collect(train({ ...options(), epochs: 30 }));
    const [first = 0] = stepLosses(compiled);
    expect(stepLosses(compiled).at(-1)).toBeLessThan(first / 4);
    const plain = await collect(train({ ...options(), epochs: 2, compiled: false }));
    stepLosses(plain).forEach((value, k) => {
      expect(stepLosses(compiled)[k]).toBeCloseTo(value, 4);
    });
  });

  it("tells once when losses turn NaN or infinite, and again after they were finite", async () => {
    const scales = [1, Number.NaN, Number.POSITIVE_INFINITY, 1, Number.POSITIVE_INFINITY].map((scale) =>
      mx.array(scale),
    );
    // The parameters' gradients are 0, so that they stay finite.
    const scaled = (model: Model, scale: mx.MLXArray): mx.MLXArray =>
      mx.add(model.last.weight.multiply(0).sum(), scale);
    const events = await collect(train({ ...options(), loss: scaled, batches: scales, epochs: 1 }));
    const told = events.flatMap((event) => (event.kind === "nonFinite" ? [[event.step, event.loss]] : []));
    expect(told).toEqual([
      [2, Number.NaN],
      [5, Number.POSITIVE_INFINITY],
    ]);
    expect(events.at(-1)).toMatchObject({ kind: "end", reason: "finished", step: 5 });
  });

  it("ends with the first loss that is not finite if that is wanted, and leaves the last good checkpoint", async () => {
    const scales = [1, 2, 3, Number.NaN, 5].map((scale) => mx.array(scale));
    const scaled = (model: Model, scale: mx.MLXArray): mx.MLXArray => model.last.weight.square().sum().multiply(scale);
    const settings = { checkpoint: { everySteps: 1 }, stopOnNonFinite: true, watch: { gradientNorm: true } };
    const events = await collect(train({ ...options(), ...settings, loss: scaled, batches: scales, epochs: 2 }));
    expect(events.slice(-3)).toMatchObject([
      { kind: "step", step: 4 },
      { kind: "nonFinite", step: 4, loss: Number.NaN, gradientNorm: Number.NaN },
      { kind: "end", reason: "nonFinite", step: 4, epoch: 0 },
    ]);
    expect(events.flatMap((event) => (event.kind === "checkpoint" ? [event.step] : []))).toEqual([1, 2, 3]);
  });

  it("tells of gradients that are not finite where their norm is known", async () => {
    // The slope of a root at 0 is infinite, its value is not.
    const rooted = (model: Model): mx.MLXArray => model.last.weight.multiply(0).square().sum().sqrt();
    const settings = { steps: 1, clipNorm: 1, stopOnNonFinite: true };
    const events = await collect(train({ ...options(), ...settings, loss: rooted }));
    expect(events.at(-2)).toMatchObject({ kind: "nonFinite", loss: 0, gradientNorm: Number.NaN });
  });

  it("stops after a number of steps", async () => {
    const events = await collect(train({ ...options(), epochs: 9, steps: 4 }));
    expect(events.at(-1)).toMatchObject({ kind: "end", step: 4, epoch: 1, batch: 1 });
  });

  it("ends when its signal is aborted, even while it waits for a batch", async () => {
    const controller = new AbortController();
    const events: TrainEvent[] = [];
    for await (const event of train({ ...options(), signal: controller.signal })) {
      events.push(event);
      if (event.kind === "step" && event.step === 2) controller.abort();
    }
    expect(events.at(-1)).toMatchObject({ kind: "end", reason: "aborted", step: 2 });

    const waiting = new AbortController();
    const never: AsyncIterable<Batch> = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => setTimeout(() => waiting.abort(), 5)) }),
    };
    const ended = await collect(train({ ...options(), batches: never, signal: waiting.signal }));
    expect(ended.at(-1)).toMatchObject({ kind: "end", reason: "aborted", step: 0 });
  });

  it("closes its data when the loop is left", async () => {
    let isClosed = false;
    function* watched(): Generator<Batch> {
      try {
        yield* shuffled();
      } finally {
        isClosed = true;
      }
    }
    for await (const event of train({ ...options(), batches: watched })) if (event.kind === "step") break;
    expect(isClosed).toBe(true);
  });

  it("takes batches as they come", async () => {
    async function* late(): AsyncGenerator<Batch> {
      for (const batch of shuffled()) {
        await Promise.resolve();
        yield batch;
      }
    }
    const events = await collect(train({ ...options(), batches: late }));
    expect(stepLosses(events)).toEqual(stepLosses(await collect(train(options()))));
  });

  it("plans its step once, though parameters, batches and random keys come uncomputed", async () => {
    const prepare = vi.spyOn(currentRuntime().backend, "prepare");
    try {
      await collect(train(options()));
      const plans = prepare.mock.calls.map(([{ steps }]) => steps.map(({ kernel }) => kernel.kind));
      expect(plans.filter((kinds) => kinds.includes("contraction"))).toHaveLength(1);
    } finally {
      prepare.mockRestore();
    }
  });

  it("reports what its loss function returns beside the loss, and trains the same", async () => {
    const expected = await collect(train(options()));
    const withError = (model: Model, { x, y }: Batch): readonly [mx.MLXArray, { error: mx.MLXArray }] => {
      const difference = mx.subtract(model(x), y);
      return [mx.mean(mx.square(difference)), { error: mx.max(mx.abs(difference)) }];
    };
    for (const compiled of [true, false]) {
      const events = await collect(train({ ...options(), loss: withError, compiled }));
      expect(stepLosses(events)).toEqual(stepLosses(expected).map((value) => expect.closeTo(value, 5)));
      for (const event of events) {
        if (event.kind === "step") expect(event.metrics.error).toBeGreaterThanOrEqual(Math.sqrt(event.loss));
      }
    }
    for (const event of expected) if (event.kind === "step") expect(event.metrics).toEqual({});
  });

  it.each([
    ["model", 3, /train: model is a module, got 3/],
    ["optimizer", "Adam", /train: optimizer is one of mlx-ts\/optimizers, got "Adam"/],
    ["loss", undefined, /train: loss is a function of the model and a batch, got undefined/],
    ["batches", 3, /train: batches is an iterable, or a function of the epoch, got 3/],
  ])("refuses options without %s", async (name, value, message) => {
    const model = new nn.Linear(1, 1);
    const whole = { model, optimizer: new optim.SGD({ learningRate: 1 }), loss: () => mx.array(0), batches: [] };
    const events: unknown = Reflect.apply(train, undefined, [{ ...whole, [name]: value }]);
    const next = (): unknown => Reflect.apply(Reflect.get(Object(events), "next"), events, []);
    await expect(async () => next()).rejects.toThrow(message);
  });

  it("refuses data that can be iterated only once", async () => {
    await expect(collect(train({ ...options(), batches: shuffled() }))).rejects.toThrow(/no batches/);
  });

  it.each([1, 2, 3, 5, 6])("resumes bit for bit from a checkpoint after step %i", async (at) => {
    const whole = options();
    const expected = await collect(train(whole));
    let taken: Checkpoint | undefined;
    const interrupted = options();
    for await (const event of train({ ...interrupted, checkpoint: { everySteps: at } })) {
      if (event.kind !== "checkpoint") continue;
      taken = event.checkpoint;
      break;
    }
    if (!taken) throw new Error("no checkpoint was taken");
    const bytes = await saveCheckpoint(taken);
    mx.random.seed(12345);
    const fresh = new Model();
    const optimizer = new optim.Adam({ learningRate: 0.01 });
    const rest = await collect(
      train({ model: fresh, optimizer, loss, batches: shuffled, epochs: 3, resume: await loadCheckpoint(bytes) }),
    );
    expect(stepLosses(rest)).toEqual(stepLosses(expected).slice(at));
    expect(await valuesOf(fresh)).toEqual(await valuesOf(whole.model));
    expect(rest.at(-1)).toMatchObject({ step: 9, epoch: 3 });
  });

  it("resumes no other model, and leaves that as it is", async () => {
    const optimizer = new optim.SGD({ learningRate: 0.1 });
    const position = { step: 1, epoch: 0, batch: 1 };
    const key = mx.random.key(0);
    const random = { "random.key": key, "random.epochKey": key };
    for (const [arrays, message] of [
      [{ "model.weight": mx.ones([3, 2]), "model.bias": mx.ones([3]) }, /weight is \[1, 2\], the weights are \[3, 2\]/],
      [{ "model.weight": mx.ones([1, 2]) }, /no weights for bias; it was taken of another model/],
      [
        { "model.weight": mx.ones([1, 2]), "model.bias": mx.ones([1]), "model.scale": mx.ones([1]) },
        /no parameters scale/,
      ],
    ] as const) {
      const model = new nn.Linear(2, 1);
      const { weight } = model;
      const resume = { arrays: { ...arrays, ...random }, position, lossSum: 0 };
      const sum = (m: nn.Linear, { x }: Batch): mx.MLXArray => m(x).sum();
      await expect(collect(train({ model, optimizer, loss: sum, batches: shuffled, resume }))).rejects.toThrow(message);
      expect(model.weight).toBe(weight);
    }
  });

  it.each([
    ["no JSON", "{"],
    ["no position", "{}"],
    ["half a position", '{"position":{"step":1},"lossSum":"0"}'],
    ["half a step", '{"position":{"step":0.5,"epoch":0,"batch":0},"lossSum":"0"}'],
    ["no sum of losses", '{"position":{"step":1,"epoch":0,"batch":0}}'],
  ])("reads no checkpoint with %s", async (_, progress) => {
    const bytes = await mx.saveSafetensors({ "random.key": mx.random.key(0) }, { metadata: { progress } });
    await expect(loadCheckpoint(bytes)).rejects.toThrow(/loadCheckpoint: the file is not of a training/);
  });

  it("takes checkpoints at the ends of epochs, too", async () => {
    const events = await collect(train({ ...options(), checkpoint: { everyEpochs: 2 } }));
    expect(events.filter(({ kind }) => kind === "checkpoint")).toHaveLength(1);
  });

  it("leaves arrays from before it alone; those of its own steps are gone after the next, unless kept", async () => {
    const given = options();
    const before = given.model.last.weight;
    const values = await before.tolist();
    const seen: mx.MLXArray[] = [];
    let kept: mx.MLXArray | null = null;
    for await (const { kind } of train(given)) {
      if (kind !== "step") continue;
      seen.push(given.model.last.weight);
      kept ??= mx.array(given.model.last.weight);
    }
    expect(await before.tolist()).toEqual(values);
    expect(await seen.at(-1)?.tolist()).toEqual(await given.model.last.weight.tolist());
    expect(await kept?.tolist()).not.toEqual(values);
    await expect(seen[0]?.tolist()).rejects.toThrow(/keep array\(x\) of it/);
  });

  it("bounds gradients", async () => {
    const bounded = { ...options(), optimizer: new optim.SGD({ learningRate: 1 }), clipNorm: 1e-3, steps: 1 };
    const before = bounded.model.last.weight;
    await collect(train(bounded));
    const change = mx.sqrt(mx.sum(mx.square(mx.subtract(bounded.model.last.weight, before))));
    expect(Number(await change.item())).toBeLessThan(1.01e-3);
  });
});
