/** Optimizers, schedules and gradient clipping. */
export type { AdafactorOptions } from "./adafactor.ts";
export { Adafactor } from "./adafactor.ts";
export type { AdamaxOptions, AdamOptions, AdamWOptions } from "./adam.ts";
export { Adam, Adamax, AdamW } from "./adam.ts";
export type { AdaDeltaOptions, AdagradOptions, RMSpropOptions } from "./adaptive.ts";
export { AdaDelta, Adagrad, RMSprop } from "./adaptive.ts";
export { clipGradNorm } from "./clipping.ts";
export type { LionOptions, SGDOptions } from "./gradient-descent.ts";
export { Lion, SGD } from "./gradient-descent.ts";
export type { LearningRate } from "./learning-rate.ts";
export type { ParameterFilter } from "./multi-optimizer.ts";
export { MultiOptimizer } from "./multi-optimizer.ts";
export type { MuonOptions } from "./muon.ts";
export { Muon } from "./muon.ts";
export type { OptimizerOptions, OptimizerState, ParameterState, Updatable } from "./optimizer.ts";
export { Optimizer } from "./optimizer.ts";
export type { Schedule } from "./schedules.ts";
export { cosineDecay, exponentialDecay, joinSchedules, linearSchedule, stepDecay } from "./schedules.ts";
