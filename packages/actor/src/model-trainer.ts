/** Training in a worker: the page's side. */
import { ArgumentError, requireOptions } from "mlx-ts";
import type { Checkpoint, ControlCommand, TrainEvent } from "mlx-ts/train";
import { actor, requireParameters } from "./actor.ts";
import { asyncDisposeKey } from "./disposal.ts";
import type { AnyWorker } from "./endpoint.ts";
import { type ErrorClass, WorkerError } from "./errors.ts";
import { Mailbox } from "./mailbox.ts";
import type { Actor, SendableParameters } from "./remote.ts";
import type { TrainerMethods } from "./trainer-host.ts";
import { Weights, type WeightsVersion } from "./weights.ts";

/** A function that was given to `exposeTrainer`. */
export type TrainerSetup = (...parameters: never) => unknown;

/** How a training is started. */
export interface TrainerOptions<S extends TrainerSetup> {
  /** What `setup` is given: arrays, which are not copied, and data. */
  readonly parameters?: SendableParameters<Parameters<S>> | undefined;
  /** Threads that compute for the training; as many as the hardware has, up to 8, unless given. */
  readonly threads?: number | undefined;
  /** Classes of errors, beside those of JavaScript and of mlx-ts, that arrive as what they are. */
  readonly errors?: readonly ErrorClass[] | undefined;
  /** How often a worker that failed is replaced by another, which goes on from the last checkpoint; 0 unless given. */
  readonly restarts?: number | undefined;
  /** Steps between checkpoints where `setup` names none; 100 unless given. Only taken if there may be restarts. */
  readonly checkpointEverySteps?: number | undefined;
}

/** How a training runs. */
export interface RunOptions {
  /** Ends the training when aborted, without an error. */
  readonly signal?: AbortSignal | undefined;
  /** Goes on where this checkpoint was taken. */
  readonly resume?: Checkpoint | undefined;
}

/** What is exposed by `exposeTrainer`, as far as its types matter here. */
type ExposedTrainer = new (...parameters: never[]) => TrainerMethods;

const optionNames: readonly (keyof TrainerOptions<TrainerSetup>)[] = [
  "parameters",
  "threads",
  "errors",
  "restarts",
  "checkpointEverySteps",
];

/** Events that may lie here unread before the training waits. */
const unreadLimit = 1024;

/**
 * A training in a worker, which runs on while this thread does other things. The worker's file says `exposeTrainer(setup)`.
 *
 * Nothing is copied: `weights` are the very arrays that the training computes, one version of all of them. Commands take effect
 * between two steps. With `restarts`, a worker that fails is replaced, and the training goes on from its last checkpoint,
 * whose arrays have outlived the worker: a `start` event says where.
 *
 * @example
 * import { ModelTrainer } from "@mlx-ts/actor";
 * import type { pulseTraining } from "./pulse-model.ts"; // that of docs/concurrency.md
 * const trainer = await ModelTrainer.start<typeof pulseTraining>(
 *   () => new Worker(new URL("./pulse.worker.ts", import.meta.url), { type: "module" }),
 *   { parameters: [{ x: array([[1, 2]]), y: array([[3]]) }, { epochs: 5 }] },
 * );
 * const losses: number[] = [];
 * for await (const event of trainer.run()) if (event.kind === "step") losses.push(event.loss);
 * losses.length; // 5
 * trainer.weights.version; // 5
 * await trainer.dispose();
 */
export class ModelTrainer<S extends TrainerSetup> {
  /** Disposes the trainer at the end of an `await using` block. */
  declare [Symbol.asyncDispose]: () => Promise<void>;
  readonly #start: () => AnyWorker | Promise<AnyWorker>;
  readonly #options: TrainerOptions<S>;
  #actor: Actor<ExposedTrainer>;
  #weights: Weights;
  #checkpoint: Checkpoint | null = null;
  #restartsLeft: number;
  #isRunning = false;

  static {
    Object.defineProperty(ModelTrainer.prototype, asyncDisposeKey, { value: ModelTrainer.prototype.dispose });
  }

  /** Starts the worker that `start` makes, and its `setup`. @throws what `setup` throws; `WorkerError` if the worker fails */
  static async start<S extends TrainerSetup>(
    start: () => AnyWorker | Promise<AnyWorker>,
    options: TrainerOptions<S> = {},
  ): Promise<ModelTrainer<S>> {
    requireOptions("ModelTrainer", options, optionNames);
    requireParameters("ModelTrainer", options.parameters);
    requireWhole("restarts", options.restarts ?? 0, 0);
    requireWhole("checkpointEverySteps", options.checkpointEverySteps ?? 1, 1);
    const { host, weights } = await startHost<S>(start, options);
    return new ModelTrainer<S>(start, options, host, weights);
  }

