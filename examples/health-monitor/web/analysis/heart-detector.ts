/** Detects heartbeats that an autoencoder of the usual ones cannot draw again. */
import * as train from "mlx-ts/train";
import { abnormalFactor, autoencoderPlan, BeatAutoencoder, redrawBeats } from "../../ecg/autoencoder.ts";
import {
  type Beat,
  leastPeak,
  sampleRate,
  segmentBeats,
  splitTypicalBeats,
  subtractBaseline,
} from "../../ecg/beats.ts";
import { medianOf } from "../../medians.ts";
import type { Series } from "../../sensors/series.ts";
import { trainOptions } from "../../training.ts";
import type { Detector, Judgement, LearnOptions } from "./detector.ts";
import { countParameters, loadModel, saveModel } from "./model-file.ts";

/** What is learned beside the weights, in millivolts. */
interface Calibration {
  /** The height of the least R wave. */
  readonly leastPeak: number;
  /** Beats with a greater error are abnormal. */
  readonly threshold: number;
}

/** Samples after a peak that a beat is judged with: the whole beat, and the baseline around its peak. */
const lookahead = Math.round(0.5 * sampleRate);
/** Samples before the judged ones that the baseline and the neighbours of a peak need. */
const lookback = 2 * sampleRate;
/** Beats judged at once at least, the same ones again if need be: a new number of them is a new plan, so that few are used. */
const fewestAtOnce = 8;

/** An autoencoder of the usual beats of one electrocardiogram at 360 Hz, in millivolts. */
export class HeartDetector implements Detector {
  readonly modelName = "Beat autoencoder";
  readonly units: readonly number[] = [];
  readonly #series: Series;
  readonly #seen: readonly Beat[];
  readonly #unseen: readonly Beat[];
  readonly #autoencoder = new BeatAutoencoder();
  #calibration: Calibration;

  constructor(series: Series) {
    this.#series = series;
    const training = millivoltsOf(series).subarray(0, series.trainingLength);
    this.#calibration = { leastPeak: leastPeak(subtractBaseline(training)), threshold: Number.POSITIVE_INFINITY };
    const beats = segmentBeats(training, this.#calibration.leastPeak);
    const { seen, unseen } = splitTypicalBeats(beats);
    this.#seen = seen.flatMap((index) => beats[index] ?? []);
    this.#unseen = unseen.flatMap((index) => beats[index] ?? []);
  }

  get parameterCount(): number {
    return countParameters(this.#autoencoder);
  }

  get sampleCount(): number {
    return this.#seen.length;
  }

  learn({ epochs, ...options }: LearnOptions): AsyncGenerator<train.TrainEvent, void, void> {
    const plan = { ...autoencoderPlan(this.#autoencoder, this.#seen), epochs };
    return train.train({ ...trainOptions(plan), ...options });
  }

  async calibrate(): Promise<void> {
    const { errors } = await redrawBeats(this.#autoencoder, this.#unseen);
    this.#calibration = { ...this.#calibration, threshold: abnormalFactor * medianOf(errors) };
  }

  async judge(_: number, start: number, end: number): Promise<Judgement> {
    const { length } = this.#series;
    const from = Math.max(0, start - lookahead - lookback);
    const judgedEnd = end === length ? end : end - lookahead;
    const stretch = millivoltsOf(this.#series).subarray(from, end);
    const beats = segmentBeats(stretch, this.#calibration.leastPeak)
      .map((beat) => ({ ...beat, peak: beat.peak + from }))
      .filter(({ peak }) => peak >= start - lookahead && peak < judgedEnd);
    const verdicts = await this.#verdicts(beats);
    const beatsStart = start - lookahead;
    return { start, end, levels: new Float32Array(0), beats: verdicts, beatsStart, beatsEnd: judgedEnd };
  }

  async #verdicts(beats: readonly Beat[]): Promise<Judgement["beats"]> {
    const [first] = beats;
    if (!first) return [];
    const rows = Math.max(fewestAtOnce, 2 ** Math.ceil(Math.log2(beats.length)));
    const padded = [...beats, ...Array.from({ length: rows - beats.length }, () => first)];
    const { drawings, errors } = await redrawBeats(this.#autoencoder, padded);
    return beats.map(({ peak, values }, index) => ({
      peak,
      level: (errors[index] ?? 0) / this.#calibration.threshold,
      values,
      drawing: drawings[index] ?? new Float32Array(0),
    }));
  }

  save(): Promise<Uint8Array> {
    return saveModel(this.modelName, this.#autoencoder, this.#calibration);
  }

  async load(bytes: Uint8Array): Promise<void> {
    this.#calibration = await loadModel(this.modelName, this.#autoencoder, bytes, isCalibration);
  }
}

function millivoltsOf({ channels }: Series): Float64Array {
  return channels[0] ?? new Float64Array(0);
}

function isCalibration(value: unknown): value is Calibration {
  return typeof value === "object" && value !== null && "leastPeak" in value && "threshold" in value;
}
