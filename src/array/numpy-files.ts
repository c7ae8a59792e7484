/** NumPy's files: npy holds one array, npz several in a zip archive. Source: numpy.org, "NPY format". */
import type { Dtype, TypedArray } from "../base/dtype.ts";
import { byteLengthOf, carrierOf, isDtype, kindOf } from "../base/dtype.ts";
import type { OwnBytes } from "../base/elements.ts";
import { ArgumentError, FormatError } from "../base/errors.ts";
import type { Rules } from "../base/rules.ts";
import { optionsOf } from "../base/rules.ts";
import { formatShape } from "../base/shape.ts";
import { isPlainObject } from "../base/tree.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import type { ArrayLike } from "../primitives/operands.ts";
import { asArray } from "../primitives/operands.ts";
import { transpose } from "../primitives/views.ts";
import type { FileSource } from "./files.ts";
import { nameOfSource, pathRule, readBytes, writeBytes } from "./files.ts";
import { fromTypedArray } from "./from-data.ts";
import { withElements } from "./reading.ts";
import type { NamedArrays } from "./safetensors.ts";
import { namedArrays, requireNamed } from "./safetensors.ts";
import { unzip, zip } from "./zip.ts";

const magic = "\x93NUMPY";
const letters = { bool: "b", unsigned: "u", signed: "i", float: "f" } as const;

/** Where the bytes of a file go, too. */
export interface SaveOptions {
  /** A file; only where there are files: Node, Deno, Bun. */
  readonly path?: string | URL | undefined;
}

const saveRules: Rules<SaveOptions> = { path: pathRule };

/**
 * The bytes of an npy file with the array, which is computed first.
 *
 * @example
 * const bytes = await saveNpy(array([[1, 2], [3, 4]]));
 * await (await loadNpy(bytes)).tolist(); // [[1, 2], [3, 4]]
 */
export async function saveNpy(x: ArrayLike, options: SaveOptions = {}): Promise<OwnBytes> {
  if (isByName(x))
    throw new ArgumentError("save", "takes one array, as in save(x, { path }); savez takes arrays by name");
  const { path } = optionsOf("save", options, saveRules);
  const bytes = await npyBytes(asArray("save", x));
  if (path !== undefined) await writeBytes(path, bytes);
  return bytes;
}

/** Whether `x` is a plain object, or the path that comes first in other libraries. */
function isByName(x: unknown): boolean {
  return isPlainObject(x) || typeof x === "string";
}

function npyBytes(x: MLXArray): Promise<OwnBytes> {
  return withElements(x, (elements) => npyOf(x, elements));
}

function npyOf(x: MLXArray, elements: TypedArray): OwnBytes {
  const shape = x.shape.length === 1 ? `${x.shape[0]},` : x.shape.join(", ");
  const text = `{'descr': '${descriptionOf(x.dtype)}', 'fortran_order': False, 'shape': (${shape}), }`;
  const start = Math.ceil((10 + text.length + 1) / 64) * 64;
  const bytes = new Uint8Array(start + x.nbytes);
  const header = `${text.padEnd(start - 11)}\n`;
  for (let k = 0; k < magic.length; k++) bytes[k] = magic.charCodeAt(k);
  bytes[6] = 1;
  new DataView(bytes.buffer).setUint16(8, header.length, true);
  bytes.set(new TextEncoder().encode(header), 10);
  bytes.set(new Uint8Array(elements.buffer, elements.byteOffset, x.nbytes), start);
  return bytes;
}

/**
 * The array of an npy file (bytes, a path or an address).
 *
 * @throws {FormatError} if it is none, or of another element type
 * @example
 * const bytes = await saveNpy(array([1, 2], "int16"));
 * await loadNpy(bytes); // array([1, 2], dtype=int16)
 * await loadNpy(bytes.subarray(0, 20)); // throws FormatError
 */
export async function loadNpy(source: FileSource): Promise<MLXArray> {
  return parseNpy(await readBytes("loadNpy", source), nameOfSource(source));
}

/**
 * The bytes of an npz file with the given arrays, which are computed first.
 *
 * @example
 * const bytes = await saveNpz({ a: array([1]), b: array([[2]]) });
 * Object.keys(await loadNpz(bytes)); // ["a", "b"]
 */
export function saveNpz(arrays: NamedArrays, options: SaveOptions = {}): Promise<OwnBytes> {
  return archive(arrays, options, false);
}

/**
 * The bytes of an npz file like that of `savez`, packed: smaller, and slower to write and read.
 *
 * @example
 * const bytes = await savezCompressed({ zeros: zeros([1000]) });
 * bytes.length < 1000; // true
 */
export function savezCompressed(arrays: NamedArrays, options: SaveOptions = {}): Promise<OwnBytes> {
  return archive(arrays, options, true);
}

async function archive(arrays: NamedArrays, options: SaveOptions, isCompressed: boolean): Promise<OwnBytes> {
  requireNamed("savez", arrays);
  const { path } = optionsOf(isCompressed ? "savezCompressed" : "savez", options, saveRules);
  const files: [string, Uint8Array][] = [];
  for (const [name, array] of await namedArrays("savez", arrays)) files.push([`${name}.npy`, await npyBytes(array)]);
  const bytes = await zip(files, isCompressed);
  if (path !== undefined) await writeBytes(path, bytes);
  return bytes;
}

