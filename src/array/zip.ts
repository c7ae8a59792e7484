/** Zip archives, as far as npz files need them: stored entries are written, deflated ones read as well. Source: PKWARE APPNOTE. */
import { FormatError } from "../base/errors.ts";

const localSignature = 0x04034b50;
const centralSignature = 0x02014b50;
const endSignature = 0x06054b50;
const [localLength, centralLength, endLength] = [30, 46, 22];
/** What stands for a length that is told elsewhere (zip64). */
const tellsElsewhere = 0xffffffff;

/** A zip archive of the given files, stored as they are. */
export function zip(files: readonly (readonly [name: string, bytes: Uint8Array])[]): Uint8Array {
  const entries = files.map(([name, bytes]) => ({ name: new TextEncoder().encode(name), bytes, check: crc32(bytes) }));
  const dataLength = entries.reduce((sum, { name, bytes }) => sum + localLength + name.length + bytes.length, 0);
  const directoryLength = entries.reduce((sum, { name }) => sum + centralLength + name.length, 0);
  const archive = new Uint8Array(dataLength + directoryLength + endLength);
  const view = new DataView(archive.buffer);
  let [position, directory] = [0, dataLength];
  for (const { name, bytes, check } of entries) {
    const start = position;
    view.setUint32(start, localSignature, true);
    describe(view, start + 4, name, bytes, check);
    archive.set(name, start + localLength);
    archive.set(bytes, start + localLength + name.length);
    position += localLength + name.length + bytes.length;

    view.setUint32(directory, centralSignature, true);
    view.setUint16(directory + 4, 20, true);
    describe(view, directory + 6, name, bytes, check);
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

/** The fields that a local header and its copy in the directory share: version 2.0, stored, midnight of 1 January 1980. */
function describe(view: DataView, at: number, name: Uint8Array, bytes: Uint8Array, check: number): void {
  view.setUint16(at, 20, true);
  view.setUint16(at + 8, 0x21, true);
  view.setUint32(at + 10, check, true);
  view.setUint32(at + 14, bytes.length, true);
  view.setUint32(at + 18, bytes.length, true);
  view.setUint16(at + 22, name.length, true);
}

/** The files of a zip archive by name. @throws {FormatError} if it is damaged, or packed in another way than by deflation */
export async function unzip(archive: Uint8Array): Promise<Map<string, Uint8Array>> {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const end = findEnd(view);
  const files = new Map<string, Uint8Array>();
  const count = view.getUint16(end + 10, true);
  let directory = view.getUint32(end + 16, true);
  for (let k = 0; k < count; k++) {
    if (directory + centralLength > archive.length || view.getUint32(directory, true) !== centralSignature) {
      throw new FormatError("unzip", "the archive's directory is damaged");
    }
    const method = view.getUint16(directory + 10, true);
    const length = view.getUint32(directory + 20, true);
    const nameLength = view.getUint16(directory + 28, true);
    const start = view.getUint32(directory + 42, true);
    const name = new TextDecoder().decode(
      archive.subarray(directory + centralLength, directory + centralLength + nameLength),
    );
    if (length === tellsElsewhere || start === tellsElsewhere) {
      throw new FormatError("unzip", `"${name}" is larger than 4 GiB, which is not read`);
    }
    const first = start + localLength + view.getUint16(start + 26, true) + view.getUint16(start + 28, true);
    if (first + length > archive.length) throw new FormatError("unzip", `"${name}" is cut off`);
    files.set(name, await unpack(name, method, archive.subarray(first, first + length)));
    directory +=
      centralLength + nameLength + view.getUint16(directory + 30, true) + view.getUint16(directory + 32, true);
  }
  return files;
}

function findEnd(view: DataView): number {
  const least = Math.max(view.byteLength - endLength - 0xffff, 0);
  for (let at = view.byteLength - endLength; at >= least; at--)
    if (view.getUint32(at, true) === endSignature) return at;
  throw new FormatError("unzip", "this is no whole zip archive");
}

async function unpack(name: string, method: number, bytes: Uint8Array): Promise<Uint8Array> {
  if (method === 0) return bytes;
  if (method !== 8) throw new FormatError("unzip", `"${name}" is packed by method ${method}, which is not read`);
  const stream = new Blob([bytes.slice()]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
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
