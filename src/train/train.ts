/** Training as an async iterator of events. */
import { evaluate } from "../array/evaluate.ts";
import { another } from "../array/from-data.ts";
import { state as randomState } from "../array/random.ts";
import { item } from "../array/reading.ts";
import { replaceLeaves } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { Module } from "../nn/module.ts";
import { arrayOf, restoreCheckpoint } from "./checkpoint.ts";
import { TrainingControl } from "./control.ts";
import type { TrainEvent } from "./events.ts";
import { requireRate, requireTrainOptions } from "./requirements.ts";
import type { TrainOptions } from "./train-options.ts";
import { Training, type TrainLimits } from "./training.ts";

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
export async function* train<M extends Module, B>(options: TrainOptions<M, B>): AsyncGenerator<TrainEvent, void, void> {
  requireTrainOptions(options);
  const { log, control = new TrainingControl() } = options;
  if (log === undefined) {
    yield* trainEvents(options);
    return;
  }
  const { logged } = await import("./run-log.ts");
  yield* logged(trainEvents({ ...options, control }), log, control);
}

async function* trainEvents<M extends Module, B>(options: TrainOptions<M, B>): AsyncGenerator<TrainEvent, void, void> {
  const limits = limitsOf(options);
  await prepare(options);
  const training = new Training(options, limits);
  yield training.startEvent();
  while (!training.isOver) yield* training.epoch();
  yield training.endEvent();
}

/** Brings model, optimizer and random state to where the training begins, in arrays that are its own. */
async function prepare<M extends Module, B>({ model, optimizer, resume }: TrainOptions<M, B>): Promise<void> {
  if (resume) {
    restoreCheckpoint(resume, model, optimizer);
    randomState.key = arrayOf(resume, "random.key");
  }
  optimizer.init(model.trainableParameters());
  // Only a step whose inputs are all known runs from its recorded plan: pending ones would join it and be planned with it.
  await evaluate(model, optimizer, randomState);
  for (const tree of [model, optimizer, randomState]) replaceLeaves(tree, own, []);
  for (const rate of [optimizer.learningRate, ...optimizer.scheduledRates()])
    requireRate(Number(await item(rate)), (resume?.position.step ?? 0) + 1);
}

/** How long the training goes on at most. */
function limitsOf({ steps, epochs }: Pick<TrainOptions<Module, unknown>, "steps" | "epochs">): TrainLimits {
  const endless = Number.POSITIVE_INFINITY;
  return { steps: steps ?? endless, epochs: epochs ?? (steps === undefined ? 1 : endless) };
}

/** Another array in place of one that somebody else may hold. */
function own(leaf: unknown): unknown {
  return leaf instanceof MLXArray ? another(leaf) : leaf;
}
