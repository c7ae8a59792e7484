/** The safetensors format: named arrays behind a JSON header. Source: github.com/huggingface/safetensors, format. */
import type { Dtype } from "../base/dtype.ts";
import { byteLengthOf, carrierOf } from "../base/dtype.ts";
import type { OwnBytes } from "../base/elements.ts";
import { ArgumentError, FormatError } from "../base/errors.ts";
import { optionsOf } from "../base/rules.ts";
import { formatShape } from "../base/shape.ts";
import { isPlainObject } from "../base/tree.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { asArray } from "../primitives/operands.ts";
import { evaluate } from "./evaluate.ts";
import type { FileSource } from "./files.ts";
import { nameOfSource, pathRule, readBytes, writeBytes } from "./files.ts";
import { fromTypedArray } from "./from-data.ts";
import { withElements } from "./reading.ts";

/** Arrays by name. */
export interface NamedArrays {
  readonly [name: string]: MLXArray;
}

/** What a safetensors file may say besides its arrays. */
export interface SafetensorsMetadata {
  readonly [key: string]: string;
}

/** What a safetensors file holds. */
export interface SafetensorsContents {
  readonly arrays: Record<string, MLXArray>;
  readonly metadata: SafetensorsMetadata;
}

const namesOfDtypes: Readonly<Record<Dtype, string>> = {
  bool: "BOOL",
  uint8: "U8",
  uint16: "U16",
  uint32: "U32",
  uint64: "U64",
  int8: "I8",
  int16: "I16",
  int32: "I32",
  int64: "I64",
  float16: "F16",
  bfloat16: "BF16",
  float32: "F32",
  float64: "F64",
};

const dtypesOfNames: ReadonlyMap<string, Dtype> = /* @__PURE__ */ (() => {
  const map = new Map<string, Dtype>();
  let dtype: Dtype;
  for (dtype in namesOfDtypes) map.set(namesOfDtypes[dtype], dtype);
  // Eight-bit floats come as their bits, as in MLX.
  for (const name of ["F8_E4M3", "F8_E5M2", "F8_E8M0"]) map.set(name, "uint8");
  return map;
})();

/** Throws unless arrays are given by name. @throws {ArgumentError} */
export function requireNamed(operation: string, arrays: unknown): void {
  if (!isPlainObject(arrays)) throw new ArgumentError(operation, `takes arrays by name, as in ${operation}({ a, b })`);
}

/** The arrays to save with their names, computed. */
export async function namedArrays(operation: string, arrays: NamedArrays): Promise<(readonly [string, MLXArray])[]> {
  const named = Object.entries(arrays).map(([name, array]) => [name, asArray(operation, array)] as const);
  await evaluate(named);
  return named;
}

/** The options of `saveSafetensors`. */
export interface SaveSafetensorsOptions {
  /** Where to write the bytes, too; only where there are files. */
  readonly path?: string | URL | undefined;
  /** Texts by name that the file holds beside the arrays; none unless given. */
  readonly metadata?: SafetensorsMetadata | undefined;
}

/**
 * The bytes of a safetensors file with the given arrays, which are computed first.
 *
 * @example
 * const bytes = await saveSafetensors({ w: array([1, 2]) }, { metadata: { format: "mlx" } });
 * const { arrays, metadata } = await loadSafetensors(bytes);
 * Object.keys(arrays); // ["w"]
 * metadata.format; // "mlx"
 */
