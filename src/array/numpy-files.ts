/** NumPy's files: npy holds one array, npz several in a zip archive. Source: numpy.org, "NPY format". */
import type { Dtype } from "../base/dtype.ts";
import { byteLengthOf, carrierOf, isDtype, kindOf } from "../base/dtype.ts";
import { FormatError } from "../base/errors.ts";
import type { MLXArray } from "../graph/mlx-array.ts";
import { transpose } from "../primitives/views.ts";
import { evaluate } from "./evaluate.ts";
import type { FileSource } from "./files.ts";
import { readBytes, writeBytes } from "./files.ts";
import { fromTypedArray } from "./from-data.ts";
import { viewElements } from "./reading.ts";
import type { NamedArrays } from "./safetensors.ts";
import { unzip, zip } from "./zip.ts";

const magic = "\x93NUMPY";
const letters = { bool: "b", unsigned: "u", signed: "i", float: "f" } as const;

/** Where the bytes of a file go, too. */
export interface SaveOptions {
  /** A file; only where there are files: Node, Deno, Bun. */
  readonly path?: string | URL;
}

/**
 * The bytes of an npy file with the array, which is computed first.
 *
 * @example
 * const bytes = await saveNpy(array([[1, 2], [3, 4]]));
 * await (await loadNpy(bytes)).tolist(); // [[1, 2], [3, 4]]
 */
export async function saveNpy(x: MLXArray, options: SaveOptions = {}): Promise<Uint8Array> {
  const elements = await viewElements(x);
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
  if (options.path !== undefined) await writeBytes(options.path, bytes);
  return bytes;
}

/** The array of an npy file (bytes, a path or an address). @throws {FormatError} if it is none, or of another element type */
export async function loadNpy(source: FileSource): Promise<MLXArray> {
  return parseNpy(await readBytes("loadNpy", source));
}

/**
 * The bytes of an npz file with the given arrays, which are computed first.
 *
 * @example
 * const bytes = await saveNpz({ a: array([1]), b: array([[2]]) });
 * Object.keys(await loadNpz(bytes)); // ["a", "b"]
 */
export async function saveNpz(arrays: NamedArrays, options: SaveOptions = {}): Promise<Uint8Array> {
  await evaluate(arrays);
  const files: [string, Uint8Array][] = [];
  for (const [name, array] of Object.entries(arrays)) files.push([`${name}.npy`, await saveNpy(array)]);
  const bytes = zip(files);
  if (options.path !== undefined) await writeBytes(options.path, bytes);
  return bytes;
}

/** The arrays of an npz file (bytes, a path or an address) by name. @throws {FormatError} if it is none */
export async function loadNpz(source: FileSource): Promise<Record<string, MLXArray>> {
  const files = await unzip(await readBytes("loadNpz", source));
  return Object.fromEntries([...files].map(([name, bytes]) => [name.replace(/\.npy$/, ""), parseNpy(bytes)]));
}

function parseNpy(bytes: Uint8Array): MLXArray {
  const isMagic = Array.from(magic, (letter) => letter.charCodeAt(0)).every((code, k) => bytes[k] === code);
  if (!isMagic || bytes.length < 12) throw damaged("it does not begin like one");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isFirstVersion = bytes[6] === 1;
  const headerLength = isFirstVersion ? view.getUint16(8, true) : view.getUint32(8, true);
  const start = (isFirstVersion ? 10 : 12) + headerLength;
  const header = new TextDecoder().decode(bytes.subarray(isFirstVersion ? 10 : 12, start));
  const description = /'descr'\s*:\s*'([^']*)'/.exec(header)?.[1] ?? "";
  const dtype = dtypeOf(description);
  if (dtype === null) throw damaged(`element type "${description}" is none of ours`);
  const lengths = /'shape'\s*:\s*\(([^)]*)\)/.exec(header)?.[1];
  if (lengths === undefined) throw damaged("its header has no shape");
  const shape = lengths.split(",").flatMap((text) => (text.trim() === "" ? [] : [Number(text)]));
  const size = shape.reduce((product, length) => product * length, 1);
  const end = start + size * byteLengthOf(dtype);
  if (!(end <= bytes.length)) throw damaged(`[${shape}] of ${dtype} needs ${end} bytes, it has ${bytes.length}`);
  const elements = new (carrierOf(dtype))(bytes.slice(start, end).buffer, 0, size);
  const isColumnMajor = /'fortran_order'\s*:\s*True/.test(header);
  return isColumnMajor
    ? transpose(fromTypedArray(elements, shape.toReversed(), dtype))
    : fromTypedArray(elements, shape, dtype);
}

/** NumPy's name of an element type; bfloat16, which it lacks, is "V2", as MLX writes it. */
function descriptionOf(dtype: Dtype): string {
  const byteLength = byteLengthOf(dtype);
  const letter = dtype === "bfloat16" ? "V" : letters[kindOf(dtype)];
  return `${byteLength === 1 ? "|" : "<"}${letter}${byteLength}`;
}

function dtypeOf(description: string): Dtype | null {
  const [, order, letter, byteLength] = /^([<>|=]?)([a-zA-Z])(\d+)$/.exec(description) ?? [];
  if (order === ">" && byteLength !== "1") return null;
  if (letter === "b" || letter === "?") return "bool";
  if (letter === "V" && byteLength === "2") return "bfloat16";
  const kinds = new Map([
    ["u", "uint"],
    ["i", "int"],
    ["f", "float"],
  ]);
  const name = `${kinds.get(letter ?? "")}${Number(byteLength) * 8}`;
  return isDtype(name) ? name : null;
}

function damaged(detail: string): FormatError {
  return new FormatError("loadNpy", `this is no whole npy file: ${detail}`);
}
