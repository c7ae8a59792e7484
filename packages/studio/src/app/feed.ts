/** Follows the events of a run, which its training goes on writing. */
import { TrainingMonitor } from "@mlx-ts/monitor";
import { fetchEvents } from "./api.ts";

const pollMilliseconds = 700;

/** A run that is followed. */
export class Feed {
  readonly name: string;
  readonly monitor: TrainingMonitor = new TrainingMonitor();
  /** Whether the training goes on, as far as the server can tell. */
  isLive = true;
  #end = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isClosed = false;
  readonly #onProblem: (problem: string) => void;

  /** `onProblem` is told what went wrong, and an empty text when all is well again. */
  constructor(name: string, onProblem: (problem: string) => void) {
    this.name = name;
    this.#onProblem = onProblem;
    void this.#follow();
  }

  /** Ends it. */
  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #follow(): Promise<void> {
    try {
      for (let isBehind = true; isBehind && !this.#isClosed; ) {
        const { events, end } = await fetchEvents(this.name, this.#end);
        for (const event of events) this.monitor.push(event);
        isBehind = end !== this.#end && events.length > 0;
        this.isLive ||= isBehind; // what was just written tells more than what was known before
        this.#end = end;
      }
      if (!this.isLive) this.#noteEnd();
      this.#onProblem("");
    } catch (error) {
      this.#onProblem(`${this.name}: ${error instanceof Error ? error.message : error}`);
    }
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#follow(), pollMilliseconds);
  }

  /** A training that was killed has not said so. */
  #noteEnd(): void {
    const { status, position } = this.monitor.state.value;
    if (status !== "running" && status !== "paused") return;
    this.monitor.push({ kind: "end", ...position, reason: "aborted", milliseconds: Number.NaN });
  }
}
