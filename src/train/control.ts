/** Pausing, resuming and ending a training from outside of its loop, and changing its learning rate. */
import { shown } from "../base/describe.ts";
import { ArgumentError } from "../base/errors.ts";
import { oneOf, requireValues } from "../base/rules.ts";
import { isPlainObject } from "../base/tree.ts";

/** What a control asks of its training. */
export type ControlState = "running" | "paused" | "stopped";

/** A command to a training, as plain data: what can be sent from anywhere. */
export type ControlCommand =
  | { readonly kind: "pause" | "resume" | "stop" }
  | { readonly kind: "learningRate"; readonly learningRate: number };

/**
 * The handle on a training that is given it as `control`. Commands take effect between two steps: the training tells of them
 * in its events.
 *
 * @example
 * const control = new train.TrainingControl();
 * control.pause();
 * control.state; // "paused"
 * control.resume();
 * control.setLearningRate(0.001);
 * control.state; // "running"
 */
export class TrainingControl {
  #state: ControlState = "running";
  #learningRate: number | null = null;
  readonly #waiting = new Set<() => void>();

  get state(): ControlState {
    return this.#state;
  }

  /** Holds the training before its next step. */
  pause(): void {
    if (this.#state === "running") this.#state = "paused";
  }

  /** Lets a paused training go on. */
  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    this.#wake();
  }

  /** Ends the training before its next step, for good. */
  stop(): void {
    this.#state = "stopped";
    this.#wake();
  }

  /**
   * Sets the learning rate from the next step on, in place of a schedule too.
   *
   * @throws {ArgumentError} if it is negative or not finite
   */
  setLearningRate(learningRate: number): void {
    if (!(learningRate >= 0 && Number.isFinite(learningRate))) {
      throw new ArgumentError("TrainingControl", `a learning rate is a number from 0 on, got ${shown(learningRate)}`);
    }
    this.#learningRate = learningRate;
  }

  /** Does what a command says. @throws {ArgumentError} for a learning rate that is none */
  apply(command: ControlCommand): void {
    const { kind } = Object(command);
    requireValues("TrainingControl", oneOf("pause", "resume", "stop", "learningRate"), { kind });
    switch (command.kind) {
      case "pause":
        this.pause();
        break;
      case "resume":
        this.resume();
        break;
      case "stop":
        this.stop();
        break;
      case "learningRate":
        this.setLearningRate(command.learningRate);
        break;
      default:
        command satisfies never;
    }
  }

  /** The learning rate that was set since this was last asked, or null: for the training alone. */
  takeLearningRate(): number | null {
    const rate = this.#learningRate;
    this.#learningRate = null;
    return rate;
  }

  /** Resolves when the control is not paused, or `signal` is aborted. */
  async whenResumed(signal?: AbortSignal): Promise<void> {
    while (this.#state === "paused" && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal?.addEventListener("abort", wake, { once: true });
      });
    }
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

/**
 * The command in a line of JSON, or null if there is none that a control would take.
 *
 * @example
 * train.readCommand('{"kind":"pause"}'); // { kind: "pause" }
 * train.readCommand('{"kind":"learningRate","learningRate":-1}'); // null
 */
export function readCommand(line: string): ControlCommand | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return null;
  }
  if (!isPlainObject(parsed)) return null;
  const { kind, learningRate } = parsed;
  if (kind === "pause" || kind === "resume" || kind === "stop") return { kind };
  const isRate = typeof learningRate === "number" && learningRate >= 0 && Number.isFinite(learningRate);
  return kind === "learningRate" && isRate ? { kind, learningRate } : null;
}
