/** Events of a training as lines of JSON, and back. */
import { FormatError } from "../base/errors.ts";
import { requireValues, text as textRule } from "../base/rules.ts";
import { isPlainObject } from "../base/tree.ts";
import type { RunEvent, TrainEvent } from "./events.ts";

/** What JSON has no number for. */
const unwritable: ReadonlyMap<string, number> = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);

/** Where a text is a text. */
const textKeys: ReadonlySet<string> = new Set(["prediction", "input", "target", "message", "label", "dot"]);

const kinds: ReadonlySet<unknown> = new Set<RunEvent["kind"]>([
  "start",
  "step",
  "nonFinite",
  "epoch",
  "histograms",
  "samples",
  "kernels",
  "checkpoint",
  "pause",
  "resume",
  "failure",
  "end",
]);

/**
 * An event without its arrays: what can be written, or sent.
 *
 * @example
 * const position = { step: 2, epoch: 1, batch: 0 };
 * const event = { kind: "checkpoint", ...position, checkpoint: { arrays: {}, position, lossSum: 0 } } as const;
 * train.runEventOf(event); // { kind: "checkpoint", step: 2, epoch: 1, batch: 0 }
 */
export function runEventOf(event: TrainEvent | RunEvent): RunEvent {
  if (event.kind !== "checkpoint") return event;
  return { kind: event.kind, step: event.step, epoch: event.epoch, batch: event.batch };
}

/**
 * An event as a line of JSON; NaN and infinities, which JSON lacks, are texts there.
 *
 * @example
 * train.writeRunEvent({ kind: "epoch", step: 2, epoch: 1, batch: 0, loss: NaN, milliseconds: 5 });
 * // '{"kind":"epoch","step":2,"epoch":1,"batch":0,"loss":"NaN","milliseconds":5}\n'
 */
export function writeRunEvent(event: TrainEvent | RunEvent): string {
  const line = JSON.stringify(runEventOf(event), (_, value: unknown) =>
    typeof value === "number" && !Number.isFinite(value) ? String(value) : value,
  );
  return `${line}\n`;
}

/**
 * The events in the lines of a run's `events.jsonl`. A last line without its end is still being written, and left out.
 *
 * @throws {FormatError} for a line that is no event
 * @example
 * const [event] = train.readRunEvents('{"kind":"epoch","step":2,"epoch":1,"batch":2,"loss":"NaN","milliseconds":5}\n');
 * event?.kind; // "epoch"
 */
export function readRunEvents(text: string): RunEvent[] {
  requireValues("readRunEvents", textRule, { text });
  const lines = text.split("\n").slice(0, -1);
  return lines.filter((line) => line !== "").map(readLine);
}

function readLine(line: string, k: number): RunEvent {
  let parsed: unknown;
  try {
    parsed = isRevived(line) ? JSON.parse(line, reviveNumber) : JSON.parse(line);
  } catch (cause) {
    throw new FormatError("readRunEvents", `line ${k + 1} is no JSON: ${line.slice(0, 60)}`, { cause });
  }
  if (!isRunEvent(parsed)) throw new FormatError("readRunEvents", `line ${k + 1} is no event: ${line.slice(0, 60)}`);
  return parsed;
}

/** Reading value by value takes several times as long, and few lines need it. */
function isRevived(line: string): boolean {
  return line.includes('"NaN"') || line.includes('Infinity"');
}

function reviveNumber(key: string, value: unknown): unknown {
  return typeof value === "string" && !textKeys.has(key) ? (unwritable.get(value) ?? value) : value;
}

/** Whether something read has the kind and the position of an event; what else it holds is trusted. */
function isRunEvent(parsed: unknown): parsed is RunEvent {
  return (
    isPlainObject(parsed) &&
    kinds.has(parsed.kind) &&
    [parsed.step, parsed.epoch, parsed.batch].every((count) => typeof count === "number")
  );
}

/** The name of the file of a run that holds its events. */
export const eventsFile = "events.jsonl";

/** The name of the file of a run that commands to it are appended to. */
export const commandsFile = "commands.jsonl";

/** The name of the file of a run that its training writes twice a second while it goes on, and removes when it ends. */
export const lockFile = "training.lock";
