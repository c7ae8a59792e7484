/** The report of a session: what was learned, and every alarm, as one page that needs nothing else. */
import { escapeHtml, pageOf, paragraph, section, table } from "../../../common/html.ts";
import style from "../../../common/page.css?raw";
import { flagLevels } from "../../sensors/alarm.ts";
import { type Counts, countAgreement, figureNames, figuresOf, poolCounts, runsOf } from "../../sensors/metrics.ts";
import type { Alarm, AlarmTrack } from "../alarms.ts";
import type { LearnedModel } from "../analysis/library.ts";
import { formatClock } from "../playback.ts";
import type { Source, Track } from "../sources/source.ts";
import { Pyramid } from "../trace/pyramid.ts";
import { shapeSvg, trackSvg } from "./drawings.ts";

/** Alarms that are told one by one, the worst of each track. */
const toldAlarms = 50;

/** What a report tells. */
export interface ReportContent {
  readonly source: Source;
  readonly model: LearnedModel;
  /** In the order of the source's tracks. */
  readonly tracks: readonly AlarmTrack[];
  readonly madeAt: Date;
}

/** The report as the text of a page. */
export function reportOf({ source, model, tracks, madeAt }: ReportContent): string {
  const lead = `${source.remark} Made on ${madeAt.toLocaleString(undefined, { dateStyle: "long", timeStyle: "short" })}.`;
  const sections = source.tracks.map((track, index) => trackSection(source, track, tracks[index]?.alarms ?? []));
  return pageOf(
    {
      title: `Health monitor: ${source.title}`,
      lead,
      sections: [modelSection(model), ...agreementSections(source, tracks), ...sections],
    },
    { style, scripts: [] },
  );
}

function modelSection(model: LearnedModel): string {
  return section(
    "What was learned",
    paragraph(
      `${model.name} with ${model.parameterCount.toLocaleString("en")} parameters, learned from ` +
        `${model.sampleCount.toLocaleString("en")} samples in ${model.epochs} passes, which took ${model.seconds.toFixed(1)} s ` +
        `on the ${model.device.toUpperCase()}. Its last loss was ${model.loss.toPrecision(4)}.`,
    ),
    paragraph(
      "An alarm level of 1 is the threshold. It comes from the readings that were learned from, and from no labels.",
    ),
  );
}

/** How the alarms agree with the labels after the readings that were learned from, where there are labels. */
function agreementSections(source: Source, tracks: readonly AlarmTrack[]): readonly string[] {
  const labelled = source.tracks.flatMap((track, index): Counts[] => {
    const alarms = tracks[index];
    if (!track.isLabelled || !alarms) return [];
    const flags = flagLevels(Float64Array.from(alarms.levels.subarray(track.trainingLength, track.length)));
    return [countAgreement(flags, track.labels.subarray(track.trainingLength, track.length))];
  });
  if (labelled.length === 0) return [];
  return [
    section(
      "Alarms and labels",
      paragraph("Readings after those that were learned from, all sensors together."),
      table([figureNames, figuresOf(poolCounts(labelled))]),
    ),
  ];
}

function trackSection(source: Source, track: Track, alarms: readonly Alarm[]): string {
  const { length, trainingLength } = track;
  const pyramids = track.channels.map((values) => new Pyramid(values.subarray(0, length)));
  const picture = trackSvg({ pyramids, length, trainingLength, alarms, labels: runsOf(track.labels) });
  const worst = [...alarms].sort((a, b) => b.level - a.level).slice(0, toldAlarms);
  const names = source.channels.map(({ name, unit }) => escapeHtml(unit ? `${name}, ${unit}` : name)).join("; ");
  const rows = worst.map((alarm) => `<tr>${alarmCells(alarm, source, track).join("")}</tr>`);
  const head = ["time", "lasts", "level", ...(track.isLabelled ? ["labelled"] : []), "readings"];
  return section(
    track.name,
    `<p>${alarms.length} ${alarms.length === 1 ? "alarm" : "alarms"}. From top to bottom: ${names}. Red: alarms; gray: learned from${track.isLabelled ? "; yellow: labelled" : ""}.</p>`,
    picture,
    worst.length === 0
      ? ""
      : `<div class="figures"><table><tr>${head.map((name) => `<th>${name}</th>`).join("")}</tr>${rows.join("\n")}</table></div>`,
  );
}

function alarmCells(alarm: Alarm, { secondsPerReading }: Source, track: Track): readonly string[] {
  const { start, end, peak, level, beat } = alarm;
  const [channel = new Float64Array(0)] = track.channels;
  const shape = beat ? [beat.values, beat.drawing] : [channel.subarray(Math.max(0, start - 60), end + 60)];
  const lasts = ((end - start) * secondsPerReading).toFixed(1);
  const isLabelled = track.labels.subarray(start, end).includes(1);
  return [
    `<th>${formatClock(peak * secondsPerReading, secondsPerReading < 1 ? 1 : 0)}</th>`,
    `<td>${lasts} s</td>`,
    `<td>${level.toFixed(1)}×</td>`,
    ...(track.isLabelled ? [`<td>${isLabelled ? "yes" : "no"}</td>`] : []),
    `<td>${shapeSvg(shape)}</td>`,
  ];
}
