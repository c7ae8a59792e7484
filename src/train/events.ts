/** What happens during training, as plain data. */
import type { ProfiledKernel } from "../array/profile.ts";
import type { MemoryReport } from "../ir/backend.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Histogram } from "./histograms.ts";

/** Where in its data a training is. */
export interface TrainPosition {
  /** Updates made so far. */
  readonly step: number;
  /** Passes over the data finished so far. */
  readonly epoch: number;
  /** Batches of the current pass done so far. */
  readonly batch: number;
}

/** Training begins, or goes on from a checkpoint. */
export interface StartEvent extends TrainPosition {
  readonly kind: "start";
  /** Elements of all trainable parameters. */
  readonly parameterCount: number;
  /** The updates and passes that the training may make; absent where there is no limit. */
  readonly steps?: number | undefined;
  readonly epochs?: number | undefined;
}

/** Where the time of a step went, in milliseconds. */
export interface StepPhases {
  /** Waiting for the batch, and computing it. */
  readonly data: number;
  /** Recording the step, or finding its finished plan. */
  readonly record: number;
  /** Computing the update. */
  readonly compute: number;
}

/** An update has been made. */
export interface StepEvent extends TrainPosition {
  readonly kind: "step";
  /** The loss before the update. */
  readonly loss: number;
  /** What the loss function returned beside it; empty unless it did. */
  readonly metrics: { readonly [name: string]: number };
  /** The learning rate of the update. */
  readonly learningRate: number;
  /** The length of the batch's first axis. */
  readonly sampleCount: number;
  /** Time from asking for the batch to the finished update. */
  readonly milliseconds: number;
  readonly samplesPerSecond: number;
  readonly phases: StepPhases;
  /** Bytes that arrays hold after the update, the most at once so far, and those kept for reuse. */
  readonly memory: MemoryReport;
  /** The common norm of all gradients, before clipping; there if gradients are clipped, or `watch.gradientNorm` asks. */
  readonly gradientNorm?: number | undefined;
}

/**
 * The loss of the latest step, or the norm of its gradients where that is known, is NaN or infinite, and that of the step before
 * was not: what the training does from here on is hardly of use. See `stopOnNonFinite`.
 */
export interface NonFiniteEvent extends TrainPosition {
  readonly kind: "nonFinite";
  readonly loss: number;
  readonly gradientNorm?: number | undefined;
}

/** A pass over the data has ended; `epoch` counts it. */
export interface EpochEvent extends TrainPosition {
  readonly kind: "epoch";
  /** The mean of the losses of its steps. */
  readonly loss: number;
  readonly milliseconds: number;
}

/** A checkpoint has been taken; if it was given a path, it has been written there. */
export interface CheckpointEvent extends TrainPosition {
  readonly kind: "checkpoint";
  readonly checkpoint: Checkpoint;
}

/** How the values of the parameters, and of their gradients in the latest step, are distributed; if `watch.histograms` asks. */
export interface HistogramsEvent extends TrainPosition {
  readonly kind: "histograms";
  /** By the dotted path of the parameter. */
  readonly parameters: { readonly [path: string]: Histogram };
  readonly gradients: { readonly [path: string]: Histogram };
}

/** A value that a person can look at: text, a number, or the elements of a small array. */
export type SampleValue = string | number | readonly number[];

/** What a model makes of one example. */
export interface Sample {
  readonly prediction: SampleValue;
  /** What it was given. */
  readonly input?: SampleValue | undefined;
  /** What would have been right. */
  readonly target?: SampleValue | undefined;
}

/** What the model makes of a few examples now; if `watch.samples` asks. */
export interface SamplesEvent extends TrainPosition {
  readonly kind: "samples";
  readonly samples: readonly Sample[];
}

/** The kernels of a step, measured one by one on the first step; if `watch.kernels` asks. */
export interface KernelsEvent extends TrainPosition {
  readonly kind: "kernels";
  readonly kernels: readonly ProfiledKernel[];
  /** The graph of the step's operations in the DOT language of Graphviz. */
  readonly dot: string;
}

/** A `TrainingControl` has paused the training. */
export interface PauseEvent extends TrainPosition {
  readonly kind: "pause";
}

/** A `TrainingControl` lets the training go on. */
export interface ResumeEvent extends TrainPosition {
  readonly kind: "resume";
}

/** Training has ended. */
export interface EndEvent extends TrainPosition {
  readonly kind: "end";
  /** Whether all epochs (or steps) are done, the signal or the control ended it, or a loss did that was not finite. */
  readonly reason: "finished" | "aborted" | "nonFinite";
  readonly milliseconds: number;
}

/** Anything that happens during training; `kind` says what. */
export type TrainEvent =
  | StartEvent
  | StepEvent
  | NonFiniteEvent
  | EpochEvent
  | HistogramsEvent
  | SamplesEvent
  | KernelsEvent
  | CheckpointEvent
  | PauseEvent
  | ResumeEvent
  | EndEvent;

/** A training has failed: written to its log, where nobody sees the error that was thrown. */
export interface FailureEvent extends TrainPosition {
  readonly kind: "failure";
  readonly message: string;
}

/**
 * What happens, without arrays: what can be written to a file or sent anywhere. Every `TrainEvent` is one; the arrays of a
 * checkpoint are left out.
 */
export type RunEvent =
  | Exclude<TrainEvent, CheckpointEvent>
  | (TrainPosition & { readonly kind: "checkpoint" })
  | FailureEvent;
