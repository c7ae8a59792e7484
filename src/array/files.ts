/** Bytes from and to files: paths in Node, addresses everywhere. Knows nothing of formats. */
import { ArgumentError } from "../base/errors.ts";

/** What is read: bytes, or where they are (a path, `file:` included, in Node, Deno and Bun; an `http(s):` address anywhere). */
export type FileSource = Uint8Array | ArrayBuffer | string | URL;

/** The bytes of `source`. @throws {ArgumentError} if an address does not answer with a file */
export async function readBytes(operation: string, source: FileSource): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (!isAddress(source)) {
    const { readFile } = await import("node:fs/promises");
    const bytes = await readFile(source);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  const response = await fetch(source);
  if (!response.ok) throw new ArgumentError(operation, `${source} answered ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

/**
 * Writes `bytes` to the file at `path`, which never holds a part of them: they go to a neighbour first, which then takes
 * the name. Only where there are files: Node, Deno, Bun.
 */
export async function writeBytes(path: string | URL, bytes: Uint8Array): Promise<void> {
  const { rename, writeFile } = await import("node:fs/promises");
  const temporary = path instanceof URL ? new URL(`${path.href}.tmp`) : `${path}.tmp`;
  await writeFile(temporary, bytes);
  await rename(temporary, path);
}

/** The last extension of a path or address, in lower case and without its dot. */
export function extensionOf(path: string | URL): string {
  const text = path instanceof URL ? path.pathname : path;
  return /\.([^./\\]+)$/.exec(text)?.[1]?.toLowerCase() ?? "";
}

function isAddress(source: string | URL): boolean {
  return /^https?:/.test(source instanceof URL ? source.href : source);
}
