/** That one training at a time writes to the directory of a run. Knows nothing of what is written. */
import { ArgumentError } from "../base/errors.ts";
import type { RunFiles } from "./run-files.ts";
import { lockFile } from "./run-lines.ts";

/** How often a training shows that it lives. */
const beatMilliseconds = 500;
/** A claim that was not renewed for so long is of a training that was killed. */
const staleMilliseconds = 2500;
const lookMilliseconds = 100;

/** A training's claim on a directory, renewed by a timer: threads and processes that are killed leave none that lasts. */
export class RunClaim {
  readonly #files: RunFiles;
  readonly #since = Date.now();
  readonly #text = `${this.#since} ${crypto.randomUUID()}`;
  #beat: ReturnType<typeof setInterval> | null = null;

  private constructor(files: RunFiles) {
    this.#files = files;
  }

  /**
   * Claims the directory. Waits a moment where a claim was left behind.
   *
   * @throws {ArgumentError} if another training writes there
   */
  static async take(files: RunFiles): Promise<RunClaim> {
    const renewed = await files.modified(lockFile);
    for (let waited = 0; renewed !== null && waited < staleMilliseconds; waited += lookMilliseconds) {
      await new Promise((resolve) => setTimeout(resolve, lookMilliseconds));
      const now = await files.modified(lockFile);
      if (now === null) break;
      if (now !== renewed) throw taken(files);
    }
    const claim = new RunClaim(files);
    await claim.#renew();
    // Who cannot renew a claim learns why when it writes.
    claim.#beat = setInterval(() => void claim.#renew().catch(() => undefined), beatMilliseconds);
    // A training that nobody goes on with keeps no process alive.
    if (typeof claim.#beat === "object") claim.#beat.unref();
    return claim;
  }

  /**
   * Makes sure, before something is written, that the claim holds. Of two that began at once, or where one could not renew its
   * claim for a while, the older one goes on.
   *
   * @throws {ArgumentError} if an older training writes there
   */
  async check(): Promise<void> {
    const text = await this.#read();
    if (text === this.#text) return;
    if (text !== "" && Number.parseInt(text, 10) <= this.#since) throw taken(this.#files);
    await this.#renew();
  }

  /** Gives the directory free. */
  async release(): Promise<void> {
    if (this.#beat !== null) clearInterval(this.#beat);
    if ((await this.#read()) === this.#text) await this.#files.remove(lockFile);
  }

  async #read(): Promise<string> {
    return new TextDecoder().decode(await this.#files.read(lockFile, 0));
  }

  #renew(): Promise<void> {
    return this.#files.replace(lockFile, new TextEncoder().encode(this.#text));
  }
}

function taken({ name }: RunFiles): ArgumentError {
  return new ArgumentError("train", `log: another training writes to ${name}; give each a directory of its own`);
}
