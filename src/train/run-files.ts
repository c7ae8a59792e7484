/** The directory of a run: on a disk, or in the private files of a page. */
import { inBrowser, noFiles } from "../array/files.ts";
import type { OwnBytes } from "../base/elements.ts";
import { ArgumentError } from "../base/errors.ts";
import { reasonOf } from "../base/reason.ts";

/** Where a run is written: the path of a directory in Node, Deno and Bun; a handle on one in a browser. */
export type RunDirectory = string | URL | DirectoryHandle;

/**
 * A browser's `FileSystemDirectoryHandle`, by what is asked of it: projects for Node alone, whose compiler knows no browser, read
 * this declaration too.
 */
export interface DirectoryHandle {
  readonly name: string;
  getFileHandle(name: string, options?: { readonly create?: boolean }): Promise<FileHandle>;
  removeEntry(name: string): Promise<void>;
}

/** A browser's `FileSystemFileHandle`, likewise. */
export interface FileHandle {
  getFile(): Promise<FileContents>;
  /** Some browsers do not have it. */
  createWritable?(options: { readonly keepExistingData: boolean }): Promise<FileWriter>;
}

/** A browser's `File`, likewise. */
export interface FileContents extends Blob {
  readonly lastModified: number;
}

/** A browser's `FileSystemWritableFileStream`, likewise. */
export interface FileWriter {
  write(chunk: { readonly type: "write"; readonly position: number; readonly data: OwnBytes }): Promise<void>;
  close(): Promise<void>;
}

/** The files of a run. */
export interface RunFiles {
  /** What messages call the directory. */
  readonly name: string;
  /** Writes at the end of a file, which is made if it is not there. */
  append(name: string, bytes: Uint8Array): Promise<void>;
  /** How many bytes a file has; 0 if it is not there. */
  size(name: string): Promise<number>;
  /** The bytes of a file from `offset` on. */
  read(name: string, offset: number): Promise<Uint8Array>;
  /** When a file was written last, in milliseconds since 1970; null if it is not there. */
  modified(name: string): Promise<number | null>;
  /** Writes a file anew. */
  replace(name: string, bytes: Uint8Array): Promise<void>;
  /** Removes a file, if it is there. */
  remove(name: string): Promise<void>;
}

/** Opens a directory, which is made if it is not there. @throws {ArgumentError} for a path in a browser */
export async function openRunFiles(directory: RunDirectory): Promise<RunFiles> {
  if (typeof directory === "object" && !(directory instanceof URL)) return handleFiles(directory);
  if (inBrowser()) {
    throw new ArgumentError(
      "train",
      `log: a browser has no directory ${directory}; give a FileSystemDirectoryHandle, such as navigator.storage.getDirectory() gives`,
    );
  }
  return diskFiles(directory);
}

async function diskFiles(directory: string | URL): Promise<RunFiles> {
  const { appendFile, mkdir, open, rm, stat, writeFile } = await import(
    /* webpackIgnore: true */ "node:fs/promises"
  ).catch(noFiles);
  const { join } = await import(/* webpackIgnore: true */ "node:path").catch(noFiles);
  const { fileURLToPath } = await import(/* webpackIgnore: true */ "node:url").catch(noFiles);
  const folder = directory instanceof URL ? fileURLToPath(directory) : directory;
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    const reason = reasonOf(cause);
    throw new ArgumentError("train", `log: ${folder} is no directory, and cannot be made one: ${reason}`, { cause });
  });
  const known = (name: string): Promise<{ readonly size: number; readonly mtimeMs: number } | null> =>
    stat(join(folder, name)).catch(() => null);
  const size = async (name: string): Promise<number> => (await known(name))?.size ?? 0;
  return {
    name: folder,
    size,
    modified: async (name) => (await known(name))?.mtimeMs ?? null,
    replace: (name, bytes) => writeFile(join(folder, name), bytes),
    remove: (name) => rm(join(folder, name), { force: true }),
    append: (name, bytes) => appendFile(join(folder, name), bytes),
    async read(name, offset) {
      const length = (await size(name)) - offset;
      if (length <= 0) return new Uint8Array(0);
      const file = await open(join(folder, name));
      try {
        const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, offset);
        return buffer.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    },
  };
}

/** How often a file is looked up that changes while it is read. */
const mostAttempts = 10;

function isNamed(error: unknown, name: string): boolean {
  return error instanceof DOMException && error.name === name;
}

function handleFiles(directory: DirectoryHandle): RunFiles {
  const fileOf = async (name: string): Promise<FileContents | null> => {
    try {
      return await (await directory.getFileHandle(name)).getFile();
    } catch (error) {
      if (isNamed(error, "NotFoundError")) return null;
      throw error;
    }
  };
  const write = async (name: string, position: number, bytes: Uint8Array): Promise<void> => {
    const handle = await directory.getFileHandle(name, { create: true });
    if (!handle.createWritable) {
      throw new ArgumentError("train", "log: this browser cannot write to the private files of a page");
    }
    const stream = await handle.createWritable({ keepExistingData: position > 0 });
    await stream.write({ type: "write", position, data: new Uint8Array(bytes) });
    await stream.close();
  };
  const size = async (name: string): Promise<number> => (await fileOf(name))?.size ?? 0;
  return {
    name: directory.name,
    size,
    modified: async (name) => (await fileOf(name))?.lastModified ?? null,
    async read(name, offset) {
      for (let attempt = 1; ; attempt++) {
        try {
          return new Uint8Array((await (await fileOf(name))?.slice(offset).arrayBuffer()) ?? new ArrayBuffer(0));
        } catch (error) {
          // It was written after it had been looked up.
          if (!isNamed(error, "NotReadableError") || attempt === mostAttempts) throw error;
        }
      }
    },
    append: async (name, bytes) => write(name, await size(name), bytes),
    replace: (name, bytes) => write(name, 0, bytes),
    async remove(name) {
      if (await fileOf(name)) await directory.removeEntry(name);
    },
  };
}
