/**
 * Files that the page keeps in the browser's own file system, which no other site and no server sees. A file is replaced as a
 * whole: whatever happens, either the old or the new one is there.
 */

/** The folder of the page. */
const folderName = "health-monitor";

/** What the browser lets the page keep. */
export type Keeping = "kept" | "other tab" | "unavailable";

/** The kept files, by paths such as `ecg-208/model.safetensors`. */
export class Store {
  readonly keeping: Keeping;
  readonly #folder: FileSystemDirectoryHandle | null;

  private constructor(keeping: Keeping, folder: FileSystemDirectoryHandle | null) {
    this.keeping = keeping;
    this.#folder = folder;
  }

  /** Opens the store. Only one tab at a time keeps anything; what is kept is read by all. */
  static async open(): Promise<Store> {
    try {
      const root = await navigator.storage.getDirectory();
      const folder = await root.getDirectoryHandle(folderName, { create: true });
      return new Store((await isFirstTab()) ? "kept" : "other tab", folder);
    } catch {
      // Private windows and old browsers have no such file system: the page works without.
      return new Store("unavailable", null);
    }
  }

  /** The content of a file; null if there is none. */
  async read(path: string): Promise<Uint8Array | null> {
    try {
      const file = await (await this.#handle(path, false))?.getFile();
      return file ? new Uint8Array(await file.arrayBuffer()) : null;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** What a JSON file says; null if there is none, or it says something else. */
  async readJson<T>(path: string, isExpected: (value: unknown) => value is T): Promise<T | null> {
    const bytes = await this.read(path);
    if (!bytes) return null;
    try {
      const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
      return isExpected(value) ? value : null;
    } catch {
      return null;
    }
  }

  /** Keeps a file. Does nothing where nothing can be kept. @throws {DOMException} if there is too little room */
  async write(path: string, content: Uint8Array | string | readonly Float64Array[]): Promise<void> {
    if (this.keeping !== "kept") return;
    const writable = await (await this.#handle(path, true))?.createWritable();
    if (!writable) return;
    const parts = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
    // Shared memory is copied first: the browser writes none.
    for (const part of parts) await writable.write(typeof part === "string" ? part : new Uint8Array(bytesOf(part)));
    await writable.close();
  }

  /** Removes a file or a folder, if it is there. */
  async remove(path: string): Promise<void> {
    if (this.keeping !== "kept") return;
    const names = path.split("/");
    try {
      const folder = await this.#folderOf(names.slice(0, -1), false);
      await folder?.removeEntry(names.at(-1) ?? "", { recursive: true });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  /** Removes everything. */
  async clear(): Promise<void> {
    if (!this.#folder || this.keeping !== "kept") return;
    const names: string[] = [];
    for await (const name of this.#folder.keys()) names.push(name);
    for (const name of names) await this.#folder.removeEntry(name, { recursive: true });
  }

  async #handle(path: string, create: boolean): Promise<FileSystemFileHandle | undefined> {
    const names = path.split("/");
    const folder = await this.#folderOf(names.slice(0, -1), create);
    return folder?.getFileHandle(names.at(-1) ?? "", { create });
  }

  async #folderOf(names: readonly string[], create: boolean): Promise<FileSystemDirectoryHandle | null> {
    let folder = this.#folder;
    for (const name of names) folder = (await folder?.getDirectoryHandle(name, { create })) ?? null;
    return folder;
  }
}

/** Whether no other tab keeps files. This one does from then on, as long as its worker lives. */
function isFirstTab(): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const hold = (lock: Lock | null): Promise<void> | undefined => {
      resolve(lock !== null);
      return lock ? new Promise(() => {}) : undefined;
    };
    navigator.locks.request(folderName, { ifAvailable: true }, hold).catch(reject);
  });
}

function bytesOf(part: Uint8Array | Float64Array): Uint8Array {
  return new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
}

function isMissing(error: unknown): boolean {
  return error instanceof DOMException && error.name === "NotFoundError";
}
