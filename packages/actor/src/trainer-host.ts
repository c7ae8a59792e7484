/** Training in a worker: what runs there. */
import { MLXArray, treeFlatten } from "mlx-ts";
import type { Module } from "mlx-ts/nn";
import {
  type Checkpoint,
  type ControlCommand,
  type TrainEvent,
  TrainingControl,
  type TrainOptions,
  train,
} from "mlx-ts/train";
import { expose } from "./expose.ts";
import { Mailbox } from "./mailbox.ts";
import { nextTask } from "./next-task.ts";
import type { WeightsVersion } from "./weights.ts";

/** What a page asks of a training. */
export interface RunRequest {
  readonly signal?: AbortSignal;
  readonly resume?: Checkpoint;
  /** Checkpoints to take where the training's own options name none. */
  readonly checkpointEverySteps?: number;
}

/** What has happened since the page last asked, and the weights now if they have changed. */
export interface TrainingReport {
  readonly events: readonly TrainEvent[];
  readonly weights: WeightsVersion | null;
}

/** Events that a training may be ahead of who watches it; then it waits. */
const aheadLimit = 256;
/** Reports come at most this often: more than a screen can show would only keep the page busy. */
const reportMilliseconds = 16;

/** What `ModelTrainer` calls. */
export interface TrainerMethods {
  /** The parameters now. */
  weights(): Promise<WeightsVersion>;
  /** Does what a command says, between two steps. */
  command(command: ControlCommand): Promise<void>;
  /** Trains, whether or not somebody asks at the moment, and reports what has happened. */
  run(request?: RunRequest): AsyncGenerator<TrainingReport, void, void>;
}

class TrainerHost<M extends Module, B> implements TrainerMethods {
  readonly #options: Promise<TrainOptions<M, B>>;
  readonly #control: Promise<TrainingControl>;
  readonly #abort = new AbortController();
  #version = 0;

  constructor(options: TrainOptions<M, B> | Promise<TrainOptions<M, B>>) {
    this.#options = Promise.resolve(options);
    this.#control = this.#options.then(({ control }) => control ?? new TrainingControl());
    this.#control.catch(() => undefined); // who asks for the weights is told
  }

  async weights(): Promise<WeightsVersion> {
    return weightsOf((await this.#options).model, this.#version);
  }

  async command(command: ControlCommand): Promise<void> {
    (await this.#control).apply(command);
  }

  async *run(request: RunRequest = {}): AsyncGenerator<TrainingReport, void, void> {
    const options = await this.#options;
    const mailbox = new Mailbox<TrainEvent>({ limit: aheadLimit, intervalMilliseconds: reportMilliseconds });
    const left = new AbortController();
    const signals = [left.signal, this.#abort.signal, request.signal, options.signal];
    const checkpoint = options.checkpoint ?? { everySteps: request.checkpointEverySteps ?? Number.POSITIVE_INFINITY };
    const training = this.#train(
      {
        ...options,
        checkpoint,
        control: await this.#control,
        signal: AbortSignal.any(signals.filter((signal) => signal !== undefined)),
        ...(request.resume && { resume: request.resume }),
      },
      mailbox,
    );
    let reported = -1;
    try {
      for (;;) {
        const events = await mailbox.take();
        if (events.length === 0) break;
        const hasChanged = this.#version !== reported || events.at(-1)?.kind === "start";
        reported = this.#version;
        yield { events, weights: hasChanged ? weightsOf(options.model, this.#version) : null };
      }
    } finally {
      left.abort();
      mailbox.close();
      await training;
    }
  }

  dispose(): void {
    this.#abort.abort();
  }

  async #train(options: TrainOptions<M, B>, mailbox: Mailbox<TrainEvent>): Promise<void> {
    try {
      for await (const event of train(options)) {
        this.#version = event.step;
        // A checkpoint is there to outlive the worker: it is on its way before the training goes on.
        await (event.kind === "checkpoint" ? mailbox.putNow(event) : mailbox.put(event));
        await nextTask();
      }
      mailbox.close();
    } catch (error) {
      mailbox.fail(error);
    }
  }
}

/**
 * Lets `ModelTrainer` train in the worker that runs this file. `setup` gets what the page gives as `parameters` and returns the options
 * of `train`: the model, the optimizer, the loss, the batches. All of them stay in the worker.
 *
 * @throws {Error} if the file runs in no worker
 * @example
 * import { exposeTrainer } from "@mlx-ts/actor";
 * const setup = (batches: mx.MLXArray[], rate: number) => {
 *   const [model, optimizer] = [new nn.Linear(1, 1), new optim.SGD({ learningRate: rate })];
 *   return { model, optimizer, batches, loss: (m: nn.Linear, x: mx.MLXArray) => m(x).square().mean() };
 * };
 * // A file line.worker.ts ends with exposeTrainer(setup):
 * const inWorker = () => exposeTrainer(setup);
 */
export function exposeTrainer<M extends Module, B, P extends readonly unknown[]>(
  setup: (...parameters: P) => TrainOptions<M, B> | Promise<TrainOptions<M, B>>,
): void {
  class Trainer extends TrainerHost<M, B> {
    constructor(...parameters: P) {
      super(setup(...parameters));
    }
  }
  expose(Trainer, { concurrent: ["weights", "command", "run"] });
}

function weightsOf(model: Module, version: number): WeightsVersion {
  const arrays = treeFlatten(model.parameters()).flatMap(([path, leaf]): [string, MLXArray][] =>
    leaf instanceof MLXArray ? [[path, leaf]] : [],
  );
  return { version, parameters: Object.fromEntries(arrays) };
}
