/** One update of a model on one batch, recorded once where that is wanted. */
import { compile } from "../array/compile.ts";
import { state as randomState } from "../array/random.ts";
import { requireSynchronous } from "../base/describe.ts";
import { GradientError } from "../base/errors.ts";
import { treeFlatten } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { Module } from "../nn/module.ts";
import { valueAndGrad } from "../nn/value-and-grad.ts";
import { clipGradNorm, commonNorm } from "../optimizers/clipping.ts";
import type { Optimizer } from "../optimizers/optimizer.ts";
import { knownValue } from "../primitives/elementwise.ts";
import { requireMetrics } from "./requirements.ts";

/** Scalar arrays that are computed along with a loss, such as an accuracy. */
export interface Metrics {
  readonly [name: string]: MLXArray;
}

/** What an update needs to know. */
export interface UpdateOptions<M extends Module, B> {
  readonly model: M;
  readonly optimizer: Optimizer;
  readonly loss: (model: M, batch: B) => MLXArray | readonly [MLXArray, Metrics];
  readonly clipNorm?: number | undefined;
  readonly compiled?: boolean | undefined;
  readonly donate?: boolean | undefined;
  readonly watch?: { readonly gradientNorm?: boolean | undefined } | undefined;
}

/** What an update leaves besides changed parameters. */
export interface Update {
  readonly loss: MLXArray;
  readonly metrics: Metrics;
  /** The common norm of the gradients before clipping, if somebody wants it. */
  readonly norm: MLXArray | null;
  /** The gradients, before clipping, if somebody wants them. */
  readonly gradients: object | null;
  /** What schedules give for the update after this one. */
  readonly nextRates: readonly MLXArray[];
}

type Step<B> = (batch: B) => Update;

/** Makes updates: those that keep gradients are recorded apart, so that the others stay as cheap as they are. */
export class Updater<M extends Module, B> {
  readonly #options: UpdateOptions<M, B>;
  readonly #recorded = new Map<boolean, Step<B>>();

  constructor(options: UpdateOptions<M, B>) {
    this.#options = options;
  }

  /** Changes the parameters (in the graph; nothing is computed). `isRecorded` is false for an update that shows its graph. */
  update(batch: B, wanted: { readonly keepsGradients: boolean; readonly isRecorded: boolean }): Update {
    const { compiled = true, donate = true, model, optimizer } = this.#options;
    if (!compiled || !wanted.isRecorded) return this.#step(wanted.keepsGradients)(batch);
    let step = this.#recorded.get(wanted.keepsGradients);
    if (!step) {
      const state = [model, optimizer, randomState];
      step = compile(this.#step(wanted.keepsGradients), { inputs: state, outputs: state, donate });
      this.#recorded.set(wanted.keepsGradients, step);
    }
    return step(batch);
  }

  /** Sets the learning rate from the next update on; a schedule, and what was recorded with it, is given up. */
  setLearningRate(learningRate: number): void {
    const { optimizer } = this.#options;
    if (optimizer.endSchedule()) this.#recorded.clear();
    optimizer.learningRate = learningRate;
  }

  #step(keepsGradients: boolean): Step<B> {
    const { model, optimizer, clipNorm, watch } = this.#options;
    const differentiate = valueAndGrad(model, (m: M, batch: B): readonly [MLXArray, Metrics] => {
      const result = this.#options.loss(m, batch);
      requireSynchronous("train", result);
      if (!isList(result)) return [result, {}];
      const [loss, metrics = {}] = result;
      requireMetrics(metrics);
      return [loss, metrics];
    });
    return (batch) => {
      const [[loss, metrics], gradients] = differentiate(model, batch);
      if (treeFlatten(gradients).every(([, leaf]) => !(leaf instanceof MLXArray) || knownValue(leaf) === 0))
        throw new GradientError("train", "the loss depends on none of the parameters that are to be trained");
      let norm = clipNorm === undefined && watch?.gradientNorm ? commonNorm(gradients) : null;
      if (clipNorm === undefined) optimizer.update(model, gradients);
      else {
        const [clipped, before] = clipGradNorm(gradients, clipNorm);
        optimizer.update(model, clipped);
        norm = before;
      }
      const nextRates = optimizer.scheduledRates();
      return { loss, metrics, norm, gradients: keepsGradients ? gradients : null, nextRates };
    };
  }
}

/** Whether a loss function returned more than a loss; what is no loss either is refused where it is differentiated. */
function isList(result: MLXArray | readonly [MLXArray, Metrics]): result is readonly [MLXArray, Metrics] {
  return Array.isArray(result);
}
