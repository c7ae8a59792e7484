/** Training as a stream of events, and checkpoints. */
export type { Batches, BatchSource } from "./batches.ts";
export type { Checkpoint } from "./checkpoint.ts";
export { loadCheckpoint, restoreCheckpoint, saveCheckpoint } from "./checkpoint.ts";
export type {
  CheckpointEvent,
  EndEvent,
  EpochEvent,
  StartEvent,
  StepEvent,
  TrainEvent,
  TrainPosition,
} from "./events.ts";
export type { CheckpointOptions, Metrics, TrainOptions } from "./train.ts";
export { train } from "./train.ts";
