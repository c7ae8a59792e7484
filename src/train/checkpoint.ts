/** Checkpoints: everything that a training needs to go on exactly as if it had not stopped. */
import type { FileSource } from "../array/files.ts";
import { another } from "../array/from-data.ts";
import { state as randomState } from "../array/random.ts";
import { loadSafetensors, saveSafetensors } from "../array/safetensors.ts";
import type { OwnBytes } from "../base/elements.ts";
import { FormatError } from "../base/errors.ts";
import { count, requireValues } from "../base/rules.ts";
import { isPlainObject, treeFlatten, treeUnflatten } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { Module } from "../nn/module.ts";
import { requireWeights } from "../nn/weights.ts";
import type { Optimizer } from "../optimizers/optimizer.ts";
import type { TrainPosition } from "./events.ts";
import { checkpointRule } from "./requirements.ts";

/** The state of a training between two steps. Its arrays share the memory of the model's, and outlive them. */
export interface Checkpoint {
  /** Parameters as `model.…`, the optimizer's state as `optimizer.…`, the random state as `random.key` and `random.epochKey`. */
  readonly arrays: { readonly [name: string]: MLXArray };
  readonly position: TrainPosition;
  /** The sum of the losses of the current epoch's steps. */
  readonly lossSum: number;
}

/** The state of a training now; `epochKey` is what the random state was when the epoch began. */
export function takeCheckpoint(
  model: Module,
  optimizer: Optimizer,
  progress: { readonly position: TrainPosition; readonly lossSum: number; readonly epochKey: MLXArray },
): Checkpoint {
  const arrays: Record<string, MLXArray> = {
    "random.key": another(randomState.key),
    "random.epochKey": another(progress.epochKey),
  };
  for (const [path, leaf] of treeFlatten(model.parameters())) {
    if (leaf instanceof MLXArray) arrays[`model.${path}`] = another(leaf);
  }
  for (const [name, array] of Object.entries(optimizer.flatState())) arrays[`optimizer.${name}`] = another(array);
  return { arrays, position: progress.position, lossSum: progress.lossSum };
}

/**
 * Puts parameters and the optimizer's state back. The random state is put back by `train`, once it is where it was in its
 * data.
 *
 * @throws {ArgumentError} if the checkpoint lacks a parameter of the model, or has others
 * @throws {ShapeError} if a parameter has another shape in it
 * @example
 * const [model, optimizer] = [new nn.Linear(1, 1), new optim.SGD({ learningRate: 0.1 })];
 * const arrays = { "model.weight": array([[2]]), "model.bias": array([1]) };
 * const checkpoint = { arrays, position: { step: 3, epoch: 1, batch: 1 }, lossSum: 0.5 };
 * train.restoreCheckpoint(checkpoint, model, optimizer);
 * await model(array([[3]])).tolist(); // [[7]]
 * train.restoreCheckpoint(checkpoint, new nn.Linear(2, 1), optimizer); // throws ShapeError
 */
export function restoreCheckpoint(checkpoint: Checkpoint, model: Module, optimizer: Optimizer): void {
  requireValues("restoreCheckpoint", checkpointRule, { checkpoint });
  const parameters = within(checkpoint, "model.");
  requireWeights("restoreCheckpoint", model, parameters, "; it was taken of another model");
  model.update(Object(treeUnflatten(Object.entries(parameters))));
  optimizer.loadFlatState(within(checkpoint, "optimizer."));
}

/**
 * The bytes of a checkpoint: a safetensors file whose metadata say in JSON where the training is. Written to `path` too, if
 * that is given.
 *
 * @example
 * const [model, optimizer, batches] = [new nn.Linear(1, 1), new optim.SGD({ learningRate: 0.1 }), [ones([4, 1])]];
 * const training = { model, optimizer, batches, loss: (m: nn.Linear, x: mx.MLXArray) => m(x).square().mean() };
 * let bytes: Uint8Array = new Uint8Array();
 * for await (const event of train.train({ ...training, checkpoint: { everySteps: 1 } }))
 *   if (event.kind === "checkpoint") bytes = await train.saveCheckpoint(event.checkpoint);
 * for await (const event of train.train({ ...training, steps: 5, resume: await train.loadCheckpoint(bytes) })) event.kind;
 * await optimizer.step.item(); // 5
 */
export function saveCheckpoint(checkpoint: Checkpoint, path?: string | URL): Promise<OwnBytes> {
  requireValues("saveCheckpoint", checkpointRule, { checkpoint });
  const { arrays, position, lossSum } = checkpoint;
  const metadata = { format: "mlx-ts checkpoint", progress: JSON.stringify({ position, lossSum: String(lossSum) }) };
  return saveSafetensors(arrays, path === undefined ? { metadata } : { metadata, path });
}

/**
 * The checkpoint that `saveCheckpoint` wrote (bytes, a path or an address), for `train({ resume })` or `restoreCheckpoint`.
 *
 * @throws {FormatError} if it is damaged or none
 * @example
 * const arrays = { "model.weight": array([1, 2]) };
 * const bytes = await train.saveCheckpoint({ arrays, position: { step: 3, epoch: 1, batch: 1 }, lossSum: 0.5 });
 * (await train.loadCheckpoint(bytes)).position; // { step: 3, epoch: 1, batch: 1 }
 * await train.loadCheckpoint(await new nn.Linear(1, 1).saveWeights()); // throws FormatError
 */
export async function loadCheckpoint(source: FileSource): Promise<Checkpoint> {
  const { arrays, metadata } = await loadSafetensors(source);
  const progress = metadata.progress === undefined ? null : parseProgress(metadata.progress);
  if (!progress)
    throw new FormatError("loadCheckpoint", "the file is not of a training; weights are read by loadWeights");
  return { arrays, ...progress };
}

function parseProgress(text: string): Pick<Checkpoint, "position" | "lossSum"> | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isPlainObject(parsed) || !isPlainObject(parsed.position)) return null;
  const { step, epoch, batch } = parsed.position;
  if (!isCount(step) || !isCount(epoch) || !isCount(batch)) return null;
  // The sum is text there: JSON has no NaN.
  return typeof parsed.lossSum === "string"
    ? { position: { step, epoch, batch }, lossSum: Number(parsed.lossSum) }
    : null;
}

function isCount(value: unknown): value is number {
  return count.admits(value);
}

/** An array of a checkpoint. @throws {FormatError} if it is not there */
export function arrayOf(checkpoint: Checkpoint, name: string): MLXArray {
  const array = checkpoint.arrays[name];
  if (!array) throw new FormatError("checkpoint", `it lacks the array "${name}"`);
  return array;
}

function within({ arrays }: Checkpoint, prefix: string): Record<string, MLXArray> {
  const inside = Object.entries(arrays).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(inside.map(([name, array]) => [name.slice(prefix.length), array]));
}