  private constructor(
    start: () => AnyWorker | Promise<AnyWorker>,
    options: TrainerOptions<S>,
    host: Actor<ExposedTrainer>,
    weights: WeightsVersion,
  ) {
    this.#start = start;
    this.#options = options;
    this.#actor = host;
    this.#weights = new Weights(weights);
    this.#restartsLeft = options.restarts ?? 0;
  }

  /** The newest weights that have arrived: valid until the next arrive, so keep the result of `retain()` where you need them longer. */
  get weights(): Weights {
    return this.#weights;
  }

  /** The last checkpoint that the training took, if it takes any. */
  get checkpoint(): Checkpoint | null {
    return this.#checkpoint;
  }

  /**
   * Trains, and tells what happens: the events of `train`. The training runs ahead of who reads; leaving the loop ends it.
   *
   * @throws what the training throws; `WorkerError` if the worker fails and may not be restarted
   */
  async *run(options: RunOptions = {}): AsyncGenerator<TrainEvent, void, void> {
    requireOptions("ModelTrainer", options, ["signal", "resume"]);
    if (this.#isRunning) throw new ArgumentError("ModelTrainer", "the training runs already");
    this.#isRunning = true;
    const left = new AbortController();
    const events = new Mailbox<TrainEvent>({ limit: unreadLimit, intervalMilliseconds: 0 });
    const pump = this.#pump(options, left, events);
    try {
      for (let taken = await events.take(); taken.length > 0; taken = await events.take()) yield* taken;
    } finally {
      left.abort();
      events.close();
      await pump;
      this.#isRunning = false;
    }
  }

  /** Trains to the end, for those who need no events; resolves with the last one. */
  async finish(options: RunOptions = {}): Promise<TrainEvent | null> {
    let last: TrainEvent | null = null;
    for await (const event of this.run(options)) last = event;
    return last;
  }

  /** Holds the training before its next step. */
  pause(): Promise<void> {
    return this.apply({ kind: "pause" });
  }

  /** Lets a paused training go on. */
  resume(): Promise<void> {
    return this.apply({ kind: "resume" });
  }

  /** Ends the training before its next step, for good. */
  stop(): Promise<void> {
    return this.apply({ kind: "stop" });
  }

  /** Sets the learning rate from the next step on. @throws {ArgumentError} if it is negative or not finite */
  setLearningRate(learningRate: number): Promise<void> {
    return this.apply({ kind: "learningRate", learningRate });
  }

  /** Ends the worker, and the training with it. */
  async dispose(): Promise<void> {
    this.#restartsLeft = 0;
    await this.#actor.dispose();
    this.#weights.release();
  }

  /** Does what a command says, as a `TrainingControl` does: what `<mlx-training-monitor>` takes for controls. */
  async apply(command: ControlCommand): Promise<void> {
    await this.#actor.command(command);
  }

  /** Takes what the worker reports, as long as it trains, whoever reads it when. */
  async #pump(options: RunOptions, left: AbortController, events: Mailbox<TrainEvent>): Promise<void> {
    const { checkpointEverySteps = 100 } = this.#options;
    const signal = AbortSignal.any([left.signal, ...(options.signal ? [options.signal] : [])]);
    let { resume } = options;
    for (;;) {
      const mayRestart = this.#restartsLeft > 0;
      try {
        const request = { signal, ...(resume && { resume }), ...(mayRestart && { checkpointEverySteps }) };
        for await (const { events: news, weights } of this.#actor.run(request)) {
          if (weights) this.#install(weights);
          for (const event of news) {
            if (event.kind === "checkpoint") this.#checkpoint = event.checkpoint;
            await events.put(event);
          }
        }
        return events.close();
      } catch (error) {
        if (!(error instanceof WorkerError) || !mayRestart || signal.aborted) return events.fail(error);
        this.#restartsLeft--;
        resume = this.#checkpoint ?? resume;
        await this.#actor.ended; // so that its memory is free again
        const { host, weights } = await startHost<S>(this.#start, this.#options);
        this.#actor = host;
        if (!resume) this.#install(weights);
      }
    }
  }

  #install(weights: WeightsVersion): void {
    const replaced = this.#weights;
    this.#weights = new Weights(weights);
    replaced.release();
  }
}

function requireWhole(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new ArgumentError("ModelTrainer", `${name} is a whole number from ${least}, got ${String(value)}`);
}

async function startHost<S extends TrainerSetup>(
  start: () => AnyWorker | Promise<AnyWorker>,
  options: TrainerOptions<S>,
): Promise<{ readonly host: Actor<ExposedTrainer>; readonly weights: WeightsVersion }> {
  const { parameters, threads, errors } = options;
  const host = await actor<ExposedTrainer>(start, {
    ...(parameters && { parameters: Object(parameters) }),
    ...(threads !== undefined && { threads }),
    ...(errors && { errors }),
  });
  try {
    return { host, weights: await host.weights() };
  } catch (error) {
    await host.dispose();
    throw error;
  }
}
