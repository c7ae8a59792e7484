/** A network that forecasts the next reading of all channels of a sensor from the minute and more before it. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import type { TrainingPlan } from "../training.ts";
import type { ForecastErrors } from "./alarm.ts";
import { hasLabelWithin, type Series } from "./series.ts";

/** Earlier readings that a forecast looks at: 80 seconds. */
export const windowLength = 16;

const hiddenSize = 32;
const epochs = 20;
const batchSize = 256;
const learningRate = 3e-3;

/** Windows that are forecast at once at most, and at least: a new number of them is a new plan, so that few are used. */
const mostAtOnce = 65_536;
const fewestAtOnce = 64;

/** The change to the next reading of all channels, from a window of all channels relative to its last reading. */
export class Forecaster extends nn.Module {
  first: nn.Linear;
  second: nn.Linear = new nn.Linear(hiddenSize, hiddenSize);
  last: nn.Linear;

  constructor(channelCount = 2) {
    super();
    this.first = new nn.Linear(channelCount * windowLength, hiddenSize);
    this.last = new nn.Linear(hiddenSize, channelCount);
  }

  /** [windows, channels · windowLength] → [windows, channels]. */
  forward(windows: mx.MLXArray): mx.MLXArray {
    return this.last(nn.tanh(this.second(nn.tanh(this.first(windows)))));
  }
}

/** Windows and what followed them, as rows of flat arrays. */
export interface Windows {
  readonly count: number;
  /** [count, channels · windowLength] */
  readonly inputs: Float32Array;
  /** [count, channels] */
  readonly targets: Float32Array;
}

/** The windows before the given readings, each of which has at least `windowLength` readings before it. */
export function windowsBefore({ channels }: Series, readings: readonly number[], units: readonly number[]): Windows {
  const channelCount = channels.length;
  const rowLength = channelCount * windowLength;
  const inputs = new Float32Array(readings.length * rowLength);
  const targets = new Float32Array(readings.length * channelCount);
  for (const [row, reading] of readings.entries()) {
    for (const [c, values] of channels.entries()) {
      const unit = units[c] ?? 1;
      const last = values[reading - 1] ?? 0;
      for (let k = 0; k < windowLength; k++) {
        const value = values[reading - windowLength + k] ?? 0;
        inputs[row * rowLength + c * windowLength + k] = (value - last) / unit;
      }
      targets[row * channelCount + c] = ((values[reading] ?? 0) - last) / unit;
    }
  }
  return { count: readings.length, inputs, targets };
}

/** The training readings that neither are labelled nor have a labelled one in their window. */
export function trainingReadings(series: Series): readonly number[] {
  return readingsFrom(windowLength, series.trainingLength).filter(
    (reading) => !hasLabelWithin(series, reading - windowLength, reading + 1),
  );
}

/** The training windows of some series, one below the other. */
export function trainingWindows(all: readonly Series[], units: readonly number[]): Windows {
  const parts = all.map((series) => windowsBefore(series, trainingReadings(series), units));
  return {
    count: parts.reduce((sum, { count }) => sum + count, 0),
    inputs: joined(parts.map(({ inputs }) => inputs)),
    targets: joined(parts.map(({ targets }) => targets)),
  };
}

/** How a forecaster learns from windows. */
export function forecasterPlan(forecaster: Forecaster, windows: Windows): TrainingPlan<Forecaster> {
  return {
    model: forecaster,
    // The Huber loss follows the many quiet readings; squares would follow the few gusts.
    lossOf: (model, inputs, targets) => nn.losses.huberLoss(model(inputs), targets, { reduction: "mean" }),
    ...toArrays(windows, windows.count),
    batchSize,
    epochs,
    learningRate,
  };
}

/**
 * The absolute errors of a trained forecaster at the readings from `start` to before `end`; 0 at those that have too few
 * readings before them.
 */
export async function forecastErrors(
  forecaster: Forecaster,
  series: Series,
  units: readonly number[],
  { start = 0, end = series.length }: { readonly start?: number; readonly end?: number } = {},
): Promise<ForecastErrors> {
  const channels = series.channels.map(() => new Float64Array(end - start));
  for (let first = Math.max(start, windowLength); first < end; first += mostAtOnce) {
    const readings = readingsFrom(first, Math.min(end, first + mostAtOnce));
    const windows = windowsBefore(series, readings, units);
    const rows = Math.max(fewestAtOnce, 2 ** Math.ceil(Math.log2(windows.count)));
    const { inputs, targets } = toArrays(windows, rows);
    const errors = await forecaster(inputs).sub(targets).abs().data();
    for (const [c, channel] of channels.entries()) {
      for (let row = 0; row < windows.count; row++) {
        channel[first - start + row] = Number(errors[row * channels.length + c] ?? 0);
      }
    }
  }
  return { channels, reach: windowLength };
}

/** Windows as arrays of `rows` rows; those beyond the windows are 0. */
function toArrays({ count, inputs, targets }: Windows, rows: number): { inputs: mx.MLXArray; targets: mx.MLXArray } {
  const toArray = (values: Float32Array): mx.MLXArray => {
    const rowLength = values.length / count;
    const padded = rows === count ? values : new Float32Array(rows * rowLength);
    if (padded !== values) padded.set(values);
    return mx.fromTypedArray(padded, [rows, rowLength]);
  };
  return { inputs: toArray(inputs), targets: toArray(targets) };
}

function readingsFrom(start: number, end: number): readonly number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
