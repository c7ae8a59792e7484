/** What a training reports when it is asked to: histograms, samples, the kernels of a step. */
import { toDot } from "../array/explain.ts";
import { profile } from "../array/profile.ts";
import { state as randomState } from "../array/random.ts";
import { anything, listOf, requireValues } from "../base/rules.ts";
import type { Module } from "../nn/module.ts";
import type { HistogramsEvent, KernelsEvent, Sample, SamplesEvent, TrainPosition } from "./events.ts";
import { histogramsOf } from "./histograms.ts";

/** What happens after every so many steps. */
export interface Every {
  readonly everySteps: number;
}

/** How histograms are taken. */
export interface HistogramOptions extends Every {
  /** The number of intervals; 32 unless given. */
  readonly binCount?: number | undefined;
}

/** How samples are taken. */
export interface SampleOptions<M extends Module> extends Every {
  /** What the model makes of a few examples; it runs in evaluation mode, between two steps, and may read values. */
  readonly take: (model: M) => readonly Sample[] | Promise<readonly Sample[]>;
}

/** What a training reports besides its steps. */
export interface WatchOptions<M extends Module> {
  /** The norm of all gradients, in every step event; not unless asked for. */
  readonly gradientNorm?: boolean | undefined;
  /** How parameters and gradients are distributed. */
  readonly histograms?: HistogramOptions | undefined;
  /** What the model makes of examples. */
  readonly samples?: SampleOptions<M> | undefined;
  /** The kernels of the first step, each measured by itself, which takes a few times as long as the step; not unless asked for. */
  readonly kernels?: boolean | undefined;
}

/** An event that does not say yet when it was. */
type Timeless<E extends TrainPosition> = Omit<E, keyof TrainPosition>;

/** Whether something with this option is done after `step` steps. */
export function isDue(option: Every | undefined, step: number): boolean {
  return option !== undefined && step % option.everySteps === 0;
}

/** How the parameters and their gradients are distributed. */
export async function takeHistograms(
  model: Module,
  gradients: object,
  binCount = 32,
): Promise<Timeless<HistogramsEvent>> {
  return {
    kind: "histograms",
    parameters: await histogramsOf(model.trainableParameters(), binCount),
    gradients: await histogramsOf(gradients, binCount),
  };
}

/** What the model, in evaluation mode, makes of examples. */
export async function takeSamples<M extends Module>(
  model: M,
  take: SampleOptions<M>["take"],
): Promise<Timeless<SamplesEvent>> {
  const { key } = randomState;
  model.eval();
  try {
    const samples = await take(model);
    requireValues("train.watch.samples", listOf(null, anything), { "what take gives": samples });
    return { kind: "samples", samples };
  } finally {
    // The training goes on as if nobody had looked.
    model.train();
    randomState.key = key;
  }
}

/** The kernels of a step whose results are not computed yet. */
export async function takeKernels(...results: readonly unknown[]): Promise<Timeless<KernelsEvent>> {
  return { kind: "kernels", kernels: await profile(...results), dot: toDot(...results) };
}
