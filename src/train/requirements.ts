/** What `train` refuses before it begins: options of other names, and values that would spoil hours of work later on. */
import { ArgumentError } from "../base/errors.ts";
import type { Rule, Rules } from "../base/rules.ts";
import { anything, callable, count, flag, fromZero, limit, optionsOf, requireValues, size } from "../base/rules.ts";
import { formatShape } from "../base/shape.ts";
import { isPlainObject, treeFlatten } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import { Module } from "../nn/module.ts";
import { Optimizer } from "../optimizers/optimizer.ts";
import { TrainingControl } from "./control.ts";
import type { TrainPosition } from "./events.ts";
import type { RunDirectory } from "./run-files.ts";
import type { LogOptions } from "./run-log.ts";
import type { CheckpointOptions, TrainOptions } from "./train-options.ts";
import type { HistogramOptions, SampleOptions, WatchOptions } from "./watching.ts";

const interval: Rule = {
  is: "a whole number from 1, or Infinity",
  admits: (value) => value === Number.POSITIVE_INFINITY || size.admits(value),
};

/** Of a training's state between two steps. */
export const checkpointRule: Rule = {
  is: "a checkpoint, as loadCheckpoint gives",
  admits: (value) => {
    const { arrays, position, lossSum } = Object(value);
    const { step, epoch, batch } = Object(position);
    return isPlainObject(arrays) && [step, epoch, batch].every(count.admits) && typeof lossSum === "number";
  },
};

const trainRules: Rules<TrainOptions<Module, unknown>> = {
  model: { is: "a module", admits: (value) => value instanceof Module },
  optimizer: { is: "one of mlx-ts/optimizers", admits: (value) => value instanceof Optimizer },
  loss: { is: "a function of the model and a batch", admits: (value) => typeof value === "function" },
  batches: { is: "an iterable, or a function of the epoch", admits: isSource },
  epochs: limit,
  steps: limit,
  clipNorm: { is: "a number above 0", admits: (value) => typeof value === "number" && value > 0 },
  stopOnNonFinite: flag,
  signal: { is: "an AbortSignal", admits: (value) => typeof Object(value).aborted === "boolean" },
  checkpoint: anything,
  resume: checkpointRule,
  compiled: flag,
  donate: flag,
  watch: anything,
  control: { is: "a TrainingControl", admits: (value) => value instanceof TrainingControl },
  log: { is: "a directory, or { directory, everySteps }", admits: isLog },
};
const checkpointRules: Rules<CheckpointOptions> = { everySteps: interval, everyEpochs: interval, path: anything };
const watchRules: Rules<WatchOptions<Module>> = {
  gradientNorm: flag,
  histograms: anything,
  samples: anything,
  kernels: flag,
};
const histogramRules: Rules<HistogramOptions> = { everySteps: interval, binCount: size };
const sampleRules: Rules<SampleOptions<Module>> = { everySteps: interval, take: callable };
const logRules: Rules<LogOptions> = { directory: anything, everySteps: size };

/** Throws unless a training with these options can begin. @throws {ArgumentError} naming the option */
export function requireTrainOptions<M extends Module, B>(options: TrainOptions<M, B>): void {
  const needed = ["model", "optimizer", "loss", "batches"] as const;
  const { checkpoint, watch, log } = optionsOf("train", options, trainRules, needed);
  if (checkpoint !== undefined) requireCheckpoints(checkpoint);
  if (log !== undefined && isLogOptions(log)) optionsOf("train.log", log, logRules);
  if (watch === undefined) return;
  const { histograms, samples } = optionsOf("train.watch", watch, watchRules);
  if (histograms !== undefined) optionsOf("train.watch.histograms", histograms, histogramRules, ["everySteps"]);
  if (samples !== undefined) optionsOf("train.watch.samples", samples, sampleRules, ["everySteps", "take"]);
}

function requireCheckpoints(options: CheckpointOptions): void {
  const { everySteps, everyEpochs, path } = optionsOf("train.checkpoint", options, checkpointRules);
  if (path === undefined || everySteps !== undefined || everyEpochs !== undefined) return;
  throw new ArgumentError("train.checkpoint", "nothing is written to path without everySteps or everyEpochs");
}

/** The samples of a batch: the length of the first axis of its first array. @throws {ArgumentError} if there are none */
export function countSamples(batch: unknown, { epoch, batch: number }: TrainPosition): number {
  for (const [, leaf] of treeFlatten(batch)) {
    if (!(leaf instanceof MLXArray)) continue;
    const count = leaf.shape[0] ?? 1;
    if (count > 0) return count;
    const place = `batch ${number} of epoch ${epoch} has no samples: an array in it is ${formatShape(leaf.shape)}`;
    throw new ArgumentError("train", `${place}; leave such batches out`);
  }
  return 0;
}

/** The learning rate of step `step`. @throws {ArgumentError} if it is none: a step with it would spoil the parameters */
export function requireRate(rate: number, step: number): number {
  if (fromZero.admits(rate)) return rate;
  const remedy = "give a schedule that is defined at every step, and go on from a checkpoint";
  throw new ArgumentError("train", `the learning rate of step ${step} is ${rate}; ${remedy}`);
}

/** What a loss function returned: the loss, and scalar arrays by name. @throws {ArgumentError} if the latter are none */
export function requireMetrics(metrics: unknown): void {
  const isScalar: Rule = { is: "a scalar array", admits: (value) => value instanceof MLXArray && value.size === 1 };
  requireValues("train", { is: "an object of scalar arrays by name", admits: isPlainObject }, { metrics });
  requireValues("train", isScalar, Object(metrics));
}

function isSource(value: unknown): boolean {
  if (typeof value === "function") return true;
  return typeof value === "object" && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
}

function isLog(value: unknown): boolean {
  const isDirectory = typeof value === "string" || value instanceof URL || "getFileHandle" in Object(value);
  return isDirectory || "directory" in Object(value);
}

/** Whether `log` is more than a directory. */
export function isLogOptions(log: RunDirectory | LogOptions): log is LogOptions {
  return typeof log === "object" && "directory" in log;
}
