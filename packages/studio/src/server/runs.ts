/** The runs in a directory: which there are, what their files hold, and commands to them. */
import { appendFile, open, readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { type ControlCommand, commandsFile, eventsFile, lockFile } from "mlx-ts/train";

/** A run, as the studio lists it. */
export interface RunInfo {
  /** Its directory from the directory of all, with slashes; `.` for that itself. */
  readonly name: string;
  /** When its events were written last, in milliseconds since 1970. */
  readonly modified: number;
  readonly byteLength: number;
  /** Whether its training goes on: one that was killed says no more. */
  readonly isLive: boolean;
}

/** A training that has shown no sign of life for so long goes on no more; it may have been busy for a while. */
const patienceMilliseconds = 10_000;

/** How deep runs are looked for. */
const deepest = 3;
/** What is read of a file at a time. */
const chunkBytes = 1 << 20;

/** The runs beneath a directory, the latest first. */
export async function listRuns(directory: string): Promise<readonly RunInfo[]> {
  const runs: RunInfo[] = [];
  const visit = async (folder: string, depth: number): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true });
    if (entries.some((entry) => entry.isFile() && entry.name === eventsFile)) {
      const { mtimeMs, size } = await stat(join(folder, eventsFile));
      const name = relative(directory, folder).split(sep).join("/") || ".";
      const lock = await stat(join(folder, lockFile)).catch(() => null);
      const isLive = Date.now() - Math.max(mtimeMs, lock?.mtimeMs ?? 0) < patienceMilliseconds;
      runs.push({ name, modified: mtimeMs, byteLength: size, isLive });
    }
    if (depth === deepest) return;
    const folders = entries.filter(
      (entry) => entry.isDirectory() && !entry.name.startsWith(".") && entry.name !== "node_modules",
    );
    await Promise.all(folders.map((entry) => visit(join(folder, entry.name), depth + 1)));
  };
  await visit(directory, 0);
  return runs.sort((a, b) => b.modified - a.modified || a.name.localeCompare(b.name));
}

/** Whole lines of a run's events from a byte on, as many as are read at a time; and where they end. */
export async function readEvents(
  directory: string,
  name: string,
  offset: number,
): Promise<{ readonly lines: Uint8Array; readonly end: number }> {
  const file = await open(join(directory, name, eventsFile));
  try {
    const { size } = await file.stat();
    // A file that has become shorter was begun anew.
    const from = offset <= size ? offset : 0;
    let length = Math.min(chunkBytes, size - from);
    for (;;) {
      const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, from);
      const bytes = buffer.subarray(0, bytesRead);
      const end = bytes.lastIndexOf(10) + 1;
      const isCutShort = end === 0 && from + length < size;
      if (!isCutShort) return { lines: bytes.subarray(0, end), end: from + end };
      length = Math.min(2 * length, size - from);
    }
  } finally {
    await file.close();
  }
}

/** Asks something of a run: its training looks for commands now and then. */
export async function sendCommand(directory: string, name: string, command: ControlCommand): Promise<void> {
  await appendFile(join(directory, name, commandsFile), `${JSON.stringify(command)}\n`);
}
