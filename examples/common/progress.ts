/** Shows in the terminal how far a training is: a bar that moves, or a few plain lines where output is no terminal. */

const barLength = 24;
const millisecondsBetweenDraws = 100;
/** Lines that a whole bar leaves in a log. */
const linesInLog = 10;

/** Shows that `done` of `total` is done, with figures beside the bar. */
export type Progress = (done: number, total: number, figures: string) => void;

/** A bar on standard output; it ends its line when all is done. */
export function progressBar(name: string, output: NodeJS.WriteStream = process.stdout): Progress {
  let drawn = Number.NEGATIVE_INFINITY;
  let lines = 0;
  return (done, total, figures) => {
    const isLast = done >= total;
    const line = `${name} ${bar(done / total)}  ${figures}`;
    if (!output.isTTY) {
      const due = Math.floor((linesInLog * done) / total);
      if (due > lines || isLast) output.write(`  ${line}\n`);
      lines = due;
      return;
    }
    const now = performance.now();
    if (!isLast && now - drawn < millisecondsBetweenDraws) return;
    drawn = now;
    output.write(`\r\x1b[2K  ${line}${isLast ? "\n" : ""}`);
  };
}

function bar(share: number): string {
  const filled = Math.round(barLength * Math.min(share, 1));
  const percent = `${Math.floor(100 * share)} %`;
  return `${"█".repeat(filled)}${"░".repeat(barLength - filled)} ${percent.padStart(5)}`;
}

/** A mean that follows the latest values: the first ones weigh the same, then each new one counts a twentieth. */
export class RunningMean {
  value: number = Number.NaN;
  #count = 0;

  add(latest: number): void {
    this.#count++;
    const share = Math.max(1 / this.#count, 0.05);
    this.value = this.#count === 1 ? latest : this.value + share * (latest - this.value);
  }
}

/** A number with thousands separated, without a fraction. */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString("en");
}
