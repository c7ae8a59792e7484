/** The analyst: lives in a worker, opens sources, learns what is usual in them, judges their readings, and keeps it all. */
import * as mx from "mlx-ts";
import { type Checkpoint, type ControlCommand, type RunEvent, TrainingControl } from "mlx-ts/train";
import type { GrowingTrack } from "../sources/growing-track.ts";
import { loadRecording, type RecordingName } from "../sources/recordings.ts";
import type { Source } from "../sources/source.ts";
import { strapSource } from "../sources/strap-source.ts";
import { readTableFile, type TableProgress } from "../sources/table-file.ts";
import type { Detector, Judgement } from "./detector.ts";
import { HeartDetector } from "./heart-detector.ts";
import { type LearnedModel, Library, type Settings, type UnfinishedTraining } from "./library.ts";
import { SensorDetector } from "./sensor-detector.ts";
import type { Keeping } from "./store.ts";

/** Where the analyst computes. */
export type DeviceName = "cpu" | "gpu";

/** A source, with what was learned from it before. */
export interface Opened {
  readonly source: Source;
  readonly model: LearnedModel | null;
  readonly unfinished: UnfinishedTraining | null;
}

/** What happens while the analyst learns: the training's own events, without arrays, and what comes of them. */
export type LearnEvent =
  | RunEvent
  /** Readings are judged anew from now on. */
  | { readonly kind: "calibrated" }
  | { readonly kind: "learned"; readonly model: LearnedModel }
  /** The training was stopped, and can go on from here. */
  | { readonly kind: "unfinished"; readonly unfinished: UnfinishedTraining };

/** How to learn. */
export interface LearnRequest {
  readonly epochs: number;
  readonly seed: number;
  /** Whether to go on with the unfinished training of the source. */
  readonly goesOn: boolean;
}

/** What was kept from the last time. */
export interface Memories {
  readonly keeping: Keeping;
  readonly settings: Settings | null;
  readonly history: readonly LearnedModel[];
}

/** What the dashboard shows beside the losses. */
const watch = { gradientNorm: true, histograms: { everySteps: 100 }, kernels: true };

/** How long the analyst works before it lets other calls in. */
const patienceMilliseconds = 12;

/** How often the recording of a strap is kept. */
const readingsBetweenKeeping = 20;

/** Readings are judged anew about this often while the model learns, and when it has learned. */
const millisecondsBetweenCalibrations = 300;

/** Checkpoints are kept about this often, and when the training ends. */
const millisecondsBetweenCheckpoints = 1000;

/** Opens sources, learns and judges, one source at a time. */
export class Analyst {
  #library: Library | null = null;
  #source: Source | null = null;
  #growing: GrowingTrack | null = null;
  #detector: Detector | null = null;
  #control = new TrainingControl();

  /** What was kept from the last time. */
  async remember(): Promise<Memories> {
    const library = await this.#openLibrary();
    return { keeping: library.keeping, settings: await library.settings(), history: await library.history() };
  }

