/** The analyst: lives in a worker, opens sources, learns what is usual in them and judges their readings. */
import * as mx from "mlx-ts";
import type { TrainEvent } from "mlx-ts/train";
import { loadRecording, type RecordingName } from "../sources/recordings.ts";
import type { Source } from "../sources/source.ts";
import { readTableFile } from "../sources/table-file.ts";
import type { Detector, Judgement } from "./detector.ts";
import { HeartDetector } from "./heart-detector.ts";
import { SensorDetector } from "./sensor-detector.ts";

/** Where the analyst computes. */
export type DeviceName = "cpu" | "gpu";

/** What is known about a model. */
export interface ModelInfo {
  readonly name: string;
  readonly parameterCount: number;
  readonly sampleCount: number;
}

/** What happens while the analyst learns: the training's own events, without arrays, and each new calibration. */
export type LearnEvent = Exclude<TrainEvent, { kind: "checkpoint" }> | { readonly kind: "calibrated" };

/** How long the analyst may work before it looks at its messages. */
const patienceMilliseconds = 12;

/** Opens sources, learns and judges, one source at a time. */
export class Analyst {
  #source: Source | null = null;
  #detector: Detector | null = null;
  #stopping = new AbortController();
  #opening = new AbortController();
  #gate: { readonly opened: Promise<void>; readonly open: () => void } | null = null;

  /** Opens a recording of the page. */
  async openRecording(name: RecordingName): Promise<Source> {
    return this.#take(await loadRecording(name));
  }

  /** Opens a table of the user. @throws {UserError} naming file, row and remedy */
  async *openFile(
    file: File,
    leavesOutBrokenRows: boolean,
  ): AsyncGenerator<{ readonly share: number; readonly rows: number } | Source, void, void> {
    const progress: { share: number; rows: number }[] = [];
    let wake = (): void => {};
    this.#opening = new AbortController();
    const reading = readTableFile(file, {
      leavesOutBrokenRows,
      signal: this.#opening.signal,
      onProgress: (report) => {
        progress.push(report);
        wake();
      },
    });
    let isRead = false;
    const finish = (): void => {
      isRead = true;
      wake();
    };
    reading.then(finish, finish);
    while (!isRead) {
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (isRead) resolve();
      });
      const latest = progress.splice(0).at(-1);
      if (latest) yield latest;
    }
    yield this.#take(await reading);
  }

  /** Gives up the table that is being read. */
  cancelOpening(): void {
    this.#opening.abort();
  }

  /** Computes on a device from now on. @throws {DeviceError} if there is none */
  async setDevice(device: DeviceName): Promise<string> {
    if (device === "gpu") {
      const { description, vendor, architecture } = await mx.gpu.info();
      mx.setDefaultDevice("gpu");
      return description || [vendor, architecture].filter(Boolean).join(" ");
    }
    mx.setDefaultDevice("cpu");
    return "";
  }

  /** Learns what is usual in the open source, from its training readings. */
  async *learn(epochs: number, seed: number): AsyncGenerator<readonly LearnEvent[], void, void> {
    const source = this.#openSource();
    mx.random.seed(seed);
    const detector = await detectorOf(source);
    this.#stopping = new AbortController();
    let batch: LearnEvent[] = [];
    let rested = performance.now();
    for await (const event of detector.learn({ epochs, signal: this.#stopping.signal })) {
      if (event.kind === "checkpoint") continue;
      batch.push(event);
      if (event.kind === "epoch") {
        await detector.calibrate();
        this.#detector = detector;
        batch.push({ kind: "calibrated" });
      }
      if (performance.now() - rested > patienceMilliseconds || event.kind === "end") {
        yield batch;
        batch = [];
        await nextTask();
        await this.#gate?.opened;
        rested = performance.now();
      }
    }
  }

  /** Holds the training. */
  pause(): void {
    if (this.#gate) return;
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.#gate = { opened, open };
  }

  /** Lets the training go on. */
  resume(): void {
    this.#gate?.open();
    this.#gate = null;
  }

  /** Ends the training after the step in progress. */
  stop(): void {
    this.#stopping.abort();
    this.resume();
  }

  /** Judges readings of a track with what has been learned so far; null before anything has. */
  async judge(track: number, start: number, end: number): Promise<Judgement | null> {
    return this.#detector ? this.#detector.judge(track, start, end) : null;
  }

  /** The model's name and size. */
  describe(): ModelInfo | null {
    if (!this.#detector) return null;
    const { modelName: name, parameterCount, sampleCount } = this.#detector;
    return { name, parameterCount, sampleCount };
  }

  /** The learned model as a safetensors file. */
  async save(): Promise<Uint8Array | null> {
    return this.#detector ? this.#detector.save() : null;
  }

  #take(source: Source): Source {
    this.stop();
    this.#source = source;
    this.#detector = null;
    return source;
  }

  #openSource(): Source {
    if (!this.#source) throw new Error("learn: no source is open");
    return this.#source;
  }
}

async function detectorOf({ kind, tracks }: Source): Promise<Detector> {
  const [first] = tracks;
  if (kind === "heart" && first) return new HeartDetector(first);
  return SensorDetector.create(tracks);
}

/** Lets messages in. A timer would wait four milliseconds. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
