/** IDX files, the format of MNIST and its kin: a few lengths, then bytes. What is wrong with one is told by its name. */
import { gunzipSync } from "node:zlib";
import { reasonOf, UserError } from "../common/command.ts";

/** Thrown for a file that is not what it should be; names the file, what is wrong with it, and the remedy. */
export class IdxError extends UserError {
  override readonly name: string = "IdxError";
  /** The file that is wrong. */
  readonly path: string;

  constructor(path: string, detail: string) {
    super(`${path}: ${detail}; fetch the file anew`);
    this.path = path;
  }
}

/** The contents of an IDX file of unsigned bytes. */
export interface IdxArray {
  /** The lengths of its axes. */
  readonly shape: readonly number[];
  /** Its elements, the last axis varying fastest. */
  readonly data: Uint8Array;
}

/** The type code of unsigned bytes. Source: Y. LeCun et al., "The MNIST database", the file formats. */
const unsignedByte = 0x08;

/**
 * The contents of an IDX file of unsigned bytes, compressed by gzip or not.
 *
 * @param path only for messages
 * @param rank how many axes it must have
 * @throws {IdxError} if the file is damaged, or another kind of file
 */
export function parseIdx(file: Uint8Array, path: string, rank: number): IdxArray {
  const bytes = file[0] === 0x1f && file[1] === 0x8b ? unzip(file, path) : file;
  const [zero, alsoZero, type, axes] = bytes;
  if (bytes.length < 4 || zero !== 0 || alsoZero !== 0) throw new IdxError(path, "no IDX file: it begins otherwise");
  if (type !== unsignedByte)
    throw new IdxError(path, `its elements are of type 0x${hexadecimal(type)}, not unsigned bytes (0x08)`);
  if (axes !== rank) throw new IdxError(path, `it has ${axes} axes, not ${rank}`);
  const header = 4 + 4 * rank;
  if (bytes.length < header) throw new IdxError(path, `it ends within its header, after ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const size = shape.reduce((product, length) => product * length, 1);
  const data = new Uint8Array(bytes.buffer, bytes.byteOffset + header, bytes.length - header);
  if (data.length !== size)
    throw new IdxError(path, `its lengths ${shape.join(" × ")} need ${size} bytes, but ${data.length} follow`);
  return { shape, data };
}

function unzip(file: Uint8Array, path: string): Uint8Array {
  try {
    return gunzipSync(file);
  } catch (error) {
    throw new IdxError(path, `it cannot be decompressed (${reasonOf(error)})`);
  }
}

function hexadecimal(byte: number | undefined): string {
  return (byte ?? 0).toString(16).padStart(2, "0");
}
