/** The list of alarms of the shown track. */
import { effect } from "@preact/signals-core";
import type { Alarm } from "../alarms.ts";
import { button, element, make } from "../elements.ts";
import { formatClock } from "../playback.ts";
import type { Session } from "../session.ts";
import type { Source, Track } from "../sources/source.ts";
import type { State } from "../state.ts";
import { type Palette, readPalette } from "../trace/palette.ts";
import { drawSparkline } from "../trace/sparkline.ts";

/** Rows that are shown at most, the worst ones. */
const mostRows = 100;

/** Lists the alarms; a click goes there. */
export function showAlarms(state: State, session: Session): void {
  const rows = element("alarm-rows", HTMLTableSectionElement);
  const table = element("alarm-table", HTMLDivElement);
  const empty = element("alarms-empty", HTMLParagraphElement);
  const count = element("alarm-count", HTMLParagraphElement);
  const labelHead = element("alarm-label-head", HTMLTableCellElement);
  const shapeHead = element("alarm-shape", HTMLTableCellElement);
  const spoken = element("spoken", HTMLParagraphElement);
  let known = 0;
  /** Rows of alarms that were there before are shown again: drawing them is what takes time. */
  let made = new Map<string, AlarmRow>();
  let shownTrack: Track | null = null;
  effect(() => {
    const alarms = state.alarms.value;
    const source = state.source.value;
    const track = source?.tracks[state.track.value];
    if (!source || !track) return;
    const isLearning = state.isLearning.value;
    table.hidden = alarms.length === 0;
    empty.hidden = alarms.length > 0;
    empty.textContent = state.model.value
      ? "None: all readings judged so far are as usual."
      : isLearning
        ? "None yet. Alarms change while the model learns."
        : "Learn what is normal first. Then readings that are not normal are marked in the trace and listed here.";
    count.textContent = alarms.length === 0 ? "" : countText(alarms.length);
    labelHead.hidden = !track.isLabelled;
    shapeHead.textContent = source.kind === "heart" ? "Beat, as redrawn" : "Readings";
    const before = track === shownTrack ? made : new Map<string, AlarmRow>();
    const palette = readPalette(document.documentElement);
    shownTrack = track;
    made = new Map();
    for (const alarm of worst(alarms)) {
      const key = `${alarm.start} ${alarm.end}`;
      const row = before.get(key) ?? rowOf(alarm, source, track, session, palette);
      row.level.textContent = `${alarm.level.toFixed(1)}×`;
      made.set(key, row);
    }
    const wanted = [...made.values()].map(({ element: row }) => row);
    if (wanted.length !== rows.childElementCount || wanted.some((row, index) => rows.children[index] !== row)) {
      rows.replaceChildren(...wanted);
    }
    if (alarms.length > known && !isLearning) spoken.textContent = `${countText(alarms.length)}`;
    known = alarms.length;
  });
}

function countText(count: number): string {
  const shown = count > mostRows ? `, the worst ${mostRows} of them` : "";
  return `${count.toLocaleString("en")} ${count === 1 ? "alarm" : "alarms"}${shown}`;
}

function worst(alarms: readonly Alarm[]): readonly Alarm[] {
  if (alarms.length <= mostRows) return alarms;
  const chosen = new Set([...alarms].sort((a, b) => b.level - a.level).slice(0, mostRows));
  return alarms.filter((alarm) => chosen.has(alarm));
}

/** A row of the list. */
interface AlarmRow {
  readonly element: HTMLTableRowElement;
  readonly level: HTMLTableCellElement;
}

function rowOf(alarm: Alarm, source: Source, track: Track, session: Session, palette: Palette): AlarmRow {
  const { secondsPerReading } = source;
  const time = button(formatClock(alarm.peak * secondsPerReading, source.kind === "heart" ? 1 : 0), () => {
    session.showAlarm(alarm);
  });
  time.className = "jump";
  time.title = "Show it in the trace";
  const lasts = (alarm.end - alarm.start) * secondsPerReading;
  const shape = make("canvas");
  shape.className = "spark";
  const channel = track.channels[0] ?? new Float64Array(0);
  const lines = alarm.beat
    ? [alarm.beat.values, alarm.beat.drawing]
    : [channel.subarray(Math.max(0, alarm.start - 60), alarm.end + 60)];
  drawSparkline(shape, lines, palette);
  const isLabelled = track.labels.subarray(alarm.start, alarm.end).includes(1);
  const level = make("td");
  const row = make(
    "tr",
    make("td", time),
    make("td", lasts < 60 ? `${lasts.toFixed(lasts < 1 ? 1 : 0)} s` : formatClock(lasts)),
    level,
    make("td", shape),
    ...(track.isLabelled ? [make("td", isLabelled ? "yes" : "no")] : []),
  );
  return { element: row, level };
}
