/** A training under way: where in its data it is, and what happens there, step by step. */
import { evaluate } from "../array/evaluate.ts";
import { another } from "../array/from-data.ts";
import { memory } from "../array/lifetime.ts";
import { state as randomState } from "../array/random.ts";
import { item } from "../array/reading.ts";
import { ArgumentError } from "../base/errors.ts";
import { treeFlatten } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { Module } from "../nn/module.ts";
import { batchesOf, untilAborted } from "./batches.ts";
import { arrayOf, saveCheckpoint, takeCheckpoint } from "./checkpoint.ts";
import type { TrainingControl } from "./control.ts";
import type {
  CheckpointEvent,
  EndEvent,
  NonFiniteEvent,
  StartEvent,
  StepEvent,
  StepPhases,
  TrainEvent,
  TrainPosition,
} from "./events.ts";
import { countSamples, requireRate } from "./requirements.ts";
import type { TrainOptions } from "./train-options.ts";
import type { Metrics, Update } from "./update.ts";
import { Updater } from "./update.ts";
import { isDue, takeHistograms, takeKernels, takeSamples } from "./watching.ts";

/** How long a training goes on at most. */
export interface TrainLimits {
  readonly steps: number;
  readonly epochs: number;
}

/** A training whose model and optimizer are prepared. */
export class Training<M extends Module, B> {
  readonly #options: TrainOptions<M, B>;
  readonly #limits: TrainLimits;
  readonly #updater: Updater<M, B>;
  readonly #started = performance.now();
  #position: TrainPosition;
  /** Of the losses of the epoch's steps. */
  #lossSum: number;
  /** The random state when the epoch began. */
  #epochKey: MLXArray;
  #wantsKernels: boolean;
  /** Whether the loss of the latest step, and the norm of its gradients where that is known, were finite. */
  #isFinite = true;
  /** What schedules give for the next step. */
  #nextRates: readonly number[] = [];

  constructor(options: TrainOptions<M, B>, limits: TrainLimits) {
    const { resume } = options;
    this.#options = options;
    this.#limits = limits;
    this.#updater = new Updater(options);
    this.#position = resume?.position ?? { step: 0, epoch: 0, batch: 0 };
    this.#lossSum = resume?.lossSum ?? 0;
    this.#epochKey = resume ? arrayOf(resume, "random.epochKey") : another(randomState.key);
    this.#wantsKernels = options.watch?.kernels === true;
  }

  /** Whether all that was asked for is done, or the training was ended from outside. */
  get isOver(): boolean {
    const { step, epoch } = this.#position;
    return epoch >= this.#limits.epochs || step >= this.#limits.steps || this.#isEnded || this.#isSpoilt;
  }

