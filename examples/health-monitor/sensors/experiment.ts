/** The sensor part of the example: train a forecaster for each network, compare its alarms and those of the baselines with the labels. */
import { showTraining } from "../progress.ts";
import { train } from "../training.ts";
import { alarmLevels, averagedReadings, type ForecastErrors, flagLevels } from "./alarm.ts";
import { autoregressionErrors, autoregressionOrder, deviationLevels } from "./baselines.ts";
import { Forecaster, forecastErrors, forecasterPlan, trainingWindows } from "./forecaster.ts";
import { type Counts, countAgreement, poolCounts } from "./metrics.ts";
import type { Mote, SensorNetwork } from "./network.ts";
import { learnUnits } from "./scaler.ts";

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

/** Trains and evaluates on the given networks. */
export async function runSensors(networks: readonly SensorNetwork[]): Promise<SensorResult> {
  const losses: { name: string; values: readonly number[] }[] = [];
  const forecasts: { network: string; mote: Mote; errors: ForecastErrors }[] = [];
  for (const network of networks) {
    const units = await learnUnits(network.motes);
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
        countAgreement(flagLevels(levels).subarray(mote.trainingLength), mote.labels.subarray(mote.trainingLength)),
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
  const forecaster = new Forecaster();
  const plan = forecasterPlan(forecaster, trainingWindows(network.motes, units));
  return { forecaster, values: await showTraining(network.name, "readings", train(plan)) };
}
