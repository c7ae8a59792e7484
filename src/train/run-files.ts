/** The directory of a run: on a disk, or in the private files of a page. */
import { inBrowser, noFiles } from "../array/files.ts";
import { ArgumentError } from "../base/errors.ts";

/** Where a run is written: the path of a directory in Node, Deno and Bun; a handle on one in a browser. */
export type RunDirectory = string | URL | FileSystemDirectoryHandle;

/** The files of a run. */
export interface RunFiles {
  /** Writes at the end of a file, which is made if it is not there. */
  append(name: string, bytes: Uint8Array): Promise<void>;
  /** How many bytes a file has; 0 if it is not there. */
  size(name: string): Promise<number>;
  /** The bytes of a file from `offset` on. */
  read(name: string, offset: number): Promise<Uint8Array>;
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
  const { appendFile, mkdir, open, stat } = await import(/* webpackIgnore: true */ "node:fs/promises").catch(noFiles);
  const { join } = await import(/* webpackIgnore: true */ "node:path").catch(noFiles);
  const { fileURLToPath } = await import(/* webpackIgnore: true */ "node:url").catch(noFiles);
  const folder = directory instanceof URL ? fileURLToPath(directory) : directory;
  await mkdir(folder, { recursive: true });
  const size = async (name: string): Promise<number> => {
    try {
      return (await stat(join(folder, name))).size;
    } catch {
      return 0;
    }
  };
  return {
    size,
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

function handleFiles(directory: FileSystemDirectoryHandle): RunFiles {
  const fileOf = async (name: string): Promise<File> =>
    (await directory.getFileHandle(name, { create: true })).getFile();
  return {
    size: async (name) => (await fileOf(name)).size,
    read: async (name, offset) => new Uint8Array(await (await fileOf(name)).slice(offset).arrayBuffer()),
    async append(name, bytes) {
      const handle = await directory.getFileHandle(name, { create: true });
      if (!("createWritable" in handle)) {
        throw new ArgumentError("train", "log: this browser cannot write to the private files of a page");
      }
      const { size } = await handle.getFile();
      const stream = await handle.createWritable({ keepExistingData: true });
      await stream.write({ type: "write", position: size, data: new Uint8Array(bytes) });
      await stream.close();
    },
  };
}
