/** Draws the moving trace: a lane for each channel, alarms marked in it, and a lane of alarm levels below. */

import type { Run } from "../../sensors/metrics.ts";
import type { Alarm, AlarmTrack } from "../alarms.ts";
import { formatReading } from "../figures.ts";
import { formatClock } from "../playback.ts";
import type { ChannelInfo } from "../sources/source.ts";
import { type Palette, readPalette } from "./palette.ts";
import type { Extent, Pyramid } from "./pyramid.ts";
import { Surface } from "./surface.ts";
import { multiples, niceStep, niceTimeStep } from "./ticks.ts";

/** What a picture shows. */
export interface TraceContent {
  readonly channels: readonly ChannelInfo[];
  readonly pyramids: readonly Pyramid[];
  readonly alarms: AlarmTrack;
  /** Events that people labelled. */
  readonly labels: readonly Run[];
  readonly secondsPerReading: number;
}

const font = '11px -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const gutter = { left: 0, right: 16, bottom: 22 };
const levelLaneHeight = 52;
const laneGap = 10;
/** Alarm levels at the lower and upper edge of their lane, which is logarithmic. */
const levelRange: readonly [number, number] = [0.03, 30];

/** A trace on a canvas. */
export class TraceView {
  readonly #canvas: HTMLCanvasElement;
  readonly #surface: Surface;
  #palette: Palette;
  /** What each lane shows; it follows the values gently. */
  #extents: Extent[] = [];
  readonly #isCalm = matchMedia("(prefers-reduced-motion: reduce)");
  #content: TraceContent | null = null;

  constructor(canvas: HTMLCanvasElement, onResize: () => void) {
    this.#canvas = canvas;
    this.#surface = new Surface(canvas, onResize);
    this.#palette = readPalette(canvas);
  }

  /** Takes on the colors of the theme. */
  refreshPalette(): void {
    this.#palette = readPalette(this.#canvas);
  }

  /** Shows other readings from now on. */
  setContent(content: TraceContent | null): void {
    this.#content = content;
    this.#extents = [];
  }

  /** Draws the readings of `windowSeconds` up to `position`. */
  draw(position: number, windowSeconds: number): void {
    const { context, width, height } = this.#surface;
    this.#surface.clear();
    const content = this.#content;
    if (!content || width === 0) return;
    const readings = windowSeconds / content.secondsPerReading;
    const right = width - gutter.right;
    const pixelsPerReading = (right - gutter.left) / readings;
    const window: Window = {
      first: position - readings,
      last: position,
      left: gutter.left,
      right,
      toX: (reading) => right - (position - reading) * pixelsPerReading,
      readingsPerPixel: 1 / pixelsPerReading,
    };
    const bottom = height - gutter.bottom;
    const lanesHeight = bottom - levelLaneHeight - laneGap;
    const laneHeight = (lanesHeight - laneGap * (content.channels.length - 1)) / content.channels.length;
    this.#drawTimes(content, window, bottom);
    this.#drawBands(content.labels, window, { top: 0, bottom }, this.#palette.labelBand);
    const visible = content.alarms.alarms.filter(({ start, end }) => end > window.first && start < window.last);
    this.#drawBands(visible, window, { top: 0, bottom }, this.#palette.alarmBand);
    context.fillStyle = this.#palette.grid;
    context.fillRect(Math.round(right), 0, 1, bottom);
    for (const [c, pyramid] of content.pyramids.entries()) {
      const top = c * (laneHeight + laneGap);
      this.#drawLane(c, content, pyramid, window, { top, bottom: top + laneHeight }, visible);
    }
    this.#drawLevels(content.alarms, window, { top: bottom - levelLaneHeight, bottom });
  }

