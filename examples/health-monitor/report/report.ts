/** The results as one HTML file that needs nothing else. */
import { type Report, section, table } from "../../common/html.ts";
import * as report from "../../common/report.ts";
import { type ArticleResult, readings } from "../article.ts";
import { sampleRate } from "../ecg/beats.ts";
import type { HeartResult } from "../ecg/experiment.ts";
import { alarmFactor, averagedReadings } from "../sensors/alarm.ts";
import type { MoteResult, SensorResult } from "../sensors/experiment.ts";
import { figureNames, figuresOf, runsOf } from "../sensors/metrics.ts";
import { toClock } from "../summary.ts";

/** All that the report tells. */
export interface Results {
  readonly article: ArticleResult;
  readonly sensors: SensorResult;
  readonly heart: HeartResult;
  /** How long the run took. */
  readonly seconds: number;
}

/** Beats that are drawn singly. */
const drawnBeats = 12;

/**
 * Writes the report to `path`, over what may be there.
 *
 * @throws {UserError} if the file system refuses
 */
export async function writeReport(path: string, results: Results): Promise<void> {
  const besides = (name: string): URL => new URL(name, import.meta.url);
  await report.writeReport(path, reportOf(results), { style: besides("page.css"), script: besides("page.js") });
}

function reportOf(results: Results): Report {
  const { article, sensors, heart, seconds } = results;
  return {
    title: "Health monitor",
    lead: `Learned on mlx-ts from real recordings in ${seconds.toFixed(1)} seconds.`,
    sections: [articleSection(article), sensorSection(sensors), heartSection(heart)],
    footer:
      "Sensor data: Suthaharan et al. 2010, ODC-By 1.0 and CC BY 4.0. ECG: MIT-BIH Arrhythmia Database record 208, Moody and " +
      "Mark 2001, PhysioNet, ODC-By 1.0. Plots: uPlot.",
    data: plotData(results),
  };
}

function articleSection({ scales, scaled, loss, gradient }: ArticleResult): string {
  const last = scales.at(-1) ?? 0;
  return section(
    "1. The article's numbers",
    `<p>The readings ${readings.join(", ")} times the scale ${scales[0]} are ${scaled.join(", ")}.
Their mean shall be 1: the loss is <b>${loss}</b> and its gradient <b>${gradient}</b>.
After ${scales.length - 1} steps the scale is <b>${last.toFixed(6)}</b>, which is 1 / ${(1 / last).toFixed(3)}.</p>
<div class="plot" data-plot="scale"></div>`,
  );
}

function sensorSection({ detectors, motes }: SensorResult): string {
  return section(
    "2. Sensor anomalies",
    `<p>A network for each sensor network forecasts the next humidity and temperature of every mote. It learned from the first
half of each mote's readings, without the labelled ones, and is tested on the second half. An error above ${alarmFactor}
times the mote's median error in training is an alarm; labels set no threshold. Errors are taken singly, or as the mean over
${averagedReadings} readings, a minute. Figures are pooled over all motes.</p>`,
    table([["", ...figureNames], ...detectors.map(({ name, counts }) => [name, ...figuresOf(counts)])]),
    `<h3>Forecaster training</h3>
<div class="plot" data-plot="forecaster-losses"></div>
<h3>Second halves</h3>
<p class="legend"><span class="label-key">labelled event</span> <span class="alarm-key">alarm</span>
Drag across a plot to look closer, double-click to see all of it.</p>
<div class="grid wide">${motes.map((_, index) => `<div class="plot" data-plot="mote" data-index="${index}"></div>`).join("")}</div>`,
  );
}

function heartSection({ beats, threshold, ranking, wideCount, wideAmongFirst }: HeartResult): string {
  const abnormal = beats.filter(({ isAbnormal }) => isAbnormal).length;
  return section(
    "3. Abnormal heartbeats",
    `<p>${beats.length} beats. A convolutional autoencoder learned the half that are most alike; <b>${abnormal}</b> beats are
abnormal: redrawn with an error above ${threshold.toFixed(3)} mV, three times the median of typical beats it had not
seen. Ventricular beats are wide; width played no part in training, and of the ${wideCount} beats that rank first,
<b>${wideAmongFirst}</b> are among the ${wideCount} wide ones.</p>
<p class="legend"><span class="beat-key">beat</span> <span class="drawing-key">as redrawn</span>
<span class="alarm-key">abnormal</span></p>
<div class="plot" data-plot="recording"></div>
<h3>The ${drawnBeats} most abnormal beats</h3>
<div class="grid">${beatPlots("worst", Math.min(drawnBeats, ranking.length))}</div>
<h3>Three typical beats</h3>
<div class="grid">${beatPlots("typical", Math.min(3, ranking.length))}</div>
<h3>Errors of all beats</h3>
<div class="plot" data-plot="errors"></div>
<h3>Autoencoder training</h3>
<div class="plot" data-plot="autoencoder-losses"></div>`,
  );
}

function beatPlots(kind: string, count: number): string {
  const plot = (_: unknown, index: number): string =>
    `<div class="plot small" data-plot="${kind}" data-index="${index}"></div>`;
  return Array.from({ length: count }, plot).join("");
}

function plotData({ article, sensors, heart }: Results): unknown {
  const middle = Math.floor(heart.ranking.length / 2);
  const toBeat = ({ peak, values, drawing, error }: HeartResult["ranking"][number]): unknown => ({
    title: `${toClock(peak)}, error ${error.toFixed(2)} mV`,
    values: rounded(values, 3),
    drawing: rounded(drawing, 3),
  });
  return {
    scales: article.scales,
    forecasterLosses: sensors.losses,
    motes: sensors.motes.map(toMote),
    heart: {
      sampleRate,
      millivolts: rounded(heart.millivolts, 3),
      peaks: heart.beats.map(({ peak }) => peak),
      errors: rounded(
        heart.beats.map(({ error }) => error),
        4,
      ),
      threshold: heart.threshold,
      worst: heart.ranking.slice(0, drawnBeats).map(toBeat),
      typical: heart.ranking.slice(middle, middle + 3).map(toBeat),
      losses: heart.losses,
    },
  };
}

function toMote({ network, mote, levels, flags }: MoteResult): unknown {
  const [humidity, temperature] = mote.channels;
  return {
    title: `${network}, mote ${mote.id}, ${mote.isIndoor ? "indoor" : "outdoor"}`,
    first: mote.trainingLength,
    humidity: rounded(humidity.subarray(mote.trainingLength), 2),
    temperature: rounded(temperature.subarray(mote.trainingLength), 2),
    levels: rounded(levels.subarray(mote.trainingLength), 3),
    events: runsOf(mote.labels.subarray(mote.trainingLength)),
    alarms: runsOf(flags.subarray(mote.trainingLength)),
  };
}

function rounded(values: Iterable<number>, digits: number): readonly number[] {
  return Array.from(values, (value) => Number(value.toFixed(digits)));
}
