/** Has the analyst learn, and tells the state how far it is. */
import { TrainingMonitor } from "@mlx-ts/monitor";
import type { ControlCommand } from "mlx-ts/train";
import type { DeviceName, LearnEvent } from "./analysis/analyst.ts";
import type { RemoteAnalyst } from "./analysis/remote-analyst.ts";
import { messageOf } from "./elements.ts";
import type { Judging } from "./judging.ts";
import { GrowingTrack } from "./sources/growing-track.ts";
import type { State } from "./state.ts";

/** The learning of one page. */
export class Learning {
  readonly #state: State;
  readonly #analyst: RemoteAnalyst;
  readonly #judging: Judging;
  #isHeld = false;
  #release = (): void => {};

  constructor(state: State, analyst: RemoteAnalyst, judging: Judging) {
    this.#state = state;
    this.#analyst = analyst;
    this.#judging = judging;
  }

  /** Learns what is normal in the open source, from the start or from where it was stopped. */
  async learn(epochs: number, goesOn = false): Promise<void> {
    const source = this.#state.source.value;
    const [track] = source?.tracks ?? [];
    if (track instanceof GrowingTrack) track.trainingLength = track.length;
    const { isLearning, notice, monitor, unfinished } = this.#state;
    const watched = new TrainingMonitor();
    monitor.value = watched;
    isLearning.value = true;
    notice.value = null;
    unfinished.value = null;
    try {
      for await (const events of this.#analyst.learn({ epochs, seed: 0, goesOn })) {
        if (this.#state.source.value !== source) continue;
        for (const event of events) this.#follow(watched, event);
        await this.#whileHeld();
      }
      this.#judging.judgeAll().catch((error: unknown) => {
        notice.value = { kind: "error", text: messageOf(error), actions: [] };
      });
    } catch (error) {
      watched.fail(error);
      notice.value = { kind: "error", text: messageOf(error), actions: [] };
    } finally {
      isLearning.value = false;
      this.#isHeld = false;
    }
  }

  #follow(monitor: TrainingMonitor, event: LearnEvent): void {
    const { model, history, unfinished } = this.#state;
    if (event.kind === "calibrated") this.#judging.renew();
    else if (event.kind === "learned") {
      model.value = event.model;
      history.value = [event.model, ...history.value];
    } else if (event.kind === "unfinished") unfinished.value = event.unfinished;
    else monitor.push(event);
  }

  /** The analyst goes on when it is asked for more: not asking holds it. */
  async #whileHeld(): Promise<void> {
    const { monitor } = this.#state;
    if (!this.#isHeld) return;
    const position = monitor.value.position.value;
    monitor.value.push({ kind: "pause", ...position });
    await new Promise<void>((resolve) => {
      this.#release = resolve;
    });
    monitor.value.push({ kind: "resume", ...position });
  }

  /** Does what the dashboard is told: holds the learning, lets it go on, ends it, or sets its learning rate. */
  async apply(command: ControlCommand): Promise<void> {
    if (command.kind === "pause") this.#isHeld = true;
    else {
      const applied = command.kind === "resume" ? null : this.#analyst.control(command);
      if (command.kind !== "learningRate") this.#goOn();
      await applied;
    }
  }

  #goOn(): void {
    this.#isHeld = false;
    this.#release();
  }

  /** Computes on a device from now on; says so where there is none. */
  async setDevice(device: DeviceName): Promise<void> {
    const { device: chosen, deviceRemark } = this.#state;
    chosen.value = device;
    deviceRemark.value = device === "gpu" ? "Looking for a GPU…" : "";
    try {
      deviceRemark.value = await this.#analyst.setDevice(device);
    } catch (error) {
      chosen.value = "cpu";
      deviceRemark.value = `No GPU: ${messageOf(error)}`;
    }
  }

  /** The learned weights as a file; null before anything is learned. */
  async weights(): Promise<Uint8Array<ArrayBuffer> | null> {
    const bytes = await this.#analyst.save();
    return bytes && new Uint8Array(bytes);
  }
}