  /** Keeps what the user has chosen. */
  async keepSettings(settings: Settings): Promise<void> {
    await (await this.#openLibrary()).keepSettings(settings);
  }

  /** Forgets everything that was kept. */
  async forget(): Promise<void> {
    await (await this.#openLibrary()).clear();
  }

  /** Opens a recording of the page. */
  async openRecording(name: RecordingName): Promise<Opened> {
    return this.#take(await loadRecording(name));
  }

  /** Opens the user's last table; null if none was kept. */
  async openKept(): Promise<Opened | null> {
    const source = await (await this.#openLibrary()).table();
    return source && this.#take(source);
  }

  /** Opens a strap that begins to measure, and forgets the recording of the one before. */
  async openStrap(name: string): Promise<void> {
    const { source, track } = strapSource(name);
    await this.#take(source);
    this.#detector = null; // what was learned of the last time's heart rate is not about today
    this.#growing = track;
  }

  /** Takes in readings of the strap, one value for each channel. */
  async append(readings: readonly (readonly number[])[]): Promise<void> {
    const [source, track] = [this.#source, this.#growing];
    if (!source || !track) return;
    for (const reading of readings) track.append(reading);
    if (track.length % readingsBetweenKeeping < readings.length) await (await this.#openLibrary()).keepTable(source);
  }

  /** Opens a table of the user. @throws {UserError} naming file, row and remedy */
  async *openFile(
    file: File,
    leavesOutBrokenRows: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<TableProgress | Opened, void, void> {
    for await (const report of readTableFile(file, { leavesOutBrokenRows, signal })) {
      if (!("key" in report)) yield report;
      else {
        yield await this.#take(report);
        await (await this.#openLibrary()).keepTable(report);
      }
    }
  }

  /** Computes on a device from now on. Returns what the device is called. @throws {DeviceError} if there is none */
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
  async *learn({ epochs, seed, goesOn }: LearnRequest): AsyncGenerator<readonly LearnEvent[], void, void> {
    const source = this.#source;
    if (!source) throw new Error("learn: no source is open");
    if (this.#growing) this.#growing.trainingLength = this.#growing.length;
    const library = await this.#openLibrary();
    const resume = goesOn ? await library.checkpoint(source.key) : null;
    mx.random.seed(seed);
    const detector = detectorOf(source);
    const control = new TrainingControl();
    this.#control = control;
    const started = performance.now();
    let batch: LearnEvent[] = [];
    let [rested, kept, calibrated] = [started, started, Number.NEGATIVE_INFINITY];
    let loss = Number.NaN;
    let latest: { readonly checkpoint: Checkpoint; readonly epoch: number } | null = null;
    const options = { epochs, control, checkpoint: { everyEpochs: 1 }, watch, ...(resume && { resume }) };
    for await (const event of detector.learn(options)) {
      // Another source was opened: what has been learned can go on later, and is not about that one.
      if (this.#source !== source) break;
      if (event.kind === "checkpoint") {
        latest = event;
        if (performance.now() - kept < millisecondsBetweenCheckpoints) continue;
        await library.keepCheckpoint(source.key, event.checkpoint, { epoch: event.epoch, epochs, seed });
        kept = performance.now();
        continue;
      }
      batch.push(event);
      if (event.kind === "epoch") loss = event.loss;
      const isDue = event.kind === "epoch" && performance.now() - calibrated > millisecondsBetweenCalibrations;
      if (isDue || (event.kind === "end" && event.epoch > 0)) {
        await detector.calibrate();
        this.#detector = detector;
        calibrated = performance.now();
        batch.push({ kind: "calibrated" });
      }
      if (event.kind === "end") {
        if (event.epoch > 0) batch.push(await this.#conclude(library, source, detector, event.epoch, loss, started));
        if (event.reason === "finished") await library.dropCheckpoint(source.key);
        else if (latest)
          await library.keepCheckpoint(source.key, latest.checkpoint, { epoch: latest.epoch, epochs, seed });
        const unfinished = await library.unfinished(source.key);
        if (unfinished) batch.push({ kind: "unfinished", unfinished });
      } else if (event.kind !== "start" && performance.now() - rested < patienceMilliseconds) continue;
      yield batch;
      batch = [];
      rested = performance.now();
    }
    if (this.#source !== source && latest) {
      await library.keepCheckpoint(source.key, latest.checkpoint, { epoch: latest.epoch, epochs, seed });
    }
  }

  async #conclude(
    library: Library,
    source: Source,
    detector: Detector,
    epochs: number,
    loss: number,
    started: number,
  ): Promise<LearnEvent> {
    const { modelName: name, parameterCount, sampleCount, units } = detector;
    const seconds = (performance.now() - started) / 1000;
    const model: LearnedModel = {
      name,
      parameterCount,
      sampleCount,
      epochs,
      loss,
      device: mx.defaultDevice(),
      seconds,
      learnedAt: Date.now(),
      sourceTitle: source.title,
      units,
    };
    await library.keepModel(source.key, await detector.save(), model);
    return { kind: "learned", model };
  }

  /** Ends the training after the step in progress, or changes its learning rate. To hold it, ask for no more events. */
  control(command: ControlCommand): void {
    this.#control.apply(command);
  }

  /** Judges readings of a track with what has been learned so far; null before anything has. */
  async judge(track: number, start: number, end: number): Promise<Judgement | null> {
    return this.#detector ? this.#detector.judge(track, start, end) : null;
  }

  /** The learned model as a safetensors file. */
  async save(): Promise<Uint8Array | null> {
    return this.#detector ? this.#detector.save() : null;
  }

  async #take(source: Source): Promise<Opened> {
    this.#control.stop();
    this.#source = source;
    this.#growing = null;
    this.#detector = null;
    const library = await this.#openLibrary();
    const kept = await library.model(source.key);
    if (kept) {
      const detector = detectorOf(source);
      await detector.load(kept.bytes);
      this.#detector = detector;
    }
    return { source, model: kept?.info ?? null, unfinished: await library.unfinished(source.key) };
  }

  async #openLibrary(): Promise<Library> {
    this.#library ??= await Library.open();
    return this.#library;
  }
}

function detectorOf({ kind, tracks }: Source): Detector {
  const [first] = tracks;
  return kind === "heart" && first ? new HeartDetector(first) : new SensorDetector(tracks);
}
