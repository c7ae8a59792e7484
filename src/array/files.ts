/** Bytes from and to files: paths in Node, addresses everywhere. Knows nothing of formats. */
import { ArgumentError } from "../base/errors.ts";
import { reasonOf } from "../base/reason.ts";
import type { Rule } from "../base/rules.ts";

/**
 * What is read: bytes, a `Blob` or `File`, or where they are (a path, `file:` included, in Node, Deno and Bun; an
 * `http(s):` address anywhere, in a page one relative to it, too).
 */
export type FileSource = Uint8Array | ArrayBuffer | Blob | string | URL;

/** For where a file is written. */
export const pathRule: Rule = {
  is: "a path or a file: address",
  admits: (value) => (typeof value === "string" && value !== "") || value instanceof URL,
};

/** Whether `value` is something that can be read. */
export function isFileSource(value: unknown): value is FileSource {
  return (
    typeof value === "string" ||
    value instanceof Uint8Array ||
    value instanceof ArrayBuffer ||
    value instanceof URL ||
    value instanceof Blob
  );
}

/** What errors call `source`: its path, address or name. */
export function nameOfSource(source: FileSource): string {
  if (typeof source === "string") return source;
  if (source instanceof URL) return source.href;
  if (source instanceof Blob && "name" in source && typeof source.name === "string") return source.name;
  return "the given bytes";
}

/** The bytes of `source`. @throws {ArgumentError} if there is no such file, or an address does not answer with one */
export async function readBytes(operation: string, source: FileSource): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
  if (!isFileSource(source)) {
    throw new ArgumentError(operation, "needs bytes, a Blob, a path or an address");
  }
  return isAddress(source) ? fetchBytes(operation, source) : readFileBytes(operation, source);
}

async function readFileBytes(operation: string, path: string | URL): Promise<Uint8Array> {
  try {
    const { readFile } = await import(/* webpackIgnore: true */ "node:fs/promises");
    const bytes = await readFile(path);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch (cause) {
    const reason = reasonOf(cause);
    throw new ArgumentError(operation, `${nameOfSource(path)} cannot be read: ${reason}`, { cause });
  }
}

async function fetchBytes(operation: string, source: string | URL): Promise<Uint8Array> {
  const response = await fetch(source);
  if (!response.ok) throw new ArgumentError(operation, `${source} answered ${response.status} ${response.statusText}`);
  if (/^text\/html\b/.test(response.headers.get("content-type") ?? "")) {
    throw new ArgumentError(operation, `${source} answered with a page of HTML, as servers do that have no such file`);
  }
  return new Uint8Array(await response.arrayBuffer());
}

/**
 * Writes `bytes` to the file at `path`, which never holds a part of them: they go to a neighbour first, which then takes
 * the name. Only where there are files: Node, Deno, Bun.
 *
 * @throws {ArgumentError} if it cannot be written
 */
export async function writeBytes(path: string | URL, bytes: Uint8Array): Promise<void> {
  if (inBrowser()) noFiles();
  const { rename, writeFile } = await import(/* webpackIgnore: true */ "node:fs/promises").catch(noFiles);
  const temporary = path instanceof URL ? new URL(`${path.href}.tmp`) : `${path}.tmp`;
  try {
    await writeFile(temporary, bytes);
    await rename(temporary, path);
  } catch (cause) {
    const reason = reasonOf(cause);
    throw new ArgumentError("files", `${nameOfSource(path)} cannot be written: ${reason}`, { cause });
  }
}

/**
 * Says that there are no files by path here. To be the `catch` of an import of Node's modules: bundlers for browsers
 * then leave the import as it is.
 *
 * @throws {ArgumentError} always
 */
export function noFiles(cause?: unknown): never {
  const remedy = "leave the path out, and keep the bytes that are returned";
  throw new ArgumentError("files", `there are no files by path here: a browser has none; ${remedy}`, { cause });
}

/** The last extension of a path or address, in lower case and without its dot. */
export function extensionOf(path: string | URL): string {
  const text = path instanceof URL ? path.pathname : path;
  return /\.([^./\\]+)$/.exec(text)?.[1]?.toLowerCase() ?? "";
}

/** Whether this is a page or one of its workers, which have no files by path. */
export function inBrowser(): boolean {
  return "document" in globalThis || "importScripts" in globalThis;
}

/** In a browser everything is an address. */
function isAddress(source: string | URL): boolean {
  if (inBrowser()) return true;
  return /^https?:/.test(source instanceof URL ? source.href : source);
}