export async function saveSafetensors(arrays: NamedArrays, options: SaveSafetensorsOptions = {}): Promise<OwnBytes> {
  requireNamed("saveSafetensors", arrays);
  const rules = { path: pathRule, metadata: { is: "an object of text by name", admits: isMetadata } };
  const { path, metadata } = optionsOf("saveSafetensors", options, rules);
  if (Object.hasOwn(Object(arrays), "__metadata__")) {
    throw new ArgumentError("saveSafetensors", "no array can be called __metadata__; give it another name");
  }
  const named = await namedArrays("saveSafetensors", arrays);
  // The widest elements come first, so that every array lies aligned.
  const ordered = named.sort(([, a], [, b]) => byteLengthOf(b.dtype) - byteLengthOf(a.dtype));
  const header: [string, unknown][] = metadata ? [["__metadata__", metadata]] : [];
  let end = 0;
  for (const [name, { dtype, shape, nbytes }] of ordered) {
    header.push([name, { dtype: namesOfDtypes[dtype], shape, data_offsets: [end, end + nbytes] }]);
    end += nbytes;
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const start = 8 + Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(start + end);
  bytes.fill(0x20, 8, start);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.set(text, 8);
  let position = start;
  const reads = ordered.map(([, array]) => {
    const place = position;
    position += array.nbytes;
    return withElements(array, ({ buffer, byteOffset }) => {
      bytes.set(new Uint8Array(buffer, byteOffset, array.nbytes), place);
    });
  });
  await Promise.all(reads);
  if (path !== undefined) await writeBytes(path, bytes);
  return bytes;
}

/**
 * The arrays of a safetensors file (bytes, a path or an address), and its metadata.
 *
 * @throws {FormatError} if the bytes are no safetensors file, or one that was cut off
 * @example
 * const bytes = await saveSafetensors({ weight: array([1, 2]) }, { metadata: { epoch: "3" } });
 * const { arrays, metadata } = await loadSafetensors(bytes);
 * await arrays.weight?.tolist(); // [1, 2]
 * metadata; // { epoch: "3" }
 */
export async function loadSafetensors(source: FileSource): Promise<SafetensorsContents> {
  return parseSafetensors(await readBytes("loadSafetensors", source), nameOfSource(source));
}

/** The arrays and metadata in the bytes of a safetensors file, which errors call `name`. @throws {FormatError} if it is none */
export function parseSafetensors(bytes: Uint8Array, name: string): SafetensorsContents {
  const damaged = damagedFile(name);
  requireNoGguf("loadSafetensors", bytes, name);
  if (bytes.length < 8) throw damaged(`it has ${bytes.length} bytes, and 8 say how long its header is`);
  const headerLength = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (headerLength > BigInt(bytes.length - 8)) {
    throw damaged(`a header of ${headerLength} bytes does not fit into ${bytes.length}; copy or download it again`);
  }
  const start = 8 + Number(headerLength);
  const { __metadata__: metadata, ...entries } = parseHeader(bytes.subarray(8, start), damaged);
  const data = bytes.subarray(start);
  const arrays = Object.entries(entries).map(([key, entry]) => [key, readArray(key, entry, data, damaged)] as const);
  return { arrays: Object.fromEntries(arrays), metadata: metadataOf(metadata ?? {}, damaged) };
}

/** Refuses a file of llama.cpp. @throws {FormatError} that says how to convert it */
export function requireNoGguf(operation: string, bytes: Uint8Array, name: string): void {
  if (!ggufMagic.every((byte, k) => bytes[k] === byte)) return;
  const advice = 'in Python, mx.save_safetensors("weights.safetensors", mx.load("weights.gguf")) converts it';
  throw new FormatError(operation, `${name} is a GGUF file, which is not read yet; ${advice}`);
}

const ggufMagic = [0x47, 0x47, 0x55, 0x46]; // "GGUF"

/** Makes the error that says what is wrong with a file. */
type Damaged = (detail: string, cause?: unknown) => FormatError;

function damagedFile(name: string): Damaged {
  return (detail, cause) =>
    new FormatError("loadSafetensors", `${name} is no whole safetensors file: ${detail}`, { cause });
}

function parseHeader(text: Uint8Array, damaged: Damaged): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
  } catch (cause) {
    throw damaged(`bytes 8 to ${8 + text.length}, its header, are no JSON`, cause);
  }
  if (!isPlainObject(header)) throw damaged(`bytes 8 to ${8 + text.length}, its header, are no JSON object`);
  return header;
}

function isMetadata(value: unknown): boolean {
  return isPlainObject(value) && Object.values(value).every((entry) => typeof entry === "string");
}

function metadataOf(entry: unknown, damaged: Damaged): SafetensorsMetadata {
  if (!isPlainObject(entry)) throw damaged("its metadata is no object");
  return Object.fromEntries(Object.entries(entry).map(([key, value]) => [key, String(value)]));
}

function readArray(name: string, entry: unknown, data: Uint8Array, damaged: Damaged): MLXArray {
  const { dtype: dtypeName, shape, data_offsets: offsets } = isPlainObject(entry) ? entry : {};
  const dtype = dtypesOfNames.get(String(dtypeName));
  if (dtype === undefined) throw damaged(`"${name}" has dtype ${String(dtypeName)}, which arrays cannot have`);
  if (!isCountList(shape) || !isCountList(offsets)) throw damaged(`"${name}" lacks its shape or place`);
  const [first = 0, last = 0] = offsets;
  const size = shape.reduce((product, length) => product * length, 1);
  if (last - first !== size * byteLengthOf(dtype) || last > data.length) {
    throw damaged(
      `"${name}" is ${dtype} ${formatShape(shape)}, but lies in bytes ${first} to ${last} of ${data.length}`,
    );
  }
  const own = data.slice(first, last);
  if (dtype === "bool") for (let k = 0; k < size; k++) if (own[k]) own[k] = 1;
  return fromTypedArray(new (carrierOf(dtype))(own.buffer, 0, size), shape, dtype);
}

function isCountList(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}
