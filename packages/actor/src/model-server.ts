/** Predicts on this thread with the newest weights of a training elsewhere. */
import { ArgumentError, evaluate, treeUnflatten } from "mlx-ts";
import type { Module } from "mlx-ts/nn";
import { disposeKey } from "./disposal.ts";
import type { ModelTrainer, TrainerSetup } from "./model-trainer.ts";
import type { Weights } from "./weights.ts";

/**
 * Predicts with the newest weights of a training that runs in a worker. Every prediction sees one version of all weights,
 * from its beginning to its end, and no weight is copied: the model here points at the arrays that the training computed.
 *
 * @example
 * import { ModelServer, ModelTrainer } from "@mlx-ts/actor";
 * import { PulseModel, type pulseTraining } from "./pulse-model.ts"; // those of docs/concurrency.md
 * const data = { x: array([[1, 2]]), y: array([[3]]) };
 * const trainer = await ModelTrainer.start<typeof pulseTraining>(
 *   () => new Worker(new URL("./pulse.worker.ts", import.meta.url), { type: "module" }),
 *   { parameters: [data, { epochs: 2 }] },
 * );
 * const server = new ModelServer(trainer, new PulseModel(), (model, x: MLXArray) => model(x));
 * (await server.predict(data.x)).shape; // [1, 1]
 * await trainer.dispose();
 */
export class ModelServer<M extends Module, A extends readonly unknown[], R> {
  /** Disposes the server at the end of a `using` block. */
  declare [Symbol.dispose]: () => void;
  readonly #trainer: Pick<ModelTrainer<TrainerSetup>, "weights">;
  readonly #model: M;
  readonly #predict: (model: M, ...parameters: A) => R | Promise<R>;
  #inUse: Weights | null = null;
  /** Predictions run one after the other: so the weights change between them only. */
  #queue: Promise<unknown> = Promise.resolve();

  static {
    Object.defineProperty(ModelServer.prototype, disposeKey, { value: ModelServer.prototype.dispose });
  }

  /**
   * @param model of the same structure as the one that is trained; its own weights are replaced
   * @param predict what to compute, in evaluation mode
   */
  constructor(
    trainer: Pick<ModelTrainer<TrainerSetup>, "weights">,
    model: M,
    predict: (model: M, ...parameters: A) => R | Promise<R>,
  ) {
    if (typeof predict !== "function")
      throw new ArgumentError("ModelServer", `predict is a function of the model, got ${String(predict)}`);
    this.#trainer = trainer;
    this.#model = model;
    this.#predict = predict;
  }

  /** The steps that the weights of the last prediction have behind them; -1 before the first. */
  get version(): number {
    return this.#inUse?.version ?? -1;
  }

  /** What the model makes of its arguments, computed. */
  predict(...parameters: A): Promise<R> {
    const done = this.#queue.then(async () => {
      this.#takeNewest();
      const result = await this.#predict(this.#model, ...parameters);
      await evaluate(result);
      return result;
    });
    this.#queue = done.catch(() => undefined);
    return done;
  }

  /** Lets go of the weights. */
  dispose(): void {
    this.#inUse?.release();
    this.#inUse = null;
  }

  #takeNewest(): void {
    const { weights } = this.#trainer;
    if (weights === this.#inUse) return;
    const replaced = this.#inUse;
    this.#inUse = weights.retain();
    this.#model.update(Object(treeUnflatten(Object.entries(weights.parameters))));
    this.#model.eval();
    replaced?.release();
  }
}
