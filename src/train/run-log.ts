/** Writes a training to the directory of a run, and does what is asked of it there. */
import { reasonOf } from "../base/reason.ts";
import { readCommand, type TrainingControl } from "./control.ts";
import type { TrainEvent, TrainPosition } from "./events.ts";
import { isLogOptions } from "./requirements.ts";
import { RunClaim } from "./run-claim.ts";
import { openRunFiles, type RunDirectory, type RunFiles } from "./run-files.ts";
import { commandsFile, eventsFile, runEventOf, writeRunEvent } from "./run-lines.ts";
import { fileHeader, recordOf } from "./tensorboard.ts";

/** What is written of a training, and where. */
export interface LogOptions {
  readonly directory: RunDirectory;
  /** Only one step of so many; each unless given. */
  readonly everySteps?: number | undefined;
}

/** How often files are written, and looked into. */
const flushMilliseconds = 500;
/** What is gathered at most. */
const byteLimit = 1 << 18;

/**
 * The events, written down on their way: as JSON lines in `events.jsonl`, and as an event file of TensorBoard. What is appended
 * to `commands.jsonl` meanwhile is done by `control`.
 */
export async function* logged(
  events: AsyncIterable<TrainEvent>,
  target: RunDirectory | LogOptions,
  control: TrainingControl,
): AsyncGenerator<TrainEvent, void, void> {
  const { directory, everySteps = 1 } = isLogOptions(target) ? target : { directory: target };
  const log = await RunLog.open(await openRunFiles(directory), control);
  try {
    for await (const event of events) {
      if (event.kind !== "step" || event.step % everySteps === 0) await log.write(event);
      yield event;
    }
  } catch (error) {
    log.fail(error);
    throw error;
  } finally {
    await log.close();
  }
}

class RunLog {
  readonly #files: RunFiles;
  readonly #claim: RunClaim;
  readonly #control: TrainingControl;
  readonly #boardFile: string;
  #lines = "";
  #records: Uint8Array[] = [];
  #recordBytes = 0;
  #commandOffset: number;
  #flushed = performance.now();
  #position: TrainPosition = { step: 0, epoch: 0, batch: 0 };
  #isOver = false;
  #polling: ReturnType<typeof setInterval> | null = null;
  #isObeying = false;

  private constructor(files: RunFiles, claim: RunClaim, control: TrainingControl, commandOffset: number) {
    this.#files = files;
    this.#claim = claim;
    this.#control = control;
    this.#commandOffset = commandOffset;
    this.#boardFile = `events.out.tfevents.${Math.floor(Date.now() / 1000)}.mlx-ts`;
    this.#record(fileHeader(Date.now() / 1000));
  }

  /** What was asked of an earlier training in the same directory is not done again. */
  static async open(files: RunFiles, control: TrainingControl): Promise<RunLog> {
    return new RunLog(files, await RunClaim.take(files), control, await files.size(commandsFile));
  }

  async write(event: TrainEvent): Promise<void> {
    this.#position = event;
    this.#isOver = event.kind === "end";
    this.#lines += writeRunEvent(event);
    const record = recordOf(runEventOf(event), Date.now() / 1000);
    if (record) this.#record(record);
    const isLate = performance.now() - this.#flushed > flushMilliseconds;
    const isFull = this.#lines.length + this.#recordBytes > byteLimit;
    if (event.kind === "step" && !isLate && !isFull) return;
    await this.#flush();
    await this.#obey();
    if (event.kind === "pause") this.#polling ??= setInterval(() => void this.#obey(), flushMilliseconds);
    else this.#endPolling();
  }

  /** Notes what ended the training. */
  fail(error: unknown): void {
    const { step, epoch, batch } = this.#position;
    const message = reasonOf(error);
    this.#lines += writeRunEvent({ kind: "failure", step, epoch, batch, message });
    this.#isOver = true;
  }

  async close(): Promise<void> {
    this.#endPolling();
    if (!this.#isOver) {
      const { step, epoch, batch } = this.#position;
      this.#lines += writeRunEvent({ kind: "end", step, epoch, batch, reason: "aborted", milliseconds: Number.NaN });
    }
    try {
      await this.#flush();
    } finally {
      await this.#claim.release();
    }
  }

  #record(record: Uint8Array): void {
    this.#records.push(record);
    this.#recordBytes += record.length;
  }

  async #flush(): Promise<void> {
    await this.#claim.check();
    const lines = new TextEncoder().encode(this.#lines);
    const records = new Uint8Array(this.#recordBytes);
    let at = 0;
    for (const record of this.#records) {
      records.set(record, at);
      at += record.length;
    }
    this.#lines = "";
    this.#records = [];
    this.#recordBytes = 0;
    if (lines.length > 0) await this.#files.append(eventsFile, lines);
    if (records.length > 0) await this.#files.append(this.#boardFile, records);
    this.#flushed = performance.now();
  }

  /** Does what was asked for since the last time. */
  async #obey(): Promise<void> {
    if (this.#isObeying) return;
    this.#isObeying = true;
    const bytes = await this.#files.read(commandsFile, this.#commandOffset);
    const end = bytes.lastIndexOf(10) + 1;
    this.#commandOffset += end;
    for (const line of new TextDecoder().decode(bytes.subarray(0, end)).split("\n")) {
      const command = line === "" ? null : readCommand(line);
      if (command) this.#control.apply(command);
    }
    this.#isObeying = false;
  }

  #endPolling(): void {
    if (this.#polling !== null) clearInterval(this.#polling);
    this.#polling = null;
  }
}
