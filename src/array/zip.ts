/** Zip archives, as far as npz files need them: entries stored or deflated. Source: PKWARE APPNOTE. */
import type { OwnBytes } from "../base/elements.ts";
import { ArgumentError, FormatError } from "../base/errors.ts";

const localSignature = 0x04034b50;
const centralSignature = 0x02014b50;
const endSignature = 0x06054b50;
const [localLength, centralLength, endLength] = [30, 46, 22];
/** What stands for a length that is told elsewhere (zip64). */
const tellsElsewhere = 0xffffffff;
/** Bytes that packing may add to what does not pack. */
const slack = 1024;

/** The compression methods of entries. */
const [stored, deflated] = [0, 8];

interface Entry {
  readonly name: Uint8Array;
  readonly method: number;
  readonly content: Uint8Array;
  /** The length and checksum of the file itself. */
  readonly length: number;
  readonly check: number;
}

/** A zip archive of the given files, stored as they are unless `isCompressed`. */
export async function zip(
  files: readonly (readonly [name: string, bytes: Uint8Array])[],
  isCompressed: boolean,
): Promise<OwnBytes> {
  const entries: Entry[] = [];
  for (const [name, bytes] of files) {
    const content = isCompressed ? await pumped(bytes, new CompressionStream("deflate-raw"), bytes.length * 2) : bytes;
    const method = isCompressed ? deflated : stored;
    entries.push({
      name: new TextEncoder().encode(name),
      method,
      content,
      length: bytes.length,
      check: crc32(bytes),
    });
  }
  return archiveOf(entries);
}

function archiveOf(entries: readonly Entry[]): OwnBytes {
  const dataLength = entries.reduce((sum, { name, content }) => sum + localLength + name.length + content.length, 0);
  const directoryLength = entries.reduce((sum, { name }) => sum + centralLength + name.length, 0);
  if (dataLength + directoryLength >= tellsElsewhere || entries.length >= 0xffff) {
    throw new ArgumentError("saveNpz", "an npz file holds less than 4 GiB and 65,535 arrays; use saveSafetensors");
  }
  const archive = new Uint8Array(dataLength + directoryLength + endLength);
  const view = new DataView(archive.buffer);
  let [position, directory] = [0, dataLength];
  for (const entry of entries) {
    const { name, content } = entry;
    const start = position;
    view.setUint32(start, localSignature, true);
    describe(view, start + 4, entry);
    archive.set(name, start + localLength);
    archive.set(content, start + localLength + name.length);
    position += localLength + name.length + content.length;

    view.setUint32(directory, centralSignature, true);
    view.setUint16(directory + 4, 20, true);
    describe(view, directory + 6, entry);
    view.setUint32(directory + 42, start, true);
    archive.set(name, directory + centralLength);
    directory += centralLength + name.length;
  }
  view.setUint32(directory, endSignature, true);
  view.setUint16(directory + 8, entries.length, true);
  view.setUint16(directory + 10, entries.length, true);
  view.setUint32(directory + 12, directoryLength, true);
  view.setUint32(directory + 16, dataLength, true);
  return archive;
}

/** The fields that a local header and its copy in the directory share: version 2.0, UTF-8 names, midnight of 1 January 1980. */
function describe(view: DataView, at: number, { name, method, content, length, check }: Entry): void {
  view.setUint16(at, 20, true);
  view.setUint16(at + 2, 0x0800, true);
  view.setUint16(at + 4, method, true);
  view.setUint16(at + 8, 0x21, true);
  view.setUint32(at + 10, check, true);
  view.setUint32(at + 14, content.length, true);
  view.setUint32(at + 18, length, true);
  view.setUint16(at + 22, name.length, true);
}

/**
 * The files of a zip archive by name; `source` is what errors call it.
 *
 * @throws {FormatError} if it is damaged, encrypted, or packed in another way than by deflation
 */
