/** How far a training is, in a terminal: a bar that moves, or a few lines where output is no terminal. */
import { shown } from "../base/describe.ts";
import { ArgumentError } from "../base/errors.ts";
import type { Rules } from "../base/rules.ts";
import { optionsOf, text } from "../base/rules.ts";
import type { NonFiniteEvent, RunEvent, StartEvent, StepEvent, TrainEvent } from "./events.ts";

/** Where progress is shown: Node's `process.stdout` is one. */
export interface ProgressOutput {
  /** Whether a line can be written over. */
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

/** What stands before the bar, and where it is drawn. */
export interface ProgressOptions {
  /** What stands before the bar; "training" unless given. */
  readonly name?: string | undefined;
  /** The standard output unless given; where there is none, nothing is drawn. */
  readonly output?: ProgressOutput | undefined;
}

const progressRules: Rules<ProgressOptions> = {
  name: text,
  output: { is: "what has a function write", admits: (value) => typeof Object(value).write === "function" },
};
const barLength = 24;
const millisecondsBetweenDraws = 100;
/** Lines that a whole training leaves in a log. */
const linesInLog = 10;

/**
 * The events, each handed on; a bar shows how far they are, the recent loss, samples per second, and the time that is left. Where
 * output is no terminal, ten lines tell it.
 *
 * @example
 * const model = new nn.Linear(1, 1);
 * const options = { model, optimizer: new optim.SGD({ learningRate: 0.1 }), batches: [ones([2, 1])], epochs: 3 };
 * const lines: string[] = [];
 * const output = { write: (text: string) => lines.push(text) };
 * const loss = (m: nn.Linear, x: mx.MLXArray) => m(x).square().mean();
 * for await (const event of train.withProgress(train.train({ ...options, loss }), { name: "line", output })) event.kind;
 * lines.at(-1)?.startsWith("line  ████████████████████████ 100 %  step 3"); // true
 */
export async function* withProgress<E extends TrainEvent | RunEvent>(
  events: AsyncIterable<E>,
  options: ProgressOptions = {},
): AsyncGenerator<E, void, void> {
  const { name = "training", output = standardOutput() } = optionsOf("withProgress", options, progressRules);
  if (!(Symbol.asyncIterator in Object(events)))
    throw new ArgumentError("withProgress", `takes the events of train, got ${shown(events)}`);
  const bar = output ? new ProgressBar(name, output) : null;
  try {
    for await (const event of events) {
      bar?.take(event);
      yield event;
    }
  } finally {
    bar?.end();
  }
}

function standardOutput(): ProgressOutput | null {
  return "process" in globalThis && process.stdout ? process.stdout : null;
}

class ProgressBar {
  readonly #name: string;
  readonly #output: ProgressOutput;
  #start: StartEvent | null = null;
  #step: StepEvent | null = null;
  #loss = Number.NaN;
  #rate = Number.NaN;
  #share: number | null = null;
  #started = performance.now();
  #startShare = 0;
  #drawn = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #isOpen = false;

  constructor(name: string, output: ProgressOutput) {
    this.#name = name;
    this.#output = output;
  }

  take(event: TrainEvent | RunEvent): void {
    if (event.kind === "start") {
      this.#start = event;
      this.#share = this.#shareAt(event.step, event.epoch, event.batch);
      this.#startShare = this.#share ?? 0;
      this.#started = performance.now();
    } else if (event.kind === "step") {
      this.#step = event;
      this.#loss = recent(this.#loss, event.loss);
      this.#rate = recent(this.#rate, event.samplesPerSecond);
      this.#share = this.#shareAt(event.step, event.epoch, event.batch);
      this.#draw(false);
    } else if (event.kind === "nonFinite") {
      this.#tell(`step ${event.step}: ${whatIsNotFinite(event)}`);
    } else if (event.kind === "end") {
      if (event.reason === "finished") this.#share = 1;
      this.#draw(true);
    }
  }

  /** Ends the line of a bar that was left. */
  end(): void {
    if (this.#isOpen) this.#output.write("\n");
    this.#isOpen = false;
  }

  /** A line of its own, above the bar. */
  #tell(text: string): void {
    this.#output.write(`${this.#isOpen ? "\r\x1b[2K" : ""}${this.#name}  ${text}\n`);
    this.#isOpen = false;
  }

  /** The share that is done, if the end is known; batches of an epoch are as many as in the ones before. */
  #shareAt(step: number, epoch: number, batch: number): number | null {
    if (this.#start?.steps !== undefined) return step / Math.max(this.#start.steps, 1);
    if (this.#start?.epochs === undefined) return null;
    const perEpoch = epoch > 0 ? (step - batch) / epoch : Number.POSITIVE_INFINITY;
    return (epoch + Math.min(batch / perEpoch, 1)) / Math.max(this.#start.epochs, 1);
  }

  #draw(isLast: boolean): void {
    if (!this.#step) return;
    if (!this.#output.isTTY) {
      const due = Math.floor(linesInLog * (this.#share ?? 0));
      if (isLast ? this.#lines <= linesInLog : due > this.#lines && due < linesInLog)
        this.#output.write(`${this.#line()}\n`);
      this.#lines = isLast ? linesInLog + 1 : due;
      return;
    }
    const now = performance.now();
    if (!isLast && now - this.#drawn < millisecondsBetweenDraws) return;
    this.#drawn = now;
    this.#output.write(`\r\x1b[2K${this.#line()}${isLast ? "\n" : ""}`);
    this.#isOpen = !isLast;
  }

  #line(): string {
    const { step = 0 } = this.#step ?? {};
    const parts = [
      this.#share === null ? this.#name : `${this.#name}  ${drawBar(this.#share)}`,
      `step ${step.toLocaleString("en")}`,
      `loss ${this.#loss.toPrecision(3)}`,
      `${Math.round(this.#rate).toLocaleString("en")} samples/s`,
    ];
    const left = this.#millisecondsLeft();
    if (left !== null) parts.push(`${formatSpan(left)} left`);
    return parts.join("  ");
  }

  #millisecondsLeft(): number | null {
    const done = (this.#share ?? 0) - this.#startShare;
    if (this.#share === null || this.#share >= 1 || done <= 0) return null;
    return ((performance.now() - this.#started) / done) * (1 - this.#share);
  }
}

/** Which number of a step is not finite, and what it is. */
function whatIsNotFinite({ loss, gradientNorm }: NonFiniteEvent): string {
  return Number.isFinite(loss) ? `the norm of the gradients is ${gradientNorm}` : `the loss is ${loss}`;
}

function drawBar(share: number): string {
  const filled = Math.round(barLength * Math.min(share, 1));
  return `${"█".repeat(filled)}${"░".repeat(barLength - filled)} ${`${Math.floor(100 * share)} %`.padStart(5)}`;
}

/** A mean in which older values fade. */
function recent(before: number, latest: number): number {
  return Number.isFinite(before) ? before + 0.05 * (latest - before) : latest;
}

function formatSpan(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}
