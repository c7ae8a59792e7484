/** What every detector of the page does: it learns what is usual in a recording, and judges any stretch of it. */
import type * as nn from "mlx-ts/nn";
import type { TrainEvent, TrainOptions } from "mlx-ts/train";

/** A heartbeat as the autoencoder sees it. */
export interface BeatVerdict {
  /** The reading at which the R wave peaks. */
  readonly peak: number;
  /** Above 1 is abnormal. */
  readonly level: number;
  /** The beat and what was drawn of it, in millivolts. */
  readonly values: Float32Array;
  readonly drawing: Float32Array;
}

/** What a detector says about the readings from `start` to before `end`. */
export interface Judgement {
  readonly start: number;
  readonly end: number;
  /** How alarming each reading is: above 1 is an alarm. */
  readonly levels: Float32Array;
  /** The beats that peak from `beatsStart` to before `beatsEnd`: a beat is judged when all of it has come. */
  readonly beats: readonly BeatVerdict[];
  readonly beatsStart: number;
  readonly beatsEnd: number;
}

/** How a training may be told to run. */
export type LearnOptions = Pick<TrainOptions<nn.Module, never>, "resume" | "control" | "checkpoint" | "watch"> & {
  readonly epochs: number;
};

/** Learns what is usual in some series, and judges their readings. */
export interface Detector {
  /** The name of the model, and how many numbers it has learned. */
  readonly modelName: string;
  readonly parameterCount: number;
  /** Windows or beats that train. */
  readonly sampleCount: number;
  /** The learned unit of each channel: its usual step from reading to reading; empty where nothing is scaled. */
  readonly units: readonly number[];
  /** Trains as its events are asked for. */
  learn(options: LearnOptions): AsyncGenerator<TrainEvent, void, void>;
  /** Learns from the training readings which errors are usual, with the weights as they are. */
  calibrate(): Promise<void>;
  /** Judges readings of one of the series, by the calibration. */
  judge(series: number, start: number, end: number): Promise<Judgement>;
  /** What was learned, as a safetensors file. */
  save(): Promise<Uint8Array>;
  /** Takes over what `save` gave. @throws {FormatError} if it is of another detector */
  load(bytes: Uint8Array): Promise<void>;
}
