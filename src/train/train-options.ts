/** What a training is told. */
import type { MLXArray } from "../graph/mlx-array.ts";
import type { Module } from "../nn/module.ts";
import type { Optimizer } from "../optimizers/optimizer.ts";
import type { BatchSource } from "./batches.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { TrainingControl } from "./control.ts";
import type { RunDirectory } from "./run-files.ts";
import type { LogOptions } from "./run-log.ts";
import type { Metrics } from "./update.ts";
import type { WatchOptions } from "./watching.ts";

/** When checkpoints are taken. */
export interface CheckpointOptions {
  /** After every so many steps. */
  readonly everySteps?: number | undefined;
  /** After every so many epochs. */
  readonly everyEpochs?: number | undefined;
  /** A file to write each to, in place of the one before; only where there are files. */
  readonly path?: string | URL | undefined;
}

/** What `train` is told. `B` is a batch: an array, or a tree of arrays (plain objects and lists). */
export interface TrainOptions<M extends Module, B> {
  readonly model: M;
  readonly optimizer: Optimizer;
  /**
   * A scalar array, to be made small; or a list of it and of further scalars by name, which step events report as `metrics`.
   * It must not read values: it runs while a step is recorded.
   */
  readonly loss: (model: M, batch: B) => MLXArray | readonly [MLXArray, Metrics];
  /** Batches: something that can be iterated anew for every epoch, or a function that is asked for each epoch, from 0. */
  readonly batches: BatchSource<B>;
  /** Passes over the batches; 1 unless given, without end if `steps` is. */
  readonly epochs?: number | undefined;
  /** Updates at most; as many as `epochs` make unless given. */
  readonly steps?: number | undefined;
  /** Scales gradients down to at most this norm; they stay as they are unless given. */
  readonly clipNorm?: number | undefined;
  /**
   * Whether a loss (or a norm of gradients, where that is known) that is NaN or infinite ends the training, after its step and
   * before another checkpoint is taken; false unless given. A `nonFinite` event tells of it either way.
   */
  readonly stopOnNonFinite?: boolean | undefined;
  /** Ends the training when aborted: after the step in progress, without an error. */
  readonly signal?: AbortSignal | undefined;
  /** When to tell of checkpoints; none are taken unless given. */
  readonly checkpoint?: CheckpointOptions | undefined;
  /** Goes on where this checkpoint was taken, bit for bit, given the same batches. */
  readonly resume?: Checkpoint | undefined;
  /** Whether to record a step once and run its finished plan; true unless given. */
  readonly compiled?: boolean | undefined;
  /**
   * Whether a compiled step takes over the arrays of the step before (parameters, the optimizer's and the random state), so
   * that their memory is used again at once; true unless given. Arrays from before the training stay, and so does what an event
   * handler keeps with `array(x)`; checkpoints do so.
   */
  readonly donate?: boolean | undefined;
  /** What to report besides; nothing is computed for it unless it is asked for. */
  readonly watch?: WatchOptions<M> | undefined;
  /** Pauses, resumes and ends the training, and sets its learning rate, from outside of the loop. */
  readonly control?: TrainingControl | undefined;
  /**
   * Where events are written as they come, for TensorBoard and as JSON lines: the path of a directory in Node, Deno and Bun, a
   * `FileSystemDirectoryHandle` in a browser. The studio shows it, and sends commands there. One training at a time: a second
   * one is refused.
   */
  readonly log?: RunDirectory | LogOptions | undefined;
}
