/** Detects readings that a forecaster of the sensor does not expect. */
import * as train from "mlx-ts/train";
import { type AlarmRule, averagedReadings, learnAlarm, levelsOf } from "../../sensors/alarm.ts";
import { Forecaster, forecastErrors, forecasterPlan, trainingWindows } from "../../sensors/forecaster.ts";
import { learnUnits } from "../../sensors/scaler.ts";
import type { Series } from "../../sensors/series.ts";
import { trainOptions } from "../../training.ts";
import type { Detector, Judgement, LearnOptions } from "./detector.ts";
import { countParameters, loadModel, saveModel } from "./model-file.ts";

/** Readings of each series that train at most, the latest ones: enough to know a sensor, and soon seen. */
const mostTrainingReadings = 100_000;

/** What is learned beside the weights. */
interface Calibration {
  /** The unit of each channel. */
  readonly units: readonly number[];
  /** The alarm rule of each series. */
  readonly rules: readonly AlarmRule[];
}

/** A forecaster for all of some series that measure the same, and an alarm rule for each. */
export class SensorDetector implements Detector {
  readonly modelName = "Forecaster";
  readonly #series: readonly Series[];
  readonly #forecaster: Forecaster;
  #sampleCount = 0;
  #calibration: Calibration = { units: [], rules: [] };

  constructor(series: readonly Series[]) {
    this.#series = series;
    this.#forecaster = new Forecaster(series[0]?.channels.length);
  }

  get parameterCount(): number {
    return countParameters(this.#forecaster);
  }

  get sampleCount(): number {
    return this.#sampleCount;
  }

  /** The learned unit of each channel. */
  get units(): readonly number[] {
    return this.#calibration.units;
  }

  async *learn({ epochs, ...options }: LearnOptions): AsyncGenerator<train.TrainEvent, void, void> {
    const series = this.#series.map(recentTraining);
    const units = await learnUnits(series);
    this.#calibration = { units, rules: [] };
    const windows = trainingWindows(series, units);
    this.#sampleCount = windows.count;
    const plan = { ...forecasterPlan(this.#forecaster, windows), epochs };
    yield* train.train({ ...trainOptions(plan), ...options });
  }

  async calibrate(): Promise<void> {
    const { units } = this.#calibration;
    const rules: AlarmRule[] = [];
    for (const training of this.#series.map(recentTraining)) {
      rules.push(learnAlarm(training, await forecastErrors(this.#forecaster, training, units), averagedReadings));
    }
    this.#calibration = { units, rules };
  }

  async judge(index: number, start: number, end: number): Promise<Judgement> {
    const { units, rules } = this.#calibration;
    const [series, rule] = [this.#series[index], rules[index]];
    if (!series || !rule) throw new RangeError(`judge: there is no series ${index} with an alarm rule`);
    // The level of a reading is a mean over errors before it, too.
    const first = Math.max(0, start - rule.averaged + 1);
    const errors = await forecastErrors(this.#forecaster, series, units, { start: first, end });
    const levels = Float32Array.from(levelsOf(errors, rule).subarray(start - first));
    return { start, end, levels, beats: [], beatsStart: start, beatsEnd: end };
  }

  save(): Promise<Uint8Array> {
    return saveModel(this.modelName, this.#forecaster, this.#calibration);
  }

  async load(bytes: Uint8Array): Promise<void> {
    this.#calibration = await loadModel(this.modelName, this.#forecaster, bytes, isCalibration);
  }
}

/** The latest training readings of a series, as a series of its own. */
function recentTraining({ channels, labels, trainingLength }: Series): Series {
  const first = Math.max(0, trainingLength - mostTrainingReadings);
  const length = trainingLength - first;
  return {
    channels: channels.map((values) => values.subarray(first, trainingLength)),
    labels: labels.subarray(first, trainingLength),
    length,
    trainingLength: length,
  };
}

function isCalibration(value: unknown): value is Calibration {
  return typeof value === "object" && value !== null && "units" in value && "rules" in value;
}
