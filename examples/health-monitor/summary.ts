/** What the example says in the terminal. */
import { type ArticleResult, readings } from "./article.ts";
import { sampleRate } from "./ecg/beats.ts";
import type { HeartResult } from "./ecg/experiment.ts";
import { alarmFactor } from "./sensors/alarm.ts";
import type { SensorResult } from "./sensors/experiment.ts";
import { figureNames, figuresOf, runsOf } from "./sensors/metrics.ts";

/** The article's numbers. */
export function describeArticle({ scaled, loss, gradient, scales }: ArticleResult): string {
  const last = scales.at(-1) ?? 0;
  return [
    `  readings ${readings.join(", ")}   scale ${scales[0]}   target 1`,
    `  scaled   ${scaled.join(", ")}`,
    `  loss ${loss}   gradient ${gradient}`,
    `  trained for ${scales.length - 1} steps: scale ${last.toFixed(6)} = 1 / ${(1 / last).toFixed(3)}`,
  ].join("\n");
}

/** A table of the detectors, and the alarms of the network in the test halves. */
export function describeSensors({ detectors, motes }: SensorResult): string {
  const nameLength = Math.max(...detectors.map(({ name }) => name.length));
  const toLine = (name: string, cells: readonly string[]): string =>
    `  ${name.padEnd(nameLength)}  ${cells.map((cell, c) => cell.padStart((figureNames[c] ?? "").length)).join("  ")}`;
  const alarms = motes.map(({ network, mote, flags }) => {
    const runs = runsOf(flags.subarray(mote.trainingLength)).length;
    const labelled = runsOf(mote.labels.subarray(mote.trainingLength)).length;
    const where = `${network}, mote ${mote.id} (${mote.isIndoor ? "indoor" : "outdoor"})`;
    return runs === 0 && labelled === 0
      ? []
      : [`  ${where}: ${counted(runs, "alarm")}, ${counted(labelled, "labelled event")}`];
  });
  return [
    toLine("", figureNames),
    ...detectors.map(({ name, counts }) => toLine(name, figuresOf(counts))),
    `  An error above ${alarmFactor} times the mote's median error in training is an alarm; labels set no threshold.`,
    ...alarms.flat(),
  ].join("\n");
}

/** How many beats are abnormal, and when the worst of them came. */
export function describeHeart(heart: HeartResult): string {
  const { beats, ranking, threshold, wideCount, wideAmongFirst, millivolts } = heart;
  const seconds = millivolts.length / sampleRate;
  const abnormal = beats.filter(({ isAbnormal }) => isAbnormal).length;
  const worst = ranking.slice(0, 5).map(({ peak, error }) => `${toClock(peak)} (${error.toFixed(2)} mV)`);
  return [
    `  ${beats.length} beats in ${Math.round(seconds)} s: ${abnormal} abnormal (error above ${threshold.toFixed(3)} mV)`,
    `  the ${wideCount} beats that rank first hold ${wideAmongFirst} of the ${wideCount} wide ones; ventricular beats are wide`,
    `  worst: ${worst.join(", ")}`,
  ].join("\n");
}

/** A sample's time as minutes and seconds, as 4:07.5. */
export function toClock(sample: number): string {
  const seconds = sample / sampleRate;
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
}

function counted(count: number, name: string): string {
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}
