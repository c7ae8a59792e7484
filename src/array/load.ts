/** Reading arrays from files whose format their bytes tell: npy, npz and safetensors. */
import { ArgumentError, FormatError } from "../base/errors.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { FileSource } from "./files.ts";
import { nameOfSource, readBytes } from "./files.ts";
import { isNpy, parseNpy, parseNpz } from "./numpy-files.ts";
import { parseSafetensors, requireNoGguf } from "./safetensors.ts";

/**
 * The array of an npy file, or the arrays by name of an npz or safetensors file; its first bytes tell which it is.
 * `loadArray` and `loadArrays` are the same with a narrower type.
 *
 * @param source bytes, a `Blob` or `File`, a path (in Node, Deno and Bun) or an address
 * @throws {FormatError} if it is none of them, or damaged
 * @example
 * const bytes = await savez({ weight: ones([2, 3]), bias: zeros([3]) });
 * Object.keys(Object(await load(bytes))); // ["weight", "bias"]
 */
export async function load(source: FileSource): Promise<MLXArray | Record<string, MLXArray>> {
  const bytes = await readBytes("load", source);
  const name = nameOfSource(source);
  if (isNpy(bytes)) return parseNpy(bytes, name);
  if (isZip(bytes)) return parseNpz(bytes, name);
  if (bytes[8] === openBrace) return parseSafetensors(bytes, name).arrays;
  requireNoGguf("load", bytes, name);
  throw new FormatError("load", `${name} begins like none of npy, npz and safetensors; save it as one of them`);
}

/**
 * The array of an npy file.
 *
 * @throws {FormatError} if it is none, or damaged
 * @throws {ArgumentError} for a file of several arrays
 * @example
 * await (await loadArray(await save(array([1, 2])))).tolist(); // [1, 2]
 */
export async function loadArray(source: FileSource): Promise<MLXArray> {
  const bytes = await readBytes("loadArray", source);
  const name = nameOfSource(source);
  if (!isZip(bytes) && bytes[8] !== openBrace) return parseNpy(bytes, name);
  throw new ArgumentError("loadArray", `${name} holds arrays by name; read it with loadArrays`);
}

/**
 * The arrays by name of an npz or safetensors file.
 *
 * @throws {FormatError} if it is neither, or damaged
 * @throws {ArgumentError} for an npy file
 * @example
 * const { weight } = await loadArrays(await saveSafetensors({ weight: array([1, 2]) }));
 * await weight?.tolist(); // [1, 2]
 */
export async function loadArrays(source: FileSource): Promise<Record<string, MLXArray>> {
  const bytes = await readBytes("loadArrays", source);
  const name = nameOfSource(source);
  if (isNpy(bytes)) throw new ArgumentError("loadArrays", `${name} holds one array; read it with loadArray`);
  return isZip(bytes) ? parseNpz(bytes, name) : parseSafetensors(bytes, name).arrays;
}

/** What the header of a safetensors file, which is JSON, begins with. */
const openBrace = 0x7b;

function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b;
}