export async function unzip(archive: Uint8Array, source: string): Promise<Map<string, Uint8Array>> {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const end = findEnd(view, source);
  const files = new Map<string, Uint8Array>();
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  for (let k = 0; k < count; k++) {
    if (at + centralLength > archive.length || view.getUint32(at, true) !== centralSignature) {
      throw damaged(source, `its directory is damaged at byte ${at}; copy or download the file again`);
    }
    const nameLength = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(archive.subarray(at + centralLength, at + centralLength + nameLength));
    files.set(name, await extract(archive, view, at, `${source}: "${name}"`));
    at += centralLength + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return files;
}

/** The file that the directory's entry at `at` describes. */
async function extract(archive: Uint8Array, view: DataView, at: number, source: string): Promise<Uint8Array> {
  const isEncrypted = (view.getUint16(at + 8, true) & 1) === 1;
  const method = view.getUint16(at + 10, true);
  const check = view.getUint32(at + 16, true);
  const packedLength = view.getUint32(at + 20, true);
  const length = view.getUint32(at + 24, true);
  const start = view.getUint32(at + 42, true);
  if (isEncrypted) throw damaged(source, "is encrypted; unpack it first");
  if ([packedLength, length, start].includes(tellsElsewhere)) {
    throw damaged(source, "is larger than 4 GiB, which is not read; save it as safetensors");
  }
  if (start + localLength > archive.length || view.getUint32(start, true) !== localSignature) {
    throw damaged(source, `no file begins at byte ${start}; copy or download the archive again`);
  }
  const first = start + localLength + view.getUint16(start + 26, true) + view.getUint16(start + 28, true);
  if (first + packedLength > archive.length) {
    throw damaged(source, `is cut off: it should end at byte ${first + packedLength} of ${archive.length}`);
  }
  const bytes = await unpack(source, method, archive.subarray(first, first + packedLength), length);
  if (bytes.length !== length || crc32(bytes) !== check) {
    throw damaged(source, "its bytes do not fit its checksum; copy or download the archive again");
  }
  return bytes;
}

async function unpack(source: string, method: number, bytes: Uint8Array, length: number): Promise<Uint8Array> {
  if (method === stored) return bytes;
  if (method !== deflated) throw damaged(source, `is packed by method ${method}; pack it with deflate, or not at all`);
  try {
    return await pumped(bytes, new DecompressionStream("deflate-raw"), length);
  } catch (cause) {
    throw damaged(source, "its packed bytes are damaged; copy or download the archive again", cause);
  }
}

/** What `transform` makes of `bytes`; it stops when that is longer than `limit`. */
async function pumped(
  bytes: Uint8Array,
  transform: CompressionStream | DecompressionStream,
  limit: number,
): Promise<Uint8Array> {
  const reader = new Blob([bytes.slice()]).stream().pipeThrough(transform).getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    length += value.length;
    if (length > limit + slack) {
      await reader.cancel();
      break;
    }
  }
  const whole = new Uint8Array(length);
  let position = 0;
  for (const chunk of chunks) {
    whole.set(chunk, position);
    position += chunk.length;
  }
  return whole;
}

function damaged(source: string, detail: string, cause?: unknown): FormatError {
  return new FormatError("unzip", `${source}: ${detail}`, { cause });
}

function findEnd(view: DataView, source: string): number {
  const least = Math.max(view.byteLength - endLength - 0xffff, 0);
  for (let at = view.byteLength - endLength; at >= least; at--)
    if (view.getUint32(at, true) === endSignature) return at;
  throw damaged(source, `is no whole zip archive: no end in ${view.byteLength} bytes; copy or download it again`);
}

/** The checksum of zip files: CRC-32 with the reversed polynomial 0xEDB88320. */
function crc32(bytes: Uint8Array): number {
  let check = 0xffffffff;
  for (const byte of bytes) check = (check >>> 8) ^ (crcTable[(check ^ byte) & 0xff] ?? 0);
  return (check ^ 0xffffffff) >>> 0;
}

const crcTable: Uint32Array = /* @__PURE__ */ Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});
