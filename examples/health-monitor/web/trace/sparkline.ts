/** Draws a few values as a line the size of a word. */
import type { Palette } from "./palette.ts";

const [width, height] = [84, 26];

/** Draws lines over one another, the first in the trace's color and the second in the ink's. */
export function drawSparkline(
  canvas: HTMLCanvasElement,
  lines: readonly (Float32Array | Float64Array)[],
  palette: Palette,
): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  canvas.width = width * devicePixelRatio;
  canvas.height = height * devicePixelRatio;
  context.scale(devicePixelRatio, devicePixelRatio);
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const line of lines) {
    for (const value of line) [least, greatest] = [Math.min(least, value), Math.max(greatest, value)];
  }
  for (const [index, line] of lines.entries()) {
    context.strokeStyle = (index === 0 ? palette.alarm : palette.traces[0]) ?? palette.ink;
    context.lineWidth = 1.25;
    context.setLineDash(index === 0 ? [] : [3, 2]);
    context.beginPath();
    for (const [k, value] of line.entries()) {
      const x = 1 + (k * (width - 2)) / Math.max(1, line.length - 1);
      context.lineTo(x, height - 2 - ((value - least) / (greatest - least || 1)) * (height - 4));
    }
    context.stroke();
  }
}
