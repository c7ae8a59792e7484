/** A network that forecasts the next reading of every mote of a sensor network from the minute and more before it. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import type { ForecastErrors } from "./alarm.ts";
import { hasLabelWithin, type Mote, type SensorNetwork } from "./network.ts";

/** Earlier readings that a forecast looks at: 80 seconds. */
export const windowLength = 16;

const channelCount = 2;
const hiddenSize = 32;

/** The change to the next reading of both channels, from a window of both channels relative to its last reading. */
export class Forecaster extends nn.Module {
  first: nn.Linear = new nn.Linear(channelCount * windowLength, hiddenSize);
  second: nn.Linear = new nn.Linear(hiddenSize, hiddenSize);
  last: nn.Linear = new nn.Linear(hiddenSize, channelCount);

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

/**
 * The unit of each channel over a network: the root mean square of the steps from reading to reading in the training halves,
 * labelled readings left out.
 */
export function stepUnits({ motes }: SensorNetwork): readonly number[] {
  return Array.from({ length: channelCount }, (_, c) => {
    let sum = 0;
    let count = 0;
    for (const mote of motes) {
      const values = mote.channels[c] ?? new Float64Array(0);
      for (let index = 1; index < mote.half; index++) {
        if (hasLabelWithin(mote, index - 1, index + 1)) continue;
        sum += ((values[index] ?? 0) - (values[index - 1] ?? 0)) ** 2;
        count++;
      }
    }
    // Readings that never move have no unit of their own.
    return Math.sqrt(sum / count) || 1;
  });
}

/** The windows before the given readings of a mote, each of which has at least `windowLength` readings before it. */
export function windowsBefore(mote: Mote, readings: readonly number[], units: readonly number[]): Windows {
  const rowLength = channelCount * windowLength;
  const inputs = new Float32Array(readings.length * rowLength);
  const targets = new Float32Array(readings.length * channelCount);
  for (const [row, reading] of readings.entries()) {
    for (const [c, values] of mote.channels.entries()) {
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

/** The readings of a mote's first half that neither are labelled nor have a labelled one in their window. */
export function trainingReadings(mote: Mote): readonly number[] {
  return readingsFrom(windowLength, mote.half).filter(
    (reading) => !hasLabelWithin(mote, reading - windowLength, reading + 1),
  );
}

/** The training windows of all motes of a network, one below the other. */
export function trainingWindows(network: SensorNetwork, units: readonly number[]): Windows {
  const parts = network.motes.map((mote) => windowsBefore(mote, trainingReadings(mote), units));
  return {
    count: parts.reduce((sum, { count }) => sum + count, 0),
    inputs: joined(parts.map(({ inputs }) => inputs)),
    targets: joined(parts.map(({ targets }) => targets)),
  };
}

/** The absolute errors of a trained forecaster at every reading of a mote. */
export async function forecastErrors(
  forecaster: Forecaster,
  mote: Mote,
  units: readonly number[],
): Promise<ForecastErrors> {
  const windows = windowsBefore(mote, readingsFrom(windowLength, mote.length), units);
  const inputs = mx.fromTypedArray(windows.inputs, [windows.count, channelCount * windowLength]);
  const targets = mx.fromTypedArray(windows.targets, [windows.count, channelCount]);
  const errors = await forecaster(inputs).sub(targets).abs().data();
  const channels = Array.from({ length: channelCount }, (_, c) =>
    Float64Array.from({ length: mote.length }, (_, index) =>
      index < windowLength ? 0 : Number(errors[(index - windowLength) * channelCount + c] ?? 0),
    ),
  );
  return { channels, reach: windowLength };
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
