/** Draws a whole track as a strip: what trains, what was labelled, what raised an alarm. */
import type { Run } from "../../sensors/metrics.ts";
import type { AlarmTrack } from "../alarms.ts";
import type { Track } from "../sources/source.ts";
import { type Palette, readPalette } from "./palette.ts";
import type { Pyramid } from "./pyramid.ts";
import { Surface } from "./surface.ts";

/** What the strip shows. */
export interface OverviewContent {
  readonly pyramids: readonly Pyramid[];
  readonly alarms: AlarmTrack;
  readonly labels: readonly Run[];
  readonly track: Pick<Track, "length" | "trainingLength">;
}

/** A strip on a canvas. */
export class Overview {
  readonly #canvas: HTMLCanvasElement;
  readonly #surface: Surface;
  #palette: Palette;

  constructor(canvas: HTMLCanvasElement, onResize: () => void) {
    this.#canvas = canvas;
    this.#surface = new Surface(canvas, onResize);
    this.#palette = readPalette(canvas);
  }

  /** Takes on the colors of the theme. */
  refreshPalette(): void {
    this.#palette = readPalette(this.#canvas);
  }

  /** Draws all of it. */
  draw({ pyramids, alarms, labels, track: { length, trainingLength } }: OverviewContent): void {
    const { context, width, height } = this.#surface;
    this.#surface.clear();
    const toX = (reading: number): number => (reading / length) * width;
    const fill = ({ start, end }: Run, color: string, top: number, bottom: number): void => {
      context.fillStyle = color;
      context.fillRect(toX(start), top, Math.max(1.5, toX(end) - toX(start)), bottom - top);
    };
    fill({ start: 0, end: trainingLength }, this.#palette.training, height - 3, height);
    for (const label of labels) fill(label, this.#palette.labelBand, 0, height - 3);
    const columns = Math.max(1, Math.floor(width));
    for (const [c, pyramid] of pyramids.entries()) {
      const { least, greatest } = pyramid.extent(0, length);
      const [top, bottom] = [
        2 + (c * (height - 7)) / pyramids.length,
        2 + ((c + 1) * (height - 7)) / pyramids.length - 2,
      ];
      const toY = (value: number): number => bottom - ((value - least) / (greatest - least || 1)) * (bottom - top);
      context.strokeStyle = this.#palette.traces[c % this.#palette.traces.length] ?? this.#palette.ink;
      context.globalAlpha = 0.8;
      context.lineWidth = 1;
      context.beginPath();
      for (let x = 0; x < columns; x++) {
        const from = Math.floor((x * length) / columns);
        const extent = pyramid.extent(from, Math.max(from + 1, Math.floor(((x + 1) * length) / columns)));
        context.lineTo(x + 0.5, toY(extent.greatest));
        context.lineTo(x + 0.5, toY(extent.least) + 0.5);
      }
      context.stroke();
      context.globalAlpha = 1;
    }
    for (const alarm of alarms.alarms) fill(alarm, this.#palette.alarm, 0, 5);
  }
}
