/** The parameters of a module to and from files. */
import type { FileSource } from "../array/files.ts";
import { extensionOf, isFileSource } from "../array/files.ts";
import { loadArrays } from "../array/load.ts";
import { saveNpz } from "../array/numpy-files.ts";
import type { NamedArrays } from "../array/safetensors.ts";
import { saveSafetensors } from "../array/safetensors.ts";
import { describeValue } from "../base/describe.ts";
import type { OwnBytes } from "../base/elements.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { flag, oneOf, optionsOf } from "../base/rules.ts";
import { formatShape, sameShape } from "../base/shape.ts";
import { treeFlatten, treeUnflatten } from "../base/tree.ts";
import { MLXArray } from "../graph/mlx-array.ts";
import type { Module } from "./module.ts";

/** Formats that weights are written in. */
export type WeightFormat = "safetensors" | "npz";

/** The options of `saveWeights`. */
export interface SaveWeightsOptions {
  /** That of the path's extension unless given; safetensors without a path. */
  readonly format?: WeightFormat | undefined;
}

/** The options of `loadWeights`. */
export interface LoadWeightsOptions {
  /** Whether every parameter must be there, and nothing else; true unless given. Shapes must be those of the parameters either way. */
  readonly strict?: boolean | undefined;
}

/** Arrays by dotted path as MLX lists them: pairs of path and array. */
export type WeightList = readonly (readonly [path: string, array: MLXArray])[];

/** The bytes of a file with all parameters of `module` under their dotted paths; written to `path`, if given. */
export function saveWeights(
  module: Module,
  path: string | URL | undefined,
  options: SaveWeightsOptions,
): Promise<OwnBytes> {
  const arrays = namedParameters(module);
  const { format } = optionsOf("saveWeights", options, { format: oneOf("safetensors", "npz") });
  const extension = format ?? (path === undefined ? "safetensors" : extensionOf(path));
  const target = path === undefined ? {} : { path };
  switch (extension) {
    case "safetensors":
      return saveSafetensors(arrays, { ...target, metadata: { format: "mlx" } });
    case "npz":
      return saveNpz(arrays, target);
    default:
      throw new ArgumentError("saveWeights", `weights are saved as .safetensors or .npz, not as ".${extension}"`);
  }
}

/** Puts the arrays of a file, or arrays by dotted path (an object, or a list of pairs), into the parameters of `module`. */
export async function loadWeights(
  module: Module,
  source: FileSource | NamedArrays | WeightList,
  options: LoadWeightsOptions,
): Promise<void> {
  const { strict = true } = optionsOf("loadWeights", options, { strict: flag });
  if (Object(source) !== source && !isFileSource(source)) {
    const detail = `takes a file (bytes, a path or an address) or arrays by name, got ${describeValue(source)}`;
    throw new ArgumentError("loadWeights", detail);
  }
  const given = isFileSource(source) ? await loadArrays(source) : isList(source) ? Object.fromEntries(source) : source;
  const arrays = underOwnNames(module, given);
  if (strict) requireWeights("loadWeights", module, arrays, "; pass { strict: false } to load what fits");
  else requireShapes("loadWeights", namedParameters(module), arrays);
  module.update(Object(treeUnflatten(Object.entries(arrays))), { strict: false });
}

/** The arrays by the names of `module`: what MLX calls `running_mean` in Python is `runningMean` here. */
function underOwnNames(module: Module, arrays: NamedArrays): NamedArrays {
  const own = namedParameters(module);
  return Object.fromEntries(
    Object.entries(arrays).map(([name, array]) => {
      const camel = name.replace(/(?<=[a-z0-9])_([a-z])/g, (_, letter: string) => letter.toUpperCase());
      return [!Object.hasOwn(own, name) && Object.hasOwn(own, camel) ? camel : name, array];
    }),
  );
}

function isList(source: NamedArrays | WeightList): source is WeightList {
  return Array.isArray(source);
}

/**
 * Throws unless there are weights for every parameter of `module`, and no others.
 *
 * @throws {ArgumentError} for a name that only one of them has
 * @throws {ShapeError} for weights of another shape
 */
export function requireWeights(operation: string, module: Module, arrays: NamedArrays, remedy: string): void {
  const own = namedParameters(module);
  const extra = Object.keys(arrays).filter((name) => !Object.hasOwn(own, name));
  const missing = Object.keys(own).filter((name) => !Object.hasOwn(arrays, name));
  if (extra.length > 0) {
    throw new ArgumentError(operation, `the model has no parameters ${extra.sort().join(", ")}${remedy}`);
  }
  if (missing.length > 0) {
    throw new ArgumentError(operation, `there are no weights for ${missing.sort().join(", ")}${remedy}`);
  }
  requireShapes(operation, own, arrays);
}

/** Throws for arrays of other shapes than the parameters of their names. */
function requireShapes(operation: string, own: NamedArrays, arrays: NamedArrays): void {
  for (const [name, array] of Object.entries(arrays)) {
    if (!(array instanceof MLXArray))
      throw new ArgumentError(operation, `the weights of ${name} are an array, got ${describeValue(array)}`);
    const { shape } = Object.hasOwn(own, name) ? (own[name] ?? array) : array;
    if (sameShape(shape, array.shape)) continue;
    throw new ShapeError(operation, `${name} is ${formatShape(shape)}, the weights are ${formatShape(array.shape)}`);
  }
}

function namedParameters(module: Module): Record<string, MLXArray> {
  const named: Record<string, MLXArray> = {};
  for (const [path, leaf] of treeFlatten(module.parameters())) if (leaf instanceof MLXArray) named[path] = leaf;
  return named;
}
