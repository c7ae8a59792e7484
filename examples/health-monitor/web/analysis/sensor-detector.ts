/** Detects readings that a forecaster of the sensor does not expect. */
import * as train from "mlx-ts/train";
import { type AlarmRule, averagedReadings, learnAlarm, levelsOf } from "../../sensors/alarm.ts";
import { Forecaster, forecastErrors, forecasterPlan, trainingWindows, type Windows } from "../../sensors/forecaster.ts";
import { learnUnits } from "../../sensors/scaler.ts";
import type { Series } from "../../sensors/series.ts";
import { trainOptions } from "../../training.ts";
import type { Detector, Judgement, LearnOptions } from "./detector.ts";
import { countParameters, loadModel, saveModel } from "./model-file.ts";

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
  readonly #windows: Windows;
  readonly #forecaster: Forecaster;
  #calibration: Calibration;

  private constructor(series: readonly Series[], units: readonly number[]) {
    this.#series = series;
    this.#calibration = { units, rules: [] };
    this.#windows = trainingWindows(series, units);
    this.#forecaster = new Forecaster(units.length);
  }

  /** A detector that knows the units of its channels, and nothing else yet. */
  static async create(series: readonly Series[]): Promise<SensorDetector> {
    return new SensorDetector(series, await learnUnits(series));
  }

  get parameterCount(): number {
    return countParameters(this.#forecaster);
  }

  get sampleCount(): number {
    return this.#windows.count;
  }

  /** The learned unit of each channel. */
  get units(): readonly number[] {
    return this.#calibration.units;
  }

  learn({ epochs, ...options }: LearnOptions): AsyncGenerator<train.TrainEvent, void, void> {
    const plan = { ...forecasterPlan(this.#forecaster, this.#windows), epochs };
    return train.train({ ...trainOptions(plan), ...options });
  }

  async calibrate(): Promise<void> {
    const { units } = this.#calibration;
    const rules: AlarmRule[] = [];
    for (const series of this.#series) {
      const { channels, labels, trainingLength } = series;
      const training = { channels, labels, length: trainingLength, trainingLength };
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
    return { start, end, levels: Float32Array.from(levelsOf(errors, rule).subarray(start - first)), beats: [] };
  }

  save(): Promise<Uint8Array> {
    return saveModel(this.modelName, this.#forecaster, this.#calibration);
  }

  async load(bytes: Uint8Array): Promise<void> {
    this.#calibration = await loadModel(this.modelName, this.#forecaster, bytes, isCalibration);
  }
}

function isCalibration(value: unknown): value is Calibration {
  return typeof value === "object" && value !== null && "units" in value && "rules" in value;
}
