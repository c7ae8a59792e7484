/** Training as an async iterator of events. */
import { evaluate } from "../array/evaluate.ts";
import { another } from "../array/from-data.ts";
import { memory } from "../array/lifetime.ts";
import { state as randomState } from "../array/random.ts";
import { item } from "../array/reading.ts";
import { ArgumentError } from "../base/errors.ts";
import { replaceLeaves, treeFlatten } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { Module } from "../nn/module.ts";
import type { Optimizer } from "../optimizers/optimizer.ts";
import type { BatchSource } from "./batches.ts";
import { batchesOf, untilAborted } from "./batches.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { arrayOf, restoreCheckpoint, saveCheckpoint, takeCheckpoint } from "./checkpoint.ts";
import { TrainingControl } from "./control.ts";
import type { TrainEvent, TrainPosition } from "./events.ts";
import { countSamples, requireRate, requireTrainOptions } from "./requirements.ts";
import type { RunDirectory } from "./run-files.ts";
import type { LogOptions } from "./run-log.ts";
import type { Metrics } from "./update.ts";
import { Updater } from "./update.ts";
import type { WatchOptions } from "./watching.ts";
import { isDue, takeHistograms, takeKernels, takeSamples } from "./watching.ts";

/** When checkpoints are taken. */
export interface CheckpointOptions {
  /** After every so many steps. */
  readonly everySteps?: number;
  /** After every so many epochs. */
  readonly everyEpochs?: number;
  /** A file to write each to, in place of the one before; only where there are files. */
  readonly path?: string | URL;
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
  readonly epochs?: number;
  /** Updates at most. */
  readonly steps?: number;
  /** Scales gradients down to at most this norm. */
  readonly clipNorm?: number;
  /** Ends the training when aborted: after the step in progress, without an error. */
  readonly signal?: AbortSignal;
  readonly checkpoint?: CheckpointOptions;
  /** Goes on where this checkpoint was taken, bit for bit, given the same batches. */
  readonly resume?: Checkpoint;
  /** Whether to record a step once and run its finished plan; true unless given. */
  readonly compiled?: boolean;
  /**
   * Whether a compiled step takes over the arrays of the step before (parameters, the optimizer's and the random state), so
   * that their memory is used again at once; true unless given. Arrays from before the training stay, and so does what an event
   * handler keeps with `array(x)`; checkpoints do so.
   */
  readonly donate?: boolean;
  /** What to report besides; nothing is computed for it unless it is asked for. */
  readonly watch?: WatchOptions<M>;
  /** Pauses, resumes and ends the training, and sets its learning rate, from outside of the loop. */
  readonly control?: TrainingControl;
  /**
   * Where events are written as they come, for TensorBoard and as JSON lines: the path of a directory in Node, Deno and Bun, a
   * `FileSystemDirectoryHandle` in a browser. The studio shows it, and sends commands there. One training at a time: a second
   * one is refused.
   */
  readonly log?: RunDirectory | LogOptions;
}

/**
 * Trains a model; what happens comes as events, and nothing happens that is not asked for: a loop that stops asking pauses
 * the training, `break` ends it. Parameters and the optimizer's state are up to date at every event.
 *
 * @throws {ArgumentError} for options that make no sense; if `log` is a path in a browser, or another training writes there
 * @example
 * const model = new nn.Linear(1, 1);
 * const batches = [{ x: array([[1], [2]]), y: array([[3], [5]]) }];
 * const loss = (m: nn.Linear, { x, y }: (typeof batches)[0]) => nn.losses.mseLoss(m(x), y);
 * const optimizer = new optim.SGD({ learningRate: 0.1 });
 * for await (const event of train.train({ model, optimizer, loss, batches, epochs: 200 })) {
 *   if (event.kind === "end") event.step; // 200
 * }
 */
export function train<M extends Module, B>(options: TrainOptions<M, B>): AsyncGenerator<TrainEvent, void, void> {
  const { log } = Object(options);
  return log === undefined ? trainEvents(options) : logEvents(options, log);
}

async function* logEvents<M extends Module, B>(
  options: TrainOptions<M, B>,
  target: RunDirectory | LogOptions,
): AsyncGenerator<TrainEvent, void, void> {
  requireTrainOptions(options);
  const { control = new TrainingControl() } = options;
  const { logged } = await import("./run-log.ts");
  yield* logged(trainEvents({ ...options, control }), target, control);
}