  get #isEnded(): boolean {
    const { signal, control } = this.#options;
    return signal?.aborted === true || control?.state === "stopped";
  }

  /** Whether what was not finite is to end the training. */
  get #isSpoilt(): boolean {
    return !this.#isFinite && this.#options.stopOnNonFinite === true;
  }

  startEvent(): StartEvent {
    const { steps, epochs } = this.#limits;
    return {
      kind: "start",
      ...this.#position,
      parameterCount: countElements(this.#options.model.trainableParameters()),
      ...(Number.isFinite(steps) && { steps }),
      ...(Number.isFinite(epochs) && { epochs }),
    };
  }

  endEvent(): EndEvent {
    const reason = this.#isSpoilt ? "nonFinite" : this.#isEnded ? "aborted" : "finished";
    return { kind: "end", ...this.#position, reason, milliseconds: performance.now() - this.#started };
  }

  /** The rest of the epoch, up to its end or that of the training. */
  async *epoch(): AsyncGenerator<TrainEvent, void, void> {
    const started = performance.now();
    yield* this.#steps();
    if (this.isOver) return;
    const { step, epoch, batch } = this.#position;
    if (batch === 0)
      throw new ArgumentError(
        "train",
        "an epoch had no batches; a generator runs only once: pass a function that makes one",
      );
    const loss = this.#lossSum / batch;
    const done = { step, epoch: epoch + 1, batch };
    yield { kind: "epoch", ...done, loss, milliseconds: performance.now() - started };
    this.#position = { ...done, batch: 0 };
    this.#lossSum = 0;
    this.#epochKey = another(randomState.key);
    const { everyEpochs } = this.#options.checkpoint ?? {};
    if (everyEpochs && done.epoch % everyEpochs === 0) yield await this.#checkpoint();
  }

  async *#steps(): AsyncGenerator<TrainEvent, void, void> {
    const { control } = this.#options;
    let asked = performance.now();
    for await (const data of this.#remainingBatches()) {
      if (control?.state === "paused") {
        yield* this.#pause(control);
        asked = performance.now();
      }
      if (this.#isEnded) return;
      yield* this.#step(data, asked);
      if (this.#position.step >= this.#limits.steps || this.#isSpoilt) return;
      asked = performance.now();
    }
  }

  /** The batches of the epoch. Those of a resumed one are drawn as they were, and passed over if they were seen. */
  async *#remainingBatches(): AsyncGenerator<B, void, void> {
    const { batches, signal, resume } = this.#options;
    let toSkip = this.#position.batch;
    if (toSkip > 0) randomState.key = another(this.#epochKey);
    else this.#epochKey = another(randomState.key);
    for await (const data of untilAborted(batchesOf(batches, this.#position.epoch), signal)) {
      if (toSkip === 0) {
        yield data;
        continue;
      }
      toSkip--;
      if (toSkip === 0 && resume) randomState.key = another(arrayOf(resume, "random.key"));
    }
    const { batch, epoch } = this.#position;
    if (toSkip > 0 && !this.#isEnded) {
      const place = `the checkpoint was taken behind batch ${batch} of epoch ${epoch}, and there are ${batch - toSkip}`;
      throw new ArgumentError("train", `${place}; give the batches that it was taken with`);
    }
  }

  async *#pause(control: TrainingControl): AsyncGenerator<TrainEvent, void, void> {
    yield { kind: "pause", ...this.#position };
    await control.whenResumed(this.#options.signal);
    yield { kind: "resume", ...this.#position };
  }

  /** One update, on a batch for which it was `asked` then, and what is to be told of it. */
  async *#step(data: B, asked: number): AsyncGenerator<TrainEvent, void, void> {
    const { model, optimizer, control, watch = {}, checkpoint = {} } = this.#options;
    const rate = control?.takeLearningRate() ?? null;
    if (rate !== null) this.#updater.setLearningRate(rate);
    else for (const next of this.#nextRates) requireRate(next, this.#position.step + 1);
    if (!model.training) model.train();
    const sampleCount = countSamples(data, this.#position);
    // Only a step whose inputs are all known runs from its recorded plan: a slice at another place would be another plan.
    await evaluate(data);
    const arrived = performance.now();
    const keepsGradients = isDue(watch.histograms, this.#position.step + 1);
    const update = this.#updater.update(data, { keepsGradients, isRecorded: !this.#wantsKernels });
    const recorded = performance.now();
    const kernels = this.#wantsKernels ? await takeKernels(update.loss, update.metrics, model, optimizer) : null;
    this.#wantsKernels = false;
    const launched = performance.now();
    await evaluate(update, model, optimizer, randomState);
    const { step, epoch, batch } = this.#position;
    this.#position = { step: step + 1, epoch, batch: batch + 1 };
    const loss = Number(await item(update.loss));
    this.#lossSum += loss;
    this.#nextRates = await Promise.all(update.nextRates.map(async (next) => Number(await item(next))));
    const phases = { data: arrived - asked, record: recorded - arrived, compute: performance.now() - launched };
    if (kernels) yield { ...this.#position, ...kernels };
    const event = await this.#stepEvent(update, loss, sampleCount, phases);
    yield event;
    yield* this.#watchFiniteness(event);
    if (update.gradients) {
      const taken = await takeHistograms(model, update.gradients, watch.histograms?.binCount);
      yield { ...this.#position, ...taken };
    }
    if (watch.samples && isDue(watch.samples, this.#position.step))
      yield { ...this.#position, ...(await takeSamples(model, watch.samples.take)) };
    if (checkpoint.everySteps && !this.#isSpoilt && this.#position.step % checkpoint.everySteps === 0)
      yield await this.#checkpoint();
  }

  async #stepEvent(update: Update, loss: number, sampleCount: number, phases: StepPhases): Promise<StepEvent> {
    const milliseconds = phases.data + phases.record + phases.compute;
    return {
      kind: "step",
      ...this.#position,
      loss,
      metrics: await numbersOf(update.metrics),
      learningRate: requireRate(Number(await item(this.#options.optimizer.learningRate)), this.#position.step),
      sampleCount,
      milliseconds,
      samplesPerSecond: (sampleCount / Math.max(milliseconds, 1e-3)) * 1000,
      phases,
      memory: { active: memory.active, peak: memory.peak, cache: memory.cache },
      ...(update.norm && { gradientNorm: Number(await item(update.norm)) }),
    };
  }

  /** Tells of the first of several steps whose numbers are not finite. */
  *#watchFiniteness({ loss, gradientNorm }: StepEvent): Generator<NonFiniteEvent, void, void> {
    const wasFinite = this.#isFinite;
    this.#isFinite = Number.isFinite(loss) && Number.isFinite(gradientNorm ?? 0);
    if (this.#isFinite || !wasFinite) return;
    yield { kind: "nonFinite", ...this.#position, loss, ...(gradientNorm !== undefined && { gradientNorm }) };
  }

  async #checkpoint(): Promise<CheckpointEvent> {
    const { model, optimizer, checkpoint } = this.#options;
    const [position, lossSum, epochKey] = [this.#position, this.#lossSum, this.#epochKey];
    const taken = takeCheckpoint(model, optimizer, { position, lossSum, epochKey });
    if (checkpoint?.path !== undefined) await saveCheckpoint(taken, checkpoint.path);
    return { kind: "checkpoint", ...position, checkpoint: taken };
  }
}

async function numbersOf(metrics: Metrics): Promise<Record<string, number>> {
  const named = Object.entries(metrics).map(async ([name, value]) => [name, Number(await item(value))] as const);
  return Object.fromEntries(await Promise.all(named));
}

function countElements(tree: unknown): number {
  return treeFlatten(tree).reduce((count, [, leaf]) => count + (leaf instanceof MLXArray ? leaf.size : 0), 0);
}
