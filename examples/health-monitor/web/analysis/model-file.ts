/** A learned detector as one safetensors file: the weights, and as metadata what was learned beside them. */
import * as mx from "mlx-ts";
import type * as nn from "mlx-ts/nn";

/** Numbers in all parameters of a model. */
export function countParameters(model: nn.Module): number {
  return mx.treeFlatten(model.parameters()).reduce((count, [, leaf]) => count + (isArray(leaf) ? leaf.size : 0), 0);
}

/** The file of a model and its calibration, which is plain data. */
export async function saveModel(name: string, model: nn.Module, calibration: unknown): Promise<Uint8Array> {
  const arrays: Record<string, mx.MLXArray> = {};
  for (const [path, leaf] of mx.treeFlatten(model.parameters())) if (isArray(leaf)) arrays[path] = leaf;
  const metadata = { format: "mlx", model: name, calibration: JSON.stringify(calibration) };
  return mx.saveSafetensors(arrays, { metadata });
}

/** Puts the weights of a file into `model`, and returns the calibration. @throws {FormatError} if it is of another model */
export async function loadModel<C>(
  name: string,
  model: nn.Module,
  bytes: Uint8Array,
  isCalibration: (value: unknown) => value is C,
): Promise<C> {
  const { arrays, metadata } = await mx.loadSafetensors(bytes);
  const calibration: unknown = JSON.parse(metadata.calibration ?? "null");
  if (metadata.model !== name || !isCalibration(calibration)) {
    throw new mx.FormatError("loadModel", `the file is not of a ${name.toLowerCase()} of the health monitor`);
  }
  await model.loadWeights(arrays);
  return calibration;
}

function isArray(leaf: unknown): leaf is mx.MLXArray {
  return leaf instanceof mx.MLXArray;
}