async function* trainEvents<M extends Module, B>(options: TrainOptions<M, B>): AsyncGenerator<TrainEvent, void, void> {
  requireTrainOptions(options);
  const { model, optimizer, signal, checkpoint = {}, resume, watch = {}, control } = options;
  const stepLimit = options.steps ?? Number.POSITIVE_INFINITY;
  const epochLimit = options.epochs ?? (options.steps === undefined ? 1 : Number.POSITIVE_INFINITY);
  if (resume) {
    restoreCheckpoint(resume, model, optimizer);
    randomState.key = arrayOf(resume, "random.key");
  }
  optimizer.init(model.trainableParameters());
  // Only a step whose inputs are all known runs from its recorded plan: pending ones would join it and be planned with it.
  await evaluate(model, optimizer, randomState);
  for (const tree of [model, optimizer, randomState]) replaceLeaves(tree, own, []);
  requireRate(Number(await item(optimizer.learningRate)), (resume?.position.step ?? 0) + 1);
  const updater = new Updater(options);
  const started = performance.now();
  let { step, epoch, batch }: TrainPosition = resume?.position ?? { step: 0, epoch: 0, batch: 0 };
  let lossSum = resume?.lossSum ?? 0;
  let epochKey = resume ? arrayOf(resume, "random.epochKey") : another(randomState.key);
  const take = async (): Promise<TrainEvent> => {
    const position = { step, epoch, batch };
    const taken = takeCheckpoint(model, optimizer, { position, lossSum, epochKey });
    if (checkpoint.path !== undefined) await saveCheckpoint(taken, checkpoint.path);
    return { kind: "checkpoint", ...position, checkpoint: taken };
  };

  const hasEnded = (): boolean => signal?.aborted || control?.state === "stopped";
  yield {
    kind: "start",
    step,
    epoch,
    batch,
    parameterCount: countElements(model.trainableParameters()),
    ...(Number.isFinite(stepLimit) && { steps: stepLimit }),
    ...(Number.isFinite(epochLimit) && { epochs: epochLimit }),
  };
  let hasKernels = watch.kernels !== true;
  training: while (epoch < epochLimit && step < stepLimit && !hasEnded()) {
    const epochStarted = performance.now();
    // The batches of a resumed epoch are drawn as they were, those already seen are passed over.
    let toSkip = batch;
    if (toSkip > 0) randomState.key = another(epochKey);
    else epochKey = another(randomState.key);
    let asked = performance.now();
    for await (const data of untilAborted(batchesOf(options.batches, epoch), signal)) {
      if (toSkip > 0) {
        toSkip--;
        if (toSkip === 0 && resume) randomState.key = another(arrayOf(resume, "random.key"));
        continue;
      }
      if (control?.state === "paused") {
        yield { kind: "pause", step, epoch, batch };
        await control.whenResumed(signal);
        yield { kind: "resume", step, epoch, batch };
        asked = performance.now();
      }
      if (hasEnded()) break training;
      const rate = control?.takeLearningRate() ?? null;
      if (rate !== null) updater.setLearningRate(rate);
      if (!model.training) model.train();
      const sampleCount = countSamples(data, { step, epoch, batch });
      await evaluate(data); // apart from the step, as above: a slice at another place would be another plan
      const arrived = performance.now();
      const asksHistograms = isDue(watch.histograms, step + 1);
      const update = updater.update(data, { keepsGradients: asksHistograms, isRecorded: hasKernels });
      const { loss, metrics } = update;
      const recorded = performance.now();
      const kernels = hasKernels ? null : await takeKernels(loss, metrics, model, optimizer);
      hasKernels = true;
      const launched = performance.now();
      await evaluate(update, model, optimizer, randomState);
      step++;
      batch++;
      const value = Number(await item(loss));
      lossSum += value;
      const phases = {
        data: arrived - asked,
        record: recorded - arrived,
        compute: performance.now() - launched,
      };
      const milliseconds = phases.data + phases.record + phases.compute;
      if (kernels) yield { step, epoch, batch, ...kernels };
      yield {
        kind: "step",
        step,
        epoch,
        batch,
        loss: value,
        metrics: await numbersOf(metrics),
        learningRate: requireRate(Number(await item(optimizer.learningRate)), step),
        sampleCount,
        milliseconds,
        samplesPerSecond: (sampleCount / Math.max(milliseconds, 1e-3)) * 1000,
        phases,
        memory: { active: memory.active, peak: memory.peak, cache: memory.cache },
        ...(update.norm && { gradientNorm: Number(await item(update.norm)) }),
      };
      if (update.gradients)
        yield { step, epoch, batch, ...(await takeHistograms(model, update.gradients, watch.histograms?.binCount)) };
      if (watch.samples && isDue(watch.samples, step))
        yield { step, epoch, batch, ...(await takeSamples(model, watch.samples.take)) };
      if (checkpoint.everySteps && step % checkpoint.everySteps === 0) yield await take();
      if (step >= stepLimit) break training;
      asked = performance.now();
    }
    if (hasEnded()) break;
    if (batch === 0)
      throw new ArgumentError(
        "train",
        "an epoch had no batches; a generator runs only once: pass a function that makes one",
      );
    epoch++;
    yield { kind: "epoch", step, epoch, batch, loss: lossSum / batch, milliseconds: performance.now() - epochStarted };
    batch = 0;
    lossSum = 0;
    epochKey = another(randomState.key);
    if (checkpoint.everyEpochs && epoch % checkpoint.everyEpochs === 0) yield await take();
  }
  const reason = hasEnded() ? "aborted" : "finished";
  yield { kind: "end", step, epoch, batch, reason, milliseconds: performance.now() - started };
}

/** Another array in place of one that somebody else may hold. */
function own(leaf: unknown): unknown {
  return leaf instanceof MLXArray ? another(leaf) : leaf;
}

async function numbersOf(metrics: Metrics): Promise<Record<string, number>> {
  const named = Object.entries(metrics).map(async ([name, value]) => [name, Number(await item(value))] as const);
  return Object.fromEntries(await Promise.all(named));
}

function countElements(tree: unknown): number {
  return treeFlatten(tree).reduce((count, [, leaf]) => count + (leaf instanceof MLXArray ? leaf.size : 0), 0);
}
