/** Connects a heart-rate strap, and hands its readings to the page and to the analyst. */
import type { RemoteAnalyst } from "./analysis/remote-analyst.ts";
import { messageOf } from "./elements.ts";
import type { Session } from "./session.ts";
import { connectStrap, type Strap } from "./sources/heart-rate-strap.ts";
import { strapSource } from "./sources/strap-source.ts";
import type { State } from "./state.ts";

/** The strap of a page. */
export class StrapSession {
  readonly #state: State;
  readonly #session: Session;
  readonly #analyst: RemoteAnalyst;
  #strap: Strap | null = null;

  constructor(state: State, session: Session, analyst: RemoteAnalyst) {
    this.#state = state;
    this.#session = session;
    this.#analyst = analyst;
  }

  /** Lets the user choose a strap, and shows what it measures. */
  async connect(): Promise<void> {
    this.#state.notice.value = null;
    this.#strap?.disconnect();
    const { source, track } = strapSource("Heart-rate strap");
    try {
      this.#strap = await connectStrap(
        ({ rate, interval }) => {
          // The user may have opened something else by now.
          if (this.#state.source.value?.tracks[0] !== track) return;
          this.#session.append(track, [rate, interval]);
          void this.#analyst.append([[rate, interval]]);
        },
        () => this.#sayGone(),
      );
      await this.#analyst.openStrap(this.#strap.name);
      this.#session.openLive({ ...source, title: this.#strap.name });
    } catch (error) {
      if (error instanceof DOMException && error.name === "NotFoundError") return; // none was chosen
      this.#state.notice.value = { kind: "error", text: messageOf(error), actions: [] };
    }
  }

  #sayGone(): void {
    const again = { text: "Connect again", run: () => void this.connect() };
    const text = "The strap is out of reach. What it measured is kept.";
    this.#state.notice.value = { kind: "info", text, actions: [again] };
  }
}
