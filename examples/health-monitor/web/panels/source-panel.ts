/** The row of sources, files dropped onto the page, and what goes wrong with them. */
import { effect } from "@preact/signals-core";
import { button, element } from "../elements.ts";
import type { Session } from "../session.ts";
import type { RecordingName } from "../sources/recordings.ts";
import type { State } from "../state.ts";
import type { StrapSession } from "../strap-session.ts";

const recordings: readonly { readonly name: RecordingName; readonly title: string }[] = [
  { name: "ecg-208", title: "Heart" },
  { name: "single-hop", title: "Single-hop network" },
  { name: "multi-hop", title: "Multi-hop network" },
];

/** Lets the user choose what to watch. */
export function showSources(state: State, session: Session, straps: StrapSession): void {
  const row = element("recordings", HTMLFieldSetElement);
  const buttons = recordings.map(({ name, title }) => {
    const made = button(title, () => void session.openRecording(name));
    row.append(made);
    return { name, made };
  });
  const openFile = element("open-file", HTMLButtonElement);
  const file = element("file", HTMLInputElement);
  openFile.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    const [chosen] = file.files ?? [];
    if (chosen) void session.openFile(chosen);
    // The same file may be chosen again, once it is mended.
    file.value = "";
  });
  const strap = element("strap", HTMLButtonElement);
  strap.addEventListener("click", () => void straps.connect());
  acceptDrops(session);
  effect(() => {
    const key = state.source.value?.key;
    for (const { name, made } of buttons) made.ariaPressed = String(name === key);
    strap.ariaPressed = String(state.source.value?.kind === "strap");
    openFile.ariaPressed = String(state.source.value?.kind === "table");
  });
  showLoading(state);
  showNotice(state);
}

function acceptDrops(session: Session): void {
  const veil = element("drop", HTMLDivElement);
  const hasFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragover", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) veil.hidden = true;
  });
  addEventListener("drop", (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    veil.hidden = true;
    const [dropped] = event.dataTransfer?.files ?? [];
    if (dropped) void session.openFile(dropped);
  });
}

function showLoading(state: State): void {
  const veil = element("loading", HTMLDivElement);
  const text = element("loading-text", HTMLParagraphElement);
  const progress = element("loading-progress", HTMLProgressElement);
  const cancel = element("loading-cancel", HTMLButtonElement);
  cancel.addEventListener("click", () => state.loading.value?.cancel?.());
  effect(() => {
    const loading = state.loading.value;
    veil.hidden = loading === null;
    if (!loading) return;
    text.textContent = loading.text;
    cancel.hidden = loading.cancel === null;
    if (loading.share === null) progress.removeAttribute("value");
    else progress.value = loading.share;
  });
}

function showNotice(state: State): void {
  const box = element("notice", HTMLDivElement);
  const text = element("notice-text", HTMLParagraphElement);
  const actions = element("notice-actions", HTMLDivElement);
  effect(() => {
    const notice = state.notice.value;
    box.hidden = notice === null;
    if (!notice) return;
    box.dataset.kind = notice.kind;
    text.textContent = notice.text;
    const dismiss = button("Dismiss", () => {
      state.notice.value = null;
    });
    actions.replaceChildren(...notice.actions.map(({ text: name, run }) => button(name, run)), dismiss);
    // Who has scrolled down sees it too.
    box.scrollIntoView({ block: "nearest" });
  });
}
