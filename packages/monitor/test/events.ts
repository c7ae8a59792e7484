/** Events of a training that nobody ran. */
import type { RunEvent, StartEvent, StepEvent } from "mlx-ts/train";

/** The start of a training of `epochs`. */
export function startEvent(from: Partial<StartEvent> = {}): StartEvent {
  return { kind: "start", step: 0, epoch: 0, batch: 0, parameterCount: 10, ...from };
}

/** A step. */
export function stepEvent(step: number, from: Partial<StepEvent> = {}): StepEvent {
  return {
    kind: "step",
    step,
    epoch: 0,
    batch: step,
    loss: 1 / step,
    metrics: {},
    learningRate: 0.1,
    sampleCount: 8,
    milliseconds: 2,
    samplesPerSecond: 4000,
    phases: { data: 0.5, record: 0.25, compute: 1.25 },
    memory: { active: 1024, peak: 2048, cache: 0 },
    ...from,
  };
}

/** The end of a training. */
export function endEvent(step: number): RunEvent {
  return { kind: "end", step, epoch: 1, batch: 0, reason: "finished", milliseconds: 10 };
}
