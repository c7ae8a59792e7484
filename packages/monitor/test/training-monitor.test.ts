/** The monitor: signals of events, once per frame, lazily. */

import type { MonitorState } from "@mlx-ts/monitor";
import { TrainingMonitor } from "@mlx-ts/monitor";
import { useTrainingMonitor } from "@mlx-ts/monitor/vue";
import { effect } from "@preact/signals-core";
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import * as optim from "mlx-ts/optimizers";
import type { RunEvent } from "mlx-ts/train";
import { train } from "mlx-ts/train";
import { describe, expect, it } from "vitest";
import { effectScope, watchEffect } from "vue";
import { endEvent, startEvent, stepEvent } from "./events.ts";

/** A monitor whose frames the test draws. */
function monitorWithFrames(): { readonly monitor: TrainingMonitor; readonly frame: () => void; frames: number } {
  const waiting: (() => void)[] = [];
  const result = {
    monitor: new TrainingMonitor({
      schedule: (flush) => {
        result.frames++;
        waiting.push(flush);
      },
    }),
    frame: () => {
      for (const flush of waiting.splice(0)) flush();
    },
    frames: 0,
  };
  return result;
}

describe("TrainingMonitor", () => {
  it("changes its signals once per frame, however many events come", () => {
    const drawn = monitorWithFrames();
    const { monitor } = drawn;
    const seen: number[] = [];
    const stop = effect(() => {
      seen.push(monitor.position.value.step);
    });
    monitor.push(startEvent());
    for (let step = 1; step <= 1000; step++) monitor.push(stepEvent(step));
    expect([seen, drawn.frames]).toEqual([[0], 1]);
    drawn.frame();
    expect(seen).toEqual([0, 1000]);
    monitor.push(stepEvent(1001));
    monitor.push(endEvent(1001));
    expect(seen).toEqual([0, 1000, 1001]);
    drawn.frame();
    expect(seen).toEqual([0, 1000, 1001]);
    stop();
  });

  it("holds a million steps in bounded memory, and the ends and extremes of every figure", () => {
    const { monitor } = monitorWithFrames();
    monitor.push(startEvent());
    for (let step = 1; step <= 1_000_000; step++) {
      monitor.push(stepEvent(step, { loss: step === 600_000 ? 1e6 : 1 / step, metrics: { accuracy: step / 1e6 } }));
    }
    monitor.push(endEvent(1_000_000));
    const { steps, values } = monitor.line("loss").value;
    expect(steps.length).toBeLessThanOrEqual(2 * 1024 + 2);
    expect([steps[0], values[0], steps.at(-1), values.at(-1)]).toEqual([1, 1, 1_000_000, 1e-6]);
    expect(values[steps.indexOf(600_000)]).toBe(1e6);
    expect(monitor.lowestLoss.value).toEqual({ step: 1_000_000, value: 1e-6 });
    expect(monitor.series("metrics.accuracy").value.steps.length).toBeLessThanOrEqual(1024);
    expect(monitor.names.value).toEqual(["loss", "learningRate", "throughput", "memory", "metrics.accuracy"]);
  });

  it("computes a series only when it is read", () => {
    const { monitor, frame } = monitorWithFrames();
    monitor.push(stepEvent(1));
    frame();
    const series = monitor.series("loss");
    const first = series.value;
    expect(series.value).toBe(first);
    expect(monitor.series("loss")).toBe(series);
    monitor.push(stepEvent(2));
    expect(series.value).toBe(first);
    frame();
    expect([...series.value.steps]).toEqual([1, 2]);
  });

  it("tells what a training tells", async () => {
    mx.random.seed(0);
    const model = new nn.Linear(1, 1);
    const batches = Array.from({ length: 3 }, () => ({ x: mx.array([[1], [2]]), y: mx.array([[3], [5]]) }));
    const loss = (m: nn.Linear, { x, y }: (typeof batches)[0]): [mx.MLXArray, { error: mx.MLXArray }] => {
      const error = nn.losses.mseLoss(m(x), y);
      return [error, { error }];
    };
    const monitor = new TrainingMonitor();
    const kinds: string[] = [];
    for await (const event of monitor.watch(
      train({
        model,
        optimizer: new optim.SGD({ learningRate: 0.05 }),
        loss,
        batches,
        epochs: 2,
        watch: { gradientNorm: true, kernels: true, histograms: { everySteps: 2 } },
      }),
    )) {
      kinds.push(event.kind);
    }
    expect(kinds.at(-1)).toBe("end");
    expect(monitor.status.value).toBe("finished");
    expect(monitor.progress.value).toBe(1);
    expect(monitor.metrics.value.error).toBeCloseTo(monitor.loss.value, 5);
    expect(monitor.learningRate.value).toBeCloseTo(0.05, 6);
    expect(monitor.gradientNorm.value).toBeGreaterThan(0);
    expect(monitor.kernels.value?.kernels.length).toBeGreaterThan(0);
    expect(monitor.histograms.value.map(({ step }) => step)).toEqual([2, 4, 6]);
    expect(monitor.state.value.epochLosses.map(({ epoch }) => epoch)).toEqual([1, 2]);
    expect([...monitor.series("gradientNorm").value.steps]).toEqual([1, 2, 3, 4, 5, 6]);
    const { data, record, compute } = monitor.phases.value;
    expect(data + record + compute).toBeGreaterThan(0);
  });

  it("knows since when losses are not finite, until they are again", () => {
    const { monitor, frame } = monitorWithFrames();
    const nonFinite = { kind: "nonFinite", step: 2, epoch: 0, batch: 2, loss: Number.NaN } as const;
    for (const event of [
      startEvent(),
      stepEvent(2, { loss: Number.NaN }),
      nonFinite,
      stepEvent(3, { loss: Number.NaN }),
    ])
      monitor.push(event);
    frame();
    expect(monitor.state.value.nonFinite).toEqual(nonFinite);
    monitor.push(stepEvent(4, { loss: 1 }));
    frame();
    expect(monitor.state.value.nonFinite).toBeNull();
    monitor.push({ kind: "end", step: 4, epoch: 0, batch: 4, reason: "nonFinite", milliseconds: 1 });
    frame();
    expect(monitor.status.value).toBe("nonFinite");
  });

  it("knows a training that was paused, left, or has failed", async () => {
    const { monitor, frame } = monitorWithFrames();
    monitor.push(startEvent());
    monitor.push({ kind: "pause", step: 0, epoch: 0, batch: 0 });
    frame();
    expect(monitor.status.value).toBe("paused");
    monitor.push({ kind: "resume", step: 0, epoch: 0, batch: 0 });
    frame();
    expect(monitor.status.value).toBe("running");

    async function* failing(): AsyncGenerator<RunEvent, void, void> {
      yield startEvent();
      throw new Error("out of luck");
    }
    await expect(monitor.follow(failing())).rejects.toThrow("out of luck");
    expect([monitor.status.value, monitor.error.value]).toEqual(["failed", "out of luck"]);
    for await (const _ of monitor.watch(failing())) break;
    expect(monitor.status.value).toBe("aborted");
  });

  it("goes back with a training that resumes from a checkpoint", () => {
    const { monitor } = monitorWithFrames();
    monitor.push(startEvent());
    for (let step = 1; step <= 10; step++) monitor.push(stepEvent(step));
    monitor.push(startEvent({ step: 6 }));
    monitor.push(stepEvent(7, { loss: 7 }));
    monitor.flush();
    expect([...monitor.series("loss").value.steps]).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(monitor.series("loss").value.means[6]).toBe(7);
  });

  it("smooths by a plain mean at first, and forgets later", () => {
    const { monitor } = monitorWithFrames();
    monitor.push(startEvent());
    for (const [k, loss] of [6, 2, 1].entries()) monitor.push(stepEvent(k + 1, { loss }));
    monitor.flush();
    expect(monitor.smoothedLoss.value).toBeCloseTo(3, 12);
    for (let step = 4; step < 300; step++) monitor.push(stepEvent(step, { loss: 0.5 }));
    monitor.flush();
    expect(monitor.smoothedLoss.value).toBeCloseTo(0.5, 4);
  });

  it("says how far a training is", () => {
    const { monitor } = monitorWithFrames();
    const progressAfter = (...events: readonly RunEvent[]): number | null => {
      for (const event of events) monitor.push(event);
      monitor.flush();
      return monitor.progress.value;
    };
    expect(monitor.progress.value).toBe(null);
    expect(progressAfter(startEvent({ steps: 10 }), stepEvent(5))).toBe(0.5);
    expect(progressAfter(startEvent({ epochs: 4 }), stepEvent(3, { epoch: 1, batch: 1 }))).toBe(1.5 / 4);
    expect(progressAfter(startEvent({}), stepEvent(5))).toBe(null);
  });

  it("is a Svelte store, and a ref in Vue", () => {
    const { monitor, frame } = monitorWithFrames();
    const stored: MonitorState["status"][] = [];
    const unsubscribe = monitor.subscribe(({ status }) => stored.push(status));
    const rates: number[] = [];
    const unsubscribeRate = monitor.learningRate.subscribe((rate) => rates.push(rate));
    const scope = effectScope();
    const referred: string[] = [];
    scope.run(() => {
      const status = useTrainingMonitor(monitor, (m) => m.status);
      watchEffect(() => referred.push(status.value), { flush: "sync" });
    });
    monitor.push(startEvent());
    monitor.push(stepEvent(1));
    frame();
    unsubscribe();
    unsubscribeRate();
    scope.stop();
    monitor.push(endEvent(1));
    expect(stored).toEqual(["waiting", "running"]);
    expect(rates).toEqual([Number.NaN, 0.1]);
    expect(referred).toEqual(["waiting", "running"]);
  });

  it("shows by itself what came, a frame later", async () => {
    const monitor = new TrainingMonitor();
    monitor.push(stepEvent(1));
    expect(monitor.position.value.step).toBe(0);
    await expect.poll(() => monitor.position.value.step).toBe(1);
  });

  it("refuses a misspelt option, and a capacity that is none", () => {
    const misspelt: object = { capasity: 8 };
    expect(() => new TrainingMonitor(misspelt)).toThrow('"capasity" is no option of { capacity, schedule }');
    expect(() => new TrainingMonitor({ capacity: 7 })).toThrow(RangeError);
  });
});
