/** Pictures of a report, as SVG: they need no script, and print. */
import type { Run } from "../../sensors/metrics.ts";
import type { Pyramid } from "../trace/pyramid.ts";

const [width, height] = [1000, 120];
const colors = ["#2563a8", "#b7791f", "#1f8a5b", "#7a3f94"];
const alarmColor = "#c8322b";

/** What a picture of a track shows. */
export interface TrackPicture {
  readonly pyramids: readonly Pyramid[];
  readonly length: number;
  readonly trainingLength: number;
  readonly alarms: readonly Run[];
  readonly labels: readonly Run[];
}

/** A whole track: one curve below the other, alarms red, labelled events yellow, what was learned from underlined. */
export function trackSvg({ pyramids, length, trainingLength, alarms, labels }: TrackPicture): string {
  const total = height * pyramids.length;
  const toX = (reading: number): number => (reading / length) * width;
  const bands = (runs: readonly Run[], color: string, top: number, bottom: number): string =>
    runs
      .map(({ start, end }) => {
        const wide = Math.max(1.5, toX(end) - toX(start));
        return `<rect x="${rounded(toX(start))}" y="${top}" width="${rounded(wide)}" height="${bottom - top}" fill="${color}"/>`;
      })
      .join("");
  const curves = pyramids.map((pyramid, c) => {
    const { least, greatest } = pyramid.extent(0, length);
    const toY = (value: number): number =>
      height * (c + 1) - 10 - ((value - least) / (greatest - least || 1)) * (height - 20);
    const points = columnsOf(length, width).map(({ start, end, x }) => {
      const extent = pyramid.extent(start, end);
      return `${x},${rounded(toY(extent.greatest))} ${x},${rounded(toY(extent.least))}`;
    });
    return line(points, colors[c % colors.length] ?? alarmColor);
  });
  const parts = [
    bands(labels, "#f6d98b", 0, total),
    ...curves,
    bands(alarms, alarmColor, 0, 7),
    bands([{ start: 0, end: trainingLength }], "#9aa5b1", total - 3, total),
  ];
  return svg(width, total, parts.join(""));
}

/** Values as a line, the first in the color of alarms and the second dashed beside it. */
export function shapeSvg(lines: readonly ArrayLike<number>[]): string {
  const [wide, high] = [160, 48];
  const values = lines.flatMap((each) => Array.from(each));
  const [least, greatest] = [Math.min(...values), Math.max(...values)];
  const parts = lines.map((each, index) => {
    const points = Array.from(each, (value, k) => {
      const x = (k * wide) / Math.max(1, each.length - 1);
      return `${rounded(x)},${rounded(high - 3 - ((value - least) / (greatest - least || 1)) * (high - 6))}`;
    });
    return line(points, index === 0 ? alarmColor : "#1f8a5b", index === 0 ? "" : ' stroke-dasharray="4 3"');
  });
  return svg(wide, high, parts.join(""), ` style="width:${wide}px"`);
}

function columnsOf(length: number, count: number): readonly { start: number; end: number; x: number }[] {
  return Array.from({ length: Math.min(length, count) }, (_, column) => {
    const start = Math.floor((column * length) / Math.min(length, count));
    const end = Math.floor(((column + 1) * length) / Math.min(length, count));
    return { start, end: Math.max(start + 1, end), x: rounded((start / length) * width) };
  });
}

function line(points: readonly string[], color: string, more = ""): string {
  return `<polyline points="${points.join(" ")}" fill="none" stroke="${color}" stroke-width="1.2"${more}/>`;
}

function svg(wide: number, high: number, content: string, style = ' style="width:100%"'): string {
  return `<svg viewBox="0 0 ${wide} ${high}" preserveAspectRatio="none"${style} height="${high}">${content}</svg>`;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
