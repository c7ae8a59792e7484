/** The list of runs: one is shown, others are drawn beside it. */
import { formatBytes } from "../element/format.ts";
import { make, makeButton, setAttributes, setText } from "../element/make.ts";
import type { RunInfo } from "./api.ts";

/** What the list tells of what the reader does. */
export interface RunListEvents {
  readonly choose: (name: string) => void;
  readonly compare: (name: string, isCompared: boolean) => void;
}

interface Entry {
  readonly item: HTMLElement;
  readonly dot: HTMLElement;
  readonly button: HTMLButtonElement;
  readonly detail: HTMLElement;
  readonly box: HTMLInputElement;
}

/** The list, which keeps its elements, and with them the focus, while runs come and go. */
export class RunList {
  readonly #list = make("ul");
  readonly #entries = new Map<string, Entry>();
  readonly #events: RunListEvents;

  constructor(place: HTMLElement, events: RunListEvents) {
    this.#events = events;
    place.append(make("h2", {}, "Runs"), this.#list);
  }

  /** Shows these runs. */
  show(runs: readonly RunInfo[], chosen: string | null, compared: ReadonlySet<string>): void {
    const now = Date.now();
    const items = runs.map((run) => {
      const entry = this.#entries.get(run.name) ?? this.#add(run.name);
      const isChosen = run.name === chosen;
      const age = now - run.modified;
      setAttributes(entry.button, { "aria-current": isChosen ? "true" : null });
      setAttributes(entry.dot, { "data-live": run.isLive });
      setText(entry.detail, `${formatAge(age)} · ${formatBytes(run.byteLength)}`);
      entry.box.checked = isChosen || compared.has(run.name);
      entry.box.disabled = isChosen;
      return entry.item;
    });
    if (items.some((item, k) => this.#list.children[k] !== item) || items.length !== this.#list.children.length) {
      const { activeElement } = document;
      this.#list.replaceChildren(...items);
      if (activeElement instanceof HTMLElement && this.#list.contains(activeElement)) activeElement.focus();
    }
  }

  #add(name: string): Entry {
    const dot = make("span", { class: "dot", "aria-hidden": "true" });
    const detail = make("small");
    const button = makeButton(
      { title: name },
      () => this.#events.choose(name),
      dot,
      make("span", { class: "name" }, name === "." ? "this directory" : name),
      detail,
    );
    const box = make("input", { type: "checkbox", "aria-label": `Compare ${name}`, title: "Compare" });
    box.addEventListener("change", () => this.#events.compare(name, box.checked));
    const entry = { item: make("li", {}, button, make("label", {}, box)), dot, button, detail, box };
    this.#entries.set(name, entry);
    return entry;
  }
}

function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds / 1000);
  if (seconds < 15) return "now";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} days ago`;
}