  #drawTimes({ secondsPerReading }: TraceContent, window: Window, bottom: number): void {
    const { context, width } = this.#surface;
    const [from, to] = [window.first * secondsPerReading, window.last * secondsPerReading];
    const step = niceTimeStep(to - from, width / 90);
    context.font = font;
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    for (const seconds of multiples(step, Math.max(0, from), to)) {
      const x = window.toX(seconds / secondsPerReading);
      context.fillStyle = this.#palette.grid;
      context.fillRect(Math.round(x), 0, 1, bottom);
      context.fillStyle = this.#palette.faint;
      if (x > 18 && x < width - 24) context.fillText(formatClock(seconds, step < 1 ? 1 : 0), x, bottom + 16);
    }
  }

  #drawBands(runs: readonly Run[], window: Window, { top, bottom }: Lane, color: string): void {
    const { context } = this.#surface;
    context.fillStyle = color;
    for (const { start, end } of runs) {
      if (end < window.first || start > window.last) continue;
      const left = Math.max(window.left, window.toX(start));
      const right = Math.min(window.right, window.toX(end));
      context.fillRect(left, top, Math.max(1, right - left), bottom - top);
    }
  }

  #drawLane(
    c: number,
    { channels }: TraceContent,
    pyramid: Pyramid,
    window: Window,
    lane: Lane,
    alarms: readonly Alarm[],
  ): void {
    const { context } = this.#surface;
    const channel = channels[c];
    const extent = this.#follow(
      c,
      pyramid.extent(Math.floor(window.first), Math.ceil(window.last)),
      channel?.digits ?? 0,
    );
    const toY = (value: number): number =>
      lane.bottom - ((value - extent.least) / (extent.greatest - extent.least)) * (lane.bottom - lane.top);
    const step = niceStep(extent.greatest - extent.least, (lane.bottom - lane.top) / 44);
    const ticks = multiples(step, extent.least, extent.greatest);
    context.fillStyle = this.#palette.grid;
    for (const value of ticks) context.fillRect(window.left, Math.round(toY(value)), window.right - window.left, 1);
    const color = this.#palette.traces[c % this.#palette.traces.length] ?? this.#palette.ink;
    this.#strokeTrace(pyramid, window, toY, window.first, window.last, color);
    for (const { start, end } of alarms) {
      this.#strokeTrace(
        pyramid,
        window,
        toY,
        Math.max(start, window.first),
        Math.min(end, window.last),
        this.#palette.alarm,
      );
    }
    const last = pyramid.at(Math.min(pyramid.length, Math.floor(window.last)) - 1);
    if (Number.isFinite(last)) {
      context.fillStyle = color;
      context.beginPath();
      context.arc(window.right, toY(last), 3.5, 0, 2 * Math.PI);
      context.fill();
    }
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    for (const value of ticks) {
      const y = Math.round(toY(value));
      if (y > lane.top + 12) this.#drawLabel(formatReading(value, digits), window.left + 2, y - 1);
    }
  }

  /** A text that the trace behind it leaves readable. */
  #drawLabel(text: string, x: number, y: number): void {
    const { context } = this.#surface;
    context.textAlign = "left";
    context.textBaseline = "bottom";
    context.lineWidth = 3;
    context.strokeStyle = this.#palette.surface;
    context.strokeText(text, x, y);
    context.fillStyle = this.#palette.faint;
    context.fillText(text, x, y);
  }

  /** The stretch of values that a lane shows: it widens and narrows by a part of the difference in each picture. */
  #follow(c: number, { least, greatest }: Extent, digits: number): Extent {
    const isEmpty = !(least <= greatest);
    const smallest = 10 ** (1 - digits);
    const middle = isEmpty ? 0 : (least + greatest) / 2;
    const half = Math.max(isEmpty ? 1 : (greatest - least) / 2, smallest / 2) * 1.12;
    const wanted = { least: middle - half, greatest: middle + half };
    const before = this.#extents[c];
    const share = before && !this.#isCalm.matches ? 0.12 : 1;
    const towards = (from: number, to: number): number => from + share * (to - from);
    const extent = {
      // Values that leave the lane move its edge at once.
      least: Math.min(towards(before?.least ?? 0, wanted.least), isEmpty ? 0 : least),
      greatest: Math.max(towards(before?.greatest ?? 0, wanted.greatest), isEmpty ? 0 : greatest),
    };
    this.#extents[c] = extent;
    return extent;
  }

  #strokeTrace(
    pyramid: Pyramid,
    window: Window,
    toY: (value: number) => number,
    from: number,
    to: number,
    color: string,
  ): void {
    const { context } = this.#surface;
    context.strokeStyle = color;
    context.lineWidth = 1.5;
    context.lineJoin = "round";
    context.beginPath();
    // Blocks begin at multiples of their size, so that the picture moves but does not flicker.
    const block = Math.max(1, Math.floor(window.readingsPerPixel));
    const end = Math.min(to, pyramid.length);
    for (let start = Math.max(0, Math.floor(from / block) * block); start < end; start += block) {
      const x = window.toX(start);
      if (block === 1) {
        context.lineTo(x, toY(pyramid.at(start)));
        continue;
      }
      const { least, greatest } = pyramid.extent(start, Math.min(start + block, Math.ceil(end)));
      context.lineTo(x, toY(greatest));
      context.lineTo(x, toY(least));
    }
    context.lineTo(window.toX(end), toY(pyramid.at(Math.ceil(end) - 1)));
    context.stroke();
  }

  #drawLevels(alarms: AlarmTrack, window: Window, lane: Lane): void {
    const { context } = this.#surface;
    const [lowest, highest] = levelRange;
    const toY = (level: number): number => {
      const share = Math.log(Math.max(lowest, Math.min(highest, level)) / lowest) / Math.log(highest / lowest);
      return lane.bottom - share * (lane.bottom - lane.top);
    };
    const threshold = Math.round(toY(1));
    const bar = (reading: number, width: number, level: number): void => {
      const y = toY(level);
      context.fillStyle = level > 1 ? this.#palette.alarm : this.#palette.training;
      context.fillRect(window.toX(reading), y, Math.max(1, width), lane.bottom - y);
    };
    const block = Math.max(1, Math.floor(window.readingsPerPixel));
    const first = Math.max(0, Math.floor(window.first / block) * block);
    for (let start = first; start < window.last && alarms.beats.length === 0; start += block) {
      let level = Number.NaN;
      for (let k = start; k < Math.min(start + block, window.last); k++) {
        const value = alarms.levels[k] ?? Number.NaN;
        if (!(value <= level)) level = Number.isNaN(value) ? level : value;
      }
      if (level > 0) bar(start, block / window.readingsPerPixel, level);
    }
    for (const { peak, level } of alarms.beats) {
      if (peak > window.first && peak < window.last) bar(peak - 6 * window.readingsPerPixel * 0.25, 3, level);
    }
    context.fillStyle = this.#palette.faint;
    context.fillRect(window.left, threshold, window.right - window.left, 1);
    this.#drawLabel("alarm level 1", window.left + 2, threshold - 2);
  }
}

/** A stretch of readings and where it lies on the surface. */
interface Window {
  readonly first: number;
  readonly last: number;
  readonly left: number;
  readonly right: number;
  readonly toX: (reading: number) => number;
  readonly readingsPerPixel: number;
}

/** Where a lane lies on the surface. */
interface Lane {
  readonly top: number;
  readonly bottom: number;
}
