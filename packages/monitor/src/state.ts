/** What is known of a training at one moment, and how an event changes it. */
import type {
  HistogramsEvent,
  KernelsEvent,
  NonFiniteEvent,
  RunEvent,
  SamplesEvent,
  StartEvent,
  StepEvent,
  TrainPosition,
} from "mlx-ts/train";

/** Whether a training goes on. */
export type TrainingStatus = "waiting" | "running" | "paused" | "finished" | "aborted" | "nonFinite" | "failed";

/** What is known of a training at one moment. Never changed in place. */
export interface MonitorState {
  readonly status: TrainingStatus;
  /** What made it fail. */
  readonly error: string | null;
  /** Since when losses, or norms of gradients, are NaN or infinite; null while they are finite. */
  readonly nonFinite: NonFiniteEvent | null;
  readonly position: TrainPosition;
  readonly start: StartEvent | null;
  /** The latest step. */
  readonly step: StepEvent | null;
  /** How many steps have been seen since the start. */
  readonly stepCount: number;
  /** The loss of recent steps: a mean in which older ones fade. */
  readonly smoothedLoss: number;
  /** Samples per second of recent steps. */
  readonly throughput: number;
  /** Time that steps have taken so far, by what it was spent on. */
  readonly phaseTotals: { readonly data: number; readonly record: number; readonly compute: number };
  /** The mean losses of whole epochs. */
  readonly epochLosses: readonly { readonly epoch: number; readonly step: number; readonly loss: number }[];
  /** Some of all histograms, oldest first, the latest last. */
  readonly histograms: readonly HistogramsEvent[];
  readonly samples: SamplesEvent | null;
  readonly kernels: KernelsEvent | null;
  /** The step of the latest checkpoint. */
  readonly checkpointStep: number | null;
}

/** Before anything has happened. */
export const initialState: MonitorState = {
  status: "waiting",
  error: null,
  nonFinite: null,
  position: { step: 0, epoch: 0, batch: 0 },
  start: null,
  step: null,
  stepCount: 0,
  smoothedLoss: Number.NaN,
  throughput: Number.NaN,
  phaseTotals: { data: 0, record: 0, compute: 0 },
  epochLosses: [],
  histograms: [],
  samples: null,
  kernels: null,
  checkpointStep: null,
};

/** How much the latest step counts in a mean of recent ones. */
const latestShare = 0.05;
const histogramLimit = 48;
const epochLimit = 4096;

/** The state after an event. */
export function stateAfter(before: MonitorState, event: RunEvent): MonitorState {
  const state = { ...before, position: { step: event.step, epoch: event.epoch, batch: event.batch } };
  switch (event.kind) {
    case "start":
      return {
        ...state,
        status: "running",
        error: null,
        nonFinite: null,
        start: event,
        stepCount: 0,
        epochLosses: state.epochLosses.filter(({ step }) => step <= event.step),
        histograms: state.histograms.filter(({ step }) => step <= event.step),
        ...(event.step === 0 && { smoothedLoss: Number.NaN, step: null, samples: null, checkpointStep: null }),
      };
    case "step":
      return {
        ...state,
        status: state.status === "paused" ? "paused" : "running",
        step: event,
        nonFinite: areFinite(event) ? null : state.nonFinite,
        stepCount: state.stepCount + 1,
        smoothedLoss: faded(state.smoothedLoss, event.loss, state.stepCount),
        throughput: faded(state.throughput, event.samplesPerSecond, state.stepCount),
        phaseTotals: {
          data: state.phaseTotals.data + event.phases.data,
          record: state.phaseTotals.record + event.phases.record,
          compute: state.phaseTotals.compute + event.phases.compute,
        },
      };
    case "nonFinite":
      return { ...state, nonFinite: event };
    case "epoch":
      return {
        ...state,
        epochLosses: thinned(
          [...state.epochLosses, { epoch: event.epoch, step: event.step, loss: event.loss }],
          epochLimit,
        ),
      };
    case "histograms":
      return { ...state, histograms: thinned([...state.histograms, event], histogramLimit) };
    case "samples":
      return { ...state, samples: event };
    case "kernels":
      return { ...state, kernels: event };
    case "checkpoint":
      return { ...state, checkpointStep: event.step };
    case "pause":
      return { ...state, status: "paused" };
    case "resume":
      return { ...state, status: "running" };
    case "failure":
      return { ...state, status: "failed", error: event.message };
    case "end":
      return { ...state, status: event.reason };
    default:
      event satisfies never;
      return state;
  }
}

/** Whether the numbers of a step are such that training with them makes sense. */
function areFinite({ loss, gradientNorm = 0 }: StepEvent): boolean {
  return Number.isFinite(loss) && Number.isFinite(gradientNorm);
}

/** The first values weigh the same; then each new one has its share. */
function faded(before: number, latest: number, count: number): number {
  return Number.isFinite(before) ? before + Math.max(1 / (count + 1), latestShare) * (latest - before) : latest;
}

/** The list, or every second of its items and the last one if it has become too long. */
function thinned<T>(list: readonly T[], limit: number): readonly T[] {
  return list.length <= limit ? list : list.filter((_, k) => k % 2 === 0 || k === list.length - 1);
}
