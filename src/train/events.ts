/** What happens during training, as plain data. */
import type { Checkpoint } from "./checkpoint.ts";

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

/** Training has ended. */
export interface EndEvent extends TrainPosition {
  readonly kind: "end";
  /** Whether all epochs (or steps) are done, or the signal ended it. */
  readonly reason: "finished" | "aborted";
  readonly milliseconds: number;
}

/** Anything that happens during training; `kind` says what. */
export type TrainEvent = StartEvent | StepEvent | EpochEvent | CheckpointEvent | EndEvent;
