/** Shows training in the terminal: a bar with throughput, or a few plain lines where output is no terminal. */
import type { EpochEnd } from "./training.ts";

const barLength = 24;

/** Runs a training to its end, showing how far it is. Returns the loss of every pass. */
export async function showTraining(
  name: string,
  unit: string,
  events: AsyncIterable<EpochEnd>,
): Promise<readonly number[]> {
  const { stdout } = process;
  const losses: number[] = [];
  const startMilliseconds = performance.now();
  let samples = 0;
  for await (const event of events) {
    losses.push(event.loss);
    samples += event.samples;
    const rate = (1000 * samples) / (performance.now() - startMilliseconds);
    const isLast = event.epoch === event.epochs;
    const line = `${name.padEnd(20)} ${bar(event)}  loss ${event.loss.toPrecision(3)}  ${formatRate(rate)} ${unit}/s`;
    if (stdout.isTTY) stdout.write(`\r\x1b[2K  ${line}${isLast ? "\n" : ""}`);
    else if (isLast || event.epoch % Math.ceil(event.epochs / 4) === 0) stdout.write(`  ${line}\n`);
  }
  return losses;
}

function bar({ epoch, epochs }: EpochEnd): string {
  const filled = Math.round((barLength * epoch) / epochs);
  const percent = `${Math.round((100 * epoch) / epochs)} %`;
  return `${"█".repeat(filled)}${"░".repeat(barLength - filled)} ${percent.padStart(5)}`;
}

function formatRate(rate: number): string {
  return Math.round(rate).toLocaleString("en");
}
