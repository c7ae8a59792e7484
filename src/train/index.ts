/** Training as a stream of events, and checkpoints. */
export type { Batches, BatchSource } from "./batches.ts";
export type { Checkpoint } from "./checkpoint.ts";
export { loadCheckpoint, restoreCheckpoint, saveCheckpoint } from "./checkpoint.ts";
export type { ControlCommand, ControlState } from "./control.ts";
export { readCommand, TrainingControl } from "./control.ts";
export type {
  CheckpointEvent,
  EndEvent,
  EpochEvent,
  FailureEvent,
  HistogramsEvent,
  KernelsEvent,
  NonFiniteEvent,
  PauseEvent,
  ResumeEvent,
  RunEvent,
  Sample,
  SamplesEvent,
  SampleValue,
  StartEvent,
  StepEvent,
  StepPhases,
  TrainEvent,
  TrainPosition,
} from "./events.ts";
export type { Histogram } from "./histograms.ts";
export { histogramOf } from "./histograms.ts";
export type { ProgressOptions, ProgressOutput } from "./progress.ts";
export { withProgress } from "./progress.ts";
export type { RunDirectory } from "./run-files.ts";
export { commandsFile, eventsFile, lockFile, readRunEvents, runEventOf, writeRunEvent } from "./run-lines.ts";
export type { LogOptions } from "./run-log.ts";
export { train } from "./train.ts";
export type { CheckpointOptions, TrainOptions } from "./train-options.ts";
export type { Metrics } from "./update.ts";
export type { Every, HistogramOptions, SampleOptions, WatchOptions } from "./watching.ts";
