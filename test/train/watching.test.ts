/** What a training reports when asked, and how it is controlled from outside. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import type { TrainEvent, TrainOptions } from "mlx-ts/train";
import { histogramOf, TrainingControl, train } from "mlx-ts/train";
import { describe, expect, it } from "vitest";
import { collect } from "./events.ts";

interface Batch {
  readonly x: mx.MLXArray;
  readonly y: mx.MLXArray;
}

const x = mx.array([[1], [2], [3], [4]]);
const batches = (): Batch[] => Array.from({ length: 4 }, () => ({ x, y: x.mul(3).sub(1) }));

class Model extends nn.Module {
  first = new nn.Linear(1, 8);
  dropout = new nn.Dropout(0.2);
  last = new nn.Linear(8, 1);

  forward(input: mx.MLXArray): mx.MLXArray {
    return this.last(this.dropout(nn.tanh(this.first(input))));
  }
}

function options(learningRate: optim.LearningRate = 0.01): TrainOptions<Model, Batch> {
  mx.random.seed(3);
  const model = new Model();
  const loss = (m: Model, batch: Batch): mx.MLXArray => nn.losses.mseLoss(m(batch.x), batch.y);
  return { model, optimizer: new optim.SGD({ learningRate }), loss, batches, epochs: 2 };
}

const steps = (events: readonly TrainEvent[]): Extract<TrainEvent, { kind: "step" }>[] =>
  events.filter((event) => event.kind === "step");

describe("watching a training", () => {
  it("changes nothing of what the training computes", async () => {
    const plain = steps(await collect(train(options())));
    const watched = await collect(
      train({
        ...options(),
        watch: {
          gradientNorm: true,
          histograms: { everySteps: 2, binCount: 8 },
          kernels: true,
          samples: {
            everySteps: 3,
            take: async (m) =>
              [{ prediction: await m(mx.random.normal([1, 1])).tolist() }].map(({ prediction }) => ({
                prediction: JSON.stringify(prediction),
              })),
          },
        },
      }),
    );
    expect(steps(watched).map(({ loss }) => loss)).toEqual(plain.map(({ loss }) => loss));
    expect(watched.map(({ kind }) => kind)).toEqual(
      ["start", "kernels", "step", "step", "histograms", "step", "samples", "step", "histograms", "epoch"].concat([
        "step",
        "step",
        "histograms",
        "samples",
        "step",
        "step",
        "histograms",
        "epoch",
        "end",
      ]),
    );
  });

  it("reports phases and memory with every step, and the gradients' norm when asked", async () => {
    const [first] = steps(await collect(train({ ...options(), steps: 1 })));
    expect(first?.gradientNorm).toBeUndefined();
    const { data = -1, record = -1, compute = -1 } = first?.phases ?? {};
    expect(Math.min(data, record, compute)).toBeGreaterThanOrEqual(0);
    expect(first?.milliseconds).toBeCloseTo(data + record + compute, 6);
    expect(first?.memory.peak).toBeGreaterThanOrEqual(first?.memory.active ?? 1);

    const [asked] = steps(await collect(train({ ...options(), steps: 1, watch: { gradientNorm: true } })));
    const [clipped] = steps(await collect(train({ ...options(), steps: 1, clipNorm: 0.1 })));
    expect(asked?.gradientNorm).toBeGreaterThan(0.1);
    expect(clipped?.gradientNorm).toBeCloseTo(asked?.gradientNorm ?? 0, 5);
  });

  it("counts every parameter, and the gradient of the step just made", async () => {
    const watched = options();
    const events = await collect(train({ ...watched, watch: { histograms: { everySteps: 4, binCount: 5 } } }));
    const histograms = events.filter((event) => event.kind === "histograms");
    expect(histograms.map(({ step }) => step)).toEqual([4, 8]);
    const last = histograms.at(-1);
    expect(Object.keys(last?.parameters ?? {})).toEqual(Object.keys(last?.gradients ?? {}));
    const [path = ""] = Object.keys(last?.parameters ?? {});
    const weight = mx.treeFlatten(watched.model.parameters()).find(([name]) => name === path)?.[1];
    if (!(weight instanceof mx.MLXArray)) throw new Error(`no array at ${path}`);
    expect(last?.parameters[path]).toEqual(histogramOf(Float32Array.from(await weight.data(), Number), 5));
  });

  it("measures the kernels of a step", async () => {
    const events = await collect(train({ ...options(), steps: 2, watch: { kernels: true } }));
    const [measured] = events.filter((event) => event.kind === "kernels");
    expect(measured?.kernels.length).toBeGreaterThan(2);
    for (const [k, { milliseconds, heldBytes, reads, bytes }] of measured?.kernels.entries() ?? []) {
      expect(milliseconds).toBeGreaterThanOrEqual(0);
      expect(heldBytes).toBeGreaterThanOrEqual(bytes / 2);
      for (const read of reads) expect(read).toBeLessThan(k);
    }
    expect(measured?.kernels.some(({ reads }) => reads.length > 0)).toBe(true);
    expect(measured?.dot).toMatch(/^digraph \{/);
  });

  it("histograms count what is no number apart", () => {
    expect(histogramOf([0, 1, 2, 4, Number.NaN, Number.POSITIVE_INFINITY], 4)).toEqual({
      minimum: 0,
      maximum: 4,
      counts: [1, 1, 1, 1],
      mean: 1.75,
      deviation: expect.closeTo(1.479, 3),
      invalidCount: 2,
    });
    expect(histogramOf([Number.NaN], 2)).toMatchObject({ counts: [0, 0], invalidCount: 1 });
    // Far from 0, squares of the values themselves would leave nothing of the deviation.
    expect(histogramOf([1e9, 1e9 + 1], 2)).toMatchObject({ counts: [1, 1], deviation: 0.5 });
    expect(histogramOf([0, 2 ** -1074], 2)).toMatchObject({ counts: [1, 1] });
    expect(histogramOf([3, 3], 2)).toMatchObject({ counts: [2, 0], minimum: 3, maximum: 3, deviation: 0 });
  });
});

describe("TrainingControl", () => {
  it("pauses before the next step, tells of it, and goes on where it was", async () => {
    const plain = steps(await collect(train(options())));
    const control = new TrainingControl();
    const seen: TrainEvent[] = [];
    for await (const event of train({ ...options(), control })) {
      seen.push(event);
      if (event.kind === "step" && event.step === 3) control.pause();
      if (event.kind === "pause") {
        expect(event.step).toBe(3);
        setTimeout(() => control.resume(), 5);
      }
    }
    expect(seen.filter(({ kind }) => kind === "pause" || kind === "resume").map(({ kind }) => kind)).toEqual([
      "pause",
      "resume",
    ]);
    expect(steps(seen).map(({ loss }) => loss)).toEqual(plain.map(({ loss }) => loss));
  });

  it("ends a training, a paused one too", async () => {
    const control = new TrainingControl();
    const seen: TrainEvent[] = [];
    for await (const event of train({ ...options(), control })) {
      seen.push(event);
      if (event.kind === "step" && event.step === 2) control.pause();
      if (event.kind === "pause") setTimeout(() => control.stop(), 5);
    }
    expect(seen.at(-1)).toMatchObject({ kind: "end", reason: "aborted", step: 2 });
    expect(control.state).toBe("stopped");
  });

  it("lets an abort signal end a paused training", async () => {
    const control = new TrainingControl();
    control.pause();
    const aborter = new AbortController();
    setTimeout(() => aborter.abort(), 5);
    const events = await collect(train({ ...options(), control, signal: aborter.signal }));
    expect(events.at(-1)).toMatchObject({ kind: "end", reason: "aborted", step: 0 });
  });

  it("sets the learning rate of the next step, in place of a schedule too", async () => {
    for (const learningRate of [0.01, optim.cosineDecay(0.02, 100)]) {
      const control = new TrainingControl();
      const rates: number[] = [];
      for await (const event of train({ ...options(learningRate), control })) {
        if (event.kind === "step") rates.push(event.learningRate);
        if (event.kind === "step" && event.step === 2) control.apply({ kind: "learningRate", learningRate: 0.5 });
      }
      expect(rates.slice(2)).toEqual([0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
      expect(rates[1]).toBeLessThan(0.021);
    }
    expect(() => new TrainingControl().setLearningRate(Number.NaN)).toThrow(/learning rate/);
  });
});
