/** The sensor part of the example: train a forecaster for each network, compare its alarms and those of the baselines with the labels. */
import * as mx from "mlx-ts";
import * as nn from "mlx-ts/nn";
import { showTraining } from "../progress.ts";
import { train } from "../training.ts";
import { alarmLevels, averagedReadings, type ForecastErrors, flagLevels } from "./alarm.ts";
import { autoregressionErrors, autoregressionOrder, deviationLevels } from "./baselines.ts";
import { Forecaster, forecastErrors, stepUnits, trainingWindows } from "./forecaster.ts";
import { type Counts, countAgreement, poolCounts } from "./metrics.ts";
import type { Mote, SensorNetwork } from "./network.ts";

/** A way to raise alarms, and how its alarms in the second halves of all motes agree with the labels. */
export interface DetectorResult {
  readonly name: string;
  readonly counts: Counts;
}

/** What the forecaster made of one mote. */
export interface MoteResult {
  readonly network: string;
  readonly mote: Mote;
  /** Above 1 is an alarm. */
  readonly levels: Float64Array;
  /** 1 for each reading that is flagged. */
  readonly flags: Uint8Array;
}

/** Everything the report tells about sensors. */
export interface SensorResult {
  /** The baselines first, the forecaster with sustained errors last. */
  readonly detectors: readonly DetectorResult[];
  readonly motes: readonly MoteResult[];
  /** The losses of the training passes of each network. */
  readonly losses: readonly { readonly name: string; readonly values: readonly number[] }[];
}

const epochs = 20;
const batchSize = 256;
const learningRate = 3e-3;

/** Trains and evaluates on the given networks. */
export async function runSensors(networks: readonly SensorNetwork[]): Promise<SensorResult> {
  const losses: { name: string; values: readonly number[] }[] = [];
  const forecasts: { network: string; mote: Mote; errors: ForecastErrors }[] = [];
  for (const network of networks) {
    const units = stepUnits(network);
    const { forecaster, values } = await trainForecaster(network, units);
    losses.push({ name: network.name, values });
    for (const mote of network.motes) {
      forecasts.push({ network: network.name, mote, errors: await forecastErrors(forecaster, mote, units) });
    }
  }
  const motes = forecasts.map(({ network, mote, errors }) => {
    const levels = alarmLevels(mote, errors, averagedReadings);
    return { network, mote, levels, flags: flagLevels(levels) };
  });

  const all = networks.flatMap((network) => network.motes);
  const linear = all.map((mote) => ({ mote, errors: autoregressionErrors(mote) }));
  const evaluate = (name: string, levelled: readonly { mote: Mote; levels: Float64Array }[]): DetectorResult => ({
    name,
    counts: poolCounts(
      levelled.map(({ mote, levels }) =>
        countAgreement(flagLevels(levels).subarray(mote.half), mote.labels.subarray(mote.half)),
      ),
    ),
  });
  const level = (from: readonly { mote: Mote; errors: ForecastErrors }[], averaged: number) =>
    from.map(({ mote, errors }) => ({ mote, levels: alarmLevels(mote, errors, averaged) }));
  return {
    detectors: [
      evaluate(
        "|z| > 3",
        all.map((mote) => ({ mote, levels: deviationLevels(mote, 3) })),
      ),
      evaluate(`linear autoregression (${autoregressionOrder})`, level(linear, 1)),
      evaluate(`linear autoregression (${autoregressionOrder}), mean of a minute`, level(linear, averagedReadings)),
      evaluate("network", level(forecasts, 1)),
      evaluate("network, mean of a minute", motes),
    ],
    motes,
    losses,
  };
}

async function trainForecaster(
  network: SensorNetwork,
  units: readonly number[],
): Promise<{ forecaster: Forecaster; values: readonly number[] }> {
  const windows = trainingWindows(network, units);
  const forecaster = new Forecaster();
  const events = train({
    model: forecaster,
    // The Huber loss follows the many quiet readings; squares would follow the few gusts.
    lossOf: (model, inputs, targets) => nn.losses.huberLoss(model(inputs), targets, { reduction: "mean" }),
    inputs: mx.fromTypedArray(windows.inputs, [windows.count, windows.inputs.length / windows.count]),
    targets: mx.fromTypedArray(windows.targets, [windows.count, windows.targets.length / windows.count]),
    batchSize,
    epochs,
    learningRate,
  });
  return { forecaster, values: await showTraining(network.name, "readings", events) };
}