/**
 * The arrays of an npz file (bytes, a path or an address) by name.
 *
 * @throws {FormatError} if it is none
 * @example
 * const bytes = await saveNpz({ x: array([1, 2]) });
 * const { x } = await loadNpz(bytes);
 * await x?.tolist(); // [1, 2]
 */
export async function loadNpz(source: FileSource): Promise<Record<string, MLXArray>> {
  return parseNpz(await readBytes("loadNpz", source), nameOfSource(source));
}

/** The arrays in the bytes of an npz file, which errors call `name`. @throws {FormatError} if it is none */
export async function parseNpz(archive: Uint8Array, name: string): Promise<Record<string, MLXArray>> {
  const files = await unzip(archive, name);
  if ([...files.keys()].some((file) => file.endsWith("/data.pkl"))) {
    const advice = "save its tensors with save_file of safetensors.torch, and load that";
    throw new FormatError("loadNpz", `${name}: PyTorch wrote this, and it holds Python objects; ${advice}`);
  }
  return Object.fromEntries(
    [...files].map(([file, bytes]) => [file.replace(/\.npy$/, ""), parseNpy(bytes, `${name}: "${file}"`)]),
  );
}

/** Whether bytes begin as an npy file does. */
export function isNpy(bytes: Uint8Array): boolean {
  return Array.from(magic, (letter) => letter.charCodeAt(0)).every((code, k) => bytes[k] === code);
}

/** The array in the bytes of an npy file, which errors call `name`. @throws {FormatError} if it is none */
export function parseNpy(bytes: Uint8Array, name: string): MLXArray {
  const damaged = (detail: string): FormatError =>
    new FormatError("loadNpy", `${name} is no whole npy file: ${detail}`);
  if (!isNpy(bytes)) throw damaged("it does not begin like one");
  const { text, start } = headerOf(bytes, damaged);
  const description = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1] ?? "";
  const dtype = dtypeOf(description);
  if (dtype === null) {
    throw damaged(`element type "${description}" is none of ours; convert it with astype before saving`);
  }
  const shape = shapeOf(text);
  if (shape === null) throw damaged(`bytes 10 to ${start}, its header, have no shape`);
  const order = /'fortran_order'\s*:\s*(True|False)\b/.exec(text)?.[1];
  if (order === undefined) throw damaged(`bytes 10 to ${start}, its header, do not say whether columns come first`);
  const size = shape.reduce((product, length) => product * length, 1);
  const end = start + size * byteLengthOf(dtype);
  if (!(end <= bytes.length)) {
    throw damaged(
      `${formatShape(shape)} of ${dtype} needs ${end} bytes, it has ${bytes.length}; copy or download it again`,
    );
  }
  const own = bytes.slice(start, end);
  if (description.startsWith(">")) reverseElements(own, byteLengthOf(dtype));
  if (dtype === "bool") for (let k = 0; k < size; k++) if (own[k]) own[k] = 1;
  const elements = new (carrierOf(dtype))(own.buffer, 0, size);
  return order === "True"
    ? transpose(fromTypedArray(elements, shape.toReversed(), dtype))
    : fromTypedArray(elements, shape, dtype);
}

/** The header's text, and where the elements start. */
function headerOf(bytes: Uint8Array, damaged: (detail: string) => FormatError): { text: string; start: number } {
  const version = bytes[6] ?? 0;
  const first = version === 1 ? 10 : 12;
  if (bytes.length < first) throw damaged(`it ends at byte ${bytes.length}, in its header; copy or download it again`);
  if (version < 1 || version > 3) throw damaged(`it is of version ${version}, not 1, 2 or 3; save it again`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = first + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (start > bytes.length) {
    throw damaged(`its header needs ${start} bytes, it has ${bytes.length}; copy or download it again`);
  }
  return { text: new TextDecoder().decode(bytes.subarray(first, start)), start };
}

function shapeOf(header: string): number[] | null {
  const lengths = /'shape'\s*:\s*\(([\d,\sL]*)\)/.exec(header)?.[1];
  return lengths?.split(",").flatMap((text) => (text.trim() === "" ? [] : [Number.parseInt(text, 10)])) ?? null;
}

/** Turns the bytes of each element around. */
function reverseElements(bytes: Uint8Array, byteLength: number): void {
  for (let at = 0; at < bytes.length; at += byteLength) bytes.subarray(at, at + byteLength).reverse();
}

/** NumPy's name of an element type; bfloat16, which it lacks, is "V2", as MLX writes it. */
function descriptionOf(dtype: Dtype): string {
  const byteLength = byteLengthOf(dtype);
  const letter = dtype === "bfloat16" ? "V" : letters[kindOf(dtype)];
  return `${byteLength === 1 ? "|" : "<"}${letter}${byteLength}`;
}

function dtypeOf(description: string): Dtype | null {
  const [, letter, byteLength] = /^[<>|=]([a-zA-Z])(\d+)$/.exec(description) ?? [];
  if (letter === "b" && byteLength === "1") return "bool";
  if (letter === "V" && byteLength === "2") return "bfloat16";
  const kinds = new Map([
    ["u", "uint"],
    ["i", "int"],
    ["f", "float"],
  ]);
  const name = `${kinds.get(letter ?? "")}${Number(byteLength) * 8}`;
  return isDtype(name) ? name : null;
}
